"""What is wrong with a text, by offsets, and the diagnostics it becomes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.source.lines import Lines

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: where it starts and ends in the text, and another place that belongs to it."""

    code: str
    message: str
    help: str
    start: int
    end: int
    pointer: Pointer = ()
    on_key: bool = False
    related: tuple[str, int, int] | None = None


@dataclass(slots=True)
class Mistakes:
    """The mistakes of a text. Of one kind (a code with its help) only so many are kept: a text may be hostile."""

    found: list[Mistake] = field(default_factory=list)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_left_out: dict[tuple[str, str], Mistake] = field(default_factory=dict)

    def add(self, mistake: Mistake) -> None:
        """Take one more."""
        kind = (mistake.code, mistake.help)
        self.kinds[kind] += 1
        if self.kinds[kind] <= _SHOWN:
            self.found.append(mistake)
        elif kind not in self.first_left_out:
            self.first_left_out[kind] = mistake

    def diagnostics(self, lines: Lines, file: str) -> tuple[Diagnostic, ...]:
        """All of them, in the order of the text."""
        left_out = [
            replace(one, message=f"{one.message} ({self.kinds[kind] - _SHOWN - 1:,} more of these follow)")
            for kind, one in self.first_left_out.items()
        ]
        rows = sorted([*self.found, *left_out], key=lambda one: (one.start, one.end))
        return tuple(_diagnostic(one, lines, file) for one in rows)


def _diagnostic(one: Mistake, lines: Lines, file: str) -> Diagnostic:
    related: tuple[Related, ...] = ()
    if one.related:
        text, start, end = one.related
        related = (Related(text, one.pointer, lines.span(start, end), one.on_key),)
    span = lines.span(one.start, one.end)
    return Diagnostic(one.code, one.message, one.pointer, one.help, related, one.on_key, None, span, file)


def shown(text: str, most: int = 40) -> str:
    """A piece of the document inside a message, cut where it is long."""
    return f"`{text}`" if len(text) <= most else f"`{text[: most - 3]}...`"
