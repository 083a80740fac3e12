"""What of Kubernetes a plan needs: claims, secrets, config maps, storage classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
class Named:
    """An object as a pod names it: the task's id (empty where it is no task's), what kind of object, its name and key, and
    where it is mounted, if it is.
    """

    task: str
    resource: str
    name: Text
    key: str = ""
    optional: bool = False
    path: str = ""


def needs_of(plan: Plan, parameters: Mapping[str, Any]) -> dict[Need, tuple[str, ...]]:
    """What a plan needs with these values of its parameters, with the ids of the tasks; what only a run knows is left out."""
    values = values_of(plan) | dict(parameters)
    found: dict[Need, list[str]] = {}
    for one in named(plan):
        name = None if one.optional else resolved(one.name, values)
        if name is not None and (name or one.resource == "storageclasses"):
            tasks = found.setdefault(Need(one.resource, name, one.key), [])
            if one.task and one.task not in tasks:
                tasks.append(one.task)
    return {need: tuple(tasks) for need, tasks in sorted(found.items(), key=lambda one: str(one[0]))}


def values_of(plan: Plan) -> dict[str, Any]:
    """The values that a plan's parameters have where nobody gives others."""
    return {one.name: one.default for one in plan.parameters if not one.required}


def named(plan: Plan) -> Iterator[Named]:
    """All that pods name, in the order of the plan; what several name comes several times."""
    claims = {one.id: one for one in plan.claims}
    for text in plan.pull_secrets:
        yield Named("", "secrets", text)
    for claim in plan.claims:
        if claim.create is not None:
            yield Named("", "storageclasses", (claim.create.storage_class,))
    for node in plan.nodes:
        if not isinstance(node, Step):
            continue
        for step in (node, node.service.server) if node.service is not None else (node,):
            for env in step.env:
                if isinstance(env, EnvFrom) and env.source in _RESOURCES:
                    yield Named(node.task, _RESOURCES[env.source], env.object, env.key, env.optional)
            for mount in step.mounts:
                if isinstance(mount, SecretMount):
                    yield Named(node.task, _RESOURCES[mount.source], mount.name, "", mount.optional, mount.path)
                if isinstance(mount, ClaimMount) and mount.claim in claims and claims[mount.claim].create is None:
                    yield Named(node.task, "persistentvolumeclaims", claims[mount.claim].name)
            for text in step.pull_secrets:
                yield Named(node.task, "secrets", text)


def resolved(text: Text, values: Mapping[str, Any]) -> str | None:
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
