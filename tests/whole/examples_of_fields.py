"""For every field of the format: a value that can be recognised, and what must become of it.

Each row is a patch and, for each field that it sets, what must be found: texts or numbers of the compiled pipeline, the
code of a diagnostic, or one of the words below. A field that stands in no row fails test_nothing_lost.py.
"""

from __future__ import annotations

import base64
from typing import Any

Found = tuple[object, ...] | str
Row = tuple[dict[str, Any], dict[str, Found]]

CHANGES = "changes"
"""The compiled pipeline is another one, or none, without it."""
EDITORS = "editor's"
"""The editor's own: never part of what is compiled."""
HOLDS = "holds anyway"
"""It asks for what is so in any case."""

DIGEST = "0123456789abcdef" * 4
CONTENT = base64.b64encode(b"the content").decode()
SOURCE = base64.b64encode(b"the source\n").decode()
DATA = {"fromTask": "before", "fromPath": "/the/out", "toTask": "t", "toPath": "/the/in"}
LOGS = {"fromTask": "before", "fromPath": "/a", "toTask": "t", "toPath": "/logs"}
_REQUIRED = "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
_TERM = {
    "matchExpressions": [{"key": "the-label", "operator": "NotIn", "values": ["the-value"]}],
    "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["the-node"]}],
}


def _terms(above: str) -> dict[str, Found]:
    return {
        f"{above}.matchExpressions": ("the-label",),
        f"{above}.matchExpressions.key": ("the-label",),
        f"{above}.matchExpressions.operator": ("NotIn",),
        f"{above}.matchExpressions.values": ("the-value",),
        f"{above}.matchFields": ("metadata.name",),
        f"{above}.matchFields.key": ("metadata.name",),
        f"{above}.matchFields.operator": ("In",),
        f"{above}.matchFields.values": ("the-node",),
    }


def _reference(kind: str) -> Row:
    above = f"env.valueFrom.{kind}"
    value = {"name": "A_NAME", "valueFrom": {kind: {"name": "the-object", "key": "the-key", "optional": True}}}
    found: dict[str, Found] = {
        "env.valueFrom": ("the-object",),
        above: ("the-object",),
        f"{above}.name": ("the-object",),
        f"{above}.key": ("the-key",),
        f"{above}.optional": CHANGES,
    }
    return {"env": [value]}, found


POD: tuple[Row, ...] = (
    ({"imagePullPolicy": "Never"}, {"imagePullPolicy": ("Never",)}),
    (
        {"imagePullSecrets": [{"name": "the-secret"}]},
        {"imagePullSecrets": ("the-secret",), "imagePullSecrets.name": ("the-secret",)},
    ),
    (
        {"env": [{"name": "A_NAME", "value": "a-telling-value"}]},
        {"env": ("A_NAME",), "env.name": ("A_NAME",), "env.value": ("a-telling-value",)},
    ),
    _reference("secretKeyRef"),
    _reference("configMapKeyRef"),
    (
        {"env": [{"name": "A_NAME", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP", "apiVersion": "v1"}}}]},
        {
            "env.valueFrom.fieldRef": ("status.podIP",),
            "env.valueFrom.fieldRef.fieldPath": ("status.podIP",),
            "env.valueFrom.fieldRef.apiVersion": HOLDS,
        },
    ),
    (
        {"resources": {"requests": {"cpu": "123m", "memory": "77Mi"}, "limits": {"memory": "99Mi", "the.org/gpu": 5}}},
        {
            "resources": ("123m", "77Mi", "99Mi", "the.org/gpu", "5"),
            "resources.requests": ("123m", "77Mi"),
            "resources.limits": ("99Mi", "the.org/gpu", "5"),
        },
    ),
    ({"resources": {"limits": {"cpu": "321m"}}}, {"resources.limits": ("321m",)}),
    ({"nodeSelector": {"the-key": "the-value"}}, {"nodeSelector": ("the-key", "the-value")}),
    (
        {"tolerations": [{"key": "the-key", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 77}]},
        {
            "tolerations": ("the-key",),
            "tolerations.key": ("the-key",),
            "tolerations.operator": ("Exists",),
            "tolerations.effect": ("NoExecute",),
            "tolerations.tolerationSeconds": (77,),
        },
    ),
    ({"tolerations": [{"key": "the-key", "value": "the-value"}]}, {"tolerations.value": ("the-value",)}),
    (
        {"securityContext": {"runAsUser": 1234, "runAsGroup": 2345, "runAsNonRoot": True}},
        {
            "securityContext": (1234,),
            "securityContext.runAsUser": (1234,),
            "securityContext.runAsGroup": (2345,),
            "securityContext.runAsNonRoot": CHANGES,
        },
    ),
    ({"labels": {"the-key": "the-value"}}, {"labels": ("the-key", "the-value")}),
    ({"annotations": {"the-key": "a-telling-value"}}, {"annotations": ("the-key", "a-telling-value")}),
    (
        {"retry": {"limit": 3, "backoff": "7s", "factor": 1.5, "maxBackoff": "99s"}},
        {
            "retry": ("3 7 1.5 99",),
            "retry.limit": ("3 7 1.5 99",),
            "retry.backoff": ("3 7 1.5 99",),
            "retry.factor": ("3 7 1.5 99",),
            "retry.maxBackoff": ("3 7 1.5 99",),
        },
    ),
    (
        {"retry": {"limit": 3, "backoff": "7s", "factor": 5, "on": "pod"}},
        {
            "retry.on": (3, "7s", 5),
        },
    ),
    ({"timeout": "77s"}, {"timeout": (77,)}),
)
"""What tasks and the defaults say of a pod."""

TASK: tuple[Row, ...] = (
    *POD,
    ({"id": "t"}, {"id": ("exec-t",)}),
    ({"name": "The Name"}, {"name": ("The Name", "the-name")}),
    ({"description": "What it does."}, {"description": ("What it does.",)}),
    ({"volumes": [{"id": "nas", "acl": "RO", "mountPath": "/the/mount"}]}, {"volumes.acl": "K409"}),
    (
        {"volumes": [{"id": "nas", "subPath": "the/sub", "mountPath": "/the/mount"}]},
        {
            "volumes": ("the-claim",),
            "volumes.id": ("the-claim",),
            "volumes.subPath": ("the/sub",),
            "volumes.mountPath": ("/the/mount",),
        },
    ),
    (
        {"volumes": [{"secret": "the-secret", "mountPath": "/the/mount", "optional": True}]},
        {"volumes.secret": ("the-secret",), "volumes.optional": CHANGES},
    ),
    (
        {"volumes": [{"configMap": "the-map", "mountPath": "/the/mount", "optional": True}]},
        {"volumes.configMap": ("the-map",)},
    ),
    (
        {"volumes": [{"emptyDir": {"medium": "Memory", "sizeLimit": "3Gi"}, "mountPath": "/the/mount"}]},
        {
            "volumes.emptyDir": ("Memory",),
            "volumes.emptyDir.medium": ("Memory",),
            "volumes.emptyDir.sizeLimit": ("3Gi",),
        },
    ),
    (
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_TERM]}}},
        {
            "nodeAffinity": ("the-label",),
            _REQUIRED: ("the-label",),
            f"{_REQUIRED}.nodeSelectorTerms": ("the-label",),
            **_terms(f"{_REQUIRED}.nodeSelectorTerms"),
        },
    ),
    (
        {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 77, "preference": _TERM}],
            }
        },
        {
            _PREFERRED: (77, "the-label"),
            f"{_PREFERRED}.weight": (77,),
            f"{_PREFERRED}.preference": ("the-label",),
            **_terms(f"{_PREFERRED}.preference"),
        },
    ),
    ({"position": {"x": 7654321}}, {"position": EDITORS}),
    ({"ui": "the editor's"}, {"ui": EDITORS}),
)
