"""Where each value stands: offsets only, in the shape of the document."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.source.tokens import ESCAPE, QUOTED, WORD


@dataclass(slots=True, eq=False)
class Place:
    """An object or array: its brackets, the keys of an object, and what it holds."""

    start: int
    end: int = 0
    keys: dict[str, int] = field(default_factory=dict)
    members: dict[str, Kid] = field(default_factory=dict)
    elements: list[Kid] = field(default_factory=list)

    def kid(self, part: str | int) -> Kid | None:
        """What stands at a member's key or an element's index."""
        if isinstance(part, str):
            return self.members.get(part)
        return self.elements[part] if 0 <= part < len(self.elements) else None


Kid = Place | int
"""A place, or the offset at which a text, number or word begins."""


@dataclass(slots=True, eq=False)
class Places:
    """The places of a text's values. `ends` has ends by starts: of what is not written as JSON asks, and of what was asked for."""

    text: str
    root: Kid | None = None
    ends: dict[int, int] = field(default_factory=dict)
    escapes: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)

    def find(
        self, pointer: Pointer, *, on_key: bool = False, within: tuple[int, int] | None = None
    ) -> tuple[int, int] | None:
        """Start and end of the value at a pointer, as `Source.span` says."""
        here = self.root
        for depth, part in enumerate(pointer, 1):
            if not isinstance(here, Place):
                break
            kid = here.kid(part)
            if kid is None:
                return here.start, here.start + 1
            if on_key and depth == len(pointer) and isinstance(part, str):
                return self.token(here.keys[part])
            here = kid
        else:
            if within is not None and isinstance(here, int):
                return self._part(here, *within)
        if isinstance(here, Place):
            return here.start, here.end
        return None if here is None else self.token(here)

    def token(self, start: int) -> tuple[int, int]:
        """Start and end of the text, number or word that begins at an offset."""
        known = self.ends.get(start)
        if known is not None:
            return start, known
        match = QUOTED.match(self.text, start) or WORD.match(self.text, start)
        # A long text with many references is asked for many times.
        self.ends[start] = end = match.end() if match else start
        return start, end

    def _part(self, at: int, start: int, end: int) -> tuple[int, int]:
        """Start and end of a part of the text that begins at `at`."""
        stop = self.token(at)[1]
        if self.text[at] != '"':  # a number, or what stands for a text without JSON's quotes
            return at, stop
        closed = stop - at >= 2 and self.text[stop - 1] == '"'
        first, last = at + 1, stop - 1 if closed else stop
        if at not in self.escapes:
            self.escapes[at] = _escapes(self.text, first, last)
        points = self.escapes[at]
        begin = min(max(_raw(points, first, max(start, 0)), first), last)
        return begin, max(begin, min(_raw(points, first, max(end, 0)), last))


def _escapes(text: str, start: int, end: int) -> tuple[list[int], list[int]]:
    """For each escape of a text, the decoded index of what follows it, and that one's offset."""
    decoded, raw = [], []
    index, before = 0, start
    for match in ESCAPE.finditer(text, start, end):
        index += match.start() - before + 1
        before = match.end()
        decoded.append(index)
        raw.append(before)
    return decoded, raw


def _raw(points: tuple[list[int], list[int]], start: int, index: int) -> int:
    """The offset of a character of the decoded text."""
    decoded, raw = points
    nearest = bisect_right(decoded, index)
    if not nearest:
        return start + index
    # Between this escape and the next one, characters stand for themselves.
    return raw[nearest - 1] + index - decoded[nearest - 1]
