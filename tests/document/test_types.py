"""Durations, paths and numbers: what is taken, what is refused, and what they come to."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kade2kfp.document.types import (
    AbsolutePath,
    AnyPath,
    Duration,
    RelativePath,
    SubPath,
    duration_seconds,
    inside,
    kind_of,
    kind_of_path,
    normal,
    number_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("8h", 28800),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1d2h3m4s", 93784),
        ("0s", 0),
        ("007m", 420),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "5", "5 m", "m", "30m1h", "1h1h", "-5m", "+5m", "1.5h", "1w", "5M", "5min", "PT5M", "1h 30m", "1e3s", "5m\n",
     "٣s", "５s", "1" * 13 + "s"],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    assert duration_seconds(text) is None


@pytest.mark.parametrize("text", ["0s", "0h0m", "24856d", "999999999999d", "2147483648s", "24855d23h"])
def test_durations_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="out of range"):
        TypeAdapter(Duration).validate_python(text)


def test_the_longest_duration_is_taken() -> None:
    assert TypeAdapter(Duration).validate_python("2147483647s") == "2147483647s"


@pytest.mark.parametrize(
    ("given_", "taken"),
    [("/", "/"), ("/a", "/a"), ("/a/", "/a"), ("//a//b", "/a/b"), ("/a/./b/.", "/a/b"), ("/a b/한", "/a b/한"), ("/..a/b..", "/..a/b..")],
)  # fmt: skip
def test_absolute_paths_are_made_normal(given_: str, taken: str) -> None:
    assert TypeAdapter(AbsolutePath).validate_python(given_) == taken


@pytest.mark.parametrize(
    "path",
    ["", "a", "./a", "~/a", "C:/a", "/a/..", "/../a", "/a/../b", "/a\n", "/a\x1b[31m", "/a\x7f", "/$(HOME)", "/a$$b", "/" + "a" * 1024],
)  # fmt: skip
def test_absolute_paths_that_are_refused(path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(AbsolutePath).validate_python(path)
    assert [one["type"] for one in caught.value.errors()] == ["K108"]


@pytest.mark.parametrize(("given_", "taken"), [("a", "a"), ("./a/b/", "a/b"), (".hidden", ".hidden"), ("..a", "..a")])
def test_relative_paths(given_: str, taken: str) -> None:
    assert TypeAdapter(RelativePath).validate_python(given_) == taken
    assert TypeAdapter(AnyPath).validate_python(given_) == taken


@pytest.mark.parametrize("path", ["", ".", "./", "./.", "..", "../a", "a/../b", "a\0b", "$(x)"])
def test_relative_paths_that_are_refused(path: str) -> None:
    for kind in (RelativePath, AnyPath):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(path)


def test_an_absolute_path_is_no_relative_one() -> None:
    with pytest.raises(ValidationError, match="is absolute"):
        TypeAdapter(RelativePath).validate_python("/a")


def test_a_sub_path_may_be_the_root() -> None:
    assert [TypeAdapter(SubPath).validate_python(text) for text in ("", ".", "a/b")] == ["", ".", "a/b"]


@pytest.mark.parametrize(
    "path",
    ["/m/model.pkl", "/a.tar.gz", "/x.b", "/x.abcdefgh", "/x.h5", "/.env"],
)
def test_paths_of_files(path: str) -> None:
    assert kind_of_path(path) == "file"


@pytest.mark.parametrize(
    "path",
    ["/", "/model", "/llama-3.1", "/v1.2", "/x.", "/x.abcdefghi", "/x.7z", "/a.b/c", "/data.d/", "/x.tar-1", "/x.한"],
)
def test_paths_of_directories(path: str) -> None:
    assert kind_of_path(path) == "directory"


def test_inside_goes_by_segments() -> None:
    assert inside("/a/b", "/a")
    assert inside("/a", "/a")
    assert inside("/a", "/")
    assert not inside("/ab", "/a")
    assert not inside("/a", "/a/b")


@given(st.text(alphabet="/.ab", max_size=12))
def test_normal_is_a_fixed_point(path: str) -> None:
    once = normal(path)
    assert normal(once) == once
    assert re.fullmatch(r"/|(/[^/]+)+", once)


@pytest.mark.parametrize(
    ("value", "text"),
    [(2, "2"), (2.0, "2"), (0.1, "0.1"), (1.5, "1.5"), (1e-7, "0.0000001"), (1234567.0, "1234567"), (1e21, "1" + "0" * 21), (-0.25, "-0.25")],
)  # fmt: skip
def test_numbers_are_shown_in_full(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "null"), (True, "the boolean true"), (0, "the number 0"), (1.5, "the number 1.5"), ("", "an empty text"),
     ("x", "a text"), ([], "a list"), ({}, "an object")],
)  # fmt: skip
def test_what_a_value_is_in_words(value: object, words: str) -> None:
    assert kind_of(value) == words
