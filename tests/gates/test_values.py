"""What people type for a gate's values: what passes is what the step can take, what does not is told whole."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kade2kfp.document.values import is_of_type
from kade2kfp.gates.values import about, example, split, texts
from kade2kfp.local.text import text_value
from kade2kfp.steps.parts import GateValue

TYPES = ("string", "integer", "number", "boolean", "array", "object")
STEP = (Path(__file__).parents[2] / "templates" / "step.sh").read_text()


def value(name: str = "v", type_: Any = "number", *, required: bool = True, **more: Any) -> GateValue:
    return GateValue(name, type_, required, **more)


def one(type_: str, text: str, **more: Any) -> str | list[str]:
    found = texts([value(type_=type_, **more)], [f"v={text}"])
    return found if isinstance(found, list) else found["v"]


@pytest.mark.parametrize(
    ("type_", "text", "handed"),
    [
        ("string", "", ""),
        ("string", " a=b\n'\"\\ ", " a=b\n'\"\\ "),
        ("string", "7", "7"),
        ("integer", "7", "7"),
        ("integer", " 7 ", "7"),
        ("integer", "7.0", "7"),  # the step's shell takes no 7.0
        ("integer", "1e3", "1000"),
        ("integer", "-9007199254740992", "-9007199254740992"),
        ("number", "1e-7", "1e-07"),
        ("number", "3", "3"),
        ("boolean", "true", "true"),
        ("array", '[ "한", {"a": null} ]', '["한",{"a":null}]'),
        ("object", '{"a": {"b": {}}}', '{"a":{"b":{}}}'),
    ],
)
def test_what_the_step_gets(type_: str, text: str, handed: str) -> None:
    assert one(type_, text) == handed


@pytest.mark.parametrize(
    ("type_", "text", "more", "says"),
    [
        ("integer", "seven", {}, "'seven' is not JSON, and `v` is of type integer: write --set v=7"),
        ("integer", "7.5", {}, "expected a whole number, found the number 7.5 (integer, required)"),
        ("integer", "9007199254740993", {}, "beyond 2^53"),
        ("integer", "1e16", {}, "beyond 2^53"),
        ("integer", "9" * 5000, {}, "is not JSON"),
        ("number", "NaN", {}, "is not JSON"),
        ("number", "1e999", {}, "is not JSON"),
        ("number", "true", {}, "found the boolean true"),
        ("number", "", {}, "is not JSON"),
        ("number", "2", {"maximum": 1.0}, "2 is more than the maximum 1 (number, at most 1, required)"),
        ("number", "-1", {"minimum": 0.0, "required": False, "default": 0.5}, "at least 0, default 0.5)"),
        ("boolean", "True", {}, "write --set v=true"),
        ("boolean", "1", {}, "found the number 1"),
        ("array", "{}", {}, "expected a list, found an object"),
        ("array", "[" * 50_000, {}, "is not JSON"),
        ("array", "[" * 102 + "]" * 102, {}, "nested more than 100"),
        ("object", "[]", {}, "expected an object"),
        ("object", '{"a": "\\u0000"}', {}, "NUL"),
        ("object", '{"a": "\\ud800"}', {}, "not Unicode"),
        ("string", "\udcff", {}, "not Unicode"),
        ("string", "{{x}}", {}, "`{{`"),
        ("string", "a$(b)", {}, "`$(`"),
        ("string", "$$", {}, "`$$`"),
        ("array", '["/kfp-workspace"]', {}, "/kfp-workspace"),
        ("string", "c", {"enum": ("a", "b")}, '`enum` (string, one of "a" "b", required)'),
        ("string", "B", {"pattern": "^[a-z]+$"}, "(string, matches ^[a-z]+$, required)"),
    ],
)
def test_what_it_does_not_get(type_: str, text: str, more: dict[str, Any], says: str) -> None:
    found = one(type_, text, **more)
    assert isinstance(found, list)
    assert len(found) == 1
    assert says in found[0]
    assert len(found[0]) < 400


def test_all_that_is_wrong_is_told_at_once() -> None:
    asked = [
        value("rate", minimum=0.0, maximum=0.05, description="how fast it learns"),
        value("note", "string", required=False, default="x"),
        value("rounds", "integer"),
    ]
    found = texts(asked, ["rat=1", "note", "rounds=x", "=", "zzz=1"])
    assert found == [
        "there is no value `rat`: did you mean `rate`?",
        "'note' is not NAME=VALUE, such as --set seed=7",
        "'x' is not JSON, and `rounds` is of type integer: write --set rounds=7",
        "'=' is not NAME=VALUE, such as --set seed=7",
        "there is no value `zzz`: known values: `note`, `rate`, `rounds`",
        "`rate` is missing (number, at least 0, at most 0.05, required): how fast it learns; write --set rate=0",
    ]
    assert texts([], ["a=1"]) == ["there is no value `a`: the gate asks for none"]
    assert texts([], []) == {}


def test_defaults_are_left_to_the_step_and_the_last_of_a_name_counts() -> None:
    asked = [value("a", required=False, default=1), value("b", "string", required=False, default="x")]
    assert texts(asked, ["b=1", "b=2"]) == {"b": "2"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(type_=st.sampled_from(TYPES), text=json_values.map(json.dumps) | st.text(max_size=12))
def test_whatever_passes_is_of_its_type(type_: Any, text: str) -> None:
    found = texts([value(type_=type_)], [f"v={text}"])
    if isinstance(found, list):
        assert all(found)
        return
    handed = found["v"]
    handed.encode()
    assert is_of_type(text_value(handed, type_), type_)
    assert handed == text if type_ == "string" else json.loads(handed) == json.loads(text)


@settings(max_examples=200, deadline=None)
@given(
    type_=st.sampled_from(TYPES),
    low=st.none() | st.floats(-1e6, 1e6),
    span=st.none() | st.floats(2, 1e6),
    enum=st.none() | st.lists(json_values, min_size=1, max_size=3),
)
def test_an_example_may_be_typed(type_: Any, low: float | None, span: float | None, enum: list[Any] | None) -> None:
    high = None if span is None else span if low is None else low + span
    asked = value(type_=type_, minimum=low, maximum=high, enum=tuple(enum) if enum else None)
    typed = example(asked)
    assert about(asked).startswith(f"{type_}, ")
    assert typed == "v=..." if isinstance(texts([asked], [typed]), list) else split(typed)[0] == "v"
    if enum is None:
        assert typed != "v=..."


@pytest.mark.parametrize("shell", [("dash",), ("busybox", "sh"), ("bash", "--posix")], ids=" ".join)
def test_the_steps_shell_agrees_with_what_passes(shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]} here")
    tried = ["0", "-0", "-0.0", "7.0", "1e3", "5e-324", "1.7976931348623157e308", "123456789.125", "1e22", "1E+5", "-7"]
    pairs = [(type_, text) for type_ in ("integer", "number") for text in tried]
    pairs += [("integer", "9007199254740992"), ("boolean", "true"), ("boolean", " false"), ("array", " []")]
    pairs += [("object", ' {"a":1}')]
    found = re.search(r"^is\(\) \{\n.*?^\}\n", STEP, re.DOTALL | re.MULTILINE)
    assert found
    script = found[0] + 'while [ $# -gt 0 ]; do is "$1" "$2" || echo "$1 $2"; shift 2; done\n'
    handed = [(type_, text) for type_, typed in pairs if isinstance(text := one(type_, typed), str)]
    assert len(handed) >= len(pairs) - 5
    words = [word for pair in handed for word in pair]
    ran = subprocess.run([*shell, "-c", script, "sh", *words], capture_output=True, text=True, timeout=30)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("", "", 0)
