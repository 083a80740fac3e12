"""Branches that come together again: the compiled pipeline and the local run take the same ways, and hand on the same."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from differential.compare import Ground, compare
from ir.machine import execute

from kade2kfp.api import compile, parse

Json = dict[str, Any]
GOLDEN = Path(__file__).with_name("join.yaml")


def job(id_: str, script: str = "true", **fields: Any) -> Json:
    return {"id": id_, "type": "job", "image": "python:3.11-slim", "script": script, **fields}


def made(id_: str) -> Json:
    return job(id_, f"echo {id_} >/o/f")


def choice(id_: str, least: float) -> Json:
    return {"id": id_, "type": "condition", "test": {"left": "{{params.n}}", "operator": ">", "right": least}}


def order(one: str, other: str, branch: str = "") -> Json:
    return {"fromTask": one, "toTask": other, **({"branch": branch} if branch else {})}


def data(one: str, other: str) -> Json:
    return {"fromTask": one, "fromPath": "/o", "toTask": other, "toPath": "/i"}


def document(tasks: list[Json], arrows: list[Json]) -> Json:
    parameters = [{"name": "n", "type": "number", "default": 2}]
    return {"apiVersion": "kade2kfp/v1", "name": "flow", "parameters": parameters, "tasks": tasks, "arrows": arrows}


NESTED = document(
    [choice("a", 1), made("x"), choice("b", 5), made("y"), made("z"), job("j", "cat /i/f"), job("k", "echo k")],
    [
        order("a", "b", "then"),
        order("b", "x", "then"),
        order("b", "y", "else"),
        order("a", "z", "else"),
        *(data(one, "j") for one in "xyz"),
        order("x", "k"),
        order("a", "k", "else"),
    ],
)
# In the branch that is joined lies a condition of which nothing may be taken.
LONE = document(
    [choice("a", 1), made("x"), choice("b", 5), job("more"), made("y"), job("j", "cat /i/f")],
    [
        order("a", "x", "then"),
        order("x", "b"),
        order("b", "more", "then"),
        order("a", "y", "else"),
        data("x", "j"),
        data("y", "j"),
    ],
)


def compiled(flow: Json) -> str:
    found = compile(parse(json.dumps(flow)))
    assert found.yaml is not None, found.diagnostics
    return found.yaml


def test_the_golden() -> None:
    text = compiled(NESTED)
    if not GOLDEN.exists():
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.parametrize(("n", "handed_on"), [(9, "x"), (2, "y"), (0, "z")])
def test_a_join_of_nested_branches_takes_what_exists(folder: Path, n: int, handed_on: str) -> None:
    done = execute(compiled(NESTED), folder, parameters={"n": n})
    assert done.state == "succeeded", done.logs
    assert done.logs["j"] == f"{handed_on}\n"
    assert done.logs["k"] == "k\n"


@pytest.mark.parametrize(("n", "handed_on"), [(9, "x"), (2, "x"), (0, "y")])
def test_a_branch_that_is_joined_ends_though_nothing_in_it_was_taken(folder: Path, n: int, handed_on: str) -> None:
    done = execute(compiled(LONE), folder, parameters={"n": n})
    assert done.state == "succeeded", done.logs
    assert done.logs["j"] == f"{handed_on}\n"


def test_steps_of_branches_that_are_joined_are_not_taken_from_the_cache() -> None:
    spec, *_ = yaml.load_all(compiled(LONE), yaml.CSafeLoader)
    dags = [one["dag"]["tasks"] for one in [spec["root"], *spec["components"].values()] if "dag" in one]
    cached = {name: bool(task.get("cachingOptions")) for tasks in dags for name, task in tasks.items()}
    assert {name: cached[name] for name in ("x", "y", "more", "j")} == {
        "x": False,
        "y": False,
        "more": False,
        "j": True,
    }


@pytest.mark.parametrize("flow", [NESTED, LONE], ids=["nested", "lone"])
@pytest.mark.parametrize("n", [9, 2, 0])
def test_the_local_run_takes_the_same_way(on: Ground, flow: Json, n: int) -> None:
    flow = json.loads(json.dumps(flow))
    flow["parameters"][0]["default"] = n
    assert compare(on, flow) == []


def _random(seed: int) -> Json:
    """Conditions, each behind an earlier task; jobs in their branches or behind jobs; some join."""
    chance = random.Random(seed)
    tasks: list[Json] = [job("start")]
    arrows: list[Json] = []
    for number in range(chance.randint(2, 7)):
        before = chance.choice(tasks)["id"]
        condition = choice(f"c{number}", chance.choice([0, 1, 5]))
        tasks.append(condition)
        branch = next((one["branch"] for one in [chance.choice(["then", "else"])] for one in [{"branch": one}]), "")
        arrows.append(order(before, condition["id"], branch if before.startswith("c") else ""))
        sides = chance.choice([["then"], ["else"], ["then", "else"]])
        for side in sides:
            tasks.append(job(f"{side}{number}"))
            arrows.append(order(condition["id"], f"{side}{number}", side))
        if len(sides) == 2 and chance.random() < 0.6:
            tasks.append(job(f"join{number}"))
            arrows += [order(f"{side}{number}", f"join{number}") for side in sides]
    return document(tasks, arrows)


def _runs(flow: Json, n: float) -> set[str]:
    """Which jobs run: a reference of the semantics. A task is in a branch if all ways in but those of a join come from it."""
    tasks = {one["id"]: one for one in flow["tasks"]}
    ways: dict[str, list[tuple[str, str]]] = {id_: [] for id_ in tasks}
    for arrow in flow["arrows"]:
        ways[arrow["toTask"]].append((arrow["fromTask"], arrow.get("branch", "")))
    inside: dict[str, frozenset[tuple[str, str]]] = {}

    def branches(id_: str) -> frozenset[tuple[str, str]]:
        if id_ not in inside:
            found: set[tuple[str, str]] = set()
            for before, side in ways[id_]:
                found |= branches(before) | ({(before, side)} if side else set())
            joined = {condition for condition, _ in found if {(condition, "then"), (condition, "else")} <= found}
            inside[id_] = frozenset(
                one for one in found if one[0] not in joined and not {b[0] for b in branches(one[0])} & joined
            )
        return inside[id_]

    def taken(condition: str) -> str:
        return "then" if n > tasks[condition]["test"]["right"] else "else"

    return {
        id_
        for id_, one in tasks.items()
        if one["type"] == "job" and all(taken(condition) == side for condition, side in branches(id_))
    }


@pytest.mark.parametrize("seed", range(12))
def test_random_conditions_run_what_the_reference_says(on: Ground, folder: Path, seed: int) -> None:
    flow = _random(seed)
    n = random.Random(seed).choice([0, 2, 9])
    flow["parameters"][0]["default"] = n
    found = compile(parse(json.dumps(flow)))
    if found.yaml is None:
        assert all(one.help for one in found.diagnostics)
        return
    done = execute(found.yaml, folder)
    assert done.state == "succeeded", done.logs
    ran = {path.rpartition("/")[2] for path, state in done.states().items() if state == "succeeded"}
    jobs = {one["id"] for one in flow["tasks"] if one["type"] == "job"}
    assert ran & jobs == _runs(flow, n)
    assert compare(on, flow) == []
