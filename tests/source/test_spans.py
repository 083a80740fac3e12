"""A pointer becomes the line and column that an editor shows."""

import pytest

from kade2kfp.diagnostics.model import Span
from kade2kfp.source import Source, read_source

TEXT = (
    '{\r\n  "😀 é": "a😀b",\r\t"list": [1, [],\n {"x": null}],\n'
    ' "esc": "1\\n2\\u00e93\\ud83d\\ude004\\"5", "a/b": {"~": -1.5}, "sep": "\u2028"\n}\n'
)


def source() -> Source:
    found = read_source(TEXT.encode(), "p.json")
    assert found.diagnostics == ()
    return found


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ((), (1, 1, 6, 2)),
        (("😀 é",), (2, 10, 2, 15)),
        (("list",), (3, 10, 4, 14)),
        (("list", 0), (3, 11, 3, 12)),
        (("list", 1), (3, 14, 3, 16)),
        (("list", 2), (4, 2, 4, 13)),
        (("list", 2, "x"), (4, 8, 4, 12)),
        (("a/b", "~"), (5, 53, 5, 57)),
        (("sep",), (5, 67, 5, 70)),
        # what is not there: the bracket of the nearest one that holds it, or the whole of what cannot hold any
        (("nope",), (1, 1, 1, 2)),
        (("nope", 3, "deep"), (1, 1, 1, 2)),
        (("list", 3), (3, 10, 3, 11)),
        (("list", -1), (3, 10, 3, 11)),
        (("list", "0"), (3, 10, 3, 11)),
        (("list", 2, "y"), (4, 2, 4, 3)),
        (("list", 1, 0), (3, 14, 3, 15)),
        (("list", 2, 0), (4, 2, 4, 3)),
        (("😀 é", "x"), (2, 10, 2, 15)),
        (("list", 0, "x", 1), (3, 11, 3, 12)),
    ],
)
def test_value(pointer: tuple[str | int, ...], expected: tuple[int, int, int, int]) -> None:
    assert source().span(pointer) == Span(*expected)


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        (("😀 é",), (2, 3, 2, 8)),
        (("list",), (3, 2, 3, 8)),
        (("list", 2, "x"), (4, 3, 4, 6)),
        (("list", 0), (3, 11, 3, 12)),  # an element has no key
        (("nope",), (1, 1, 1, 2)),
        ((), (1, 1, 6, 2)),
    ],
)
def test_key(pointer: tuple[str | int, ...], expected: tuple[int, int, int, int]) -> None:
    assert source().span(pointer, on_key=True) == Span(*expected)


@pytest.mark.parametrize(
    ("within", "columns"),
    [
        ((0, 1), (10, 11)),
        ((1, 2), (11, 13)),  # \n
        ((3, 4), (14, 20)),  # \u00e9
        ((5, 6), (21, 33)),  # a surrogate pair is one character
        ((6, 8), (33, 36)),
        ((0, 9), (10, 37)),
        ((4, 4), (20, 20)),
        ((-5, 99), (10, 37)),
        ((7, 3), (34, 34)),
    ],
)
def test_part_of_a_text(within: tuple[int, int], columns: tuple[int, int]) -> None:
    assert source().span(("esc",), within=within) == Span(5, columns[0], 5, columns[1])


def test_a_part_of_what_is_no_text_is_the_whole() -> None:
    assert source().span(("list", 0), within=(0, 9)) == Span(3, 11, 3, 12)
    assert source().span(("list", 1), within=(0, 1)) == Span(3, 14, 3, 16)
    assert source().span(("esc", "x"), within=(0, 1)) == source().span(("esc",))


def test_lines_end_as_in_an_editor() -> None:
    found = source()
    assert found.line(1) == "{"
    assert found.line(2) == '  "😀 é": "a😀b",'
    assert found.line(3) == '\t"list": [1, [],'
    assert found.line(5).endswith('"sep": "\u2028"')
    assert (found.line(6), found.line(7), found.line(8), found.line(0), found.line(-1)) == ("}", "", "", "", "")


def test_the_last_of_two_equal_keys_is_the_one_that_was_read() -> None:
    found = read_source(b'{"a": {"x": 1}, "a": [2]}', "p.json")
    assert found.span(("a",)) == Span(1, 22, 1, 25)
    assert found.span(("a",), on_key=True) == Span(1, 17, 1, 20)
    assert found.span(("a", "x")) == Span(1, 22, 1, 23)


def test_what_was_mended_has_its_place() -> None:
    found = read_source(b'{a: \'it\', "b": True,\n "c": "x,\n "d": word}', "p.json")
    assert found.root == {"a": "it", "b": True, "c": "x", "d": "word"}
    assert found.span(("a",), on_key=True) == Span(1, 2, 1, 3)
    assert found.span(("a",)) == Span(1, 5, 1, 9)
    assert found.span(("b",)) == Span(1, 16, 1, 20)
    assert found.span(("c",)) == Span(2, 7, 2, 9)
    assert found.span(("c",), within=(0, 1)) == Span(2, 8, 2, 9)
    assert found.span(("d",)) == Span(3, 7, 3, 11)


def test_nothing_has_a_place_where_nothing_was_read() -> None:
    found = read_source(b'{"a": [', "p.json")
    assert found.span(()) is None
    assert found.span(("a",), on_key=True) is None
    assert found.line(1) == '{"a": ['
