"""What a compiled pipeline says of its gates on their pods is what the commands read there."""

from __future__ import annotations

import json
from typing import Any

import yaml

from kade2kfp.api import compile, parse
from kade2kfp.cluster.pods import standing
from kade2kfp.steps.parts import GateValue, Port

VALUES = [
    {"name": "lr", "type": "number", "default": 0.1, "minimum": 0, "maximum": 1, "description": "a {{ and $(x)"},
    {"name": "who", "type": "string", "pattern": "^[a-z]+$", "enum": ["ada", "bob"]},
]
TASKS = [
    {
        "id": "review_",
        "type": "container",
        "image": "python:3.11-slim",
        "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9000}],
        "ssh": {"port": 2200, "authorizedKeysFrom": {"secretKeyRef": {"name": "keys", "key": "pub"}}},
        "gate": {
            "timeout": "2h",
            "message": "is it $$ or {{{{?",
            "onReject": "route",
            "values": [VALUES[0] | {"default": 0.1}],
        },
    },
    {
        "id": "work",
        "type": "notebook",
        "image": "quay.io/jupyter/base-notebook:2025-06-30",
        "startPath": "/home/jovyan/work",
        "port": 9999,
        "gate": {"timeout": "7d", "values": [VALUES[1]]},
    },
]


def pods() -> dict[str, dict[str, Any]]:
    document = {"apiVersion": "kade2kfp/v1", "name": "gates", "tasks": TASKS}
    compiled = compile(parse(json.dumps(document)))
    assert compiled.yaml is not None, compiled.diagnostics
    _, platform = yaml.load_all(compiled.yaml, yaml.CSafeLoader)
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    found = {}
    for name, executor in executors.items():
        labels = executor["podMetadata"]["labels"] | {"pipeline/runid": "a-run"}
        annotations = executor["podMetadata"]["annotations"]
        for text in annotations.values():
            assert not any(bad in text for bad in ("{{", "$(", "$$"))
        started = {"running": {"startedAt": "2026-01-02T03:04:05Z"}}
        status = {"phase": "Running", "containerStatuses": [{"name": "main", "state": started}]}
        metadata = {"name": name, "uid": f"uid-{name}", "labels": labels, "annotations": annotations}
        found[name] = {"metadata": metadata, "status": status}
    return found


def test_a_container() -> None:
    found = standing(pods()["exec-review"])
    assert (found.run, found.task, found.step, found.pod) == ("a-run", "review_", "review", "uid-exec-review")
    assert found.waits
    assert found.until == found.since + 7200
    assert (found.message, found.on_reject, found.ssh) == ("is it $$ or {{?", "route", 2200)
    assert found.ports == (Port(8080, "http"), Port(9000))
    assert found.port == 0
    assert found.values == (GateValue("lr", "number", False, 0.1, "a {{ and $(x)", None, 0, 1),)


def test_a_notebook() -> None:
    found = standing(pods()["exec-work"])
    assert (found.type, found.port, found.start_path, found.ssh) == ("notebook", 9999, "/home/jovyan/work", 0)
    assert found.until == found.since + 7 * 86400
    assert found.values == (GateValue("who", "string", True, None, "", ("ada", "bob"), None, None, "^[a-z]+$"),)
