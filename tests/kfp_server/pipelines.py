"""Pipelines and their versions (server/pipeline_server.go, storage/pipeline_store.go)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .calls import Call, Route, known, may, namespace_of, route
from .errors import ApiError, exists, invalid
from .specs import Spec
from .store import Pipeline, Version

if TYPE_CHECKING:
    from .kfp import Kfp


def add(kfp: Kfp, name: str, display_name: str, description: str, namespace: str, spec: Spec | None) -> Pipeline:
    """A new pipeline, and its first version of the same name where there is a spec."""
    if any(one.name == name and one.namespace == namespace for one in kfp.pipelines.values()):
        ending = "already exists" if spec else "already exist"
        raise exists(f"Failed to create a new pipeline. The name {name} {ending}. Please specify a new name")
    made = Pipeline(name, display_name, description, namespace)
    kfp.pipelines[made.id] = made
    if spec:
        version = Version(made.id, name, display_name, spec, description)
        kfp.versions[version.id] = version
    return made


def add_version(kfp: Kfp, pipeline: str, name: str, display_name: str, description: str, spec: Spec) -> Version:
    if any(one.pipeline == pipeline and one.name == name for one in kfp.versions.values()):
        raise exists(f"Failed to create a new pipeline version. The name {name} already exist. Specify a new name")
    made = Version(pipeline, name, display_name, spec, description)
    kfp.versions[made.id] = made
    return made


def create(kfp: Kfp, call: Call) -> dict[str, Any]:
    body = call.json()
    known(body, "display_name", "name", "description", "namespace", "pipeline_id", "created_at", "tags")
    name = body.get("name") or body.get("display_name") or ""
    namespace = namespace_of(kfp, body.get("namespace"))
    try:
        if not name:
            raise invalid("name is required")
        may(kfp, call, "create", "pipelines", namespace, name)
        return add(kfp, name, body.get("display_name") or name, body.get("description") or "", namespace, None).api()
    except ApiError as error:
        raise error.wrapped("Failed to create a pipeline due to server error") from error


def _pipeline(kfp: Kfp, call: Call, verb: str) -> Pipeline:
    id_ = call.found["id"]
    try:
        found = kfp.pipeline(id_)
    except ApiError as error:
        raise error.wrapped(f"Failed to get a pipeline with id {id_}") from error
    may(kfp, call, verb, "pipelines", found.namespace, found.name)
    return found


def get(kfp: Kfp, call: Call) -> dict[str, Any]:
    try:
        return _pipeline(kfp, call, "get").api()
    except ApiError as error:
        raise error.wrapped(f"Failed to get a pipeline {call.found['id']}. Check error stack") from error


def by_name(kfp: Kfp, call: Call) -> dict[str, Any]:
    name, namespace = call.found["name"], namespace_of(kfp, call.query.get("namespace"))
    may(kfp, call, "get", "pipelines", namespace, name)
    for one in kfp.pipelines.values():
        if one.name == name and one.namespace == namespace:
            return one.api()
    words = f"Failed to get a pipeline with name {name} and namespace {namespace}. Check error stack."
    words += f": Failed to get a pipeline named {name} in namespace {namespace}"
    raise kfp.missing("Namespace/Pipeline", f"{namespace}/{name}").wrapped(words)


def listed(kfp: Kfp, call: Call) -> dict[str, Any]:
    namespace = namespace_of(kfp, call.query.get("namespace"))
    try:
        may(kfp, call, "list", "pipelines", namespace)
        rows = [one for one in kfp.pipelines.values() if not kfp.multi_user or one.namespace == namespace]
        found, total, token = kfp.page("Pipeline", rows, Pipeline.columns, call.query)
    except ApiError as error:
        raise error.wrapped(f"Failed to list pipelines in namespace {namespace}. Check error stack") from error
    return kfp.list_answer("pipelines", [one.api() for one in found], total, token)


def delete(kfp: Kfp, call: Call) -> dict[str, Any]:
    id_ = call.found["id"]
    try:
        _pipeline(kfp, call, "delete")
        mine = [one for one in kfp.versions.values() if one.pipeline == id_]
        if mine and call.query.get("cascade") != "true":
            latest = max(mine, key=lambda one: one.order).id
            said = f"Failed to delete pipeline with id {id_} as it has existing pipeline versions (e.g. {latest})"
            raise invalid(f"{said}. Set cascade=true to delete all versions")
    except ApiError as error:
        raise error.wrapped(f"Failed to delete pipeline {id_}. Check error stack") from error
    for version in mine:
        del kfp.versions[version.id]
    del kfp.pipelines[id_]
    return {}


def versions(kfp: Kfp, call: Call) -> dict[str, Any]:
    id_ = call.found["id"]
    try:
        _pipeline(kfp, call, "list")
        rows = [one for one in kfp.versions.values() if one.pipeline == id_]
        found, total, token = kfp.page("PipelineVersion", rows, Version.columns, call.query)
    except ApiError as error:
        raise error.wrapped(f"Failed to list pipeline versions for pipeline {id_}") from error
    return kfp.list_answer("pipeline_versions", [one.api() for one in found], total, token)


def _version(kfp: Kfp, call: Call, verb: str) -> Version:
    """KFP does not look whether the version is one of the pipeline in the path."""
    id_ = call.found["version"]
    try:
        found = kfp.version(id_)
        namespace = kfp.pipelines[found.pipeline].namespace
        may(kfp, call, verb, "pipelines", namespace)
    except ApiError as error:
        raise error.wrapped(
            f"Failed to get a pipeline version {id_}: Failed to get a pipeline version with id {id_}"
        ) from error
    return found


def version(kfp: Kfp, call: Call) -> dict[str, Any]:
    return _version(kfp, call, "get").api()


def delete_version(kfp: Kfp, call: Call) -> dict[str, Any]:
    del kfp.versions[_version(kfp, call, "delete").id]
    return {}


_BASE = "/apis/v2beta1/pipelines"
ROUTES: list[Route] = [
    route("POST", _BASE, create),
    route("GET", _BASE, listed),
    route("GET", _BASE + "/names/{name}", by_name),
    route("GET", _BASE + "/{id}", get),
    route("DELETE", _BASE + "/{id}", delete),
    route("GET", _BASE + "/{id}/versions", versions),
    route("GET", _BASE + "/{id}/versions/{version}", version),
    route("DELETE", _BASE + "/{id}/versions/{version}", delete_version),
]
