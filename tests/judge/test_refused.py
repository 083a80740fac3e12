"""What a pod may not have: `validate` refuses the document, and Kubernetes the pod that it would have given.

Rows for the table "What the pod may not have" of the design of the lowering, as far as Kubernetes refuses such a pod;
test_broken.py has those that it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from .judge import Judge
from .made import CONFIG, SECRET, Json, codes, job, of_node, term, unchecked, verdict, with_defaults

GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class Row:
    """A document, the code of its error, and what Kubernetes says: `refused` is part of it.

    A mistake in the document's shape reaches no plan; then `patched` sets it in the draft of the task `sound`: the path
    of a field in the draft, and its value.
    """

    document: Json
    code: str
    refused: str
    sound: Json | None = None
    patched: tuple[tuple[str | int, ...], Any] = ((), None)


MAIN = ("podSpecPatch", "containers", 0)
ROWS = {
    "a mount at Argo's": Row(
        job(volumes=[{"id": "c-1", "mountPath": "/var/run/argo"}]), "K407", '"/var/run/argo": must be unique'
    ),
    "a variable from a value and a secret": Row(
        job(env=[{"name": "A", "value": "1"}, {"name": "A", "valueFrom": SECRET}]), "K216", "`value` is not empty"
    ),
    "a variable from a secret and a config map": Row(
        job(env=[{"name": "A", "valueFrom": SECRET}, {"name": "A", "valueFrom": CONFIG}]),
        "K216",
        "may not have more than one field",
    ),
    "a variable of two sources": Row(
        job(env=[{"name": "A", "valueFrom": SECRET | CONFIG}]),
        "K215",
        "may not have more than one field",
        job(env=[{"name": "A", "valueFrom": SECRET}]),
        ((*MAIN, "env", 0, "valueFrom", "configMapKeyRef"), CONFIG["configMapKeyRef"]),
    ),
    "a variable with a value and a source": Row(
        job(env=[{"name": "A", "value": "1", "valueFrom": SECRET}]),
        "K215",
        "`value` is not empty",
        job(env=[{"name": "A", "valueFrom": SECRET}]),
        ((*MAIN, "env", 0, "value"), "1"),
    ),
    "a variable of Kubeflow's": Row(
        job(env=[{"name": "KFP_POD_NAME", "value": "1"}]), "K217", "`value` is not empty"
    ),
    "a variable of Argo's": Row(job(env=[{"name": "ARGO_NODE_ID", "valueFrom": SECRET}]), "K217", "`value` is not empty"),
    "a key of a secret": Row(
        job(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": ".."}}}]),
        "K109",
        "must not be '..'",
        job(env=[{"name": "A", "valueFrom": SECRET}]),
        ((*MAIN, "env", 0, "valueFrom", "secretKeyRef", "key"), ".."),
    ),
    "a key that is a dot": Row(
        job(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "."}}}]),
        "K109",
        "must not be '.'",
        job(env=[{"name": "A", "valueFrom": SECRET}]),
        ((*MAIN, "env", 0, "valueFrom", "secretKeyRef", "key"), "."),
    ),
    "a key of a config map": Row(
        job(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "..a"}}}]),
        "K109",
        "must not start with '..'",
        job(env=[{"name": "A", "valueFrom": CONFIG}]),
        ((*MAIN, "env", 0, "valueFrom", "configMapKeyRef", "key"), "..a"),
    ),
    "a key of 254 characters": Row(
        job(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k" * 254}}}]),
        "K109",
        "must be no more than 253 characters",
        job(env=[{"name": "A", "valueFrom": CONFIG}]),
        ((*MAIN, "env", 0, "valueFrom", "configMapKeyRef", "key"), "k" * 254),
    ),
    "the name of a variable": Row(
        job(env=[{"name": "A=B", "value": "1"}]),
        "K104",
        '"A=B": a valid environment variable name',
        job(env=[{"name": "A", "value": "1"}]),
        ((*MAIN, "env", 0, "name"), "A=B"),
    ),
    "a variable from no field of a pod": Row(
        job(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nam"}}}]),
        "K219",
        "field label not supported",
    ),
    "a claim and a secret of one name": Row(
        job(volumes=[{"id": "c-1", "mountPath": "/a"}, {"secret": "c-1", "mountPath": "/b"}]),
        "K411",
        "may not specify more than 1 volume type",
    ),
    "a secret and a config map of one name": Row(
        job(volumes=[{"secret": "x", "mountPath": "/a"}, {"configMap": "x", "mountPath": "/b"}]),
        "K411",
        "may not specify more than 1 volume type",
    ),
    "a claim and a config map of one name": Row(
        job(volumes=[{"id": "c-1", "mountPath": "/a"}, {"configMap": "c-1", "mountPath": "/b"}]),
        "K411",
        "may not specify more than 1 volume type",
    ),
    "a secret of the name of KFP's own volume": Row(
        job(volumes=[{"secret": "gcs-scratch", "mountPath": "/a"}]), "K411", "may not specify more than 1 volume type"
    ),
    "a claim with a dot": Row(
        job(volumes=[{"id": "c-1", "mountPath": "/a"}])
        | {"volumes": [{"id": "c-1", "claimName": "c.1"}]},
        "K411",
        '"c.1": must not contain dots',
    ),
    "a secret with a dot": Row(
        job(volumes=[{"secret": "x.y", "mountPath": "/a"}]), "K411", '"x.y": must not contain dots'
    ),
    "a config map of 64 characters": Row(
        job(volumes=[{"configMap": "x" * 64, "mountPath": "/a"}]), "K411", "must be no more than 63 characters"
    ),
    "a claim by default and a secret of one name": Row(
        with_defaults(
            job(volumes=[{"id": "c-1", "mountPath": "/a"}, {"secret": "x", "mountPath": "/b"}]), claim="x"
        ),
        "K411",
        "may not specify more than 1 volume type",
    ),
    "a claim and a secret of two equal defaults": Row(
        with_defaults(
            job(volumes=[{"id": "c-1", "mountPath": "/a"}, {"secret": "{{params.s}}", "mountPath": "/b"}]),
            claim="x",
            s="x",
        ),
        "K411",
        "may not specify more than 1 volume type",
    ),
    "a claim and a secret of one parameter": Row(
        job(volumes=[{"id": "c-1", "mountPath": "/a"}, {"secret": "{{ params.s }}", "mountPath": "/b"}])
        | {"volumes": [{"id": "c-1", "claimName": "{{params.s}}"}], "parameters": [{"name": "s", "type": "string"}]},
        "K411",
        "may not specify more than 1 volume type",
    ),
    "a secret with a dot by default": Row(
        with_defaults(job(volumes=[{"secret": "{{params.s}}", "mountPath": "/a"}]), s="x.y"),
        "K411",
        '"x.y": must not contain dots',
    ),
    "a secret of the name of KFP's own volume by default": Row(
        with_defaults(job(volumes=[{"secret": "{{params.s}}", "mountPath": "/a"}]), s="gcs-scratch"),
        "K411",
        "may not specify more than 1 volume type",
    ),
    "a config map of 64 characters by default": Row(
        with_defaults(job(volumes=[{"configMap": "{{params.s}}", "mountPath": "/a"}]), s="x" * 64),
        "K411",
        "must be no more than 63 characters",
    ),
    "a toleration's operator": Row(
        job(tolerations=[{"key": "k", "operator": "Like"}]),
        "K103",
        'spec.tolerations[0].operator: Unsupported value: "Like"',
        job(tolerations=[{"key": "k", "operator": "Exists"}]),
        (("podSpecPatch", "tolerations", 0, "operator"), "Like"),
    ),
    "a toleration with Exists and a value": Row(
        job(tolerations=[{"key": "k", "operator": "Exists", "value": "v"}]), "K222", "value must be empty"
    ),
    "a toleration without a key": Row(
        job(tolerations=[{"operator": "Equal"}]), "K222", "operator must be Exists when `key` is empty"
    ),
    "a toleration's seconds": Row(
        job(tolerations=[{"key": "k", "operator": "Exists", "tolerationSeconds": 3}]),
        "K222",
        "effect must be 'NoExecute'",
    ),
    "the pull policy": Row(
        job(imagePullPolicy="Sometimes"),
        "K103",
        'imagePullPolicy: Unsupported value: "Sometimes"',
        job(imagePullPolicy="Always"),
        ((*MAIN, "imagePullPolicy"), "Sometimes"),
    ),
    "a quantity": Row(
        job(resources={"limits": {"memory": "1GB"}}),
        "K107",
        "quantities must match",
        job(resources={"limits": {"memory": "1Gi"}}),
        ((*MAIN, "resources", "limits", "memory"), "1GB"),
    ),
    "the size of an empty folder": Row(
        job(volumes=[{"emptyDir": {"sizeLimit": "-1Gi"}, "mountPath": "/a"}]),
        "K107",
        "SizeLimit field must be a valid resource quantity",
        job(volumes=[{"emptyDir": {"sizeLimit": "1Gi"}, "mountPath": "/a"}]),
        (("podSpecPatch", "volumes", 0, "emptyDir", "sizeLimit"), "-1Gi"),
    ),
    "a request above its limit": Row(
        job(resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}),
        "K223",
        "must be less than or equal to memory limit",
    ),
    "a request above its limit by default": Row(
        with_defaults(
            job(resources={"requests": {"memory": "4Gi"}, "limits": {"memory": "{{params.m}}"}}), m="2Gi"
        ),
        "K223",
        "must be less than or equal to memory limit",
    ),
    "a request by default above its limit": Row(
        with_defaults(job(resources={"requests": {"cpu": "{{params.c}}"}, "limits": {"cpu": 4}}), c=8),
        "K223",
        "must be less than or equal to cpu limit",
    ),
    "half a device by default": Row(
        with_defaults(job(resources={"limits": {GPU: "{{params.n}}"}}), n="1.5"), "K223", "must be an integer"
    ),
    "half a device by a number": Row(
        with_defaults(job(resources={"limits": {GPU: "{{params.n}}"}}), n=0.5), "K223", "must be an integer"
    ),
    "a negative number of devices": Row(
        with_defaults(job(resources={"limits": {GPU: "{{params.n}}"}}), n=-1),
        "K107",
        "must be greater than or equal to 0",
    ),
    "the name of a quota as a device": Row(
        job(resources={"limits": {"requests.example.org/gpu": "1"}}), "K223", "doesn't follow extended resource name"
    ),
    "the name of a device": Row(
        job(resources={"limits": {"gpu.x/a_": "1"}}), "K223", "resources.limits[gpu.x/a_]: Invalid value"
    ),
    "half a device": Row(
        job(resources={"limits": {GPU: "1.5"}}),
        "K223",
        "must be an integer",
        job(resources={"limits": {GPU: "1"}}),
        ((*MAIN, "resources", "limits", GPU), "1.5"),
    ),
    "a label's value": Row(job(labels={"a": "b c"}), "K221", 'metadata.labels: Invalid value: "b c"'),
    "a label's key": Row(job(labels={"a b": "c"}), "K221", 'metadata.labels: Invalid value: "a b"'),
    "an annotation's key": Row(job(annotations={"a b": "c"}), "K221", 'metadata.annotations: Invalid value: "a b"'),
    "annotations of 256 KiB": Row(job(annotations={"a": "b" * 2**18}), "K221", "metadata.annotations: Too long"),
    "an AppArmor profile": Row(
        job(annotations={"container.apparmor.security.beta.kubernetes.io/main": "x"}), "K221", "invalid AppArmor profile"
    ),
    "a seccomp profile": Row(
        job(annotations={"seccomp.security.alpha.kubernetes.io/pod": "x"}), "K221", "must be a valid seccomp profile"
    ),
    "a seccomp profile of a container": Row(
        job(annotations={"container.seccomp.security.alpha.kubernetes.io/main": "x"}),
        "K221",
        "must be a valid seccomp profile",
    ),
    "tolerations in an annotation": Row(
        job(annotations={"scheduler.alpha.kubernetes.io/tolerations": "x"}), "K221", "invalid character 'x'"
    ),
    "a cost of deletion": Row(
        job(annotations={"controller.kubernetes.io/pod-deletion-cost": "x"}), "K221", "must be a 32bit integer"
    ),
    "a key of a node's label": Row(
        job(nodeSelector={"a b": "c"}), "K222", 'spec.nodeSelector: Invalid value: "a b"'
    ),
    "an affinity In nothing": Row(
        job(nodeAffinity=term(operator="In")), "K222", "must be specified when `operator` is 'In'"
    ),
    "an affinity with Exists and values": Row(
        job(nodeAffinity=term(operator="Exists", values=["v"])), "K222", "may not be specified when `operator`"
    ),
    "an affinity above two minus signs": Row(
        job(nodeAffinity=term(operator="Gt", values=["--3"])), "K222", 'values[0]: Invalid value: "--3"'
    ),
    "an affinity below a negative number": Row(
        job(nodeAffinity=term(operator="Lt", values=["-3"])), "K222", 'values[0]: Invalid value: "-3"'
    ),
    "an affinity above two numbers": Row(
        job(nodeAffinity=term(operator="Gt", values=["3", "4"])), "K222", "must be specified single value"
    ),
    "an affinity to a field that exists": Row(
        job(nodeAffinity=of_node(operator="Exists", values=[])), "K222", "not a valid selector operator"
    ),
    "an affinity to another field": Row(
        job(nodeAffinity=of_node(key="metadata.namespace")), "K222", "not a valid field selector key"
    ),
    "an affinity to two nodes": Row(
        job(nodeAffinity=of_node(values=["n", "m"])), "K222", "must be only one value"
    ),
    "an affinity to no node": Row(job(nodeAffinity=of_node(values=[])), "K222", "must be only one value"),
    "an affinity to the name of no node": Row(
        job(nodeAffinity=of_node(values=["N_1"])), "K222", 'values[0]: Invalid value: "N_1"'
    ),
    "a path with `..` in a claim": Row(
        job(volumes=[{"id": "c-1", "mountPath": "/a", "subPath": "../b"}]),
        "K108",
        "must not contain '..'",
        job(volumes=[{"id": "c-1", "mountPath": "/a", "subPath": "b"}]),
        ((*MAIN, "volumeMounts", 0, "subPath"), "../b"),
    ),
    "an image with a space before it": Row(job(image=" busybox:1"), "K205", "must not have leading or trailing whitespace"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_document_and_pod_are_refused(judge: Judge, name: str) -> None:
    row = ROWS[name]
    assert codes(row.document) == {row.code}
    if row.sound is None:
        assert row.refused in verdict(judge, unchecked(row.document)).refused
        return
    assert not codes(row.sound)
    text, (path, value) = unchecked(row.sound), row.patched
    assert not verdict(judge, text).refused
    assert row.refused in verdict(judge, text, lambda draft: _set(draft, path, value)).refused


def _set(draft: Any, path: tuple[str | int, ...], value: Any) -> None:
    for key in path[:-1]:
        draft = draft[key]
    draft[path[-1]] = value
