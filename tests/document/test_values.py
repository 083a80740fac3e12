"""Values of parameters: their type, their limits, and what no cluster could be handed."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

from kade2kfp.document.pipeline import Parameter
from kade2kfp.document.values import is_of_type, matches, pattern_problem, problems, run_time_problem, same


def said(value: Any, type_: str, **limits: Any) -> list[str]:
    """What is wrong with a value of a parameter."""
    return list(problems(value, Parameter.model_validate({"name": "p", "type": type_} | limits)))


@pytest.mark.parametrize(
    ("value", "types"),
    [
        ("x", {"string"}),
        ("", {"string"}),
        (1, {"integer", "number"}),
        (2.0, {"integer", "number"}),
        (1.5, {"number"}),
        (True, {"boolean"}),
        (False, {"boolean"}),
        ([], {"array"}),
        ({}, {"object"}),
        (None, set()),
    ],
)
def test_a_value_has_its_own_type_only(value: Any, types: set[str]) -> None:
    every = ("string", "integer", "number", "boolean", "array", "object")
    assert {one for one in every if is_of_type(value, one)} == types


@pytest.mark.parametrize(("value", "type_"), [(True, "integer"), (False, "number"), (1, "boolean"), ("1", "integer")])
def test_a_wrong_type_is_the_only_thing_said(value: Any, type_: str) -> None:
    assert len(said(value, type_, minimum=5, enum=[7])) == 1


@pytest.mark.parametrize(
    ("value", "limits", "wrong"),
    [
        (1, {"minimum": 1, "maximum": 1}, False),
        (0, {"minimum": 1}, True),
        (1.0001, {"maximum": 1}, True),
        (-1e308, {"minimum": 0}, True),
        (3, {"enum": [1, 2.0, 3.0]}, False),
        (2, {"enum": [1, 3]}, True),
        (1, {"enum": []}, True),
    ],
)
def test_limits_of_numbers(value: float, limits: dict[str, Any], wrong: bool) -> None:
    assert bool(said(value, "number", **limits)) is wrong


def test_limits_are_named_in_full() -> None:
    assert said(0, "integer", minimum=1234567) == ["0 is less than the minimum 1234567"]
    assert said(1, "number", maximum=0.0000001) == ["1 is more than the maximum 0.0000001"]


def test_all_that_is_wrong_is_said() -> None:
    assert len(said(9, "integer", enum=[1], maximum=5)) == 2


def test_true_is_not_one() -> None:
    assert not same(True, 1)
    assert not same([True], [1]) or [True] == [1]  # deeper down Python's own equality holds
    assert same(1, 1.0)
    assert not same("1", 1)
    assert said(True, "boolean", enum=[1]) != []


@pytest.mark.parametrize(
    ("value", "type_"),
    [(2**53 + 1, "integer"), (-(2**53) - 1, "number"), ([1, [2**60]], "array"), ({"a": {"b": 10**400}}, "object")],
)
def test_integers_that_doubles_cannot_hold_are_refused_wherever_they_are(value: Any, type_: str) -> None:
    (problem,) = said(value, type_)
    assert "2^53" in problem
    assert len(problem) < 200


def test_the_largest_integer_is_taken() -> None:
    assert said(2**53, "integer") == []
    assert said([-(2**53)], "array") == []


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (float("inf"), "number"),
        (float("nan"), "number"),
        ([float("-inf")], "array"),
        ("\ud800", "string"),
        ({"\udfff": 1}, "object"),
        (["a", {"b": "\udc80"}], "array"),
    ],
)
def test_what_is_no_json_is_refused(value: Any, type_: str) -> None:
    assert len(said(value, type_)) == 1


def test_deep_values_are_refused_before_anything_recurses() -> None:
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    (problem,) = said(deep, "array")
    assert "nested" in problem


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a", "cat", True),
        ("^a$", "cat", False),
        ("^[가-힣]+$", "한글", True),
        (r"^\d+$", "12\n", False),
        ("", "", True),
    ],
)
def test_patterns_are_searched_for(pattern: str, text: str, found: bool) -> None:
    assert matches(pattern, text) is found
    assert bool(said(text, "string", pattern=pattern)) is not found


@pytest.mark.parametrize("pattern", ["(", "[z-a]", r"(a)\1", "(?=x)", "(?<!x)y", "*", "a{2,1}", "(?P<n>x)(?P<n>y)"])
def test_what_is_no_pattern_is_named_and_matches_nothing_wrong(pattern: str) -> None:
    assert pattern_problem(pattern)
    assert "\n" not in pattern_problem(pattern)
    assert matches(pattern, "x") is None
    assert said("x", "string", pattern=pattern) == []  # the pattern's own mistake is said once, where it stands


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_patterns_that_blow_up_elsewhere_take_linear_time(pattern: str) -> None:
    began = process_time()
    matches(pattern, "a" * 50_000 + "!")
    assert process_time() - began < 2


def test_a_pattern_that_is_a_bomb_is_refused() -> None:
    began = process_time()
    assert pattern_problem("((((a{1000}){1000}){1000}){1000})")
    assert process_time() - began < 2


@pytest.mark.parametrize(
    "value",
    ["{{workflow.name}}", "a{{", "$(HOME)", "$$", "a\0b", ["x", {"y": "{{$}}"}], {"{{k": 1}, "/kfp-workspace/x"],
)
def test_what_would_be_replaced_on_its_way(value: Any) -> None:
    assert run_time_problem(value)


@pytest.mark.parametrize("value", ["", "{x}", "}}", "$HOME", "$ (x)", "한글\n\"'`", ["{", "{"], 5, True, None])
def test_what_arrives_as_it_is(value: Any) -> None:
    assert not run_time_problem(value)
