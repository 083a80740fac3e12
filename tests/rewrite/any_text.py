"""Documents as texts that people and programs write: keys in any order, numbers spelt in any way, escapes, white space."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from kade2kfp.rewrite.tree import Number, Tree
from tests.whole.documents import documents
from tests.whole.models import fields, objects
from tests.whole.mutations import JSON, WORDS, shaped_documents
from tests.whole.texts import TEXTS

Json = Any
NUMBERS = st.one_of(
    st.sampled_from(
        ["0", "-0", "0.10", "1.0", "1e3", "1E+05", "-0.0e-0", "9007199254740993", "1" + "0" * 300, "1e-400"]
    ),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
).map(Number)


def exact(text: str) -> Tree:
    """A text's value, its numbers with their digits."""
    found: Tree = json.loads(text, parse_int=Number, parse_float=Number)
    return found


@st.composite
def spelt(draw: st.DrawFn, value: Json) -> str:
    """A value as JSON text; Number is written as it is."""
    as_ascii, gap, colon = (
        draw(st.booleans()),
        draw(st.sampled_from(["", " ", "\n", "\r\n\t"])),
        draw(st.sampled_from([":", " : "])),
    )

    def text(one: Json) -> str:
        if isinstance(one, Number):
            return one.text
        if isinstance(one, dict):
            inner = ("," + gap).join(
                json.dumps(key, ensure_ascii=as_ascii) + colon + text(item) for key, item in one.items()
            )
            return "{" + gap + inner + gap + "}"
        if isinstance(one, list):
            return "[" + gap + ("," + gap).join(map(text, one)) + "]"
        return json.dumps(one, ensure_ascii=as_ascii)

    return gap + text(value)


KEYS = (
    st.sampled_from(["tasks", "arrows", "id", "type", "env", "position", "ui", "x-a", "x-b", "labels", "name"])
    | WORDS
    | TEXTS
)
TREES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
ANY = st.dictionaries(KEYS, TREES, max_size=6) | shaped_documents() | st.fixed_dictionaries({"x": JSON})
"""Objects that may or may not be documents."""
ANY_TEXTS = ANY.flatmap(spelt)


@st.composite
def shuffled(draw: st.DrawFn, document: Json) -> Json:
    """A well-formed document with the known fields of each object in another order."""
    known = {id(value): set(fields(model)) for value, model in objects(document)}

    def turned(value: Json) -> Json:
        if isinstance(value, list):
            return [turned(one) for one in value]
        if not isinstance(value, dict):
            return value
        names = [name for name in value if name in known.get(id(value), ())]
        order = iter(draw(st.permutations(names)))
        return {(name := next(order) if one in names else one): turned(value[name]) for one in value}

    return turned(document)


VALID = documents()
