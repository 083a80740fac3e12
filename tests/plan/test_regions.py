"""Regions: which branches of which conditions a task is in, however deep they lie."""

from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.plan.regions import opposite, regions

from .documents import Json, analysis, arrow, document, job


def condition(id_: str) -> Json:
    return {"id": id_, "type": "condition", "test": {"left": 1, "operator": "==", "right": 1}}


def found(*tasks: Json, arrows: tuple[Json, ...]) -> dict[str, set[tuple[str, str]]]:
    return {id_: set(one) for id_, one in regions(analysis(document(*tasks, arrows=arrows))).items()}


def then(giver: str, taker: str, *paths: str) -> Json:
    return arrow(giver, taker, *paths, branch="then")


def other(giver: str, taker: str, *paths: str) -> Json:
    return arrow(giver, taker, *paths, branch="else")


A, B = condition("A"), condition("B")
S, T, U, V = (job(id_) for id_ in "stuv")


def test_a_branch_and_what_follows_in_it() -> None:
    made = found(S, A, T, U, V, arrows=(arrow("s", "A"), then("A", "t"), arrow("t", "u"), other("A", "v")))
    assert made == {"s": set(), "A": set(), "t": {("A", "then")}, "u": {("A", "then")}, "v": {("A", "else")}}


@pytest.mark.parametrize("data", [(), ("/o",)])
def test_a_task_fed_by_both_branches_is_a_join_and_in_neither(data: Any) -> None:
    made = found(A, T, U, V, arrows=(then("A", "t"), other("A", "u"), arrow("t", "v", *data), arrow("u", "v", *data)))
    assert made["v"] == set()


def test_a_task_that_needs_one_branch_and_something_outside_is_in_the_branch() -> None:
    made = found(S, A, T, U, arrows=(then("A", "t"), arrow("t", "u"), arrow("s", "u")))
    assert made["u"] == {("A", "then")}


def test_nested_conditions() -> None:
    arrows = (then("A", "B"), other("B", "t"), then("B", "u"), arrow("t", "v"), arrow("u", "v"))
    made = found(A, B, T, U, V, arrows=arrows)
    assert made["B"] == {("A", "then")}
    assert made["t"] == {("A", "then"), ("B", "else")}
    assert made["v"] == {("A", "then")}  # the inner join is still in the outer branch


def test_a_join_of_joins() -> None:
    arrows = (
        then("A", "B"), then("B", "s"), other("B", "t"), arrow("s", "u"), arrow("t", "u"),
        other("A", "x"), arrow("u", "v"), arrow("x", "v"),
    )  # fmt: skip
    made = found(A, B, S, T, U, V, job("x"), arrows=arrows)
    assert made["u"] == {("A", "then")}
    assert made["v"] == set()


def test_two_conditions_beside_each_other() -> None:
    made = found(A, B, T, arrows=(then("A", "t"), other("B", "t")))
    assert made["t"] == {("A", "then"), ("B", "else")}


def test_a_reference_puts_a_task_into_the_branch_too() -> None:
    maker = job("t", outputs=[{"name": "n", "type": "string", "path": "/tmp/n"}])
    user = job("u", command=["echo", "{{tasks.t.outputs.n}}"])
    assert found(A, maker, user, arrows=(then("A", "t"),))["u"] == {("A", "then")}


def test_document_order_does_not_matter() -> None:
    arrows = (then("A", "t"), arrow("t", "u"), other("A", "v"))
    assert found(V, U, T, A, arrows=arrows) == found(A, T, U, V, arrows=arrows[::-1])


def test_a_cycle_ends() -> None:
    made = found(A, T, U, arrows=(then("A", "t"), arrow("t", "u"), arrow("u", "t")))
    assert set(made) == {"A", "t", "u"}


def test_opposite_arrows() -> None:
    doc = document(A, T, U, V, S, arrows=(
        then("A", "t"), other("A", "u"), arrow("t", "v", "/o"), arrow("u", "v", "/o"), arrow("s", "v", "/o", "/s"),
    ))  # fmt: skip
    made = analysis(doc)
    from_t, from_u, from_s = (flow for flow in made.flows if flow.taker.id == "v")
    assert opposite(regions(made), from_t, from_u)
    assert not opposite(regions(made), from_t, from_s)
    assert not opposite(regions(made), from_t, from_t)


def test_a_long_chain_takes_no_recursion() -> None:
    tasks = [A, *(job(f"t{i}") for i in range(400))]
    arrows = (then("A", "t0"), *(arrow(f"t{i}", f"t{i + 1}") for i in range(399)))
    assert found(*reversed(tasks), arrows=arrows)["t399"] == {("A", "then")}
