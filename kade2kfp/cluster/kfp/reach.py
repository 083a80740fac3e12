"""The way to KFP where it is not simply an address: the Kubernetes below it, and its service's port carried here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from kade2kfp.cluster.connect import Cluster, connect
from kade2kfp.cluster.forward import forward
from kade2kfp.cluster.kfp.where import DEFAULT_NAMESPACE, Forward, Target
from kade2kfp.cluster.pods import field, is_label
from kade2kfp.cluster.requests import call, pages
from kade2kfp.diagnostics.cannot import CannotDoError


def kubernetes_of(target: Target) -> Cluster:
    """The Kubernetes that a KFP's runs are in, in their namespace. Nothing is sent. Raises CannotDoError."""
    return connect(target.kube_context, namespace_of(target))


def namespace_of(target: Target) -> str:
    """The namespace of a KFP's runs: the one that was named, else KFP's own."""
    return target.namespace or (target.forward.namespace if target.forward is not None else DEFAULT_NAMESPACE)


@contextmanager
def reached(target: Target) -> Iterator[Target]:
    """The target with an endpoint that can be asked while the block lasts. Raises CannotDoError."""
    if target.forward is None:
        yield target
        return
    cluster = replace(kubernetes_of(target), namespace=target.forward.namespace)
    pod, port = _behind(cluster, target.forward)
    with forward(cluster, pod, port) as here:
        yield replace(target, endpoint=f"http://127.0.0.1:{here}")


def _behind(cluster: Cluster, wanted: Forward) -> tuple[str, int]:
    """A pod behind a service that is ready, and the port there."""
    service = call(cluster, "get", "services", wanted.service)
    spec = service.get("spec") or {}
    selector = spec.get("selector") or {}
    where = f"service {wanted.service} in namespace `{cluster.namespace}`"
    if not selector or not all(is_label(str(value)) for value in selector.values()):
        raise CannotDoError(f"the {where} leads to no pods", "name KFP's own by `portForward` of a context")
    ports = [one for one in spec.get("ports") or () if one.get("port") == wanted.port]
    if not ports:
        raise CannotDoError(f"the {where} has no port {wanted.port}", "name it by `portForward` of a context")
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    for pod in pages(cluster, "pods", labels):
        if _is_ready(pod):
            return field(pod, "name"), _number(ports[0].get("targetPort"), pod) or wanted.port
    raise CannotDoError(f"no pod of the {where} is ready", "is KFP up? kubectl get pods tells")


def _is_ready(pod: dict[str, Any]) -> bool:
    status = pod.get("status") or {}
    conditions = status.get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return status.get("phase") == "Running" and ready and not field(pod, "deletionTimestamp")


def _number(port: object, pod: dict[str, Any]) -> int | None:
    """A service's targetPort as a number; a name is one of a container's ports."""
    if isinstance(port, int):
        return port
    containers = (pod.get("spec") or {}).get("containers") or ()
    named = [one for container in containers for one in container.get("ports") or () if one.get("name") == port]
    return int(named[0]["containerPort"]) if named else None
