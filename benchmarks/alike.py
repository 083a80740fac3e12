"""Whether two compiled pipelines are one graph: without that their times could not be compared."""

from __future__ import annotations

from typing import Any

import yaml

_LABEL = {"kade2kfp/step": "step"}


def differences(one: str, other: str) -> list[str]:
    """What is not the same in two compiled pipelines, task by task, in words; the commands may differ."""
    mine, theirs = _tasks(one), _tasks(other)
    found = [f"only one has the task {name}" for name in sorted(mine.keys() ^ theirs.keys())]
    for name in sorted(mine.keys() & theirs.keys()):
        for what, value in mine[name].items():
            if value != theirs[name][what]:
                found.append(f"{name}: {what}: {value} and {theirs[name][what]}")
    return found


def _tasks(text: str) -> dict[str, dict[str, Any]]:
    spec, *rest = yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    pods = rest[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if rest else {}
    root = {"the pipeline": {"parameters": spec["root"].get("inputDefinitions")}}
    return root | {name: _task(task, spec, pods) for name, task in spec["root"]["dag"]["tasks"].items()}


def _task(task: dict[str, Any], spec: dict[str, Any], pods: dict[str, Any]) -> dict[str, Any]:
    component = spec["components"][task["componentRef"]["name"]]
    label = component["executorLabel"]
    container = spec["deploymentSpec"]["executors"][label]["container"]
    pod = pods.get(label, {})
    labels = pod.get("podMetadata", {}).get("labels", {})
    inputs, outputs = component.get("inputDefinitions", {}), component.get("outputDefinitions", {})
    return {
        "display name": task["taskInfo"]["name"],
        "cache": task.get("cachingOptions", {}).get("enableCache", False),
        "after": sorted(task.get("dependentTasks", ())),
        "image": container["image"],
        "env": sorted((one["name"], one.get("value")) for one in container.get("env", ())),
        "resources": container.get("resources"),
        "artifacts in": _types(inputs),
        "artifacts out": _types(outputs),
        "parameters in": len(set(inputs.get("parameters", ())) - {"cache-key"}),
        "parameters out": len(outputs.get("parameters", ())),
        "labels": sorted((_LABEL.get(key, key), value) for key, value in labels.items()),
        "empty folders": sorted(one["mountPath"] for one in pod.get("emptyDirMounts", ())),
    }


def _types(definitions: dict[str, Any]) -> list[str]:
    return sorted(one["artifactType"]["schemaTitle"] for one in definitions.get("artifacts", {}).values())
