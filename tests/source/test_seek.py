"""Places that are sought in a text without mistakes are those that a whole reading of it finds."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kade2kfp.source.scan import scan
from kade2kfp.source.seek import Seeker

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda kids: st.lists(kids, max_size=4) | st.dictionaries(TEXTS, kids, max_size=4),
    max_leaves=15,
)


def pointers(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Pointers to all values, and beside each some that lead nowhere."""
    yield at
    if isinstance(value, dict):
        yield from ((*at, "not there"), (*at, 0))
        for key, item in value.items():
            yield from pointers(item, (*at, key))
    elif isinstance(value, list):
        yield from ((*at, len(value)), (*at, -1), (*at, "0"))
        for i, item in enumerate(value):
            yield from pointers(item, (*at, i))
    else:
        yield (*at, "deeper", 1)


@settings(deadline=None)
@given(VALUES, st.sampled_from([None, 0, 2, "\t"]), st.booleans(), st.tuples(st.integers(-1, 6), st.integers(-1, 9)))
def test_every_place(value: Any, indent: int | str | None, ascii_only: bool, within: tuple[int, int]) -> None:
    document = {"a": value}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    read, sought = scan(text).places, Seeker(text)
    for pointer in pointers(document):
        assert sought.find(pointer) == read.find(pointer)
        assert sought.find(pointer, on_key=True) == read.find(pointer, on_key=True)
        assert sought.find(pointer, within=within) == read.find(pointer, within=within)
