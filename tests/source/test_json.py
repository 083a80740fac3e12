"""Whatever is JSON is read as json.loads reads it, with a span for each value; nothing whatever raises."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.source import MISSING, Object, Source, read_source
from kade2kfp.source.scan import scan
from kade2kfp.source.strict import read_strict

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["\U0001f600", 'q"\\/\b\f\n\r\t', "\u2028\x7f\0", "{{params.x}}", "\ufffd"]
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.just(2**1023)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=25,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)
STYLES = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, 0, 2, "\t"]),
        "separators": st.sampled_from([None, (",", ":"), (" ,\r\n", "\t: ")]),
    }
)
GOOD = """{
  "name": "caf\\u00e9 \\ud83d\\ude00 \U0001f600", "empty": {}, "none": [ ],\r
  "tasks": [{"id": "a", "n": -1.5e3, "flags": [true, false, null]}, 12, "x\\n\\"y\\""]
}
"""


def read(text: str) -> Source:
    return read_source(text.encode("utf-8", "surrogatepass"), "p.json")


def values(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    yield at, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from values(item, (*at, key))


def stretch(source: Source, span: Any) -> str:
    """The text of a span, cut out by lines and columns alone."""
    rows = [source.line(n) for n in range(span.line, span.end_line + 1)]
    rows[-1] = rows[-1][: span.end_column - 1]
    rows[0] = rows[0][span.column - 1 :]
    return "\n".join(rows)


def equal(left: Any, right: Any) -> bool:
    """Equal in value and type, at all depths."""
    return repr(left) == repr(right)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@given(OBJECTS, STYLES)
def test_json_is_read_as_it_was_written(value: dict[str, Any], style: dict[str, Any]) -> None:
    text = json.dumps(value, **style)
    source = read(text)
    assert source.diagnostics == ()
    assert equal(plain(source.root), value)
    thorough = scan(text)
    assert not thorough.mistakes.found
    assert equal(plain(thorough.root), value)


@given(OBJECTS, STYLES)
def test_the_stretch_of_each_span_is_its_value(value: dict[str, Any], style: dict[str, Any]) -> None:
    source = read(json.dumps(value, **style))
    for at, item in values(value):
        assert equal(json.loads(stretch(source, source.span(at))), item)
        if at and isinstance(at[-1], str):
            assert json.loads(stretch(source, source.span(at, on_key=True))) == at[-1]


@given(OBJECTS, STYLES, st.integers(0, 12), st.integers(0, 12))
def test_a_part_of_a_text_is_found_behind_its_escapes(
    value: dict[str, Any], style: dict[str, Any], start: int, length: int
) -> None:
    source = read(json.dumps(value, **style))
    for at, item in values(value):
        if isinstance(item, str):
            part = stretch(source, source.span(at, within=(start, start + length)))
            assert json.loads(f'"{part}"') == item[start : start + length]


@given(OBJECTS)
def test_objects_know_where_they_stand(value: dict[str, Any]) -> None:
    for root in (read_strict(json.dumps(value)), scan(json.dumps(value)).root):
        for at, item in values(root):
            assert not isinstance(item, dict) or (isinstance(item, Object) and item.pointer == at)


class OddError(Exception):
    """What JSON's grammar allows and we refuse, or Python's parser allows and JSON does not."""


def strictly(text: str) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) < len(items):
            raise OddError
        return dict(items)

    def number(digits: str) -> float:
        if math.isinf(float(digits)):
            raise OddError
        return float(digits)

    def constant(word: str) -> None:
        raise OddError

    value = json.loads(text, object_pairs_hook=pairs, parse_float=number, parse_constant=constant)
    for at, item in values(value):
        texts = [item, *at]
        if any(isinstance(one, str) and not one.isascii() and not can_encode(one) for one in texts):
            raise OddError
    if not isinstance(value, dict):
        raise OddError
    return value


def can_encode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


JSONISH = st.lists(
    st.sampled_from(
        [
            *"{}[]:,\"\\/ \n\r\t'#*=-+.019eEx\0é\ufeff\u00a0“",
            '"a"',
            '"b": ',
            "true",
            "NaN",
            "None",
            "\\u00e9",
            "\\ud800",
            *("\\udc00", "1e999", "//", "/*", "*/", '{"a": 1', "[1, ", "'x'", "0x1", "\U0001f600"),
        ]
    ),
    max_size=30,
).map("".join)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good document with something left out, put in or repeated."""
    text = GOOD
    for _ in range(draw(st.integers(1, 4))):
        at, width = draw(st.integers(0, len(text))), draw(st.integers(0, 4))
        text = text[:at] + draw(JSONISH)[:4] + text[at + width :]
    return text


@given(JSONISH | damaged())
def test_a_text_is_without_diagnostics_just_where_it_is_strict_json(text: str) -> None:
    try:
        expected = strictly(text.removeprefix("\ufeff"))
    except (ValueError, OddError):
        source = read(text)
        assert source.diagnostics
    else:
        source = read(text)
        assert source.diagnostics == ()
        assert equal(plain(source.root), expected)
    check_spans(source)


def check_spans(source: Source) -> None:
    """Every diagnostic lies in the text, in order; whatever was read has a span."""
    spans = [one.span for one in source.diagnostics if one.span]
    assert spans == sorted(spans)
    for span in spans:
        assert (span.line, span.column) <= (span.end_line, span.end_column)
        assert span.end_column <= len(source.line(span.end_line)) + 1
        assert span.column >= 1
    for one in source.diagnostics:
        assert one.file == "p.json"
        assert one.help
        assert one.message
    if source.root is not MISSING:
        for at, _ in values(source.root):
            assert source.span(at) is not None
            assert source.span((*at, "no", 0), on_key=True) is not None
            assert source.span(at, within=(0, 99)) is not None


@given(st.binary(max_size=60) | st.binary(max_size=8).map(lambda tail: GOOD.encode() + tail))
def test_any_bytes_give_a_source(data: bytes) -> None:
    source = read_source(data, "p.json")
    assert source.diagnostics or isinstance(source.root, Object)
    check_spans(source)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "latin-1"])
def test_a_document_cut_at_any_byte(encoding: str) -> None:
    data = GOOD.encode(encoding, "replace")
    whole = len(data.rstrip())
    for end in range(len(data)):
        source = read_source(data[:end], "p.json")
        check_spans(source)
        assert bool(source.diagnostics) == (end < whole or encoding.startswith(("utf-16", "utf-32"))), data[:end]
        assert len(source.diagnostics) <= 1, data[:end]


def test_a_document_without_any_one_of_its_characters() -> None:
    for at in range(len(GOOD)):
        check_spans(read(GOOD[:at] + GOOD[at + 1 :]))


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    source = read('\ufeff{"a": 1}')
    assert (source.text, source.root, source.diagnostics) == ('{"a": 1}', {"a": 1}, ())
    span = source.span(("a",), on_key=True)
    assert span is not None
    assert (span.line, span.column) == (1, 2)
