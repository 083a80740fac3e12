"""Text that people read, and text that must not change."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.lowering.text import CannotLowerError, display, label_value, one_line, plain

REPLACED = re.compile(r"\{\{|\$\(|\$\$")
ANY = st.text() | st.text(st.sampled_from("{}$() \n\x00\ud800\u2028"))


@given(ANY)
def test_what_is_shown_looks_the_same_and_is_never_replaced(text: str) -> None:
    shown = display(text)
    assert not REPLACED.search(shown)
    assert len(shown.replace("\u200b", "")) == len(text.replace("\u200b", ""))
    assert yaml.safe_load(f"# {one_line(shown)}\na: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{{", "{\u200b{\u200b{"),
        ("$(a)", "$\u200b(a)"),
        ("$$$(", "$\u200b$\u200b$\u200b("),
        ("{ {", "{ {"),
        ("a\nb", "a\nb"),
    ],
)
def test_the_gap_is_a_space_without_width(text: str, shown: str) -> None:
    assert display(text) == shown


@given(ANY)
def test_what_must_not_change_is_the_same_or_refused(text: str) -> None:
    if REPLACED.search(text):
        with pytest.raises(CannotLowerError, match="here holds"):
            plain(text, "here")
    else:
        assert plain(text, "here") == text


@given(ANY)
def test_a_comment_is_one_line_that_yaml_reads(text: str) -> None:
    assert yaml.safe_load(f"# {one_line(text)}\na: 1") == {"a": 1}


@pytest.mark.parametrize("name", ["a" * 70, "a" * 62 + "-b", "x"])
def test_a_label_is_short_and_ends_in_a_letter(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", label_value(name))
