"""What a run may not be given: what the checks say of values, and Kubernetes of the pods that they would make."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kade2kfp import api
from kade2kfp.checks.pod_sources import volume_names
from kade2kfp.checks.resources import resource_amounts
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.read import read
from kade2kfp.plan.analysis import analyse
from kade2kfp.tasks import TASK_TYPES

from .judge import Judge
from .made import Json, codes, job, unchecked
from .pods import drafts

KINDS = {"claim": "string", "secret": "string", "memory": "string", "gpus": "number"}
DOCUMENT: Json = job(
    volumes=[{"id": "c-1", "mountPath": "/a"}, {"secret": "{{params.secret}}", "mountPath": "/b"}],
    resources={
        "requests": {"memory": "4Gi"},
        "limits": {"memory": "{{params.memory}}", "x.org/gpu": "{{params.gpus}}"},
    },
) | {
    "volumes": [{"id": "c-1", "claimName": "{{params.claim}}"}],
    "parameters": [{"name": name, "type": kind} for name, kind in KINDS.items()],
}
SOUND = {"claim": "c", "secret": "s", "memory": "4Gi", "gpus": 1}


def said(values: Json) -> list[Diagnostic]:
    meant, _ = read(api.parse(json.dumps(DOCUMENT), "p.json"), TASK_TYPES)
    assert meant is not None
    analysis, _ = analyse(meant, {}, None)
    return [*volume_names(analysis, values), *resource_amounts(analysis, values)]


def test_a_document_is_not_blamed_for_values_that_only_a_run_has(judge: Judge) -> None:
    assert not codes(DOCUMENT)
    assert not said({})
    assert not said(SOUND)
    assert not any(one.refused for one in judge(drafts(unchecked(DOCUMENT), SOUND)))


@pytest.mark.parametrize(
    ("code", "field", "wrong"),
    [
        ("K411", "/tasks/0/volumes/1/secret", {"secret": "x.y"}),
        ("K411", "/tasks/0/volumes/1/secret", {"secret": "gcs-scratch"}),
        ("K411", "/volumes/0/claimName", {"claim": "x" * 64}),
        ("K411", "/tasks/0/volumes/1/secret", {"claim": "x", "secret": "x"}),
        ("K223", "/tasks/0/resources/requests/memory", {"memory": "2Gi"}),
        ("K223", "/tasks/0/resources/limits/x.org~1gpu", {"gpus": 1.5}),
    ],
)
def test_a_value_of_a_run_is_told_where_the_document_uses_it(
    judge: Judge, code: str, field: str, wrong: dict[str, Any]
) -> None:
    (found,) = said(SOUND | wrong)
    place = "".join("/" + str(part).replace("/", "~1") for part in found.pointer)
    assert (found.code, place) == (code, field)
    assert any(one.refused for one in judge(drafts(unchecked(DOCUMENT), SOUND | wrong)))


def test_a_value_that_replaces_a_wrong_default_is_not_blamed_for_it() -> None:
    task = job(volumes=[{"secret": "{{params.s}}", "mountPath": "/a"}])
    document = task | {"parameters": [{"name": "s", "type": "string", "default": "x.y"}]}
    meant, _ = read(api.parse(json.dumps(document), "p.json"), TASK_TYPES)
    assert meant is not None
    analysis, _ = analyse(meant, {}, None)
    assert [one.pointer for one in volume_names(analysis, {"s": "x.y"})] == [("parameters", 0, "default")]
    assert not list(volume_names(analysis, {"s": "x-y"}))
    assert [one.pointer for one in volume_names(analysis, {"s": "y.z"})] == [("tasks", 0, "volumes", 0, "secret")]
