"""Where a value stands in a text that has no mistake: what is not asked for is skipped by the standard library, in C."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json import JSONDecoder
from typing import TYPE_CHECKING

from kade2kfp.diagnostics.model import Pointer

if TYPE_CHECKING:
    from kade2kfp.source.places import Places

_SPACE = re.compile(r"[ \t\n\r]*")
_value = JSONDecoder().raw_decode


@dataclass(slots=True, eq=False)
class Seeker:
    """The places of a text that `read_strict` has read. Of each object and array on the way, what it holds is noted."""

    text: str
    opened: dict[int, dict[str | int, tuple[int, int]]] = field(default_factory=dict)
    places: Places | None = None

    def find(
        self, pointer: Pointer, *, on_key: bool = False, within: tuple[int, int] | None = None
    ) -> tuple[int, int] | None:
        """Start and end of the value at a pointer, as `Source.span` says."""
        at = self._space(0)
        for depth, part in enumerate(pointer, 1):
            if self.text[at] not in "{[":
                break
            kid = self._kids(at).get(part)
            if kid is None:
                return at, at + 1
            key, at = kid
            if on_key and depth == len(pointer) and isinstance(part, str):
                return key, _value(self.text, key)[1]
        else:
            if within is not None and self.text[at] == '"':
                return self._part(at, within)
        return at, _value(self.text, at)[1]

    def _part(self, at: int, within: tuple[int, int]) -> tuple[int, int] | None:
        """Start and end of a part of the text that begins here."""
        if self.places is None:
            from kade2kfp.source.places import Places

            self.places = Places(self.text)
        self.places.root = at  # it keeps what it has found of each text
        return self.places.find((), within=within)

    def _space(self, pos: int) -> int:
        """Where the space that may stand here ends."""
        match = _SPACE.match(self.text, pos)
        return match.end() if match else pos

    def _kids(self, at: int) -> dict[str | int, tuple[int, int]]:
        """For each key or index of the object or array that begins here, where key and value begin."""
        if at in self.opened:
            return self.opened[at]
        kids: dict[str | int, tuple[int, int]] = {}
        is_object = self.text[at] == "{"
        pos = self._space(at + 1)
        while self.text[pos] not in "}]":
            start, part = pos, len(kids)
            if is_object:
                name, pos = _value(self.text, pos)
                pos = self._space(self._space(pos) + 1)
                kids[name] = start, pos
            else:
                kids[part] = start, pos
            pos = self._space(_value(self.text, pos)[1])
            if self.text[pos] == ",":
                pos = self._space(pos + 1)
        self.opened[at] = kids
        return kids
