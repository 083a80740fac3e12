"""The Kubernetes objects of a service, as JSON in which a tuple is a Text and `known` stands for what only the step knows.

templates/apply.py fills them in and applies them. Kubernetes takes them as they are (tests/lowering/openapi).
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from math import ceil

from kade2kfp.lowering.service_pods import (
    ARRIVED,
    RUN,
    Manifest,
    claim_of,
    env_of,
    mounts_of,
    resources_of,
    sub_path,
    words_of,
)
from kade2kfp.lowering.text import label_value
from kade2kfp.steps.model import Plan, Service, Step
from kade2kfp.steps.parts import ArtifactInput, ClaimMount
from kade2kfp.steps.python_text import embed_python
from kade2kfp.steps.sources import Arrived, literal

VERSION, VERSIONS = "kade2kfp/version", "kade2kfp/versions"
_INSTANCE = "app.kubernetes.io/instance"
_PORT = "http"
_TENSORBOARD_PORT = 6006  # the controller's own choice (components/tensorboard-controller)
# As KFP gives it to every step (backend/src/v2/compiler/argocompiler/container.go).
_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# As for every step of KFP (backend/src/common/util/consts.go, AnnotationKeyIstioSidecarInject). Behind Istio's sidecar an init container has no network, and the step
# that asks for the example is refused; a task's own label says otherwise.
_NO_SIDECAR: Manifest = {"sidecar.istio.io/inject": "false"}
_NOBODY = 65534
_ANYWHERE = str(IPv4Address(0))
_PROBE_EVERY = 5
_PROBE_TIMEOUT = 5
# Who routes requests learns a moment later that a pod goes; until then it answers.
_LEAVING: Manifest = {"preStop": {"exec": {"command": ["sleep", "5"]}}}


def known(name: str) -> Manifest:
    """What templates/apply.py knows when it runs: `name`, `version`, `expires`, `replicas`."""
    # No label, annotation or field has this key, so nothing of a document can look like it.
    return {"=": name}


def deployments(step: Step, service: Service, plan: Plan) -> list[Manifest]:
    """A Deployment, its Service and, where replicas go by load, its autoscaler."""
    found = [_deployment(step, service, plan), _service(step, service, plan)]
    return [*found, _autoscaler(step, service, plan)] if service.autoscale else found


def inference_service(step: Step, service: Service, plan: Plan) -> Manifest:
    """KServe's InferenceService (pkg/apis/serving/v1beta1).

    Without Knative, which must be told to allow claims; but only Knative can wake the first replica.
    """
    scale = service.autoscale
    fewest, most = (scale.fewest, scale.most) if scale else (service.replicas, max(service.replicas, 1))
    by_load: Manifest = {"scaleMetric": "cpu", "scaleTarget": scale.cpu_percent} if scale and scale.fewest else {}
    labels, annotations = _of_pod(service, step, plan)
    spec = {
        "predictor": {
            "minReplicas": fewest,
            "maxReplicas": most,
            **by_load,
            "labels": labels,
            # KServe hands the annotations of the resource on to the pods, but for those that are here too: a note of what is
            # ready would start them again (pkg/controller/v1beta1/inferenceservice/components/predictor.go).
            "annotations": annotations | {VERSIONS: ""},
            **_pod(service, plan, "kserve-container"),
        }
    }
    found = _object("serving.kserve.io/v1beta1", "InferenceService", step, service, plan, spec)
    mode = "Serverless" if scale and not scale.fewest else "RawDeployment"
    if mode == "Serverless":
        _for_knative(spec["predictor"]["containers"][0], service.port)
    found["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = mode
    found["metadata"]["labels"][VERSION] = known("version")
    return found


def _for_knative(container: Manifest, port: int) -> None:
    """Take away what Knative has itself and refuses (knative/serving, pkg/apis/serving: fieldmask.go, k8s_validation.go)."""
    del container["lifecycle"]
    container["env"] = [one for one in container["env"] if one["name"] != "PORT"]
    container["ports"] = [{"containerPort": port, "protocol": "TCP"}]
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        for how in ("httpGet", "tcpSocket"):
            if how in container[name]:
                container[name][how]["port"] = port


def tensorboard(step: Step, service: Service, plan: Plan) -> Manifest | None:
    """Kubeflow's Tensorboard for the folder of a claim that the server shows; None where it shows none."""
    shown = _shown(service.server)
    if shown is None:
        return None
    mount, below = shown
    path = ("pvc://", *claim_of(mount, plan), "/", *sub_path(mount, plan, below))
    found = _object("tensorboard.kubeflow.org/v1alpha1", "Tensorboard", step, service, plan, {"logspath": path})
    found["metadata"]["annotations"]["kade2kfp/port"] = str(_TENSORBOARD_PORT)
    return found


def _shown(server: Step) -> tuple[ClaimMount, str] | None:
    """The mount whose folder the server's command names, and the folder below it; else the first one of a claim."""
    claims = sorted((one for one in server.mounts if isinstance(one, ClaimMount)), key=lambda one: -len(one.path))
    words = [literal(word) or "" for word in server.command]
    for mount in claims:
        for word in words:
            if f"{word}/".startswith(f"{mount.path}/"):
                return mount, word[len(mount.path) :].strip("/")
    return (claims[-1], "") if claims else None


def _deployment(step: Step, service: Service, plan: Plan) -> Manifest:
    labels, annotations = _of_pod(service, step, plan)
    spec: Manifest = {
        "replicas": known("replicas"),
        "selector": {"matchLabels": _selector()},
        "template": {
            "metadata": {"labels": labels, "annotations": annotations},
            "spec": _pod(service, plan, service.kind),
        },
    }
    if service.kind == "serving":
        spec |= {
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": service.ready_timeout,
        }
    else:
        spec["strategy"] = {"type": "Recreate"}
    return _object("apps/v1", "Deployment", step, service, plan, spec)


def _service(step: Step, service: Service, plan: Plan) -> Manifest:
    port = {"name": _PORT, "port": service.port, "targetPort": _PORT, "protocol": "TCP"}
    return _object("v1", "Service", step, service, plan, {"selector": _selector(), "ports": [port]})


def _autoscaler(step: Step, service: Service, plan: Plan) -> Manifest:
    scale = service.autoscale
    if scale is None:
        raise ValueError(f"{service.name} has no autoscale")
    target = {"type": "Utilization", "averageUtilization": scale.cpu_percent}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": known("name")},
        "minReplicas": scale.fewest,
        "maxReplicas": scale.most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", step, service, plan, spec)


def _object(version: str, kind: str, step: Step, service: Service, plan: Plan, spec: Manifest) -> Manifest:
    annotations: Manifest = {"kade2kfp/task": step.task, "kade2kfp/port": str(service.port)}
    if service.kind == "viewer" and service.time_to_live:
        annotations["kade2kfp/expires"] = known("expires")
    labels = _labels(service, step, plan) | {"kade2kfp/run": (RUN,)}
    metadata = {"name": known("name"), "labels": labels, "annotations": annotations}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _labels(service: Service, step: Step, plan: Plan) -> Manifest:
    return {
        **_selector(),
        "app.kubernetes.io/managed-by": "kade2kfp",
        "kade2kfp/service": service.kind,
        "kade2kfp/pipeline": label_value(plan.name),
        "kade2kfp/service-step": label_value(step.name),
    }


def _selector() -> Manifest:
    """What a service's pods are found by. A Deployment's never changes, and names may be cut in the other labels."""
    return {_INSTANCE: known("name")}


def _of_pod(service: Service, step: Step, plan: Plan) -> tuple[Manifest, Manifest]:
    """Labels and annotations of the pods: the document's, and ours. The run is none of a serving's: nothing restarts for it."""
    server = service.server
    own = {VERSION: known("version")} if service.kind == "serving" else {"kade2kfp/run": (RUN,)}
    labels = _NO_SIDECAR | dict(plan.labels) | dict(server.labels) | _labels(service, step, plan) | own
    return labels, dict(server.annotations) | {"kade2kfp/task": step.task}


def _pod(service: Service, plan: Plan, container: str) -> Manifest:
    server = _with_surroundings(service)
    scheduling = server.scheduling
    volumes, mounts = mounts_of(server, plan)
    if server.inputs:
        volumes.append({"name": "arrived", "emptyDir": {}})
        mounts.append({"name": "arrived", "mountPath": ARRIVED})
    secrets = dict.fromkeys((*server.pull_secrets, *(plan.pull_secrets if server.inputs else ())))
    words = words_of(server)
    main: Manifest = {
        "name": container,
        "image": server.image,
        "command": words[:1],
        "args": words[1:],
        "env": [*env_of(server), *_own_env(service)],
        "ports": [{"name": _PORT, "containerPort": service.port, "protocol": "TCP"}],
        "volumeMounts": mounts,
        "resources": resources_of(server.resources),
        "securityContext": _security(server),
        **_probes(service),
        **({"lifecycle": _LEAVING} if service.kind == "serving" else {}),
        **({"imagePullPolicy": server.pull_policy} if server.pull_policy else {}),
    }
    found: Manifest = {
        "initContainers": [_fetching(one, server, plan) for one in server.inputs],
        "containers": [main],
        "volumes": volumes,
        "imagePullSecrets": [{"name": name} for name in secrets],
        "nodeSelector": dict(scheduling.node_selector),
        "affinity": {"nodeAffinity": scheduling.node_affinity} if scheduling.node_affinity else {},
        "tolerations": list(scheduling.tolerations),
    }
    # Variables for each Service of the namespace could be taken for the server's own.
    return {name: value for name, value in found.items() if value} | {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
    }


def _with_surroundings(service: Service) -> Step:
    """The server without what it does not have here: a serving's packages lie on its claim."""
    server = service.server
    names = {env["name"] for env in _own_env(service)}
    return replace(
        server,
        env=tuple(env for env in server.env if env.name not in names),
        requirements=() if service.kind == "serving" else server.requirements,
        parameters=(),
        outputs=(),
        metrics=None,
        retry=None,
    )


def _own_env(service: Service) -> list[Manifest]:
    own = [{"name": "HOST", "value": _ANYWHERE}, {"name": "PORT", "value": str(service.port)}]
    return [*own, {"name": "KADE2KFP_VERSION", "value": known("version")}] if service.kind == "serving" else own


def _security(server: Step, *, ours: bool = False) -> Manifest:
    given = server.security
    user = given.run_as_user
    if ours and user is None and given.run_as_non_root:
        user = _NOBODY  # the toolbox's own is root
    fields = {"runAsUser": user, "runAsGroup": given.run_as_group, "runAsNonRoot": given.run_as_non_root}
    return _SECURITY | {name: value for name, value in fields.items() if value is not None}


def _probes(service: Service) -> Manifest:
    """Kubernetes' questions. What starts is given as long as the step waits, before it is started again."""

    def asks(path: str, failures: int) -> Manifest:
        how: Manifest = {"httpGet": {"path": path, "port": _PORT}} if path else {"tcpSocket": {"port": _PORT}}
        return how | {
            "periodSeconds": _PROBE_EVERY,
            "timeoutSeconds": _PROBE_TIMEOUT,
            "failureThreshold": failures,
        }

    return {
        "startupProbe": asks(service.ready, max(3, ceil(service.ready_timeout / _PROBE_EVERY))),
        "readinessProbe": asks(service.ready, 2),
        "livenessProbe": asks(service.alive, 12),
    }


def _fetching(arrived: ArtifactInput, server: Step, plan: Plan) -> Manifest:
    """The container that brings an artifact; how the object store is reached is known to templates/apply.py."""
    return {
        "name": f"fetch-{server.inputs.index(arrived) + 1}",
        "image": plan.toolbox_image,
        "command": ["python3"],
        "args": [
            "-c",
            embed_python("fetch.py"),
            (Arrived(arrived.name, "uri"),),
            f"{ARRIVED}/{arrived.name}",
            arrived.kind,
        ],
        "env": [],
        "volumeMounts": [{"name": "arrived", "mountPath": ARRIVED}],
        # A quota asks every container for them; the pod needs no more for it, for they run one after the other.
        "resources": resources_of(replace(server.resources, accelerator="")),
        "securityContext": _security(server, ours=True),
    }
