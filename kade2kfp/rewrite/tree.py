"""A document as it is written: decoded texts, and numbers with their digits."""

from __future__ import annotations

from dataclasses import dataclass
from json import JSONDecoder
from typing import TypeAlias

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.source import Source


@dataclass(frozen=True, slots=True)
class Number:
    """A number as its author wrote it: `1.0` is not `1`, and `1e3` not `1000`."""

    text: str


Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | Number | bool | None"
Node: TypeAlias = dict[str, Tree]


def tree(source: Source) -> Node:
    """What a document says, with nothing of it changed.

    Raises CannotDoError where the source has diagnostics: what its text holds cannot be told for sure.
    """
    found = None if source.diagnostics else _DECODER.decode(source.text)
    if not isinstance(found, dict):
        raise CannotDoError(f"{source.file} cannot be read")
    return found


_DECODER = JSONDecoder(parse_int=Number, parse_float=Number)
