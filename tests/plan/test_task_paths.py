"""Paths that get into each other's way: all of a task's are told in one run, and each once."""

from __future__ import annotations

import itertools

import pytest

from .documents import Json, arrow, check, document, job

SOURCES = ("a", "b", "c", "d")
HOLDS = "/in holds {}, where an arrow brings data, and {} more such path{}"


def told(*coming: str, going: tuple[str, ...] = ()) -> list[str]:
    """What is said where arrows bring data to these paths of a task, and take it from those."""
    arrows: list[Json] = [
        arrow(source, "all", "/out", path) for source, path in zip(SOURCES[: len(coming)], coming, strict=True)
    ]
    arrows += [arrow("all", "last", path, f"/from/{i}") for i, path in enumerate(going)]
    found = check(document(*map(job, (*SOURCES, "all", "last")), arrows=tuple(arrows))).diagnostics
    return sorted(one.message for one in found if one.code == "K324")


@pytest.mark.parametrize("coming", list(itertools.permutations(("/in", "/in/b", "/in/z"))))
def test_a_path_that_is_brought_and_taken_is_told_beside_one_that_holds_it(coming: tuple[str, ...]) -> None:
    holds, twice = told(*coming, going=("/in/z",))
    assert twice == "at /in/z an arrow brings data already"
    assert holds in (HOLDS.format("/in/b", 1, ""), HOLDS.format("/in/z", 1, ""))


def test_the_one_path_that_it_holds_is_told_as_that_alone() -> None:
    assert told("/in", "/in/z", going=("/in/z",)) == [
        "/in/z lies in /in, where an arrow brings data",
        "at /in/z an arrow brings data already",
    ]


def test_paths_are_counted_once() -> None:
    assert told("/in", "/in/b", "/in/c", going=("/in/d", "/in/d")) == [HOLDS.format("/in/b", 2, "s")]


def test_folders_in_folders_are_told_at_each() -> None:
    assert told("/in", "/in/b", "/in/b/c") == [
        HOLDS.format("/in/b", 1, ""),
        "/in/b/c lies in /in/b, where an arrow brings data",
    ]


def test_what_lies_beside_is_not_told() -> None:
    assert told("/in", "/in2", going=("/out", "/out")) == []
