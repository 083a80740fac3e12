"""A document's text with what it holds: the value, its mistakes, and where everything stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Span
from kade2kfp.source.lines import Lines

if TYPE_CHECKING:
    from kade2kfp.source.places import Places
    from kade2kfp.source.seek import Seeker


class Object(dict[str, Any]):
    """An object of the document, and where in it that stands."""

    pointer: Pointer = ()


class Missing(Enum):
    """The type of MISSING."""

    MISSING = "MISSING"


MISSING: Final = Missing.MISSING
"""The root of a source that holds no value that could be read."""


@dataclass(frozen=True, eq=False)
class Source:
    """A file that was read. Spans are found when they are first asked for: a document without mistakes needs none."""

    file: str
    text: str = field(repr=False)
    root: object = field(default=MISSING, repr=False)
    diagnostics: tuple[Diagnostic, ...] = ()
    scanned: Places | None = field(default=None, repr=False)
    """The places, where reading has found them already; else the text has no mistake, and they are sought in it."""
    folder: str | None = None
    """The folder that the file lies in; None for a text in memory."""

    def span(self, pointer: Pointer, *, on_key: bool = False, within: tuple[int, int] | None = None) -> Span | None:
        """Where the value at a pointer stands.

        Args:
            pointer: the way to the value. Where there is none, the span is that of the nearest value on the way, and
                of an object or array only its opening bracket.
            on_key: the span of the member's key instead. An element of an array has none: its value is taken.
            within: the span of a part of a text instead, start and end in characters of the decoded text.

        Returns:
            None where the source holds no value.
        """
        if self.root is MISSING:
            return None
        found = self._places.find(pointer, on_key=on_key, within=within)
        return self.lines.span(*found) if found else None

    def line(self, n: int) -> str:
        """The n-th line, from 1, without what ends it; empty where there is none."""
        return self.lines.line(n)

    @cached_property
    def lines(self) -> Lines:
        """Where the text's lines begin."""
        return Lines(self.text)

    @cached_property
    def _places(self) -> Places | Seeker:
        if self.scanned is not None:
            return self.scanned
        from kade2kfp.source.seek import Seeker

        return Seeker(self.text)
