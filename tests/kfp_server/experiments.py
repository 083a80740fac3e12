"""Experiments (server/experiment_server.go, storage/experiment_store.go)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .calls import Call, Route, known, may, namespace_of, route
from .errors import ApiError, bad_request, exists, internal, invalid
from .store import Experiment, now

if TYPE_CHECKING:
    from .kfp import Kfp


def create(kfp: Kfp, call: Call) -> dict[str, Any]:
    body = call.json()
    known(
        body,
        "display_name",
        "description",
        "namespace",
        "experiment_id",
        "created_at",
        "storage_state",
        "last_run_created_at",
    )
    if not body.get("display_name"):
        error = internal(
            invalid("Experiment must have a non-empty name"), "Failed to convert API experiment to model experiment"
        )
        raise error.wrapped("[ExperimentServer]: Failed to create a experiment due to conversion error")
    namespace = namespace_of(kfp, body.get("namespace"))
    name = str(body["display_name"])
    try:
        may(kfp, call, "create", "experiments", namespace, name)
    except ApiError as error:
        raise error.wrapped(
            "Failed to create a experiment: Failed to authorize the request: Failed to authorize with API"
        ) from error
    if any(one.name == name and one.namespace == namespace for one in kfp.experiments.values()):
        said = f"Failed to create a new experiment. The name {name} already exists. Please specify a new name"
        raise exists(said).wrapped("Failed to create a experiment")
    made = Experiment(name, body.get("description") or "", namespace)
    kfp.experiments[made.id] = made
    return made.api()


def get(kfp: Kfp, call: Call) -> dict[str, Any]:
    return _found(kfp, call, "get", "Failed to fetch experiment").api()


def _found(kfp: Kfp, call: Call, verb: str, words: str) -> Experiment:
    try:
        found = kfp.experiment(call.found["id"])
        may(kfp, call, verb, "experiments", found.namespace, found.name)
    except ApiError as error:
        raise error.wrapped(words) from error
    return found


def listed(kfp: Kfp, call: Call) -> dict[str, Any]:
    namespace = namespace_of(kfp, call.query.get("namespace"))
    try:
        may(kfp, call, "list", "experiments", namespace)
        rows = [one for one in kfp.experiments.values() if not kfp.multi_user or one.namespace == namespace]
    except ApiError as error:
        raise error.wrapped("List experiments failed: Failed to authorize with API") from error
    try:
        found, total, token = kfp.page("Experiment", rows, Experiment.columns, call.query)
    except ApiError as error:
        raise error.wrapped("Failed to create list options") from error
    return kfp.list_answer("experiments", [one.api() for one in found], total, token)


def archive(kfp: Kfp, call: Call) -> dict[str, Any]:
    found = _found(kfp, call, "archive", "Failed to archive experiment: Failed to authorize the request")
    found.storage = "ARCHIVED"
    for run in kfp.runs.values():
        if run.experiment == found.id:
            run.storage = "ARCHIVED"
    for one in kfp.recurring.values():
        if one.experiment == found.id:
            one.enabled, one.updated = False, now()
    return {}


def unarchive(kfp: Kfp, call: Call) -> dict[str, Any]:
    """Its runs stay archived."""
    _found(
        kfp, call, "unarchive", "Failed to unarchive experiment: Failed to authorize the request"
    ).storage = "AVAILABLE"
    return {}


def delete(kfp: Kfp, call: Call) -> dict[str, Any]:
    id_ = call.found["id"]
    if id_ == kfp.default_experiment:
        cause = invalid(f"Experiment id cannot be equal to the default id {id_}")
        said = f"Failed to delete experiment {id_}. The default experiment cannot be deleted"
        raise bad_request(cause, said).wrapped("Failed to delete experiment")
    _found(kfp, call, "delete", "Failed to delete experiment")
    del kfp.experiments[id_]
    return {}


_BASE = "/apis/v2beta1/experiments"
ROUTES: list[Route] = [
    route("POST", _BASE, create),
    route("GET", _BASE, listed),
    route("GET", _BASE + "/{id}", get),
    route("POST", _BASE + "/{id}:archive", archive),
    route("POST", _BASE + "/{id}:unarchive", unarchive),
    route("DELETE", _BASE + "/{id}", delete),
]
