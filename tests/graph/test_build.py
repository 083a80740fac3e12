"""What of a document is in its graph, and what is left of one with errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kade2kfp.graph.model import Arrow, Badge, Box, Passage

from .documents import EXAMPLES, arrow, document, drawn

NAS = {"volumes": [{"id": "nas", "claimName": "c"}]}
TEST = {"left": "{{tasks.a.metrics.score}}", "operator": ">=", "right": "{{params.least}}"}


def box(task: dict[str, Any], *others: dict[str, Any], **more: Any) -> Box:
    return drawn(document(task, *others, **more)).boxes[0]


@pytest.mark.parametrize(
    ("task", "detail"),
    [
        ({"type": "loadData", "url": "{{params.data_url}}/x.csv", "path": "/d"}, "{data_url}/x.csv"),
        ({"image": "python:3.12"}, "python:3.12"),
        ({"type": "notebook", "advance": "auto", "notebook": "run.ipynb"}, "run.ipynb"),
        ({"type": "notebook"}, "busybox"),
        ({"type": "container"}, "busybox"),
        ({"type": "select", "metric": "rmse", "mode": "min", "path": "/m"}, "min rmse"),
        ({"type": "select", "metric": "accuracy", "path": "/m"}, "max accuracy"),
        ({"type": "viewer", "logPath": "/logs"}, "/logs"),
        ({"type": "serving", "framework": "onnx"}, "onnx"),
        ({"type": "condition", "test": TEST}, "a.score ≥ least"),
        ({"type": "condition", "test": TEST | {"operator": "==", "left": True, "right": "x y"}}, 'true = "x y"'),
        ({"type": "condition", "approval": {"timeout": "1h"}}, ""),
        ({"type": "loadData", "path": "/d"}, ""),
        ({"type": "viewer"}, ""),
    ],
)
def test_details(task: dict[str, Any], detail: str) -> None:
    found = box({"id": "a"} | task, defaults={"image": "busybox"})
    assert (found.name, found.detail) == ("a", detail)


@pytest.mark.parametrize(
    ("task", "badges"),
    [
        ({}, []),
        ({"type": "container"}, [("gate", "waits for a person")]),
        ({"type": "container", "advance": "auto"}, []),
        ({"type": "notebook", "advance": "auto", "notebook": "x.ipynb"}, []),
        ({"type": "condition", "approval": {"timeout": "1h"}}, [("gate", "asks a person")]),
        ({"forEach": {"items": [1, 2, 3]}}, [("sweep", "×3")]),
        ({"forEach": {"matrix": {"a": [1, 2], "b": [3, 4]}, "exclude": [{"a": 1, "b": 3}]}}, [("sweep", "×3")]),
        ({"forEach": {"items": "{{params.grid}}"}}, [("sweep", "for each of {grid}")]),
        ({"forEach": {"items": []}}, [("sweep", "for each")]),
        ({"forEach": {"each": "b"}}, [("sweep", "×2, with b")]),
        ({"retry": {"limit": 2}}, [("retry", "up to 3 attempts")]),
        ({"retry": {"limit": 0}}, []),
        ({"runWhen": "always"}, [("always", "always runs")]),
        ({"volumes": [{"id": "nas", "mountPath": "/scl_nas"}]}, [("volume", "nas:/scl_nas")]),
        ({"volumes": [{"id": "nas", "mountPath": "/d", "acl": "RO"}]}, [("volume", "nas:/d, read only")]),
        ({"volumes": [{"secret": "s", "mountPath": "/s"}]}, []),
        ({"type": "serving", "framework": "onnx"}, [("volume", "nas, for versions")]),
    ],
)
def test_badges(task: dict[str, Any], badges: list[tuple[Any, str]]) -> None:
    found = box({"id": "a"} | task, {"id": "b", "forEach": {"items": [1, 2]}}, **NAS)
    assert found.badges == tuple(Badge(*one) for one in badges)


def test_a_name_that_nobody_sees_is_none() -> None:
    assert box({"id": "a", "name": " \n"}).name == "a"


def test_the_task_at_the_end() -> None:
    assert box({"id": "a"}, onExit="a").badges == (Badge("exit", "runs at the end"),)


def test_mounts_that_come_from_a_task_before_are_badges_too() -> None:
    tasks = {"id": "a", "volumes": [{"id": "nas", "mountPath": "/n"}]}, {"id": "b"}
    graph = drawn(document(*tasks, arrows=[arrow("a", "b", "/out", "/in")], **NAS))
    assert graph.boxes[1].badges == (Badge("volume", "nas:/n"),)


def test_arrows() -> None:
    tasks = (
        {"id": "a"},
        {"id": "c", "type": "condition", "test": TEST},
        {"id": "b", "env": [{"name": "X", "value": "{{tasks.a.outputs.n}}"}]},
    )
    arrows = [
        arrow("a", "c"),
        arrow("c", "b", branch="then"),
        arrow("a", "c", "/data", "/data"),
        arrow("a", "c", "/model", "/in", volume="nas"),
        arrow("a", "c", "/model", "/in", volume="nas"),
    ]
    outputs = {"outputs": [{"name": "n", "type": "string", "path": "/o/n"}]}
    graph = drawn(document(tasks[0] | outputs, *tasks[1:], arrows=arrows, **NAS))
    passages = (Passage("/data", "/data"), Passage("/model", "/in", "nas"))
    assert graph.arrows == (
        Arrow(0, 1, "data", passages=passages),
        Arrow(1, 2, "order", branches=("then",)),
        Arrow(0, 2, "values", values=("n",)),
    )


def test_what_cannot_be_read_is_left_out() -> None:
    tasks = [
        {"id": "a"},
        {"id": "b", "type": "jbo"},
        {"type": "job"},
        {"id": "a", "name": "again"},
        {"id": "c", "command": 7},
    ]
    arrows = [
        arrow("a", "b", "/x"),
        arrow("a", "nobody", "/x"),
        arrow("a", "c", "/x"),
        arrow("c", "c"),
        {"fromTask": 3},
    ]
    graph = drawn(document(*tasks, arrows=arrows))
    assert [one.name for one in graph.boxes] == ["a", "(no id)", "again", "c"]
    assert graph.arrows == (Arrow(0, 3, "data", passages=(Passage("/x", "/x"),)),)


@pytest.mark.parametrize("text", ["{}", "[1]", '{"tasks": 7}', '{"tasks": [[], 3, "x", null]}'])
def test_documents_without_tasks(text: str) -> None:
    if text.startswith("{"):
        assert drawn(text).boxes == ()
    else:
        with pytest.raises(AssertionError):
            drawn(text)


def test_every_path_of_the_examples_is_at_an_arrow() -> None:
    for path in EXAMPLES:
        whole = json.loads(path.read_text(encoding="utf-8"))
        graph = drawn(json.dumps(whole))
        ids = [one.id for one in graph.boxes]
        found = {
            (ids[one.giver], ids[one.taker], way.from_path, way.to_path) for one in graph.arrows for way in one.passages
        }
        wanted = {
            (one["fromTask"], one["toTask"], one["fromPath"], one["toPath"])
            for one in whole.get("arrows", ())
            if "fromPath" in one
        }
        assert found == wanted
