"""Runs (server/run_server.go, resource/resource_manager.go)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import specs
from .calls import Call, Route, known, may, namespace_of, pair, route
from .errors import ApiError, bad_request, internal, invalid, precondition
from .specs import Spec
from .store import FINAL, Run, fresh, now

if TYPE_CHECKING:
    from .kfp import Kfp

_FIELDS = (
    "display_name",
    "description",
    "experiment_id",
    "pipeline_spec",
    "pipeline_version_reference",
    "runtime_config",
)
_FIELDS += (
    "service_account",
    "run_id",
    "storage_state",
    "recurring_run_id",
    "pipeline_version_id",
    "created_at",
    "state",
)
_FIELDS += ("scheduled_at", "finished_at", "error", "run_details", "state_history", "plugins_input", "plugins_output")


def create(kfp: Kfp, call: Call) -> dict[str, Any]:
    body = call.json()
    known(body, *_FIELDS)
    if not body.get("display_name"):
        error = internal(
            invalid("Run name cannot be empty"), "Failed to convert a API run detail to its internal representation"
        )
        raise error.wrapped("CreateJob(job.ToV2())Failed to create a run due to conversion error")
    try:
        return _create(kfp, call, body).api()
    except ApiError as error:
        raise error.wrapped("Failed to create a new run") from error


def _create(kfp: Kfp, call: Call, body: dict[str, Any]) -> Run:
    experiment, namespace = pair(kfp, body.get("experiment_id") or "", "", "run")
    try:
        may(kfp, call, "create", "runs", namespace)
    except ApiError as error:
        words = f"Failed to create a run due to authorization error. Check if you have write permissions to namespace {namespace}"
        raise error.wrapped(words) from error
    try:
        spec, pipeline, version = source(kfp, body)
    except ApiError as error:
        raise internal(error, "Failed to create a run due to error fetching manifest") from error
    run = prepare(kfp, spec, body, experiment, namespace)
    run.pipeline, run.version = pipeline, version
    kfp.start(run)
    return run


def prepare(kfp: Kfp, spec: Spec, body: dict[str, Any], experiment: str, namespace: str) -> Run:
    """A run that KFP would take, not yet started; ApiError where it would not (RunWorkflow and Validate)."""
    config = body.get("runtime_config") or {}
    name = workflow_name(spec)
    try:
        try:
            specs.check_parameters(spec, config.get("parameters") if config else None)
        except ApiError as error:
            raise error.wrapped("invalid pipeline job inputs") from error
        specs.check_compiles(spec, name)
    except ApiError as error:
        raise (
            error
            if error.message.startswith("InternalServerError")
            else error.wrapped("Failed to generate the ExecutionSpec")
        ) from error
    return Run(
        body["display_name"],
        experiment,
        spec,
        name,
        namespace,
        description=body.get("description") or "",
        config={key: config[key] for key in ("parameters", "pipeline_root") if config.get(key)},
        service_account=body.get("service_account") or kfp.service_account,
    )


def workflow_name(spec: Spec) -> str:
    """`generateName` of the workflow: the pipeline's name, and five letters from Kubernetes."""
    letters = "bcdfghjklmnpqrstvwxz2456789"
    five = "".join(letters[int(one, 16)] for one in fresh()[:5])
    return f"{re.sub('[^-0-9a-z]+', '-', spec.name.lower()).strip('-')[:50]}-{five}"


def source(kfp: Kfp, body: dict[str, Any]) -> tuple[Spec, str, str]:
    """What is to run: the IR, and the pipeline and version that it is of (fetchTemplateFromPipelineSpec)."""
    reference = body.get("pipeline_version_reference") or {}
    pipeline, version = reference.get("pipeline_id") or "", reference.get("pipeline_version_id") or ""
    if version:
        try:
            found = kfp.version(version)
        except ApiError as error:
            words = f"Failed to fetch a pipeline version and its manifest from pipeline version {version}: "
            words += f"Failed to get a pipeline version with id {version}"
            raise error.wrapped(
                f"Failed to fetch a template due to error retrieving pipeline version: {words}"
            ) from error
        if pipeline and found.pipeline != pipeline:
            said = f"Pipeline version {version} belongs to pipeline {found.pipeline} (not {pipeline})"
            raise invalid(said).wrapped("Failed to fetch a template due to error retrieving pipeline version")
        return found.spec, found.pipeline, found.id
    if pipeline:
        latest = kfp.latest(pipeline)
        return latest.spec, latest.pipeline, latest.id
    if not body.get("pipeline_spec"):
        raise invalid("Failed to fetch a template with an empty pipeline spec manifest")
    try:
        return specs.of_struct(body["pipeline_spec"]), "", ""
    except ApiError as error:
        raise error.wrapped("Failed to fetch a template with an invalid pipeline spec manifest") from error


def find(kfp: Kfp, call: Call, verb: str, words: str) -> Run:
    """The run of the path, if the user may; the error has the caller's words."""
    id_ = call.found["id"]
    try:
        try:
            run = kfp.run(id_)
        except ApiError as error:
            raise error.wrapped(f"Failed to fetch run {id_}") from error
        try:
            may(kfp, call, verb, "runs", run.namespace, run.k8s_name)
        except ApiError as error:
            place = f"Failed to access run {id_}. Check if you have access to namespace {run.namespace}"
            raise error.wrapped(f"Failed to authorize the request: {place}") from error
    except ApiError as error:
        raise error.wrapped(words) from error
    return run


def get(kfp: Kfp, call: Call) -> dict[str, Any]:
    run = find(kfp, call, "get", "Failed to get a run")
    return run.api(kfp.task_details(run))


def get_v1(kfp: Kfp, call: Call) -> dict[str, Any]:
    run = find(kfp, call, "get", "Failed to get a v1beta1 run")
    return run.api_v1(kfp.manifest(run))


def listed(kfp: Kfp, call: Call) -> dict[str, Any]:
    namespace = namespace_of(kfp, call.query.get("namespace"))
    experiment = call.query.get("experiment_id", "")
    try:
        if experiment:
            try:
                namespace = kfp.experiment(experiment).namespace
            except ApiError as error:
                words = f"Failed to list runs due to error fetching namespace for experiment {experiment}. Try filtering based on namespace"
                raise error.wrapped(f"{words}: Failed to fetch namespace from experiment {experiment}") from error
        may(kfp, call, "list", "runs", namespace)
        rows = [
            one for one in list(kfp.runs.values())
            if (one.experiment == experiment if experiment else not kfp.multi_user or one.namespace == namespace)
        ]  # fmt: skip
        found, total, token = kfp.page("Run", rows, Run.columns, call.query)
    except ApiError as error:
        raise error.wrapped("Failed to list runs") from error
    return kfp.list_answer(
        "runs", [one.api(kfp.task_details(one) if kfp.listed_details else None) for one in found], total, token
    )


def archive(kfp: Kfp, call: Call) -> dict[str, Any]:
    find(kfp, call, "archive", "Failed to archive a run").storage = "ARCHIVED"
    return {}


def unarchive(kfp: Kfp, call: Call) -> dict[str, Any]:
    run = find(kfp, call, "unarchive", "Failed to unarchive a run")
    experiment = kfp.experiments.get(run.experiment)
    if experiment is not None and experiment.storage == "ARCHIVED":
        said = f"Failed to unarchive run {run.id} as experiment {run.experiment} must be un-archived first"
        cause = "Unarchive the experiment first to allow the run to be restored"
        raise precondition(cause, said).wrapped("Failed to unarchive a run")
    run.storage = "AVAILABLE"
    return {}


def delete(kfp: Kfp, call: Call) -> dict[str, Any]:
    run = find(kfp, call, "delete", "Failed to delete a run")
    kfp.abandon(run)
    del kfp.runs[run.id]
    return {}


def terminate(kfp: Kfp, call: Call) -> dict[str, Any]:
    """The state is CANCELING at once, which the history does not keep (runStore.TerminateRun)."""
    run = find(kfp, call, "terminate", "Failed to terminate a run")
    if run.state not in ("PENDING", "RUNNING", "PAUSED"):
        words = f"Failed to terminate a run: Failed to terminate run {run.id}"
        raise invalid(f"Failed to terminate a run {run.id}. Row not found").wrapped(words)
    run.state, run.terminating = "CANCELING", True
    kfp.terminate(run)
    return {}


def retry(kfp: Kfp, call: Call) -> dict[str, Any]:
    run = find(kfp, call, "retry", "Failed to retry a run")
    words = f"Failed to retry a run: Failed to retry run {run.id}"
    if not kfp.manifest(run):
        said = f"Failed to retry run {run.id} due to error fetching workflow manifest"
        raise bad_request(invalid("Workflow manifest cannot be empty"), said).wrapped("Failed to retry a run")
    if run.state not in FINAL or run.state == "SUCCEEDED":
        raise bad_request("workflow cannot be retried", "Workflow must be Failed/Error to retry").wrapped(words)
    run.finished, run.terminating = 0, False
    run.tries += 1
    run.moved("RUNNING")
    kfp.retry(run)
    return {}


_BASE = "/apis/v2beta1/runs"
ROUTES: list[Route] = [
    route("POST", _BASE, create),
    route("GET", _BASE, listed),
    route("GET", _BASE + "/{id}", get),
    route("GET", "/apis/v1beta1/runs/{id}", get_v1),
    route("DELETE", _BASE + "/{id}", delete),
    *(route("POST", f"{_BASE}/{{id}}:{one.__name__}", one) for one in (archive, unarchive, terminate, retry)),
]

__all__ = ["ROUTES", "find", "now", "prepare", "source"]
