"""A run's Argo Workflow, and KFP's task details, one for each of its nodes (server/api_converter.go, toModelTasks)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from .facts import Facts
from .names import Names
from .nodes import DONE, at

_STATE = {"Pending": "PENDING", "Running": "RUNNING", "Succeeded": "SUCCEEDED", "Failed": "FAILED", "Error": "FAILED"}
_STATE |= {"Skipped": "SKIPPED"}  # Omitted is none of KFP's states


def workflow(names: Names, facts: Facts, *, run: Mapping[str, Any], nodes: Mapping[str, Any]) -> dict[str, Any]:
    """The Workflow as Kubernetes has it. `run`: id, namespace, display_name, created, service_account, terminating."""
    done = facts.phase in DONE
    labels = {"pipeline/runid": run["id"], "workflows.argoproj.io/phase": facts.phase or "Pending"}
    labels |= {"workflows.argoproj.io/completed": "true"} if done else {}
    spec: dict[str, Any] = {"entrypoint": "entrypoint", "serviceAccountName": run["service_account"]}
    spec["podMetadata"] = {"labels": {"pipelines.kubeflow.org/v2_component": "true", "pipeline/runid": run["id"]}}
    spec |= {"activeDeadlineSeconds": 0} if run["terminating"] else {}
    status: dict[str, Any] = {
        "phase": facts.phase,
        "startedAt": at(facts.begun),
        "finishedAt": at(facts.ended) if done else None,
    }
    status |= {"message": facts.message} if facts.message else {}
    status["conditions"] = [
        {"type": "PodRunning", "status": str(not done)},
        *([{"type": "Completed", "status": "True"}] if done else []),
    ]
    status["nodes"] = nodes
    metadata = {
        "name": names.workflow,
        "generateName": names.workflow.rpartition("-")[0] + "-",
        "namespace": run["namespace"],
    }
    metadata |= {
        "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, names.workflow)),
        "creationTimestamp": run["created"],
        "labels": labels,
    }
    annotations = {
        "pipelines.kubeflow.org/run_name": run["display_name"],
        "workflows.argoproj.io/pod-name-format": "v2",
    }
    metadata["annotations"] = annotations
    return {
        "kind": "Workflow",
        "apiVersion": "argoproj.io/v1alpha1",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def details(
    run: str, workflow: Mapping[str, Any], ids: dict[str, str], histories: dict[str, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """KFP's task details: of each node little, under an id of its own, which stays from report to report."""
    made = []
    created = workflow["metadata"]["creationTimestamp"]
    for key, node in sorted(workflow["status"]["nodes"].items()):
        one: dict[str, Any] = {
            "run_id": run,
            "task_id": ids.setdefault(key, str(uuid.uuid4())),
            "display_name": node["displayName"],
        }
        one |= {
            "create_time": created,
            "start_time": node["startedAt"],
            "end_time": node["finishedAt"] or "0001-01-01T00:00:00Z",
        }
        state = _STATE.get(node["phase"])
        history = histories.setdefault(key, [])
        told = {"update_time": node["finishedAt"] or node["startedAt"]} | ({"state": state} if state else {})
        if not history or history[-1].get("state") != state:
            history.append(told)
        one |= ({"state": state} if state else {}) | {"state_history": list(history)}
        children = node.get("children")
        made.append(one | ({"child_tasks": [{"pod_name": child} for child in children]} if children else {}))
    return made
