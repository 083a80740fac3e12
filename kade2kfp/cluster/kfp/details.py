"""The nodes of a run where KFP's older API is closed: by the task details of the new one, which tell less."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kade2kfp.cluster.kfp.nodes import UNTOLD, Node, Nodes, Path, seconds
from kade2kfp.cluster.kfp.states import ROOT
from kade2kfp.cluster.kfp.tree import Pipeline, Task

_PHASES = {
    "PENDING": "Pending",
    "RUNNING": "Running",
    "SUCCEEDED": "Succeeded",
    "SKIPPED": "Skipped",
    "FAILED": "Failed",
    "CANCELING": "Running",
    "CANCELED": "Failed",
}
_BRACKETS = re.compile(r"(\([^()]*\))+$")


def nodes_of_details(pipeline: Pipeline, run: Mapping[str, Any]) -> Nodes:
    """Nodes of what `run_details.task_details` of a v2beta1 Run tell.

    It names nodes, not where they are. So only those count whose name one task has, in no loop, and no pod is known.
    """
    details = _object(run.get("run_details")).get("task_details")
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in details if isinstance(details, list) else []:
        one = _object(row)
        name = _BRACKETS.sub("", str(one.get("display_name") or ""))
        rows.setdefault(name, []).append(one)
    places: dict[str, list[Path]] = {}
    for name, path in _names(pipeline.tasks, ROOT):
        places.setdefault(name, []).append(path)
    found: dict[Path, tuple[Node, ...]] = {}
    for name, paths in places.items():
        if len(paths) == 1 and name in rows:
            node = _node(rows[name][-1], paths[0])
            found[paths[0]] = (node,)
    state = str(run.get("state") or "")
    return Nodes(found, _PHASES.get(state, "Running"), stopped=state == "CANCELED")


def _names(tasks: tuple[Task, ...], dag: Path) -> Iterator[tuple[str, Path]]:
    for task in tasks:
        if task.sort == "loop":  # one node for each item, and nothing says which is which
            yield task.name, (*dag, task.name)
            continue
        for name in (task.name, f"{task.name}-driver"):
            yield name, (*dag, name)
        yield from _names(task.inner, (*dag, task.name))


def _node(said: Mapping[str, Any], path: Path) -> Node:
    error = _object(said.get("error")).get("message")
    return Node(
        str(said.get("task_id") or ""),
        path,
        (),
        UNTOLD,
        _PHASES.get(str(said.get("state") or ""), ""),
        error if isinstance(error, str) else "",
        "",
        seconds(said.get("start_time")),
        seconds(said.get("end_time")),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
