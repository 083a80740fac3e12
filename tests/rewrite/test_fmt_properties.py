"""fmt is idempotent, loses nothing, and never changes what is compiled."""

from __future__ import annotations

import copy
import json

from hypothesis import assume, example, given
from hypothesis import strategies as st

from kade2kfp import api
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.rewrite.fmt import formatted
from kade2kfp.rewrite.layout import WIDTH, quoted, width
from kade2kfp.rewrite.order import ordered
from kade2kfp.rewrite.tree import Number, Tree, tree
from tests.whole.asking import errors
from tests.whole.profile import tries

from .any_text import ANY_TEXTS, VALID, exact, shuffled, spelt


def read(text: str) -> api.Source:
    return api.parse(text, "any.json")


@tries(60, 20000)
@given(ANY_TEXTS)
@example('{"a": "\\ud83d\\ude00 \\u202e \\u0000 \\/ \\u007f \\u2028"}')
@example('{"": {"": [{}, [], [[]]]}}')
def test_what_was_written_is_written_again_in_one_form(text: str) -> None:
    source = read(text)
    assume(not source.diagnostics)
    once = formatted(source)
    assert exact(once) == exact(text)
    assert json.loads(once) == json.loads(text)
    again = read(once)
    assert not again.diagnostics
    assert formatted(again) == once
    assert once.endswith("}\n")
    assert not once.endswith("\n\n")
    assert "\r" not in once


def plainly(value: Tree, level: int = 0, before: int = 0, behind: int = 0, name: str | None = None) -> str:
    """What layout.py does, as it is said, with no thought of time: flat where that fits, else an item a line."""
    flat = on_one_line(value)
    always = level == 0 or (
        level == 1 and name in ("parameters", "volumes", "tasks", "arrows") and isinstance(value, list)
    )
    if not value or not isinstance(value, dict | list) or (not always and before + width(flat) + behind <= WIDTH):
        return flat
    heads = [f"{quoted(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    names = list(value) if isinstance(value, dict) else [None] * len(value)
    items = list(value.values()) if isinstance(value, dict) else value
    indent, last = "  " * (level + 1), len(items) - 1
    rows = [
        indent + head + plainly(item, level + 1, len(indent) + width(head), i < last, key)
        for i, (head, item, key) in enumerate(zip(heads, items, names, strict=True))
    ]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n" + ",\n".join(rows) + f"\n{indent[2:]}{closing}"


def on_one_line(value: Tree) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)}: {on_one_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(on_one_line, value)) + "]"
    return value.text if isinstance(value, Number) else quoted(value) if isinstance(value, str) else json.dumps(value)


@tries(60, 10000)
@given(ANY_TEXTS)
@example(json.dumps({"a": ["x" * n for n in range(30, 40)], "b": [["y" * 90], ["y" * 89], ["한" * 44], ["한" * 46]]}))
@example(json.dumps({"tasks": [[]], "arrows": [], "volumes": {}, "a": {"tasks": [1]}}))
def test_an_object_or_list_stands_on_one_line_where_it_fits(text: str) -> None:
    source = read(text)
    assume(not source.diagnostics)
    assert formatted(source) == plainly(ordered(tree(source))) + "\n"


@tries(25, 3000)
@given(
    VALID.flatmap(lambda one: st.tuples(st.just(one), shuffled(copy.deepcopy(one)))).flatmap(
        lambda two: st.tuples(spelt(two[0]), spelt(two[1]))
    )
)
def test_any_order_of_fields_gives_one_text_and_one_plan(texts: tuple[str, str]) -> None:
    first, second = map(read, texts)
    text = formatted(first)
    assert formatted(second) == text
    before, after = api.validate(first), api.validate(read(text))
    assert sorted((one.code, one.message, one.pointer) for one in before.diagnostics) == sorted(
        (one.code, one.message, one.pointer) for one in after.diagnostics
    )
    assert before.plan is not None, errors(before)
    assert before.plan == after.plan


@tries(6, 500)
@given(VALID.flatmap(lambda one: shuffled(copy.deepcopy(one))).flatmap(spelt))
def test_what_is_compiled_stays_the_same(text: str) -> None:
    before = api.compile(read(text))
    assert before.yaml is not None, errors(before)
    assert api.compile(read(formatted(read(text)))).yaml == before.yaml


@tries(30, 5000)
@given(ANY_TEXTS)
def test_wrong_documents_get_the_same_diagnostics(text: str) -> None:
    source = read(text)
    assume(not source.diagnostics)
    try:
        after = api.validate(read(formatted(source)))
    except CannotDoError:
        return
    found = [
        {(one.code, one.message, one.pointer) for one in checked.diagnostics}
        for checked in (api.validate(source), after)
    ]
    assert found[0] == found[1]
