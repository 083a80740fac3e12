"""The pod of a step before KFP's driver has its say: what KFP's compiler and Argo put into each of them.

KFP 2.17.0, backend/src/v2/compiler/argocompiler: container.go (addContainerExecutorTemplate), common.go (commonEnvs),
security_context.go; Argo 4.0.5, workflow/controller/workflowpod.go (createWorkflowPod).
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

RUN_ID = "8c1f5c1e-3f0a-4b8e-9a55-0123456789ab"
RUN_NAME = "a-run-x7x7x"
# Where KFP keeps what it fetches and writes, and by which volume.
KFP_MOUNTS = {
    "/kfp-launcher": "kfp-launcher",
    "/gcs": "gcs-scratch",
    "/s3": "s3-scratch",
    "/minio": "minio-scratch",
    "/.local": "dot-local-scratch",
    "/.cache": "dot-cache-scratch",
    "/.config": "dot-config-scratch",
}
_ARGO_MOUNT = {"name": "var-run-argo", "mountPath": "/var/run/argo"}
_LOCKED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def template(name: str, labels: Json, annotations: Json, *, retried: bool) -> Json:
    """The pod of the step `name`; a step whose task has a retry policy knows its attempt besides."""
    own_env = [_field("KFP_POD_NAME", "metadata.name"), _field("KFP_POD_UID", "metadata.uid")]
    if retried:
        own_env.append({"name": "KFP_RETRY_INDEX", "value": "0"})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{RUN_NAME}-{name}"[:242] + "-1234567890",
            "namespace": "kubeflow",
            "labels": labels
            | {
                "workflows.argoproj.io/workflow": RUN_NAME,
                "workflows.argoproj.io/completed": "false",
                "pipeline/runid": RUN_ID,
            },
            "annotations": annotations
            | {
                "pipelines.kubeflow.org/runtime-role": "launcher",
                "kubectl.kubernetes.io/default-container": "main",
                "workflows.argoproj.io/node-name": f"{RUN_NAME}.root.{name}.executor",
                "workflows.argoproj.io/node-id": f"{RUN_NAME}-1234567890",
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "pipeline-runner",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [
                {"name": "var-run-argo", "emptyDir": {}},
                {"name": "tmp-dir-argo", "emptyDir": {}},
                *({"name": volume, "emptyDir": {}} for volume in KFP_MOUNTS.values()),
            ],
            "initContainers": [
                _argo("init", "argoexec:v4.0.5", [_ARGO_MOUNT]),
                {
                    "name": "kfp-launcher",
                    "image": "ghcr.io/kubeflow/kfp-launcher:2.17.0",
                    "command": ["launcher-v2"],
                    "args": ["--copy", "/kfp-launcher/launch"],
                    "resources": {
                        "limits": {"cpu": "500m", "memory": "128Mi"},
                        "requests": {"cpu": "100m"},
                    },
                    "volumeMounts": [{"name": "kfp-launcher", "mountPath": "/kfp-launcher"}, _ARGO_MOUNT],
                    "securityContext": _LOCKED | {"runAsNonRoot": True},
                },
            ],
            "containers": [
                _argo("wait", "argoexec:v4.0.5", [{"name": "tmp-dir-argo", "mountPath": "/tmp", "subPath": "0"}]),
                {
                    "name": "main",
                    "image": "gcr.io/ml-pipeline/should-be-overridden-during-runtime",
                    "command": ["should-be-overridden-during-runtime"],
                    "env": [*own_env, *_argo_env("main")],
                    "envFrom": [{"configMapRef": {"name": "metadata-grpc-configmap", "optional": True}}],
                    "volumeMounts": [{"name": volume, "mountPath": path} for path, volume in KFP_MOUNTS.items()],
                    "securityContext": _LOCKED,
                },
            ],
        },
    }


def _argo(name: str, image: str, mounts: list[Json]) -> Json:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["argoexec", name],
        "env": [_field("ARGO_POD_NAME", "metadata.name"), *_argo_env(name)],
        "volumeMounts": mounts,
        "securityContext": _LOCKED | {"runAsNonRoot": True, "runAsUser": 65532},
    }


def _argo_env(container: str) -> list[Json]:
    return [
        {"name": "ARGO_CONTAINER_NAME", "value": container},
        {"name": "ARGO_NODE_ID", "value": f"{RUN_NAME}-1234567890"},
        {"name": "ARGO_INCLUDE_SCRIPT_OUTPUT", "value": "false"},
        {"name": "ARGO_DEADLINE", "value": "0001-01-01T00:00:00Z"},
    ]


def _field(name: str, path: str) -> Json:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
