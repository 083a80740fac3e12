"""The quick way: a text without any mistake, read by the standard library's parser, which is written in C."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.source.limits import MAX_DEPTH, MAX_DIGITS
from kade2kfp.source.model import MISSING, Object


class _RefusedError(ValueError):
    """There is something to say about this text: the scanner will find it."""


def read_strict(text: str) -> object:
    """The value of a text that has no mistake; MISSING for any other, and for what only the scanner can tell."""
    # Half of a surrogate pair is most easily told from a whole one by the scanner; few documents have either.
    if _SURROGATE.search(text):
        return MISSING
    try:
        root = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return MISSING
    return root if _placed(root) else MISSING


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _object(pairs: list[tuple[str, Any]]) -> Object:
    found = Object(pairs)
    if len(found) != len(pairs):
        raise _RefusedError
    return found


def _integer(text: str) -> int:
    if len(text) >= MAX_DIGITS:
        raise _RefusedError
    return int(text)


def _float(text: str) -> float:
    found = float(text)
    if math.isinf(found):
        raise _RefusedError
    return found


def _constant(text: str) -> float:
    raise _RefusedError


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)


def _placed(root: object) -> bool:
    """Give each object its pointer; false where the nesting is too deep."""
    rest: list[tuple[Any, Pointer]] = [(root, ())] if isinstance(root, Object | list) else []
    while rest:
        value, at = rest.pop()
        if len(at) >= MAX_DEPTH:
            return False
        if type(value) is Object:
            value.pointer = at
            for key, item in value.items():
                if type(item) is Object or type(item) is list:
                    rest.append((item, (*at, key)))
        else:
            for i, item in enumerate(value):
                if type(item) is Object or type(item) is list:
                    rest.append((item, (*at, i)))
    return True
