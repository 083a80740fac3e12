"""Known items: every combination once, and readable names that are never taken twice."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kade2kfp import api
from kade2kfp.document.values import same
from kade2kfp.plan.names import DRIVER_END, MAX_NAME
from kade2kfp.plan.turns import MAX_ITEMS, item_names
from kade2kfp.steps.model import Choice, Node, Plan, Step
from kade2kfp.steps.parts import Branch
from kade2kfp.steps.sources import Constant

Json = dict[str, Any]
SCALARS = st.one_of(
    st.text("aB -_.é", max_size=45), st.integers(-3, 3), st.booleans(), st.floats(-2, 2).map(lambda x: round(x, 1))
)
VALUES = st.lists(SCALARS, min_size=1, max_size=4, unique_by=lambda value: json.dumps(value) if value != 0 else "0")
KEYS = st.sampled_from(["lr", "depth", "Model", "a b", "-", "x" * 30])


def planned(*tasks: Json, arrows: tuple[Json, ...] = ()) -> Plan | None:
    document = {"apiVersion": "kade2kfp/v1", "name": "flow", "tasks": tasks, "arrows": arrows}
    return api.validate(api.parse(json.dumps(document))).plan


def job(id_: str, **fields: Any) -> Json:
    return {"id": id_, "type": "job", "image": "img:1", "command": ["true"], **fields}


def _item_of(node: Node) -> Any:
    assert isinstance(node, Step)
    (item,) = node.command[-1]
    assert isinstance(item, Constant)
    return json.loads(item.value)


@settings(deadline=None, derandomize=True)
@given(matrix=st.dictionaries(KEYS, VALUES, min_size=1, max_size=3), data=st.data())
def test_each_combination_has_a_step_and_none_that_is_excluded(matrix: Json, data: st.DataObject) -> None:
    entry = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in matrix.items()})
    exclude = data.draw(st.lists(entry.filter(bool), max_size=3))
    combinations = [dict(zip(matrix, values, strict=True)) for values in product(*matrix.values())]
    kept = [
        one
        for one in combinations
        if not any(all(same(one[key], value) for key, value in two.items()) for two in exclude)
    ]
    others = [
        job("train-lr", name="Train lr 1"),
        job("train", forEach={"matrix": matrix, "exclude": exclude}, args=["{{item}}"]),
    ]
    plan = planned(*others, job("each", name="Train", forEach={"each": "train"}), job("train-collect"))
    if not kept:
        assert plan is None
        return
    assert plan is not None
    made = [node for node in plan.nodes if node.task == "train"]
    assert [_item_of(node) for node in made] == kept
    assert len([node for node in plan.nodes if node.task == "each"]) == len(kept)
    names = [node.name for node in plan.nodes]
    assert len({*names, *(name + DRIVER_END for name in names)}) == 2 * len(names)
    assert all(re.fullmatch(r"[a-z](?:[a-z0-9-]*[a-z0-9])?", name) and len(name) <= MAX_NAME for name in names)
    assert {"train-lr-1", "train-collect"} <= {*names}


@pytest.mark.parametrize(
    ("items", "names"),
    [
        (["logistic-regression", "Decision Tree"], ["logistic-regression", "decision-tree"]),
        ([{"model": "lr"}, {"model": "dt"}], ["lr", "dt"]),
        ([{"lr": 0.1}, {"lr": -0.1}, {"lr": 1e-05}], ["lr-0-1", "lr-minus-0-1", "lr-0-00001"]),
        ([{"lr": 0.1, "depth": 3}], ["lr-0-1-depth-3"]),
        ([1, "1", True, None, "", "모델"], ["1", "1-2", "true", "null", "item-5", "item-6"]),
        ([["a", 2], {}, {"deep": {"k": [1]}}], ["a-2", "item-2", "deep-k-1"]),
        (
            [{"model": "logistic-regression", "penalty": "l2", "scaler": "standard"}],
            ["logistic-regression-l2-standard"],
        ),
        (["x" * 50, "x" * 60], ["x" * 40, "x" * 40 + "-2"]),
    ],
)
def test_names_are_read_off_the_values(items: list[Any], names: list[str]) -> None:
    assert item_names(items) == names


def test_ordinary_tasks_keep_their_names() -> None:
    plan = planned(
        job("a", name="Train", forEach={"items": ["b", "c"]}), job("train-b"), job("x", name="train b driver")
    )
    assert plan is not None
    assert [(node.name, node.display_name) for node in plan.nodes] == [
        ("train-b-2", "Train (b)"),
        ("train-c", "Train (c)"),
        ("train-b", "train-b"),
        ("train-b-driver-2", "train b driver"),
    ]


def test_a_condition_with_a_person_has_a_choice_for_each_item() -> None:
    ask: Json = {"id": "ask", "type": "condition", "forEach": {"each": "train"}, "approval": {"timeout": "1h"}}
    arrow = {"fromTask": "ask", "toTask": "go", "branch": "then"}
    plan = planned(
        job("train", forEach={"items": ["a", "b"]}), ask, job("go", forEach={"each": "train"}), arrows=(arrow,)
    )
    assert plan is not None
    assert [node.name for node in plan.nodes if isinstance(node, Choice)] == ["ask-a-choice", "ask-b-choice"]
    within = {node.name: node.within for node in plan.nodes if node.task == "go"}
    assert within == {f"go-{item}": (Branch(f"ask-{item}-choice", "then"),) for item in "ab"}


def test_as_many_items_as_may_be_and_one_more() -> None:
    many = [{"seed": number} for number in range(MAX_ITEMS)]
    plan = planned(job("train", forEach={"items": many}, args=["{{item.seed}}"]))
    assert plan is not None
    assert [node.name for node in plan.nodes][-1] == f"train-seed-{MAX_ITEMS - 1}"
    assert planned(job("train", forEach={"items": [*many, 1]})) is None
