"""The pod of a step: KFP's template, the driver's patch, Argo's own parts; a plain Kubernetes Pod."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import Any

from .expand import NAMESPACE, RUN_ID, RUN_NAME, argo, everywhere
from .texts import to_json

# argocompiler/container.go, addContainerExecutorTemplate: empty folders of KFP's own in every step.
SCRATCH = {
    "kfp-launcher": "/kfp-launcher",
    "gcs-scratch": "/gcs",
    "s3-scratch": "/s3",
    "minio-scratch": "/minio",
    "dot-local-scratch": "/.local",
    "dot-cache-scratch": "/.cache",
    "dot-config-scratch": "/.config",
}
_FIELDS = [
    {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
    for name, path in (("KFP_POD_NAME", "metadata.name"), ("KFP_POD_UID", "metadata.uid"))
]
# argocompiler/security_context.go: forced on the user's container; KFP's own must not be root besides.
_USERS = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_OWN = _USERS | {"runAsNonRoot": True}
_STEP = "system-container-impl"
_LAUNCHER = "ghcr.io/kubeflow/kfp-launcher:2.17.0"
_ARGOEXEC = "quay.io/argoproj/argoexec:v4.0.5"
_KEYS = {"volumeMounts": "mountPath", "ports": "containerPort"}  # the other lists of a pod merge by name


def main_of(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The user's container of a pod."""
    return dict(next(one for one in pod["spec"]["containers"] if one["name"] == "main"))


def patch(
    name: str, given: Mapping[str, Any], component: Mapping[str, Any], args: list[str], image: str
) -> dict[str, Any]:
    """The driver's patch without its Kubernetes part (driver/driver.go, initPodSpecPatch); `given`: executor input."""
    command = ["/kfp-launcher/launch", "--pipeline_name", name, "--run_id", RUN_ID, "--execution_id", "1"]
    command += ["--executor_input", to_json(given, html=False), "--component_spec", to_json(component, html=False)]
    command += ["--pod_name", "$(KFP_POD_NAME)", "--pod_uid", "$(KFP_POD_UID)", "--publish_logs", "true", "--"]
    main = {"name": "main", "image": image, "command": command, "args": args, "env": [], "volumeMounts": []}
    return {"containers": [main], "volumes": []}


def add_workspace(spec: dict[str, Any]) -> None:
    """Mount the run's workspace (driver/driver.go, getWorkspaceMount); before the platform part, as the driver does."""
    claim = {"claimName": f"{RUN_NAME}-kfp-workspace"}
    spec["volumes"].append({"name": "kfp-workspace", "persistentVolumeClaim": claim})
    spec["containers"][0]["volumeMounts"].append({"name": "kfp-workspace", "mountPath": "/kfp-workspace"})


def step(path: str, attempt: int | None, spec: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The finished pod of one attempt of a step; `attempt` is None for a step without a retry policy."""
    env: list[dict[str, Any]] = [*_FIELDS, *([] if attempt is None else [_retry_index(attempt)])]
    template = {
        "initContainers": [
            {
                "name": "kfp-launcher",
                "image": _LAUNCHER,
                "command": ["launcher-v2"],
                "args": ["--copy", "/kfp-launcher/launch"],
                "volumeMounts": [{"name": "kfp-launcher", "mountPath": "/kfp-launcher"}],
                "resources": {"limits": {"memory": "256Mi", "cpu": "500m"}, "requests": {"cpu": "100m"}},
                "securityContext": _OWN,
            }
        ],
        "containers": [
            {
                "name": "main",
                "envFrom": [{"configMapRef": {"name": "metadata-grpc-configmap", "optional": True}}],
                "env": env,
                "volumeMounts": [{"name": name, "mountPath": where} for name, where in SCRATCH.items()],
                "securityContext": _USERS,
            }
        ],
        "volumes": [{"name": name, "emptyDir": {}} for name in SCRATCH],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    }
    return _whole(path, attempt, merged(template, spec), metadata, _STEP)


def importer(path: str, args: list[str], workspace: bool) -> dict[str, Any]:
    """The pod of an importer (argocompiler/importer.go)."""
    main: dict[str, Any] = {"name": "main", "image": _LAUNCHER, "command": ["launcher-v2"], "args": args}
    main |= {"env": list(_FIELDS), "volumeMounts": [], "securityContext": _OWN}
    main["resources"] = {"limits": {"memory": "512Mi", "cpu": "500m"}, "requests": {"memory": "64Mi", "cpu": "100m"}}
    context = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec: dict[str, Any] = {"containers": [main], "volumes": [], "securityContext": context}
    if workspace:
        add_workspace(spec)
    return _whole(path, None, spec, {}, "system-importer")


def _retry_index(attempt: int) -> dict[str, Any]:
    return {"name": "KFP_RETRY_INDEX", "value": str(attempt)}


def pod_name(path: str, attempt: int | None = None, template: str = _STEP) -> str:
    """The name of a task's pod; `attempt` where the task has retries."""
    return f"{RUN_NAME}-{template}-{uuid.uuid5(uuid.UUID(RUN_ID), _node(path, attempt)).hex[:10]}"


def _node(path: str, attempt: int | None) -> str:
    return f"{RUN_NAME}.root.{path.replace('/', '.')}" + ("" if attempt is None else f"({attempt})")


def _whole(
    path: str, attempt: int | None, spec: dict[str, Any], metadata: Mapping[str, Any], template: str
) -> dict[str, Any]:
    """With what Argo adds: its executor beside the step, labels, a name; then its last substitutions."""
    node = _node(path, attempt)
    labels = {
        **metadata.get("labels", {}),
        "pipeline/runid": RUN_ID,
        "pipelines.kubeflow.org/v2_component": "true",
        "workflows.argoproj.io/workflow": RUN_NAME,
        "workflows.argoproj.io/completed": "false",
    }
    annotations = {
        **metadata.get("annotations", {}),
        "pipelines.kubeflow.org/v2_component": "true",
        "workflows.argoproj.io/node-name": node,
    }
    argo_mount = {"name": "var-run-argo", "mountPath": "/var/run/argo"}
    spec = copy.deepcopy(spec)
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        container["volumeMounts"] = [*container.get("volumeMounts", []), argo_mount]
    own = {"image": _ARGOEXEC, "volumeMounts": [argo_mount], "securityContext": _OWN}
    spec["initContainers"] = [
        {"name": "init", "command": ["argoexec", "init"], **own}, *spec.get("initContainers", [])
    ]  # fmt: skip
    spec["containers"] = [{"name": "wait", "command": ["argoexec", "wait"], **own}, *spec["containers"]]
    spec["volumes"] = [{"name": "var-run-argo", "emptyDir": {}}, *spec["volumes"]]
    whole = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(path, attempt, template),
            "namespace": NAMESPACE,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {"restartPolicy": "Never", "serviceAccountName": "pipeline-runner", **spec},
    }
    return dict(everywhere(whole, argo))


def merged(old: Any, new: Any, field: str = "") -> Any:
    """Kubernetes' strategic merge patch, as far as pods need it: lists of named things merge by their key."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {
            **old,
            **{key: merged(old[key], one, key) if key in old else _once(one, key) for key, one in new.items()},
        }
    if isinstance(old, list) and isinstance(new, list):
        return _once([*old, *new], field)
    return new


_BY_NAME = ("containers", "initContainers", "volumes", "volumeMounts", "env", "imagePullSecrets", "ports")


def _once(value: Any, field: str) -> Any:
    """Entries of one key become one, a later one's fields over an earlier's; so one volume may get two sources."""
    if not isinstance(value, list) or field not in _BY_NAME:
        return value
    key, made = _KEYS.get(field, "name"), list[Any]()
    for one in value:
        index = next((i for i, other in enumerate(made) if other[key] == one[key]), None)
        if index is None:
            made.append(merged({}, one))
        else:
            made[index] = merged(made[index], one)
    return made
