"""Pods that wait for a person, and those of notebooks, are pods that Kubernetes takes."""

from __future__ import annotations

from typing import Any

import pytest

from .judge import Judge, texts
from .made import codes, job, unchecked
from .pods import drafts

LONGEST = f"{2**31 - 1}s"
KEYS = {"authorizedKeysFrom": {"secretKeyRef": {"name": "people", "key": "ada.pub", "optional": True}}}
VALUES = [
    {"name": "lr", "type": "number", "default": 0.5, "description": "{{how}} $(fast)"},
    {"name": "LR", "type": "string", "default": "", "enum": ["", "x" * 9000]},
    {"name": "x" * 63, "type": "object", "default": {"a": [1, True]}},
]
TASKS: dict[str, dict[str, Any]] = {
    "a container that just waits": {"type": "container", "command": None, "gate": {"timeout": "7d"}},
    "a gate that waits as long as may be": {"type": "container", "gate": {"timeout": LONGEST}},
    "a gate with all there is": {
        "id": "x" * 62 + "-",
        "type": "container",
        "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9000}],
        "ssh": KEYS,
        "volumes": [{"id": "c-1", "mountPath": "/a"}, {"id": "c-2", "mountPath": "/b", "subPath": "s"}],
        "labels": {"kade": "x"},
        "annotations": {"example.org/a": "b"},
        "gate": {"timeout": "7d", "message": "Is {{params.this}} right?", "values": VALUES, "onReject": "route"},
    },
    "a notebook": {"type": "notebook", "command": None, "startPath": "/work", "gate": {"timeout": "7d"}},
    "a notebook that is executed": {
        "type": "notebook",
        "command": None,
        "advance": "auto",
        "notebook": "/work/a b.ipynb",
        "parameters": {"rate": "{{params.this}}"},
    },
}


@pytest.mark.parametrize("name", TASKS)
def test_a_pod_is_accepted(judge: Judge, name: str) -> None:
    document = job(**TASKS[name]) | {"parameters": [{"name": "this", "type": "number", "default": 0.5}]}
    assert not codes(document)
    found = judge(drafts(unchecked(document)))
    assert found
    assert not texts(found)
