"""The compiled YAML, both documents, as the drivers get it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from .expand import SERVICES, argo, everywhere, through_driver


@dataclass(frozen=True)
class Spec:
    """A pipeline: its name, root, components, executors, and what the platform document says of each executor."""

    name: str
    root: Mapping[str, Any]
    components: Mapping[str, Any]
    executors: Mapping[str, Any]
    platform: Mapping[str, Any]
    pod_metadata: Mapping[str, Any]
    workspace: Mapping[str, Any] | None


class _AsGo(yaml.CSafeLoader):
    """PyYAML's, but for what Go's yaml.v3 (resolve.go) would read otherwise: an AssertionError."""


def _otherwise(_: yaml.CSafeLoader, node: yaml.ScalarNode) -> NoReturn:
    raise AssertionError(f"KFP would read {node.value!r} as a number or a date, for want of quotes")


_NUMBER = r"[-+]?(0[bBoOxX][0-9a-fA-F]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)$"
_DATE = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}($|[Tt ])"
# The last of the resolvers: what PyYAML itself takes for a number or a date never comes here.
_AsGo.add_implicit_resolver("!otherwise", re.compile(f"{_NUMBER}|{_DATE}"), list("-+.0123456789"))
_AsGo.add_constructor("!otherwise", _otherwise)


def load(text: str) -> Spec:
    """Read a compiled pipeline. Every static text of it is an argument of one driver, so it is expanded here, once."""
    spec, *more = list(yaml.load_all(text, _AsGo))
    platforms = [one for one in more if one and "platforms" in one]
    platform = platforms[0]["platforms"].get("kubernetes", {}) if platforms else {}
    components = spec.get("components", {})
    executors = platform.get("deploymentSpec", {}).get("executors", {})
    _told_apart(components, spec.get("deploymentSpec", {}).get("executors", {}))
    return Spec(
        spec["pipelineInfo"]["name"],
        _component(spec["root"], components),
        {name: _component(one, components) for name, one in components.items()},
        through_driver(spec.get("deploymentSpec", {}).get("executors", {})),
        {label: through_driver(one) for label, one in executors.items()},
        # Labels and annotations are parameters of Argo's template: no driver reads them (argocompiler/container.go).
        {label: everywhere(one.get("podMetadata", {}), _parameter) for label, one in executors.items()},
        platform.get("pipelineConfig", {}).get("workspace"),
    )


def _told_apart(components: Mapping[str, Any], executors: Mapping[str, Any]) -> None:
    """AssertionError for steps of one container with other inputs or outputs: KFP keeps those under a hash of the
    container alone, so that all would have the first one's (argocompiler/argo.go, hashComponentContainer)."""
    kept: dict[str, tuple[str, Any]] = {}
    for name, component in components.items():
        executor = executors.get(component.get("executorLabel", ""), {})
        if "container" in executor:
            surface = {key: one for key, one in component.items() if key != "executorLabel"}
            other, first = kept.setdefault(json.dumps(executor["container"], sort_keys=True), (name, surface))
            assert first == surface, f"KFP would give {name!r} the inputs and outputs of {other!r}, or the other way"


# What strconv.Quote, by which Argo puts a parameter into a template, writes in ways that JSON does not know.
_UNQUOTABLE = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f]")


def _parameter(text: str) -> str:
    """A text that is a parameter of Argo's by itself; others are in JSON, which has such characters escaped."""
    found = _UNQUOTABLE.search(text)
    assert not found, f"Argo breaks its own JSON with {found[0]!r}: {text!r}" if found else ""
    return argo(text)


def _component(component: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    rest = through_driver({key: value for key, value in component.items() if key != "dag"})
    if "dag" in component:
        tasks = {name: _task(task, components) for name, task in component["dag"]["tasks"].items()}
        rest["dag"] = {**component["dag"], "tasks": tasks}
    return dict(rest)


def _task(task: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    nested = "dag" in components[task["componentRef"]["name"]]
    return dict(through_driver(task, SERVICES) if nested else through_driver(task))


def before(name: str, tasks: Mapping[str, Any]) -> list[str]:
    """The tasks that a task waits for (argocompiler/dag.go, addImplicitDependencies); AssertionError for unknown ones."""
    task = tasks[name]
    inputs = task.get("inputs", {})
    producers = list(task.get("dependentTasks", []))
    for one in inputs.get("parameters", {}).values():
        if "taskOutputParameter" in one:
            producers.append(one["taskOutputParameter"]["producerTask"])
    for one in inputs.get("artifacts", {}).values():
        if "taskOutputArtifact" in one:
            producers.append(one["taskOutputArtifact"]["producerTask"])
    for producer in producers:
        assert producer in tasks, f"KFP: unknown producer task {producer!r} of {name!r}"
        assert is_exit(task) or not is_exit(tasks[producer]), f"Argo: {name!r} waits for {producer!r}, an exit hook"
    return list(dict.fromkeys(producers))


def is_exit(task: Mapping[str, Any]) -> bool:
    """Whether a task is an Argo exit hook of the task before it (argocompiler/dag.go, DAG)."""
    return bool(task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED")
