"""The compiled YAML, both documents, as the drivers get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


def load(text: str) -> Spec:
    """Read a compiled pipeline. Every static text of it is an argument of one driver, so it is expanded here, once."""
    spec, *more = list(yaml.safe_load_all(text))
    platforms = [one for one in more if one and "platforms" in one]
    platform = platforms[0]["platforms"].get("kubernetes", {}) if platforms else {}
    components = spec.get("components", {})
    executors = platform.get("deploymentSpec", {}).get("executors", {})
    return Spec(
        spec["pipelineInfo"]["name"],
        _component(spec["root"], components),
        {name: _component(one, components) for name, one in components.items()},
        through_driver(spec.get("deploymentSpec", {}).get("executors", {})),
        {label: through_driver(one) for label, one in executors.items()},
        # Labels and annotations are parameters of Argo's template: no driver reads them (argocompiler/container.go).
        {label: everywhere(one.get("podMetadata", {}), argo) for label, one in executors.items()},
        platform.get("pipelineConfig", {}).get("workspace"),
    )


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
