"""A task that cannot be read is one mistake; what is wrong beside it, and is seen without it, is said at once."""

from __future__ import annotations

from typing import Any

import pytest

from .documents import Json, arrow, check, codes, document, job

TYPES = [("pytorch", "K103"), (5, "K102"), (None, "K101")]


def warned(doc: Json) -> list[str]:
    """The codes of all that is said, notes too."""
    return [one.code for one in check(doc).diagnostics]


@pytest.mark.parametrize(("type_", "code"), TYPES)
def test_its_id_is_given_once(type_: Any, code: str) -> None:
    odd = {"id": "a", "type": type_}
    for tasks, place in (((job("a"), odd), 1), ((odd, job("a")), 1), ((odd, odd), 1)):
        checked = check(document(*tasks))
        assert codes(checked).count("K200") == 1
        (twice,) = [one for one in checked.diagnostics if one.code == "K200"]
        assert twice.pointer == ("tasks", place, "id")
        assert set(codes(checked)) == {"K200", code}


def test_a_wrong_id_twice_is_told_as_wrong_only() -> None:
    odd = {"id": "no id", "type": "pytorch"}
    assert sorted(codes(check(document(odd, odd)))) == ["K103", "K103", "K104", "K104"]


@pytest.mark.parametrize(("type_", "code"), TYPES)
def test_a_cycle_through_it_is_seen(type_: Any, code: str) -> None:
    odd = {"id": "odd", "type": type_}
    arrows = (arrow("a", "odd"), arrow("odd", "b"), arrow("b", "a"))
    assert sorted(codes(check(document(job("a"), odd, job("b"), arrows=arrows)))) == sorted([code, "K327"])
    assert codes(check(document(job("a"), odd, job("b"), arrows=arrows[:2]))) == [code]


def test_a_cycle_through_a_task_that_is_not_there_is_none() -> None:
    arrows = (arrow("a", "gone"), arrow("gone", "a"))
    assert codes(check(document(job("a"), job("b"), arrows=arrows))) == ["K320", "K320"]


def test_a_path_that_is_missing_is_told_once_and_never_shown_as_another() -> None:
    for type_, told in (("viewer", ["K101"]), ("viewr", ["K103", "K101"])):
        found = check(document(job("a"), {"id": "odd", "type": type_}, arrows=(arrow("a", "odd"),))).diagnostics
        assert sorted(one.code for one in found) == sorted(told)
        assert not [one.message for one in found if "stand-in" in one.message]


def test_a_type_that_is_nearly_right_hides_nothing() -> None:
    odd = job("odd", type="jobs", outputs=[{"name": "n", "type": "integer", "path": "/out/n"}])
    assert codes(check(document(odd, job("a", command=["{{tasks.odd.outputs.n}}"])))) == ["K103"]
    assert sorted(codes(check(document(odd, job("a", command=["{{tasks.odd.outputs.m}}"]))))) == ["K103", "K306"]
    into = (arrow("a", "odd", "/out"), arrow("b", "odd", "/out"))
    assert sorted(codes(check(document(job("a"), job("b"), odd, arrows=into)))) == ["K103", "K323"]


@pytest.mark.parametrize(
    ("each", "code"),
    [
        ({"itmes": [1, 2]}, "K100"),
        ([1, 2], "K102"),
        (5, "K102"),
        ({"items": 5}, "K102"),
        ({"matrix": {"a": 1}}, "K102"),
        ({"items": "a,b"}, "K503"),
        ({"items": []}, "K503"),
        ({}, "K503"),
        ({"each": "gone"}, "K504"),
        ({"items": "{{params.gone}}"}, "K301"),
    ],
)
@pytest.mark.parametrize("name", ["forEach", "foreach"])
def test_a_candidate_that_was_meant_to_be_repeated_is_not_one_alone(each: Any, code: str, name: str) -> None:
    candidate = job("a", metrics="/m.json", **{name: each})
    best = {"id": "best", "type": "select", "metric": "m", "path": "/best"}
    doc = document(candidate, best, job("b"), arrows=(arrow("a", "best", "/out"), arrow("best", "b", "/best")))
    found = [one for one in warned(doc) if one not in ("K206", "K516")]
    assert found == [code if name == "forEach" else "K100"]


def test_items_that_are_a_text_are_no_list_of_a_run() -> None:
    best = {"id": "best", "type": "select", "metric": "m", "path": "/best"}
    arrows = (arrow("a", "best", "/out"), arrow("best", "b", "/best"))
    candidate = job("a", metrics="/m.json", forEach={"items": "a,b"})
    assert codes(check(document(candidate, best, job("b"), arrows=arrows))) == ["K503"]
