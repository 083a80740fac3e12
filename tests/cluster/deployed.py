"""Services as templates/apply.py leaves them on a cluster."""

from __future__ import annotations

from typing import Any

from .api import Api
from .conftest import RUN

V1, V2, V3 = "20260301-100000-aaaa", "20260302-100000-bbbb", "20260303-100000-cccc"


def serving(api: Api, version: str, *, task: str = "endpoint", good: bool = True, **spec: Any) -> dict[str, Any]:
    """Deploy a version; where it is good it is noted as that, and the Service is there."""
    name = f"iris-{task}"
    container = {
        "name": "server",
        "image": "python:3.11",
        "env": [{"name": "KADE2KFP_VERSION", "value": version}, {"name": f"ONLY_{version[-4:].upper()}", "value": "x"}],
        "ports": [{"containerPort": 3000, "protocol": "TCP"}],
    }
    labels = common("serving", name, task)
    template = {"metadata": {"labels": labels | {"kade2kfp/version": version}}, "spec": {"containers": [container]}}
    wanted = {"selector": {"matchLabels": {"app.kubernetes.io/instance": name}}, "template": template} | spec
    metadata = {
        "name": name,
        "labels": labels | {"kade2kfp/run": RUN},
        "annotations": {"kade2kfp/task": task, "kade2kfp/port": "3000"},
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1} | wanted}
    found = api.objects.apply("deployments", body, "kade2kfp")
    if good:
        before = [
            one for one in found["metadata"]["annotations"].get("kade2kfp/versions", "").split() if one != version
        ]
        noted = {"metadata": {"annotations": {"kade2kfp/versions": " ".join([version, *before][:5])}}}
        api.objects.merge("deployments", name, noted, "kade2kfp")
        api.objects.add("services", {"metadata": {"name": name, "labels": labels}})
    return found


def viewer(api: Api, task: str = "board", *, run: str = RUN, **more: Any) -> dict[str, Any]:
    """A viewer of a run; `expires` is an annotation, `replicas` of its spec."""
    name = f"iris-{task}-{run[:8]}"
    labels = common("viewer", name, task) | {"kade2kfp/run": run}
    annotations = {"kade2kfp/task": task, "kade2kfp/port": "6006"}
    annotations |= {"kade2kfp/expires": more["expires"]} if "expires" in more else {}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "server", "image": "tb"}]}}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": {"replicas": more.get("replicas", 1), "template": template},
    }
    api.objects.add("services", {"metadata": {"name": name, "labels": labels}})
    return api.objects.apply("deployments", body, "kade2kfp")


def custom(api: Api, resource: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    """An InferenceService or a Tensorboard."""
    metadata = {
        "name": name,
        "labels": common(kind, name, "x") | {"kade2kfp/run": RUN},
        "annotations": {"kade2kfp/task": "x", "kade2kfp/port": "8080"},
    }
    return api.objects.add(resource, {"metadata": metadata, "spec": {}, **more})


def common(kind: str, name: str, step: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "kade2kfp",
        "app.kubernetes.io/instance": name,
        "kade2kfp/service": kind,
        "kade2kfp/pipeline": "iris",
        "kade2kfp/service-step": step,
    }


def live(api: Api, name: str) -> dict[str, Any]:
    return api.objects.found["deployments", name]
