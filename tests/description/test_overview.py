"""What the text of a description says of each part, line by line: people go by it where programs go by the JSON."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kade2kfp.description.full import in_full
from kade2kfp.description.text import overview

from .documents import Json, described, document, job


def lines(tasks: list[Json], **fields: Any) -> list[str]:
    """The lines of a document's overview on a very wide terminal, with one space for several."""
    return [re.sub(" +", " ", line).strip() for line in overview(described(document(tasks, **fields)), 400).split("\n")]


def full(*tasks: Json, of: str, **fields: Any) -> list[str]:
    told = described(document([*tasks], **fields))
    (task,) = (one for one in told.tasks if one.id == of)
    return [re.sub(" +", " ", line).strip() for line in in_full(told, task, 400).split("\n")]


def secret(name: str, key: str, **more: bool) -> Json:
    return {"name": name.upper(), "valueFrom": {"secretKeyRef": {"name": name, "key": key} | more}}


def test_when_it_runs_and_how_long() -> None:
    schedule = {"cron": "0 0 3 * * *", "timezone": "Europe/Berlin"}
    shown = lines([job("a"), job("end")], timeout="1h", timeToLive="7d", onExit="end", schedule=schedule)
    assert shown[shown.index("Runs") :][1:5] == [
        "at most 1h",
        "kept for 7d",
        "at the end end, whatever happened",
        "by itself at 0 0 3 * * *; Europe/Berlin",
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "string"}, "p string required a"),
        ({"type": "string", "default": ""}, 'p string "" a'),
        ({"type": "integer", "default": 3, "minimum": 1, "maximum": 9}, "p integer 3, at least 1, at most 9 a"),
        ({"type": "number", "default": 1.0}, "p number 1 a"),
        ({"type": "boolean", "default": False}, "p boolean false a"),
        ({"type": "string", "default": "x", "enum": ["x", "y"]}, 'p string "x", one of ["x", "y"] a'),
    ],
)
def test_what_a_run_must_be_given(fields: Json, said: str) -> None:
    assert said in lines([job("a", command=["echo", "{{params.p}}"])], parameters=[{"name": "p"} | fields])


def test_a_parameter_that_nobody_uses() -> None:
    parameters = [{"name": "p", "type": "string", "default": "x"}]
    assert 'p string "x" not used' in lines([job("a")], parameters=parameters)


def test_who_reads_and_who_writes() -> None:
    mounts = [{"id": "nas", "mountPath": "/in", "acl": "RO"}, {"id": "nas", "mountPath": "/out"}]
    shown = lines([job("a", volumes=mounts)], volumes=[{"id": "nas", "claimName": "team"}])
    assert shown[shown.index("Volumes") :][1:3] == ["nas claim team RO a /in", "RW a /out"]


def test_what_must_be_there_and_what_may_be_missing() -> None:
    shown = lines([job("a", env=[secret("s", "k"), secret("t", "k", optional=True)])])
    assert shown[shown.index("The cluster must have") :][1:3] == [
        "secret s, key k a",
        "secret t, key k may be missing; a",
    ]


@pytest.mark.parametrize(("on_reject", "said"), [("route", "is a decision"), ("fail", "fails the run")])
def test_what_becomes_of_a_rejection(on_reject: str, said: str) -> None:
    gate = {"timeout": "2d", "onTimeout": "resume", "onReject": on_reject}
    shown = lines([{"id": "look", "type": "container", "gate": gate}])
    assert f"look container, waits 2d, then resume; a rejection {said}" in shown


def test_where_an_arrow_brings_what() -> None:
    arrows = [
        {"fromTask": "a", "fromPath": "/out/t.csv", "toTask": "b", "toPath": "/in", "artifactType": "Dataset"},
        {"fromTask": "a", "fromPath": "/big", "toTask": "b", "toPath": "/big", "volume": "nas"},
        {"fromTask": "b", "toTask": "c"},
    ]
    shown = lines([job("a"), job("b"), job("c")], arrows=arrows, volumes=[{"id": "nas", "claimName": "team"}])
    assert shown[shown.index("Arrows") :][1:4] == [
        "a /out/t.csv -> b /in/t.csv Dataset, file",
        "a /big -> b /big on volume nas",
        "b -> c order only",
    ]


def test_what_a_pod_asks_for_and_what_it_may_use() -> None:
    resources = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi", "nvidia.com/gpu": "2"}}
    assert "resources cpu 1, memory 2Gi (at most 4Gi), nvidia.com/gpu at most 2" in full(
        job("a", resources=resources), of="a"
    )


@pytest.mark.parametrize(("on", "said"), [("exit", "in the same pod"), ("pod", "in a new pod when the pod is lost")])
def test_where_a_task_is_tried_again(on: str, said: str) -> None:
    assert f"retry 3 times {said}, after 10s at first" in full(
        job("a", retry={"limit": 3, "backoff": "10s", "on": on}), of="a"
    )


def test_a_loop_says_how_many_at_a_time_also_for_what_goes_with_it() -> None:
    grid = [{"name": "grid", "type": "array", "default": [{"rate": 1}]}]
    rate = {"command": ["echo", "{{item.rate}}"]}
    first = job("a", forEach={"items": "{{params.grid}}", "parallelism": 2}, **rate)
    second = job("b", forEach={"each": "a"}, **rate)
    arrows = [{"fromTask": "a", "fromPath": "/o", "toTask": "b", "toPath": "/i"}]
    for of, end in (("a", ""), ("b", ", with a")):
        shown = full(first, second, of=of, parameters=grid, arrows=arrows)
        assert f"repeated for each item of {{{{params.grid}}}}, 2 at a time{end}" in shown


def test_a_task_in_a_branch_that_is_joined_is_never_taken_from_the_cache() -> None:
    asks = {"left": "{{params.n}}", "operator": ">", "right": 1}
    arrows = [
        {"fromTask": "c", "toTask": "x", "branch": "then"},
        {"fromTask": "c", "toTask": "y", "branch": "else"},
        {"fromTask": "x", "fromPath": "/o", "toTask": "j", "toPath": "/i"},
        {"fromTask": "y", "fromPath": "/o", "toTask": "j", "toPath": "/i"},
    ]
    told = described(
        document(
            [{"id": "c", "type": "condition", "test": asks}, job("x"), job("y"), job("j")],
            parameters=[{"name": "n", "type": "integer", "default": 1}],
            arrows=arrows,
        )
    )
    assert {one.id: [step.cached for step in one.steps if step.kind == "step"] for one in told.tasks} == {
        "c": [],
        "x": [False],
        "y": [False],
        "j": [True],
    }
    assert {one.id: one.cache.state for one in told.tasks} == {"c": "none", "x": "off", "y": "off", "j": "on"}
