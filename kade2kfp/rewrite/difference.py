"""The difference of two texts, as `diff -u` and git show it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

_AROUND = 3
_MANY = 4000
"""Lines on both sides together, from which on a difference is not sought in detail: that may take the square of them."""


def difference(before: str, after: str, old: str, new: str) -> Iterator[str]:
    """Lines without their ends, none where both are the same; `old` and `new` name the two.

    Only a line feed ends a line: a carriage return before it is part of the line, and a difference.
    """
    if before == after:
        return
    left, right = _lines(before), _lines(after)
    same = _same(left, right)
    end = _same(left[same:][::-1], right[same:][::-1])
    many = len(left) + len(right) - 2 * (same + end) > _MANY
    detailed = unified_diff(left, right, old, new, lineterm="", n=_AROUND)
    rows = _at_once(left, right, same, end, old, new) if many else detailed
    for number, row in enumerate(rows):
        yield row.removesuffix("\n")
        if number >= 2 and not row.startswith("@@") and not row.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    rows = [row + "\n" for row in text.split("\n")]
    last = rows.pop().removesuffix("\n")
    return [*rows, last] if last else rows


def _same(left: list[str], right: list[str]) -> int:
    """How many lines both begin with."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (one, other) in pairs if one != other), min(len(left), len(right)))


def _at_once(left: list[str], right: list[str], same: int, end: int, old: str, new: str) -> Iterator[str]:
    """One hunk: all that differs goes, and comes anew."""
    first, after = max(0, same - _AROUND), min(end, _AROUND)
    sizes = [len(rows) - first - end + after for rows in (left, right)]
    yield f"--- {old}"
    yield f"+++ {new}"
    yield f"@@ -{first + 1},{sizes[0]} +{first + 1},{sizes[1]} @@"
    yield from (" " + row for row in left[first:same])
    yield from ("-" + row for row in left[same : len(left) - end])
    yield from ("+" + row for row in right[same : len(right) - end])
    yield from (" " + row for row in left[len(left) - end :][:after])
