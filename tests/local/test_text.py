"""Values as texts: the same as Go's fmt and encoding/json write them."""

from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.local.text import text_value, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (3, "3"),
        (3.0, "3"),
        (-0.5, "-0.5"),
        (0.1, "0.1"),
        (1e-4, "0.0001"),
        (1e-7, "1e-07"),
        (-2.5e-5, "-2.5e-05"),
        (123456.5, "123456.5"),
        (1234567.5, "1.2345675e+06"),
        (1e15, "1000000000000000"),
        (1e300, "1e+300"),
        ("a <b>", "a <b>"),
        ([1.0, 0.000001, 1e-7, 1e21, 1e20], "[1,0.000001,1e-7,1e+21,100000000000000000000]"),
        ({"b": None, "a": "<&>\u2028ä"}, '{"a":"\\u003c\\u0026\\u003e\\u2028ä","b":null}'),
    ],
)
def test_a_value_as_go_writes_it(value: Any, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        (" 7\n", "integer", 7),
        ("TRUE", "boolean", True),
        ("1e3", "number", 1000.0),
        (" a ", "string", " a "),
        ("[1]", "array", [1]),
    ],
)
def test_a_text_of_a_type(text: str, type_: Any, value: object) -> None:
    assert text_value(text, type_) == value


@pytest.mark.parametrize(("text", "type_"), [("[1", "array"), ("{}", "array"), ("[]", "object"), ("x", "integer")])
def test_a_text_that_is_not_of_the_type(text: str, type_: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        text_value(text, type_)
