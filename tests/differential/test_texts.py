"""Values as texts: the answers of Go itself (google.golang.org/protobuf 1.36.6, and KFP's pbValueToString), by both sides."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.texts import from_text, short, to_text

from kade2kfp.local.text import text_value, value_text
from kade2kfp.steps.sources import Type


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("9223372036854775807", "9.223372036854776e+18"),
        ("9223372036854774784", "9223372036854774784"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9007199254740993", "9007199254740992"),
        ("1e15", "1000000000000000"),
        ("1e20", "1e+20"),
        ("1e300", "1e+300"),
        ("-0.0", "0"),
        ("5e-324", "5e-324"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("1234567.5", "1.2345675e+06"),
        ("2097152.0000001", "2.0971520000001e+06"),
        ("[4.655316178437316e+20, 1e20, 1e21]", "[465531617843731600000,100000000000000000000,1e+21]"),
        ("[9007199254740993, -0.0, 1e-6, 1e-7]", "[9007199254740992,-0,0.000001,1e-7]"),
        ('{"b": [1.0, true, null], "a": "<&>\\u2028"}', '{"a":"\\u003c\\u0026\\u003e\\u2028","b":[1,true,null]}'),
        ('["\\ud83d\\ude00", "\\u007f", "\\b\\f\\n\\u0001"]', '["\U0001f600","\x7f","\\b\\f\\n\\u0001"]'),
    ],
)
def test_a_value_in_a_command(value: str, text: str) -> None:
    kinds: dict[str, tuple[str, Type]] = {"[": ("LIST", "array"), "{": ("STRUCT", "object")}
    kind = kinds.get(value[0])
    assert to_text(from_text(value, kind[0]) if kind else json.loads(value), short) == text
    assert value_text(text_value(value, kind[1]) if kind else json.loads(value)) == text


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"x": {"a": 1, "a": 1}}',
        '{"x": "\\ud800"}',
        '{"\\udc00": 1}',
        '{"a": 1}}',
        '{"a": 01}',
        "[]",
    ],
)
def test_an_object_that_kfp_cannot_read_is_none_here(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_text(text, "STRUCT")
    with pytest.raises(ValueError, match=r"."):
        text_value(text, "object")
