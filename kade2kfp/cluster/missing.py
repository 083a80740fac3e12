"""Why a task's step cannot be reached: no such run or task, not started, ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kade2kfp.cluster import pods
from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.decisions import say
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.requests import call, pages
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.gates.model import Decision, Standing

_WORKFLOW = "workflows.argoproj.io/workflow"


def absent(cluster: Cluster, run: str, task: str, steps: Sequence[Mapping[str, Any]]) -> CannotDoError:
    """The error for a task that has no pod; `steps` are those of the run that have. Raises RefusedError."""
    first = next(pages(cluster, "pods", f"{pods.RUN}={run}"), None) if pods.is_label(run) else None
    if first is None:
        waiting = {
            pods.metadata(pod, "labels", pods.RUN) for pod in pages(cluster, "pods", pods.GATE) if pods.runs(pod)
        }
        help_ = did_you_mean(run, waiting, noun="runs with a gate that waits")
        return CannotDoError(
            f"there is no run {run} in namespace `{cluster.namespace}`, or its pods are gone, as they are an hour after its end",
            help_,
        )
    known = {pods.task_of(pod) for pod in steps}
    planned = set(_planned(cluster, pods.metadata(first, "labels", _WORKFLOW)))
    if any(task in one for one in planned):
        return CannotDoError(
            f"`{task}` of run {run} has not started", f"when it waits, `kade2kfp gates {run}` lists it"
        )
    known |= {one[0] for one in planned}
    return CannotDoError(
        f"run {run} has no task `{task}`, or none that has started", did_you_mean(task, known, noun="tasks")
    )


def not_begun(standing: Standing, pod: Mapping[str, Any]) -> CannotDoError:
    """The error for a pod that is there and whose container does not run yet, with Kubernetes' reason."""
    said = pods.state(pod)[1]
    reason = ": ".join(text for text in (said.get("reason"), said.get("message")) if isinstance(text, str) and text)
    return CannotDoError(f"`{standing.task}` of run {standing.run} has not started", reason[:300] or _unscheduled(pod))


def ended(standing: Standing, pod: Mapping[str, Any], decision: Decision | None) -> CannotDoError:
    """The error for a pod whose container has ended, or is about to."""
    state, said = pods.state(pod)
    if decision is not None:
        return CannotDoError(
            f"`{standing.task}` of run {standing.run} has ended: {say(decision)}", "a decision is final"
        )
    if state == "running":
        return CannotDoError(f"`{standing.task}` of run {standing.run} is being stopped")
    code = said.get("exitCode")
    how = f" with code {code}" if isinstance(code, int) else ""
    return CannotDoError(f"`{standing.task}` of run {standing.run} has ended{how}", "its log says why")


def _unscheduled(pod: Mapping[str, Any]) -> str:
    status = pod.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    for one in conditions if isinstance(conditions, list) else []:
        if isinstance(one, dict) and one.get("status") == "False" and isinstance(one.get("message"), str):
            return str(one["message"])[:300]
    return "its pod is about to start"


def _planned(cluster: Cluster, workflow: str) -> Iterator[tuple[str, str]]:
    """Task and step of what the run will start, as far as the Workflow may be read and says so.

    KFP keeps each step's Kubernetes part in an argument of the Workflow, `kubernetes-NAME` (argocompiler/argo.go).
    """
    try:
        found = call(cluster, "get", "workflows", workflow) if workflow else {}
    except RefusedError:
        return
    try:
        rows = found["spec"]["arguments"]["parameters"]
        texts = [row["value"] for row in rows if row["name"].startswith("kubernetes-")]
        for part in map(json.loads, texts):
            labels = part.get("podMetadata", {}).get("labels", {})
            annotations = part.get("podMetadata", {}).get("annotations", {})
            if step := labels.get(pods.STEP):
                yield str(annotations.get("kade2kfp/task", step)), str(step)
    except (KeyError, TypeError, AttributeError, ValueError):
        return
