"""Diagnostics as text: the caret stands below what is meant, however wide characters are, and lines stay within the width."""

from __future__ import annotations

import pytest

from kade2kfp.diagnostics.escape import terminal, width
from kade2kfp.diagnostics.model import Diagnostic, Related, Span
from kade2kfp.diagnostics.text import render

MARK = "{{x}}"


def excerpt(line: str, columns: int = 80, **more: int) -> tuple[str, str]:
    """The line of the source and the one with the caret, as they are shown."""
    column = line.index(MARK) + 1
    span = Span(more.get("number", 3), column, more.get("number", 3), column + len(MARK))
    (text,) = render([Diagnostic("K301", "m", span=span, file="f")], lambda _: line, columns=columns)
    _, _, shown, caret = text.splitlines()
    return shown, caret


BEFORE = {
    "ascii": ("name", 4),
    "tabs": ("\t\tname\t", 7),
    "cjk": ("한글數かな", 10),
    "full width": ("ＡＢ", 4),
    "half width": ("ｶﾅ", 2),
    "combining": ("e\u0301o\u0302", 2),
    "vowel signs": ("กำกี", 3),
    "conjoining jamo": ("\u1112\u1161\u11ab", 2),
    "emoji": ("🚀", 2),
    "family": ("👨\u200d👩\u200d👧", 2),
    "skin": ("👍🏽", 2),
    "heart": ("❤\ufe0f", 2),
    "flag": ("🇰🇷", 2),
    "persian": ("می\u200cخواهم", 7),
    "escape": ("\x1b[31m", 8),
    "direction": ("\u202e", 6),
    "hidden": ("\u200b\u2060\U000e0041", 22),
}


@pytest.mark.parametrize(("before", "columns"), BEFORE.values(), ids=BEFORE)
def test_the_caret_stands_below_what_is_meant(before: str, columns: int) -> None:
    shown, caret = excerpt(f"{before}{MARK} rest")
    assert caret == f"  | {' ' * columns}{'^' * len(MARK)}"
    assert shown.startswith(f"3 | {terminal(before.replace(chr(9), ' '))}{MARK}")
    assert width(terminal(before.replace("\t", " "))) == columns


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("filler", ["x", "한", "🚀", "e\u0301", "\u202e", "\t", "👨\u200d👩\u200d👧"])
@pytest.mark.parametrize("number", [3, 123456])
def test_long_lines_are_cut_to_the_width(columns: int, filler: str, number: int) -> None:
    for line in (filler * 500 + MARK + filler * 500, MARK + filler * 500, filler * 500 + MARK):
        shown, caret = excerpt(line, columns, number=number)
        assert MARK[:2] in shown
        assert "^^" in caret
        if filler != "\u202e" or columns > 120:  # six columns each: a terminal that is narrow breaks the line itself
            assert width(shown) <= columns
            assert width(caret) <= columns
        assert width(shown[: shown.index(MARK[:2])]) == caret.index("^")


def test_a_mark_that_is_longer_than_the_line() -> None:
    span = Span(1, 2, 1, 5002)
    (text,) = render([Diagnostic("K100", "m", span=span, file="f")], lambda _: "[" + "9" * 5000 + "]", columns=40)
    assert max(map(len, text.splitlines())) <= 40
    assert text.count("^") >= 8


def test_a_place_that_is_not_in_the_text() -> None:
    span = Span(9, 7, 9, 7)
    (text,) = render([Diagnostic("K100", "m", span=span, file="f")], lambda _: "", columns=40)
    assert text.endswith("^")


def test_a_line_of_megabytes_is_no_burden() -> None:
    line = "x" * 4_000_000 + MARK + "\u202e" * 1000
    shown, _ = excerpt(line)
    assert len(shown) < 400


def test_what_belongs_to_it_is_told_with_its_place() -> None:
    related = (Related("the first one", ("tasks", 0, "id"), Span(7, 3, 7, 9)), Related("the file", ()))
    one = Diagnostic("K200", "m", span=Span(9, 1, 9, 2), file="f", related=related, help="name it otherwise")
    (text,) = render([one], lambda _: "x")
    assert text.splitlines()[-3:] == [
        "  = see: the first one (line 7, column 3)",
        "  = see: the file",
        "  = help: name it otherwise",
    ]
