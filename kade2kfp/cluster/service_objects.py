"""Deployments and the like that services run as, and their pods: what their labels and status say. Others may have written those."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kade2kfp.cluster import pods
from kade2kfp.services.model import Kind, ServiceView, State

KIND, PIPELINE, STEP, RUN = "kade2kfp/service", "kade2kfp/pipeline", "kade2kfp/service-step", "kade2kfp/run"
VERSION, VERSIONS, REPLICAS = "kade2kfp/version", "kade2kfp/versions", "kade2kfp/replicas"
_INSTANCE = "app.kubernetes.io/instance"
_TASK, _PORT, _EXPIRES = "kade2kfp/task", "kade2kfp/port", "kade2kfp/expires"
RESOURCES: dict[Kind, tuple[str, ...]] = {
    "viewer": ("deployments", "tensorboards"),
    "serving": ("deployments", "inferenceservices"),
}
"""What the services of a kind are in Kubernetes; a cluster may lack all but Deployments."""
_TENSORBOARD = 6006  # tensorboard-controller's Deployment listens there, and its Service at 80
_LONGEST = 300


def at(found: object, *keys: str) -> Any:
    """What lies in an object of an object; None where one of them is none."""
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def read(kind: Kind, resource: str, found: Mapping[str, Any], namespace: str) -> ServiceView | None:
    """The service that an object stands for; None for one that is about to go."""
    owners = at(found, "metadata", "ownerReferences") or ()
    # KServe and the tensorboard-controller give their own Deployments the labels of what these belong to.
    if pods.field(found, "deletionTimestamp") or any(at(owner, "controller") for owner in owners):
        return None
    state, url, problem = {"deployments": _deployment, "inferenceservices": _inference, "tensorboards": _tensorboard}[
        resource
    ](found, namespace)
    wanted, known = wanted_version(resource, found), good_versions(found)
    answers = wanted if state == "paused" or known[:1] == (wanted,) or settled(found) else "".join(known[:1])
    step = pods.metadata(found, "labels", STEP)
    return ServiceView(
        kind=kind,
        run=pods.metadata(found, "labels", RUN),
        pipeline=pods.metadata(found, "labels", PIPELINE),
        task=pods.metadata(found, "annotations", _TASK) or step,
        step=step,
        name=pods.field(found, "name"),
        state=state,
        port=_TENSORBOARD if resource == "tensorboards" else _port(found),
        url=url if state != "paused" else "",
        since=seconds(pods.field(found, "creationTimestamp")) or 0.0,
        until=seconds(pods.metadata(found, "annotations", _EXPIRES)),
        version=answers if kind == "serving" else "",
        versions=tuple(one for one in known if one != wanted) if kind == "serving" else (),
        problem=problem,
        handle=f"{resource}/{pods.field(found, 'name')}",
    )


def selector(view: ServiceView) -> str:
    """The labels of a service's pods and ReplicaSets (lowering/manifests.py)."""
    # tensorboard-controller gives its pods a label of its own, and none of the resource's.
    return f"app={view.name}" if view.handle.startswith("tensorboards/") else f"{_INSTANCE}={view.name}"


def wanted_version(resource: str, found: Mapping[str, Any]) -> str:
    """The version that ought to answer: of the pods that are made from now on."""
    if resource == "inferenceservices":
        own = pods.metadata(at(found, "spec", "predictor") or {}, "labels", VERSION)
        return own or str(at(found, "spec", "predictor", "labels", VERSION) or pods.metadata(found, "labels", VERSION))
    return pods.metadata(at(found, "spec", "template") or {}, "labels", VERSION)


def good_versions(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The versions that have been ready, the last one first."""
    return tuple(dict.fromkeys(pods.metadata(found, "annotations", VERSIONS).split()))


def replicas(found: Mapping[str, Any]) -> int:
    """How many pods there ought to be."""
    count = at(found, "spec", "replicas")
    return count if isinstance(count, int) else 1


def settled(found: Mapping[str, Any]) -> bool:
    """Whether all pods of a Deployment are there, of the template it has now, and ready, and no others."""
    observed, generation = at(found, "status", "observedGeneration"), at(found, "metadata", "generation")
    if not isinstance(observed, int) or (isinstance(generation, int) and observed < generation):
        return False
    names = ("replicas", "updatedReplicas", "readyReplicas")
    return all((at(found, "status", name) or 0) == replicas(found) for name in names)


def stuck(found: Mapping[str, Any]) -> str:
    """Why a Deployment goes on no more; empty while it does."""
    for kind, value in (("ReplicaFailure", "True"), ("Progressing", "False")):
        for one in _conditions(found):
            if one.get("type") == kind and one.get("status") == value:
                return _line(one.get("message") or one.get("reason"))
    return ""


def ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is ready for requests, and is not about to be ended."""
    is_ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in _conditions(pod))
    return is_ready and not pods.field(pod, "deletionTimestamp")


def trouble(pod: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a pod will not get ready by itself, and what keeps it from that; empty where nothing is said."""
    for name in ("initContainerStatuses", "containerStatuses"):
        rows = at(pod, "status", name)
        for row in rows if isinstance(rows, list) else []:
            reason, message = at(row, "state", "waiting", "reason"), at(row, "state", "waiting", "message")
            ended = at(row, "state", "terminated") or at(row, "lastState", "terminated") or {}
            if at(ended, "exitCode") and (reason == "CrashLoopBackOff" or at(row, "state", "terminated")):
                why = at(ended, "reason") if at(ended, "reason") not in (None, "Error") else ""
                count = at(row, "restartCount")
                times = f", {count} times" if isinstance(count, int) and count > 1 else ""
                return True, _line(f"it ended with code {ended['exitCode']}{f' ({why})' if why else ''}{times}")
            if isinstance(reason, str) and reason not in ("ContainerCreating", "PodInitializing"):
                return True, _line(": ".join(text for text in (reason, message) if isinstance(text, str) and text))
    for one in _conditions(pod):
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return False, _line(one.get("message") or "no node takes its pod yet")
    return False, ""


def container(pod: Mapping[str, Any]) -> str:
    """The container of a pod that is the service's own: a mesh adds others."""
    named = pods.metadata(pod, "annotations", "kubectl.kubernetes.io/default-container")
    rows = at(pod, "spec", "containers")
    names = [str(at(row, "name")) for row in rows if at(row, "name")] if isinstance(rows, list) else []
    own = [name for name in names if name not in ("istio-proxy", "queue-proxy")]
    return named if named in names else (own or names or [""])[0]


def seconds(time: str) -> float | None:
    """Kubernetes' time as seconds since 1970; None where it is none."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        return None


def _deployment(found: Mapping[str, Any], namespace: str) -> tuple[State, str, str]:
    url = f"http://{pods.field(found, 'name')}.{namespace}.svc:{_port(found)}/"
    problem = stuck(found)
    if replicas(found) == 0:
        return "paused", url, ""
    if at(found, "status", "readyReplicas"):
        return "running", url, problem
    return "failing" if problem else "starting", url, problem


def _inference(found: Mapping[str, Any], _: str) -> tuple[State, str, str]:
    address = at(found, "status", "address", "url") or at(found, "status", "url")
    url = address if isinstance(address, str) else ""
    if any(one.get("type") == "Ready" and one.get("status") == "True" for one in _conditions(found)):
        return "running", url, ""
    said = [one.get("message") for one in _conditions(found) if one.get("status") == "False" and one.get("message")]
    failed = at(found, "status", "modelStatus", "transitionStatus") in ("BlockedByFailedLoad", "InvalidSpec")
    return "failing" if failed else "starting", url, _line(said[0]) if said else ""


def _tensorboard(found: Mapping[str, Any], namespace: str) -> tuple[State, str, str]:
    url = f"http://{pods.field(found, 'name')}.{namespace}.svc/"
    return "running" if at(found, "status", "readyReplicas") else "starting", url, ""


def _port(found: Mapping[str, Any]) -> int:
    text = pods.metadata(found, "annotations", _PORT)
    return int(text) if text.isdecimal() and len(text) < 6 and 0 < int(text) < 65536 else 0


def _conditions(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = at(found, "status", "conditions")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _line(text: object) -> str:
    return " ".join(str(text).split())[:_LONGEST]
