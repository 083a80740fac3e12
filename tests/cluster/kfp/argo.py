"""Argo Workflows made by hand, as far as their nodes go (argo-workflows, pkg/apis/workflow/v1alpha1)."""

from __future__ import annotations

import json
from typing import Any

from kade2kfp.api import compile, parse

Json = dict[str, Any]
AT = "2026-11-21T07:40:55Z"
LATER = "2026-11-21T07:41:05Z"


def job(id_: str, script: str = "true", **fields: Any) -> Json:
    return {"id": id_, "type": "job", "image": "python:3.11-slim", "script": script, **fields}


def document(tasks: list[Json], arrows: list[Json] | None = None, **fields: Any) -> Json:
    return {"apiVersion": "kade2kfp/v1", "name": "flow", "tasks": tasks, "arrows": arrows or [], **fields}


def spec_of(document: Json) -> Json:
    """A document's IR as KFP gives it back: with the platform's part, if there is one."""
    import yaml

    text = compile(parse(json.dumps(document))).yaml
    assert text is not None
    parts = list(yaml.load_all(text, yaml.CSafeLoader))
    return {"pipeline_spec": parts[0], **({"platform_spec": parts[1]} if len(parts) > 1 else {})}


def node(name: str, phase: str, kind: str = "DAG", **more: Any) -> Json:
    """A node of the workflow `wf`; `put` are its outputs, `message` what Argo says."""
    put = more.pop("put", {})
    outputs: Json = {"parameters": [{"name": key, "value": value} for key, value in put.items()]}
    if "exit_code" in more:
        outputs["exitCode"] = str(more.pop("exit_code"))
    began = {} if phase in ("Pending", "Omitted", "Skipped") else {"startedAt": AT}
    ended = {"finishedAt": LATER} if phase in ("Succeeded", "Failed", "Error") else {}
    number = sum(name.encode()) * 7919
    return {
        "id": f"wf-{number}",
        "name": f"wf{name}",
        "displayName": name.rpartition(".")[2],
        "type": kind,
        "templateName": "system-container-impl",
        "phase": phase,
        "outputs": outputs,
        **began,
        **ended,
        **more,
    }


def pod(name: str, phase: str, **more: Any) -> Json:
    return node(name, phase, "Pod", **more)


def workflow(*nodes: Json, phase: str = "Running", stopped: bool = False, **status: Any) -> str:
    """The manifest, as KFP keeps it."""
    rows = {f"{one['id']}-{position}": one for position, one in enumerate(nodes)}
    spec = {"activeDeadlineSeconds": 0} if stopped else {}
    return json.dumps({"metadata": {"name": "wf"}, "spec": spec, "status": {"phase": phase, "nodes": rows, **status}})


def done(name: str, *, retry: str = "") -> list[Json]:
    """A task that succeeded: driver, the DAG around it, its pod."""
    return [
        pod(f"{name}-driver{retry}", "Succeeded", put={"cached-decision": "false"}),
        node(f"{name}{retry}", "Succeeded"),
        pod(f"{name}{retry}.executor{retry}", "Succeeded", exit_code=0),
    ]
