"""What a step's pod looks like besides its command: what kfp.kubernetes can say, and retries."""

from __future__ import annotations

from math import ceil
from typing import Any

from kfp import kubernetes

from kade2kfp.lowering.text import CannotLowerError, display, label_value, plain
from kade2kfp.lowering.values import Graph, object_name
from kade2kfp.lowering.volumes import mount_volumes
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import EnvFrom, Retry, Scheduling
from kade2kfp.steps.sources import Json


def configure(task: Any, step: Step, graph: Graph) -> None:
    """Sets on a task all that its step says of the pod.

    Every function of kfp.kubernetes reads and writes the object_name configuration, so what grows comes last.
    """
    _security(task, step)
    if step.timeout:
        kubernetes.set_timeout(task, step.timeout)
    if step.pull_policy:
        kubernetes.set_image_pull_policy(task, step.pull_policy)
    if step.pull_secrets:
        names = [object_name(name, graph, "pull secret") for name in step.pull_secrets]
        kubernetes.set_image_pull_secrets(task, names)
    _schedule(task, step.scheduling)
    _retry(task, step.retry)
    for env in step.env:
        if isinstance(env, EnvFrom):
            _env_from(task, env, graph)
    mount_volumes(task, step, graph)
    _metadata(task, step, graph)


def _metadata(task: Any, step: Step, graph: Graph) -> None:
    labels = dict(graph.plan.labels) | dict(step.labels) | {"kade2kfp/step": label_value(step.name)}
    for key, value in labels.items():
        kubernetes.add_pod_label(task, plain(key, "label"), plain(value, "label"))
    annotations = dict(step.annotations)
    for key, value in annotations.items():
        kubernetes.add_pod_annotation(task, plain(key, "annotation"), plain(value, "annotation"))
    if step.description:
        kubernetes.add_pod_annotation(task, "kade2kfp/description", display(step.description))


def _security(task: Any, step: Step) -> None:
    security = step.security
    fields = {
        "run_as_user": security.run_as_user,
        "run_as_group": security.run_as_group,
        "run_as_non_root": security.run_as_non_root,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    if given:
        kubernetes.set_security_context(task, **given)


def _env_from(task: Any, env: EnvFrom, graph: Graph) -> None:
    key = plain(env.key, "env")
    match env.source:
        case "secret":
            kubernetes.use_secret_as_env(
                task, object_name(env.object, graph, "secret name"), {key: env.name}, env.optional
            )
        case "configMap":
            kubernetes.use_config_map_as_env(
                task, object_name(env.object, graph, "configMap name"), {key: env.name}, env.optional
            )
        case "field":
            kubernetes.use_field_path_as_env(task, env.name, key)


def _retry(task: Any, retry: Retry | None) -> None:
    # `exit` is carried out in the step itself, see steps/command.py.
    if retry and retry.on == "pod":
        task.set_retry(
            num_retries=retry.limit,
            backoff_duration=f"{ceil(retry.backoff)}s",
            backoff_factor=retry.factor,
            # Argo takes this not for the longest wait but for the time of all attempts together (Backoff.MaxDuration).
            backoff_max_duration="31536000s",
        )


def _schedule(task: Any, scheduling: Scheduling) -> None:
    for key, value in scheduling.node_selector:
        kubernetes.add_node_selector(task, plain(key, "node selector"), plain(value, "node selector"))
    for toleration in scheduling.tolerations:
        fields = _object(toleration)
        # add_toleration_json would drop `tolerationSeconds`: it looks for `toleration_seconds`.
        kubernetes.add_toleration(
            task,
            key=_text(fields, "key"),
            operator=_text(fields, "operator"),
            value=_text(fields, "value"),
            effect=_text(fields, "effect"),
            toleration_seconds=fields.get("tolerationSeconds"),
        )
    affinity = _object(scheduling.node_affinity)
    required = _object(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    for term in _list(required.get("nodeSelectorTerms")):
        _affinity_term(task, _object(term), None)
    for preferred in _list(affinity.get("preferredDuringSchedulingIgnoredDuringExecution")):
        term = _object(preferred)
        _affinity_term(task, _object(term.get("preference")), term.get("weight"))


def _affinity_term(task: Any, term: dict[str, Json], weight: Json) -> None:
    requirements = {
        kind: [_requirement(_object(one)) for one in _list(term.get(kind))]
        for kind in ("matchExpressions", "matchFields")
    }
    kubernetes.add_node_affinity(task, requirements["matchExpressions"], requirements["matchFields"], weight)


def _requirement(requirement: dict[str, Json]) -> dict[str, Any]:
    values = [plain(str(value), "node affinity") for value in _list(requirement.get("values"))]
    return {"key": _text(requirement, "key"), "operator": _text(requirement, "operator"), "values": values}


def _text(fields: dict[str, Json], name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else plain(str(value), name)


def _object(value: Json) -> dict[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CannotLowerError(f"not an object: {value!r}")
    return value


def _list(value: Json) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise CannotLowerError(f"not a list: {value!r}")
    return value
