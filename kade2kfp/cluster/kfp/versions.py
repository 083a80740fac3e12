"""What of a compiled pipeline KFP takes from which version on.

By the fields of kubernetes_platform/proto/kubernetes_executor_config.proto and api/v2alpha1/pipeline_spec.proto at KFP's
releases. An older KFP drops a field that it does not know, or refuses the pipeline.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kade2kfp.cluster.kfp.content import documents

KNOWN = (2, 17)
"""KFP's version that all is made for."""
_STEP = {
    "podMetadata": ((2, 1), "labels of pods, by which kade2kfp finds gates and logs"),
    "configMapAsVolume": ((2, 1), "config maps as folders"),
    "configMapAsEnv": ((2, 1), "variables from config maps"),
    "imagePullSecret": ((2, 1), "secrets for pulling images"),
    "imagePullPolicy": ((2, 1), "when images are pulled"),
    "fieldPathAsEnv": ((2, 1), "variables from the pod's fields"),
    "tolerations": ((2, 1), "tolerations"),
    "nodeAffinity": ((2, 2), "node affinity"),
    "emptyDirMounts": ((2, 3), "empty folders that every user may write"),
    "enabledSharedMemory": ((2, 3), "shared memory"),
    "securityContext": ((2, 16), "the user and group of pods"),
}
_RESOURCES = ((2, 3), "cpu and memory that are given as texts or parameters")
_NAMES = ((2, 5), "names of claims, secrets and config maps that are given when a run is submitted")
_PIPELINE = {
    "workspace": ((2, 14), "a volume made for the run"),
    "resourceTtlOnCompletion": ((2, 17), "the removal of runs after timeToLive"),
    "activeDeadlineSeconds": ((2, 17), "a timeout of the whole run"),
}
Feature = tuple[tuple[int, int], str]


def later(version: tuple[int, int], ir: str | None = None) -> list[Feature]:
    """What a KFP does not have yet: of all that is ever compiled, or of what a pipeline needs; the first version with each."""
    wanted = set(_all()) if ir is None else set(_used(documents(ir)))
    return sorted(one for one in wanted if one[0] > version)


def _all() -> Iterator[Feature]:
    yield from _STEP.values()
    yield from _PIPELINE.values()
    yield _RESOURCES
    yield _NAMES


def _used(specs: list[Any]) -> Iterator[Feature]:
    for document in specs:
        kubernetes = ((document or {}).get("platforms") or {}).get("kubernetes") or {}
        for executor in ((kubernetes.get("deploymentSpec") or {}).get("executors") or {}).values():
            yield from (feature for name, feature in _STEP.items() if name in executor)
            if "componentInputParameter" in json.dumps(executor):
                yield _NAMES
        yield from (feature for name, feature in _PIPELINE.items() if name in (kubernetes.get("pipelineConfig") or {}))
        for executor in ((document or {}).get("deploymentSpec") or {}).get("executors", {}).values():
            resources = (executor.get("container") or {}).get("resources") or {}
            if any(name.startswith("resource") for name in resources):
                yield _RESOURCES
