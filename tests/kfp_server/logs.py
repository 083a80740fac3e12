"""Logs of pods, and what Argo keeps of a node (server/run_log_server.go, run_artifact_server.go).

The log's handler writes 200 before it looks, so what goes wrong is JSON in the log's place; `follow` in the query is not
read by KFP: a log is what there is of it now.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from .calls import Answer, Call, Route, route
from .errors import ApiError, PlainError, bad_request, internal

if TYPE_CHECKING:
    from .engine import Execution
    from .facts import Known
    from .kfp import Kfp


def log(kfp: Kfp, call: Call) -> Answer:
    id_, node = call.found["run"], call.found["node"]
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    try:
        run = kfp.run(id_)
    except ApiError as error:
        said = bad_request(
            error.wrapped(f"Failed to fetch run {id_}"), f"Failed to read logs for run {id_} due to run fetching error"
        )
        return Answer(200, _error(said), headers)
    text = text_of(kfp, run.id, node)
    if text is None:
        cause = internal(
            PlainError(f'pods "{node}" not found'),
            f"Failed to read logs from pod {node} due to error opening log stream",
        )
        return Answer(200, _error(bad_request(cause, f"Failed to read logs for run {id_}")), headers)
    return Answer(200, text, headers)


def text_of(kfp: Kfp, run: str, node: str) -> bytes | None:
    """The log of a pod, by its name or its node's id; None where neither the pod nor an archived log is there."""
    execution = kfp.engine.executions.get(run)
    if execution is None or (run in kfp.gone and not kfp.archives):
        return None
    for path, task in execution.facts.tasks.items():
        for index, one in enumerate(task.containers):
            if node in (one.name, f"{execution.names.workflow}-{one.name.rpartition('-')[2]}"):
                return _written(execution, path, task, index)
    workflow = kfp.engine.workflow(kfp.runs[run])
    for one in (workflow or {"status": {"nodes": {}}})["status"]["nodes"].values():
        if node in (one["id"], one.get("podName")) and one["type"] == "Pod":
            return _other(execution, one)
    return None


def _written(execution: Execution, path: str, task: Known, index: int) -> bytes:
    """What a container has written so far (worker.py, Container)."""
    file = execution.folder / "pods" / path.replace("/", "--") / str(index) / "main.log"
    return file.read_bytes() if file.exists() else task.log.encode()


def _other(execution: Execution, node: dict[str, Any]) -> bytes:
    """A driver's."""
    refused = [task.refused for task in execution.facts.tasks.values() if task.refused]
    line = (
        f"F0000 main.go:90] KFP driver: {refused[0]}"
        if node["phase"] == "Failed" and refused
        else "I0000 driver.go:244] done"
    )
    return f"{line}\n".encode()


def _error(error: ApiError) -> bytes:
    return json.dumps({"error_message": error.message, "error_details": error.message}).encode()


def artifact(kfp: Kfp, call: Call) -> Answer:
    """What Argo itself stores of a node: of a compiled IR, that is its log alone."""
    headers = {"Content-Type": "application/json"}
    found = text_of(kfp, call.found["run"], call.found["node"]) if call.found["run"] in kfp.runs else None
    if found is None or call.found["artifact"] != "main-logs" or not kfp.archives:
        body = {"error_message": "artifact not found: <nil>", "error_details": "artifact not found: <nil>"}
        return Answer(404, json.dumps(body).encode(), {"Content-Type": "text/plain; charset=utf-8"})
    return Answer(200, json.dumps({"data": base64.b64encode(found).decode()}).encode(), headers)


_ARTIFACT = "runs/{run}/nodes/{node}/artifacts/{artifact}:read"
ROUTES: list[Route] = [
    route("GET", "/apis/v1alpha1/runs/{run}/nodes/{node}/log", log),
    route("GET", f"/apis/v2beta1/{_ARTIFACT}", artifact),
    route("GET", f"/apis/v1beta1/{_ARTIFACT}", artifact),
]
