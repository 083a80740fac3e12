"""A request on its way through the handlers, and what an answer can be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import ApiError, denied, internal, invalid, unauthenticated

if TYPE_CHECKING:
    from .kfp import Kfp


@dataclass
class Call:
    """A request: `found` are the parts of the path that a route names."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    raw: bytes
    user: str = ""
    found: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """The body; ApiError where it is no JSON object."""
        try:
            made = json.loads(self.raw or b"{}")
        except ValueError as error:
            raise ApiError(3, f"proto: syntax error (line 1:1): {error}", "") from error
        if not isinstance(made, dict):
            raise ApiError(3, f"proto: syntax error (line 1:1): unexpected token {self.raw[:20]!r}", "")
        return made


@dataclass(frozen=True)
class Answer:
    """An answer that is not just JSON with 200."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[["Kfp", Call], "dict[str, Any] | Answer"]
Route = tuple[str, re.Pattern[str], Handler]


def route(method: str, path: str, handler: Handler) -> Route:
    """`{name}` stands for a part of the path; a `:verb` may follow it."""
    return method, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/:]+)", re.escape(path))), handler


def known(body: Mapping[str, Any], *names: str) -> None:
    """protojson refuses unknown fields (CustomMarshaler, DiscardUnknown: false)."""
    for key in body:
        if key not in names and re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower() not in names:
            raise ApiError(3, f'proto: (line 1:2): unknown field "{key}"', "")


def may(kfp: Kfp, call: Call, verb: str, resource: str, namespace: str, name: str = "") -> None:
    """ResourceManager.IsAuthorized: in multi-user mode a user has namespaces."""
    if not kfp.multi_user:
        return
    if namespace == "" and resource != "pipelines":
        kinds = {"experiments": "An experiment", "runs": "A run", "jobs": "a recurring run"}
        raise invalid(f"{kinds[resource]} cannot have an empty namespace in multi-user mode")
    if namespace == "" and verb in ("get", "list"):
        return
    namespace = namespace or "kubeflow"
    if not call.user:
        reason = "Failed to check authorization. User identity is empty in the request header"
        raise unauthenticated(
            "[Request header error: there is no user identity header., Request header error: there is no token]", reason
        )
    if namespace not in kfp.namespaces.get(call.user, ()):
        attributes = (
            f"Namespace:{namespace},Verb:{verb},Group:pipelines.kubeflow.org,Version:v1beta1,Resource:{resource},"
        )
        attributes += f"Subresource:,Name:{name},FieldSelector:nil,LabelSelector:nil,"
        raise denied(
            f"User '{call.user}' is not authorized with reason:  (request: &ResourceAttributes{{{attributes}}})"
        )


def namespace_of(kfp: Kfp, given: str | None) -> str:
    """ReplaceNamespace: in single-user mode there is none."""
    return (given or "") if kfp.multi_user else ""


def pair(kfp: Kfp, experiment: str, namespace: str, of: str) -> tuple[str, str]:
    """GetValidExperimentNamespacePair, with the words of who asks."""
    words = f"Failed to create a {of} due to invalid experimentId and namespace combination"
    if not experiment:
        if kfp.multi_user:
            raise invalid("Experiment id can not be empty in multi-user mode").wrapped(words)
        return kfp.default_experiment, namespace
    try:
        found = kfp.experiment(experiment)
    except ApiError as error:
        place = f"Failed to fetch namespace for experiment {experiment}: Failed to fetch namespace from experiment {experiment}"
        raise error.wrapped(f"{words}: {place}") from error
    if namespace and namespace != found.namespace:
        said = f"Experiment {experiment} belongs to namespace '{found.namespace}' instead of '{namespace}'"
        raise invalid(said).wrapped(words)
    return experiment, found.namespace


__all__ = ["Answer", "Call", "Handler", "Route", "internal", "known", "may", "namespace_of", "pair", "route"]
