"""Documents of one task for these tests, what is said of them, and the pods that they would give."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from kade2kfp import api
from kade2kfp.diagnostics.model import Severity
from kade2kfp.diagnostics.severity import severity
from kade2kfp.document.read import read
from kade2kfp.lowering import lower
from kade2kfp.plan.analysis import analyse
from kade2kfp.plan.build import build
from kade2kfp.tasks import TASK_TYPES

from .judge import Judge, Verdict
from .pods import drafts

Json = dict[str, Any]

SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}
CONFIG = {"configMapKeyRef": {"name": "c", "key": "k"}}


def job(**fields: Any) -> Json:
    task = {"id": "a", "type": "job", "image": "busybox:1", "command": ["true"]} | fields
    claims = [{"id": name, "claimName": name} for name in ("c-1", "c-2")]
    return {"apiVersion": "kade2kfp/v1", "name": "p", "volumes": claims, "tasks": [task]}


def term(**expression: Any) -> Json:
    terms = [{"matchExpressions": [{"key": "k"} | expression]}]
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}


def of_node(**field: Any) -> Json:
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]} | field]}]
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}


def with_defaults(document: Json, **defaults: str | float) -> Json:
    """The document with parameters of these defaults; where one is `claim`, the claim `c-1` is called by it."""
    kinds = {name: "string" if isinstance(value, str) else "number" for name, value in defaults.items()}
    claims = [{"id": "c-1", "claimName": "{{params.claim}}"}] if "claim" in defaults else document["volumes"]
    parameters = [{"name": name, "type": kinds[name], "default": value} for name, value in defaults.items()]
    return document | {"volumes": claims, "parameters": parameters}


def codes(document: Json) -> set[str]:
    """The codes of the errors of a document."""
    found = api.validate(api.parse(json.dumps(document), "p.json"))
    return {one.code for one in found.diagnostics if severity(one.code) is Severity.ERROR}


def unchecked(document: Json) -> str:
    """The document compiled whatever the checks say of it."""
    meant, _ = read(api.parse(json.dumps(document), "p.json"), TASK_TYPES)
    assert meant is not None
    return lower(build(analyse(meant, {}, None)[0]))


def verdict(judge: Judge, text: str, change: Callable[[Json], object] | None = None) -> Verdict:
    """What is said to the only pod of a pipeline, its draft changed first."""
    (draft,) = drafts(text)
    if change:
        change(draft)
    (found,) = judge([draft])
    return found


def main_of(found: Verdict) -> Json:
    """The user's container of a pod that was accepted."""
    assert found.pod is not None
    assert not found.refused
    (main,) = (one for one in found.pod["spec"]["containers"] if one["name"] == "main")
    return dict(main)
