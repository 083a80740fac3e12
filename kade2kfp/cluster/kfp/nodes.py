"""Argo's nodes of a run, and what they tell of the steps.

KFP makes of each task two: `T-driver`, a pod that looks for its inputs, and `T`, in it a pod `executor`; of a DAG a
`T-driver` and a `T` with the tasks in it; of a loop `T` with `iteration-driver` and, for each item, an
`iteration-iterations(N:N)` with `iteration-item-driver` and `iteration-item`; an importer is one pod; an exit task is in
`T.onExit` of the task that it comes after (backend/src/v2/compiler/argocompiler/dag.go, container.go). A node's name is
the path to it, `wf.root.T.executor`; where Argo retries, as KFP's manifests have it by default, the attempt stands behind
each: `wf(0).root(0).T(0).executor(0)`.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_PART = re.compile(r"\.?([^.()]*)((?:\([^()]*\))*)")
_BRACKETS = re.compile(r"\(([^()]*)\)")
_LARGEST = 64 * 1024 * 1024
ENDED = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
FAILED = frozenset({"Failed", "Error"})
UNTOLD = "Untold"
"""The kind of a node of which nothing is known but its state."""
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A node: where it is, which attempt on the way there, and what Argo says of it. Times are seconds since 1970.

    `pod` is the name of its pod, if it is one; `given` and `put` are its parameters, in and out.
    """

    id: str
    path: Path
    attempt: tuple[int, ...]
    kind: str
    phase: str
    message: str
    pod: str
    started: float | None
    ended: float | None
    given: Mapping[str, str] = field(default_factory=dict)
    put: Mapping[str, str] = field(default_factory=dict)
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Nodes:
    """All nodes of a run by their path, the latest attempt last. `stopped`: somebody has ended the run."""

    by_path: Mapping[Path, tuple[Node, ...]]
    phase: str = ""
    message: str = ""
    stopped: bool = False
    workflow: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)

    def at(self, path: Path) -> Node | None:
        """The node there that speaks for its attempts; None where there is none yet."""
        found = self.by_path.get(path, ())
        together = [one for one in found if one.kind == "Retry"]
        return (together or found or (None,))[-1]

    def pods(self, path: Path) -> tuple[Node, ...]:
        """The pods there, one for each attempt."""
        return tuple(one for one in self.by_path.get(path, ()) if one.kind == "Pod")

    def items(self, path: Path) -> list[int]:
        """Which items of the loop there have begun."""
        found = {one[len(path)] for one in self.by_path if len(one) == len(path) + 1 and one[: len(path)] == path}
        numbers = (re.fullmatch(r"iteration-iterations\((\d{1,9})\)", one) for one in found)
        return sorted(int(one[1]) for one in numbers if one)


def nodes_of(manifest: str) -> Nodes:
    """The nodes of an Argo Workflow, given as JSON text. What is none is empty."""
    try:
        workflow = _object(json.loads(manifest))
    except (ValueError, RecursionError):
        return Nodes({})
    status, spec = _object(workflow.get("status")), _object(workflow.get("spec"))
    metadata = _object(workflow.get("metadata"))
    name = _text(metadata.get("name"))
    first = _text(_object(metadata.get("annotations")).get("workflows.argoproj.io/pod-name-format")) == "v1"
    found: dict[Path, list[Node]] = {}
    for one in _all(status).values():
        if node := _node(_object(one), name, first):
            found.setdefault(node.path, []).append(node)
    return Nodes(
        {path: tuple(sorted(nodes, key=lambda node: node.attempt)) for path, nodes in found.items()},
        _text(status.get("phase")),
        _text(status.get("message")),
        # KFP stops a run so (resource_manager.go, TerminateWorkflow), and takes it back for a retry.
        spec.get("activeDeadlineSeconds") == 0 or _text(spec.get("shutdown")) in ("Stop", "Terminate"),
        name,
        dict(_parameters(spec.get("arguments"))),
    )


def _all(status: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes by their ids; Argo packs them where they are many (workflow/packer/packer.go)."""
    if nodes := _object(status.get("nodes")):
        return nodes
    try:
        packed = base64.b64decode(_text(status.get("compressedNodes")), validate=True)
        data = zlib.decompressobj(wbits=47).decompress(packed, _LARGEST)
        return _object(json.loads(data))
    except (ValueError, zlib.error, RecursionError):
        return {}


def _node(said: Mapping[str, Any], workflow: str, first: bool) -> Node | None:
    name = _text(said.get("name"))
    if not name.startswith(workflow):
        return None
    path, attempt = _place(name[len(workflow) :])
    if not path or path[-1] == "onExit":
        return None
    if "onExit" in path:  # what a task has for its end stands beside it in the document
        at = path.index("onExit")
        path, attempt = path[: at - 1] + path[at + 1 :], attempt[: at - 1] + attempt[at + 1 :]
    outputs = _object(said.get("outputs"))
    code = _text(outputs.get("exitCode"))
    kind, id_ = _text(said.get("type")), _text(said.get("id"))
    return Node(
        id_,
        path,
        attempt,
        kind,
        _text(said.get("phase")),
        _text(said.get("message")),
        _text(said.get("podName")) or _pod(id_, workflow, _text(said.get("templateName")), first),
        seconds(said.get("startedAt")),
        seconds(said.get("finishedAt")),
        dict(_parameters(said.get("inputs"))),
        dict(_parameters(outputs)),
        int(code) if code.isdecimal() and len(code) < 5 else None,
    )


def _place(rest: str) -> tuple[Path, tuple[int, ...]]:
    """`(0).root(0).loop.iteration-iterations(1:1)(0)` as the path and the attempts on it, -1 where none is told."""
    path: list[str] = []
    attempts: list[int] = []
    for part in _PART.finditer(rest):
        name, brackets = part[1], _BRACKETS.findall(part[2])
        if not name:  # of the workflow itself
            continue
        item = next((one.partition(":")[0] for one in brackets if ":" in one), None)
        tries = [int(one) for one in brackets if one.isdecimal() and len(one) < 9]
        path.append(f"{name}({item})" if item is not None else name)
        attempts.append(tries[-1] if tries else -1)
    return tuple(path), tuple(attempts)


def _pod(id_: str, workflow: str, template: str, first: bool) -> str:
    """The name of a node's pod (Argo's workflow/util/pod_name.go, GeneratePodName)."""
    if first or not template or not id_.startswith(f"{workflow}-"):
        return id_
    number = id_[len(workflow) + 1 :]
    return f"{f'{workflow}-{template}'[:242]}-{number}"


def _parameters(said: object) -> Iterator[tuple[str, str]]:
    rows = _object(said).get("parameters")
    for row in rows if isinstance(rows, list) else []:
        fields = _object(row)
        if (name := _text(fields.get("name"))) and isinstance(fields.get("value"), str):
            yield name, fields["value"]


def seconds(time: object) -> float | None:
    """Seconds since 1970 of what KFP and Argo write; None for no time, which both also write as the year 1970 or 1."""
    try:
        found = time.timestamp() if isinstance(time, datetime) else datetime.fromisoformat(str(time)).timestamp()
    except (ValueError, OverflowError):
        return None
    return found if found > 0 else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
