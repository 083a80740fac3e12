"""What of Kubernetes a pipeline needs: claims, secrets, config maps, storage classes; and whether it is there.

A pod that names what does not exist waits for ever, and its run with it (lowering.md): so it is looked for first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.kubernetes import read
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.parts import ClaimMount, EnvFrom, SecretMount
from kade2kfp.steps.sources import Constant, Param, Text

_RESOURCES = {"secret": "secrets", "configMap": "configmaps"}
_WORDS = {
    "persistentvolumeclaims": "claim",
    "secrets": "secret",
    "configmaps": "config map",
    "storageclasses": "storage class",
    "serviceaccounts": "service account",
}
_DEFAULT = "storageclass.kubernetes.io/is-default-class"


@dataclass(frozen=True, slots=True)
class Need:
    """An object that a pipeline's pods name, and a key of it where that is named. An empty storage class is the default one."""

    resource: str
    name: str
    key: str = ""

    def __str__(self) -> str:
        if self.resource == "storageclasses" and not self.name:
            return "default storage class"
        return f"{_WORDS[self.resource]} {self.name}" + (f", key {self.key}" if self.key else "")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of a need: `there`, `missing`, or `unknown` with the reason. `tasks` are those that have it."""

    need: Need
    state: Literal["there", "missing", "unknown"]
    reason: str
    tasks: tuple[str, ...]


def needs_of(plan: Plan, parameters: Mapping[str, Any]) -> dict[Need, tuple[str, ...]]:
    """What a plan needs with these values of its parameters, with the ids of the tasks; what only a run knows is left out."""
    values = {one.name: one.default for one in plan.parameters if not one.required} | dict(parameters)
    found: dict[Need, list[str]] = {}
    for task, resource, text, key in _named(plan):
        name = _resolved(text, values)
        if name is not None and (name or resource == "storageclasses"):
            tasks = found.setdefault(Need(resource, name, key), [])
            if task and task not in tasks:
                tasks.append(task)
    return {need: tuple(tasks) for need, tasks in sorted(found.items(), key=lambda one: str(one[0]))}


def look(cluster: Cluster, needs: Mapping[Need, tuple[str, ...]]) -> list[Looked]:
    """Each need with whether it is there. Raises RefusedError where the cluster cannot be asked at all."""
    kept: dict[tuple[str, str], dict[str, Any] | RefusedError | None] = {}
    return [_looked(cluster, need, tasks, kept) for need, tasks in needs.items()]


def _looked(
    cluster: Cluster,
    need: Need,
    tasks: tuple[str, ...],
    kept: dict[tuple[str, str], dict[str, Any] | RefusedError | None],
) -> Looked:
    at = (need.resource, need.name)
    if at not in kept:
        try:
            group = "storage.k8s.io" if need.resource == "storageclasses" else ""
            kept[at] = read(cluster, need.resource, "" if group else need.name, group=group)
        except RefusedError as error:
            if error.status != 403:
                raise
            kept[at] = error
    found = kept[at]
    if isinstance(found, RefusedError):
        return Looked(need, "unknown", "you may not look", tasks)
    if found is None:
        return Looked(need, "missing", f"there is none in namespace `{cluster.namespace}`", tasks)
    if need.resource == "storageclasses":
        return _class(need, found, tasks)
    if need.key and need.key not in {**(found.get("data") or {}), **(found.get("binaryData") or {})}:
        return Looked(need, "missing", "it has no such key", tasks)
    if (found.get("status") or {}).get("phase") == "Lost":
        return Looked(need, "missing", "its volume is lost", tasks)
    return Looked(need, "there", "", tasks)


def _class(need: Need, found: Mapping[str, Any], tasks: tuple[str, ...]) -> Looked:
    classes = storage_classes(found)
    if need.name in classes or (not need.name and any(classes.values())):
        return Looked(need, "there", "", tasks)
    known = ", ".join(classes) or "none"
    return Looked(need, "missing", f"the cluster's storage classes: {known}", tasks)


def storage_classes(found: Mapping[str, Any]) -> dict[str, bool]:
    """The names of listed storage classes, and whether each is the default."""
    rows = [one.get("metadata") or {} for one in found.get("items") or () if isinstance(one, dict)]
    return {str(one.get("name")): (one.get("annotations") or {}).get(_DEFAULT) == "true" for one in rows}


def _named(plan: Plan) -> Iterator[tuple[str, str, Text, str]]:
    """Task, resource, name and key of all that pods name, whether it is optional or not left out."""
    claims = {one.id: one for one in plan.claims}
    for text in plan.pull_secrets:
        yield "", "secrets", text, ""
    for claim in plan.claims:
        if claim.create is not None:
            yield "", "storageclasses", (claim.create.storage_class,), ""
    for node in plan.nodes:
        if not isinstance(node, Step):
            continue
        for step in (node, node.service.server) if node.service is not None else (node,):
            for env in step.env:
                if isinstance(env, EnvFrom) and env.source in _RESOURCES and not env.optional:
                    yield node.task, _RESOURCES[env.source], env.object, env.key
            for mount in step.mounts:
                if isinstance(mount, SecretMount) and not mount.optional:
                    yield node.task, _RESOURCES[mount.source], mount.name, ""
                if isinstance(mount, ClaimMount) and mount.claim in claims and claims[mount.claim].create is None:
                    yield node.task, "persistentvolumeclaims", claims[mount.claim].name, ""
            for text in step.pull_secrets:
                yield node.task, "secrets", text, ""


def _resolved(text: Text, values: Mapping[str, Any]) -> str | None:
    """A text with parameters' values; None where only the run knows it."""
    parts = []
    for piece in text:
        if isinstance(piece, Param) and isinstance(values.get(piece.name), str):
            parts.append(str(values[piece.name]))
        elif isinstance(piece, Constant):
            parts.append(piece.value)
        elif isinstance(piece, str):
            parts.append(piece)
        else:
            return None
    return "".join(parts)
