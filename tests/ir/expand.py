"""What Argo and Kubernetes make of texts on their way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

RUN_ID = "8c1f5c1e-3f0a-4b8e-9a55-0123456789ab"
RUN_NAME = "a-run-x7x7x"
NAMESPACE = "kubeflow"
CREATED = "2026-01-02T03:04:05Z"

# Kubernetes gives these to every container, so `$(...)` knows them in the driver's pod and in the step's.
SERVICES = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
# The driver of a container task knows its own pod (argocompiler/common.go, commonEnvs); the driver of a DAG does not.
CONTAINER_DRIVER = SERVICES | {"KFP_POD_NAME": "the-driver", "KFP_POD_UID": "the-drivers-uid"}

_GLOBALS = {"workflow.uid": RUN_ID, "workflow.name": RUN_NAME, "workflow.namespace": NAMESPACE}
_ARGO = re.compile(
    r"=|(?:workflow|pod|inputs|outputs|tasks|steps|node|retries|lastRetry|item|cronworkflow)\b", re.ASCII
)
_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def argo(text: str) -> str:
    """Argo's substitutions, made in the workflow and once more in the finished pod (its substitutePodParams).

    AssertionError for a tag that Argo would take for its own, and that nobody can have meant.
    """

    def replaced(found: re.Match[str]) -> str:
        tag = found[1].strip()
        if tag in _GLOBALS:
            return _GLOBALS[tag]
        assert not _ARGO.match(tag), f"Argo would take {found[0]!r} for its own: {text[:200]!r}"
        return found[0]

    return _TAG.sub(replaced, text)


def kubernetes(text: str, known: Mapping[str, str]) -> str:
    """Kubernetes' expansion in a container's command, args and env (third_party/forked/golang/expansion)."""
    return re.sub(r"\$\$|\$\(([^)]*)\)", lambda found: "$" if found[0] == "$$" else known.get(found[1], found[0]), text)


def everywhere(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with each of its texts changed; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: everywhere(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [everywhere(one, change) for one in value]
    return value


def through_driver(value: Any, known: Mapping[str, str] = CONTAINER_DRIVER) -> Any:
    """A JSON value after it was an argument of a driver: Argo put it there, Kubernetes expanded the argument."""
    return everywhere(value, lambda text: kubernetes(argo(text), known))
