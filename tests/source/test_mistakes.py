"""Each mistake has one diagnostic, where it is; what its meaning is plain of is read on."""

from typing import Any

import pytest

from kade2kfp.source import MISSING, read_source

DEEP = '{"a": ' + "[" * 99 + "]" * 99 + "}"

# The text, with « and » around what each diagnostic marks; its codes; the value that is read all the same.
MISTAKES: list[tuple[str, str, Any]] = [
    # commas
    ('{"a": 1«,»}', "K003", {"a": 1}),
    ('{"a": [1, 2«,»\n]}', "K003", {"a": [1, 2]}),
    ('{"a": [1,«,» 2]}', "K003", {"a": [1, 2]}),
    ('{«,»"a": 1}', "K003", {"a": 1}),
    ('{"a": 1«»\n "b": 2}', "K003", {"a": 1, "b": 2}),
    ('{"a": ["x"«» "y"]}', "K003", {"a": ["x", "y"]}),
    ('{"a": [{}«» {}, 1«» -2]}', "K003 K003", {"a": [{}, {}, 1, -2]}),
    # colons and values
    ('{"a"«» 1}', "K003", {"a": 1}),
    ('{"a" «=» 1}', "K003", {"a": 1}),
    ('{"a": «,» "b": 1«,»}', "K003 K003", MISSING),
    ('{"a": «}»', "K003", MISSING),
    ('{"a"«», "b"}', "K003", MISSING),
    ('{"a"«:»: 1}'.replace("«:»:", ":«:»"), "K003", MISSING),
    # words and numbers of other languages
    (
        '{"a": «True», "b": «None», "c": [«False», «undefined»]}',
        "K003 " * 4,
        {"a": True, "b": None, "c": [False, None]},
    ),
    (
        '{"a": «01», "b": «+1», "c": «.5», "d": «5.», "e": «0x1F», "f": «1_000»}',
        "K003 " * 6,
        dict.fromkeys("abcdef", 1),
    ),
    ('{"a": «500m», "b": «job»}', "K003 K003", {"a": "500m", "b": "job"}),
    ('{"a": «https»://x.example/}', "K003", MISSING),
    ('{"a": [«NaN», «Infinity», «-Infinity», «1e999», «-1e400»]}', "K005 " * 5, {"a": [1] * 5}),
    ('{"a": «' + "9" * 309 + '», "b": «' + "1" * 5000 + "»}", "K009 K009", {"a": 1, "b": 1}),
    # quotes
    ("{«'a'»: «'b'», «`c`»: «“d”»}", "K003 " * 4, {"a": "b", "c": "d"}),
    ("{\"a\": «'it'»s'}", "K003", MISSING),
    ("{«a»: 1, «b-c»: 2}", "K003 K003", {"a": 1, "b-c": 2}),
    ('{"a": "say "«hi»" there"}', "K003", MISSING),
    ('{"a": «"x»', "K003", MISSING),
    ('{«"a: 1,»\n "b": 2}', "K003", MISSING),
    ('{"a": «"x,»\n "b": «"y»\n}', "K003 K003", {"a": "x", "b": "y"}),
    ('{"a": «"x},»\n "b": 1}', "K003", MISSING),
    # characters of texts
    ('{"a": "C:«\\d»ir\\new\\q", "b": "«\\u»12"}', "K003 K003", {"a": "C:\\dir\new\\q", "b": "\\u12"}),
    ('{"a": "x«\\ud800»y«»"}'.replace("«»", ""), "K006", {"a": "x\ufffdy"}),
    ('{"a": "«\\udc00»\\ud800", "«\\uDFFF»": 1}', "K006 K006", {"a": "\ufffd\ufffd", "\ufffd": 1}),
    (
        '{"a": "one«\n»two\tthree\n", "b": "«\t»", "c": "«\0»", "d": "\x7f"}',
        "K006 " * 3,
        {"a": "one\ntwo\tthree\n", "b": "\t", "c": "\0", "d": "\x7f"},
    ),
    # comments and white space
    ('«// one»\n# two\n{"a": 1 «/* x */», "b": 2} «# end»', "K003 " * 3, {"a": 1, "b": 2}),
    ('{"a":«\u00a0»1,«\u2028\u2028» "b": 2}«\ufeff»', "K003 " * 3, {"a": 1, "b": 2}),
    ('{"a": 1, «/*» x', "K003", MISSING),
    ('{"a": «/data»}', "K003", {"a": "/data"}),
    # keys
    ('{"a": 1, «"a"»: 2, "b": {"a": 3}, «"\\u0061"»: 4}', "K004 K004", {"a": 4, "b": {"a": 3}}),
    ('{"a": [{"x": 1, «"x"»: {}}]}', "K004", {"a": [{"x": {}}]}),
    ('{"\ufffd": 1, «"\\ufffd"»: 2}', "K004", {"\ufffd": 2}),
    ("{«1»: 2}", "K003", {"1": 2}),
    ('{«[»"a"]: 1}', "K003", MISSING),
    # brackets and the end
    ('{"a": [1, 2«}»', "K003", MISSING),
    ('{"a": «[»1, 2', "K003", MISSING),
    ("«{»", "K003", MISSING),
    ('{"a": 1}«}»', "K003", {"a": 1}),
    ('{"a": 1}\n«{»"a": 2}', "K003", {"a": 1}),
    ('{"a": 1} «trailing» text', "K003", {"a": 1}),
    ('"a"«:» 1', "K003", MISSING),
    # not a document
    ("«»", "K001", MISSING),
    ("«» \r\n\t", "K001", MISSING),
    ("«»// nothing", "K001", MISSING),
    ("«name»: x\n", "K003", MISSING),
    ("«<html>»", "K003", MISSING),
    ("«nul»", "K003", MISSING),
    ("«\0\0\0»", "K003", MISSING),
    ("«[»{}]", "K010", [{}]),
    ('«"text"»', "K010", "text"),
    ("«-12.5»", "K010", -12.5),
    ("«null»", "K010", None),
    ("«NaN»", "K005", 1),
    (DEEP, "", None),
    ('{"a": ' + "[" * 99 + "«[»" + "]" * 100 + "}", "K007", MISSING),
    ("[" * 100 + "«[»", "K007", MISSING),
]


def marks(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and where they were."""
    found, start = [], 0
    while "«" in text or "»" in text:
        at = min(i for i in (text.find("«"), text.find("»")) if i >= 0)
        if text[at] == "«":
            start = at
        else:
            found.append((start, at))
        text = text[:at] + text[at + 1 :]
    return text, found


def offset(text: str, line: int, column: int) -> int:
    rows = text.replace("\r\n", "\r ").replace("\r", "\n").split("\n")
    return sum(len(row) + 1 for row in rows[: line - 1]) + column - 1


@pytest.mark.parametrize(("marked", "codes", "value"), MISTAKES)
def test_mistake(marked: str, codes: str, value: Any) -> None:
    text, expected = marks(marked)
    source = read_source(text.encode(), "p.json")
    spans = [one.span for one in source.diagnostics]
    found = [
        (offset(text, span.line, span.column), offset(text, span.end_line, span.end_column)) for span in spans if span
    ]
    assert [one.code for one in source.diagnostics] == codes.split()
    assert found == expected
    assert all(one.help and one.message for one in source.diagnostics)
    if codes:
        assert source.root == value


def test_a_duplicate_names_the_first_one() -> None:
    source = read_source(b'{"t": [{"id": 1,\n"id": 2,\n"id": 3}]}', "p.json")
    for one, line in zip(source.diagnostics, (2, 3), strict=True):
        assert (one.code, one.pointer, one.on_key) == ("K004", ("t", 0, "id"), True)
        assert one.span is not None
        assert one.span.line == line
        assert [(related.span.line, related.span.column) for related in one.related if related.span] == [(1, 9)]
    assert source.root == {"t": [{"id": 3}]}


def test_what_is_never_closed_says_where_the_file_ends() -> None:
    (one,) = read_source(b'{"a": [\n1\n\n', "p.json").diagnostics
    assert [(related.span.line, related.span.column) for related in one.related if related.span] == [(2, 2)]


def test_pointers_name_the_value_that_is_wrong() -> None:
    source = read_source(b'{"a": [1, {"b": NaN}], "c": "\\x"}', "p.json")
    assert [one.pointer for one in source.diagnostics] == [("a", 1, "b"), ("c",)]


def test_mistakes_after_one_that_was_mended_are_found_in_the_same_run() -> None:
    rows = [f'"k{i}": {{"x": [1, 2,], "y": True}}' for i in range(20)]
    source = read_source(("{" + ",\n".join(rows) + "}").encode(), "p.json")
    assert len(source.diagnostics) == 40
    assert [one.span.line for one in source.diagnostics if one.span] == [n for n in range(1, 21) for _ in "ab"]


def test_hostile_repeats_are_capped_and_counted() -> None:
    source = read_source(b'{"a": [' + b"NaN," * 100_000 + b"1]}", "p.json")
    assert len(source.diagnostics) == 51
    assert "99,949 more" in source.diagnostics[-1].message
    assert source.root == {"a": [1] * 100_001}


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        ('{"a": "é"}'.encode("utf-16-le"), "UTF-16LE"),
        ('{"a": 12}'.encode("utf-16-be"), "UTF-16BE"),
        ('{"a": 1}'.encode("utf-32"), "UTF-32"),
        ('{"a": 1}'.encode("utf-32-be"), "UTF-32BE"),
        (b"PK\x03\x04\x14\0\0\0", "zip"),
        (b"\x1f\x8b\x08\0\0\0", "gzip"),
        (b"\x7fELF\x02\x01\x01\0", "program"),
        (bytes(range(256)) * 40, "binary"),
    ],
)
def test_what_is_no_utf8_text_is_named(data: bytes, word: str) -> None:
    (one,) = read_source(data, "p.json").diagnostics
    assert one.code == "K002"
    assert word in one.message
    assert one.help
    if word.startswith("UTF"):
        assert f"iconv -f {word}" in one.help


@pytest.mark.parametrize(
    ("tail", "column"), [(b"\xe9", 14), (b"\xed\xa0\x80", 14), (b"\xf0\x9f\x98", 14), (b"\xc0\x80", 14)]
)
def test_a_byte_that_is_not_utf8_is_pointed_at(tail: bytes, column: int) -> None:
    source = read_source('\ufeff{\r\n"😀é": "caf'.encode() + tail, "p.json")
    (one,) = source.diagnostics
    assert one.code == "K002"
    assert one.span is not None
    assert (one.span.line, one.span.column) == (2, column - 3)
    assert source.line(2).startswith('"😀é": "caf')
    assert source.root is MISSING
