"""Offsets of a text to lines and columns, both from 1."""

from __future__ import annotations

import re
from bisect import bisect_right

from kade2kfp.diagnostics.model import Span

# What ends a line for every editor. U+2028 and the like, which str.splitlines takes too, do not.
_LINE_END = re.compile(r"\r\n?|\n")


class Lines:
    """Where the lines of a text begin; columns count code points, a tab is one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def span(self, start: int, end: int) -> Span:
        """The span from one offset to another, the end exclusive."""
        return Span(*self._position(start), *self._position(end))

    def line(self, number: int) -> str:
        """A line by its number, without what ends it; empty where there is none."""
        if not 1 <= number <= len(self._starts):
            return ""
        end = self._starts[number] if number < len(self._starts) else len(self._text)
        return self._text[self._starts[number - 1] : end].rstrip("\r\n")

    def _position(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1
