"""Hostile texts end soon, whatever they hold. The bound is far above what they take, and far below a square of it."""

import json
import sys
import time

import pytest

from kade2kfp.source import MISSING, read_source
from kade2kfp.source.scan import scan

SIZE = 200_000
SECONDS = 20
HOSTILE = {
    "brackets": "[" * SIZE,
    "braces": '{"a":' * (SIZE // 5),
    "closing": "]" * SIZE,
    "one text": json.dumps({"a": "x" * SIZE}),
    "escapes": json.dumps({"a": "é😀\n" * (SIZE // 10)}),
    "open text": '{"a": "' + "x\\\\" * (SIZE // 3),
    "open texts": '{"a": [' + '"x,\n' * (SIZE // 4),
    "broken texts": '{"a": ["' + '\n", "' * (SIZE // 5),
    "bad escapes": '{"a": ["' + '\\q", "' * (SIZE // 6),
    "halves": '{"a": "' + "\\ud800" * (SIZE // 6) + '"}',
    "quotes": '{"a": ' + "'" * SIZE,
    "curly quotes": '{"a": ' + "“" * SIZE,
    "spaces": '{"a": 1' + " " * SIZE + "x",
    "no-break spaces": '{"a": 1' + "\u00a0 " * (SIZE // 3) + "}",
    "commas": '{"a": [' + "," * SIZE,
    "comments": '{"a": 1' + "/**/" * (SIZE // 4),
    "apart comments": '{"a": [' + "1,/**/" * (SIZE // 6),
    "open comment": '{"a": 1 /*' + "*" * SIZE,
    "slashes": '{"a": 1 ' + "/" * SIZE,
    "digits": '{"a": ' + "1" * SIZE + "}",
    "fraction": '{"a": 0.' + "1" * SIZE + "}",
    "exponent": '{"a": 1e' + "9" * SIZE + "}",
    "underscores": '{"a": ' + "1_" * (SIZE // 2) + "x}",
    "word": '{"a": ' + "x" * SIZE,
    "duplicates": "{" + '"a":1,' * (SIZE // 6) + '"b":1}',
    "keys": "{" + "a:1," * (SIZE // 4) + "}",
    "no commas": '{"a": [' + "1 " * (SIZE // 2) + "]}",
    "lines": "\n" * SIZE + '{"a": [' + "\n1,\n," * (SIZE // 6),
    "carriage returns": "\r" * SIZE + "{",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_takes_time_in_proportion(name: str) -> None:
    began = time.process_time()
    source = read_source(HOSTILE[name].encode(), "p.json")
    scan(HOSTILE[name])
    assert time.process_time() - began < SECONDS
    assert len(source.diagnostics) < 120
    assert all(len(one.message) + len(one.help) < 400 for one in source.diagnostics)


def test_references_in_a_long_text_are_found_soon() -> None:
    source = read_source(json.dumps({"a": "é\n{{x}}" * 50_000}).encode(), "p.json")
    began = time.process_time()
    for i in range(0, 350_000, 70):
        span = source.span(("a",), within=(i, i + 1))
        assert span is not None
        assert span.column == 8 + i // 7 * 13
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("frames", [0, 800])
def test_depth_does_not_depend_on_the_stack(frames: int) -> None:
    text = '{"a": ' + "[" * 99 + "]" * 99 + "}"

    def nested(rest: int) -> object:
        return nested(rest - 1) if rest else read_source(text.encode(), "p.json")

    source = nested(min(frames, sys.getrecursionlimit() - 400))
    assert getattr(source, "diagnostics", None) == ()
    (one,) = read_source(b"[" * 100_000, "p.json").diagnostics
    assert (one.code, one.span and one.span.column) == ("K007", 101)


def test_the_largest_numbers_are_read_and_the_next_ones_refused() -> None:
    largest = int(sys.float_info.max)
    text = f'{{"a": {largest}, "b": -{largest}, "c": {sys.float_info.max!r}, "d": 1e-999, "e": -0, "f": -0.0}}'
    source = read_source(text.encode(), "p.json")
    assert source.diagnostics == ()
    assert repr(source.root) == repr(json.loads(text))
    for number, code in ((largest + 1, "K009"), (-largest - 1, "K009"), ("1.8e308", "K005"), ("1" * 4301, "K009")):
        source = read_source(f'{{"a": {number}}}'.encode(), "p.json")
        assert [one.code for one in source.diagnostics] == [code]
        assert source.root == {"a": 1}


def test_a_large_document_is_read_whole() -> None:
    document = {"tasks": [{"id": f"t{i}", "env": [{"name": "A", "value": "x" * 700}]} for i in range(1000)]}
    text = json.dumps(document, indent=2)
    source = read_source(text.encode(), "p.json")
    assert source.root == document
    span = source.span(("tasks", 999, "env", 0, "name"))
    assert span is not None
    assert source.line(span.line)[span.column - 1 : span.end_column - 1] == '"A"'
    assert read_source(text[:-2].encode(), "p.json").root is MISSING
