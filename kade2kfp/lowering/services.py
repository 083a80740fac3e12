"""A step that leaves a service running, as an ordinary step: it applies Kubernetes' objects by templates/apply.py."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

from kade2kfp.lowering.manifests import deployments, inference_service, tensorboard
from kade2kfp.lowering.service_pods import RUN, Manifest
from kade2kfp.lowering.values import EXECUTOR_INPUT
from kade2kfp.lowering.volumes import needs_prepare, prepare_step
from kade2kfp.resources import read_text
from kade2kfp.steps.model import SERVICE_OUTPUTS, Plan, Service, Step
from kade2kfp.steps.parts import ParameterOutput
from kade2kfp.steps.python_text import shrink
from kade2kfp.steps.sources import Arrived, Text, literal

OUT = "/kade/service"
"""Where templates/apply.py leaves the outputs."""
_EVERY = 2
_PATIENCE = 120
_SCALER = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
# In JSON an escape is the same text, and nobody on the way takes it for something of his own.
_ESCAPED = re.compile(r"(?<=\{)\{|(?<=\$)[$(]")


def with_services(plan: Plan) -> Plan:
    """The plan with each step that has a service as an ordinary one."""
    return replace(
        plan,
        nodes=tuple(
            as_task(node, node.service, plan) if isinstance(node, Step) and node.service else node
            for node in plan.nodes
        ),
    )


def as_task(step: Step, service: Service, plan: Plan) -> Step:
    """The step that makes what a service serves, then applies its objects, and has its outputs.

    What is known only at run time are arguments of their own, so no value can become a part of the JSON.

    Raises:
        kade2kfp.lowering.text.CannotLowerError: the service needs what goes with the run; a check should have refused it.
    """
    told, values = _with_markers(_told(step, service, plan))
    text = _ESCAPED.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(told | {"values": len(values)}, separators=(",", ":"))
    )
    command: list[Text] = [("python3",), ("-c",), (apply_text(service.kind),), (text,), *values]
    if step.command:
        command += [("--",), *step.command]
        if step.requirements:
            command += [("--environment",), *((word,) for one in step.requirements for word in ("--require", one))]
            command += [("--image",), step.image]
    outputs = (ParameterOutput(name, f"{OUT}/{name}", "string") for name in SERVICE_OUTPUTS[service.kind])
    return replace(
        step,
        command=tuple(command),
        service=None,
        requirements=(),
        parameters=(*step.parameters, *outputs),
        scratch=(*step.scratch, OUT),
        cache_key=None,
        after=(*step.after, *_prepared(step, service, plan)),
    )


@cache
def apply_text(kind: str) -> str:
    """The text of templates/apply.py for one kind of service, as small as it can be."""
    head, *sections = re.split(r"(?m)^(?=# --- )", read_text("templates/apply.py"))
    other = {"viewer": "servings", "serving": "viewers"}[kind]
    return shrink("".join([head, *(one for one in sections if not one.startswith(f"# --- {other}\n"))]))


def _prepared(step: Step, service: Service, plan: Plan) -> tuple[str, ...]:
    """The prepare step, where only the server mounts what that opens to every user: kubelet would make it for root.

    Not for a step that always runs: it is a hook on the one task before it.
    """
    prepare = prepare_step(plan)
    if prepare is None or step.always or needs_prepare(step, plan) or not needs_prepare(service.server, plan):
        return ()
    return (prepare.name,)


def _told(step: Step, service: Service, plan: Plan) -> Manifest:
    """What templates/apply.py is told; a tuple is a Text, as in the objects."""
    told: Manifest = {
        "kind": service.kind,
        "name": service.name,
        "port": service.port,
        "out": OUT,
        "every": _EVERY,
        "patience": _PATIENCE,
    }
    if service.kind == "serving":
        return told | _told_of_serving(step, service, plan)
    inputs = service.server.inputs
    return told | {
        "run": (RUN,),
        "lasts": service.time_to_live,
        "scale": [0 if service.paused else 1],
        "arriving": [(Arrived(one.name, "uri"),) for one in inputs],
        "input": (EXECUTOR_INPUT,) if inputs else (),
        **_viewer_objects(step, service, plan),
    }


def _told_of_serving(step: Step, service: Service, plan: Plan) -> Manifest:
    scale = service.autoscale
    by_kserve = service.flavor == "kserve"
    return {
        "ready": service.ready,
        "timeout": service.ready_timeout,
        "scale": [max(scale.fewest, 1), scale.most] if scale else [service.replicas, service.replicas],
        "example": {"path": service.example.path, "body": service.example.body} if service.example else None,
        "objects": [inference_service(step, service, plan)] if by_kserve else deployments(step, service, plan),
        "unwanted": [] if by_kserve or scale else [_SCALER],
    }


def _viewer_objects(step: Step, service: Service, plan: Plan) -> Manifest:
    """The objects; with a Tensorboard those in its place, where the cluster has none."""
    usual: Manifest = {"objects": deployments(step, service, plan), "note": ""}
    if service.flavor != "kubeflow":
        return usual
    found = None if service.paused or service.server.inputs else tensorboard(step, service, plan)
    if found is None:
        return usual | {
            "note": "a Tensorboard resource shows one folder of a claim, and cannot be paused; it is a Deployment instead"
        }
    return {"objects": [found], "fallback": usual["objects"], "note": ""}


def _with_markers(told: Manifest) -> tuple[Manifest, list[Text]]:
    """The JSON with each text in it that only a run knows as `{"=": number}`, and these texts."""
    values: dict[Text, int] = {}

    def marked(part: Any) -> Any:
        if isinstance(part, tuple):
            known = literal(part)
            return {"=": values.setdefault(part, len(values))} if known is None else known
        if isinstance(part, dict):
            return {key: marked(one) for key, one in part.items()}
        return [marked(one) for one in part] if isinstance(part, list) else part

    found: Manifest = marked(told)
    return found, list(values)
