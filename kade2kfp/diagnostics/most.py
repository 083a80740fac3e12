"""Which diagnostics are shown where there are too many, and the line that counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappush, heapreplace
from typing import Generic, TypeVar

from kade2kfp.diagnostics.model import Diagnostic, Severity
from kade2kfp.diagnostics.severity import severity

Shown = TypeVar("Shown")
PER_CODE = 20
"""So many of one code are shown of a file where nobody asked for another number."""
_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


class Most(Generic[Shown]):
    """The `limit` diagnostics that matter most of all that come by, in their order: no error gives way to a warning.

    Among equals the first ones stay. It holds what is shown of them, never more than the limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen = 0
        self._kept: list[tuple[int, int, Shown]] = []  # a heap, the least important first

    def wants(self, one: Diagnostic) -> bool:
        """Whether it would stay for now: what does not need not be rendered."""
        if len(self._kept) < self._limit:
            return True
        return bool(self._kept) and -_RANK[severity(one.code)] > self._kept[0][0]

    def add(self, one: Diagnostic, shown: Shown) -> None:
        """Keep one that is wanted, in place of the least important one if need be."""
        self._seen += 1
        row = (-_RANK[severity(one.code)], -self._seen, shown)
        if len(self._kept) < self._limit:
            heappush(self._kept, row)
        else:
            heapreplace(self._kept, row)

    def rows(self) -> list[Shown]:
        """What has stayed, in the order in which it came."""
        return [shown for _, _, shown in sorted(self._kept, key=lambda row: -row[1])]


def few(found: Sequence[Diagnostic], most: int = PER_CODE) -> tuple[list[Diagnostic], dict[str, int]]:
    """The first of each code, and how many more there are: one cause may have thousands of effects."""
    seen: Counter[str] = Counter()
    kept = []
    for one in found:
        seen[one.code] += 1
        if seen[one.code] <= most:
            kept.append(one)
    return kept, {code: count - most for code, count in seen.items() if count > most}


def counted(found: Iterable[Diagnostic]) -> Counter[Severity]:
    """How many there are of each severity."""
    return Counter(severity(one.code) for one in found)


def summary(counts: Mapping[Severity, int], files: int = 1, wrong: int = 1) -> str:
    """One line that counts: `2 errors and 1 warning in 3 files; 197 files are fine`. `wrong` files are not fine."""
    parts = [_number(counts[one], one.value) for one in Severity if counts.get(one)]
    said = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    if files == 1:
        return said
    fine = files - wrong
    said += f" in {_number(wrong, 'file')}"
    return said + (f"; {_number(fine, 'file')} {'is' if fine == 1 else 'are'} fine" if fine else "")


def _number(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' if count != 1 else ''}"
