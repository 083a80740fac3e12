"""A plan as KFP's graph component, compiled and written by KFP's SDK."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import yaml
from google.protobuf import json_format
from kfp import compiler, dsl
from kfp.compiler import pipeline_spec_builder
from kfp.dsl import graph_component, structures

from kade2kfp.lowering.components import import_task, step_task
from kade2kfp.lowering.pod import configure
from kade2kfp.lowering.text import CannotLowerError, display, one_line, plain
from kade2kfp.lowering.types import parameter_type
from kade2kfp.lowering.values import Graph
from kade2kfp.lowering.volumes import needs_prepare, prepare_step, workspace
from kade2kfp.steps.model import Import, Plan, PlanParameter, Step
from kade2kfp.steps.sources import Json

_STEP_VARIABLE = "KADE2KFP_STEP"


def compile_plan(plan: Plan, format: Literal["ir", "pipelineversion"]) -> str:
    """The plan as YAML, see kade2kfp.lowering.lower."""
    component = graph_component.GraphComponent(
        component_spec=_signature(plan),
        pipeline_func=lambda: _build(plan),
        display_name=display(plan.display_name),
        pipeline_config=_config(plan),
    )
    if component.name != plan.name:
        raise CannotLowerError(f"KFP would call {plan.name!r} {component.name!r}")
    text = _ir(component)
    return text if format == "ir" else _manifests(component, plan, text)


def _signature(plan: Plan) -> Any:
    return structures.ComponentSpec(
        name=plan.name,
        description=display(plan.description) or None,
        inputs={parameter.name: _parameter(parameter) for parameter in plan.parameters},
        implementation=structures.Implementation(),
    )


def _parameter(parameter: PlanParameter) -> Any:
    default = None if parameter.required else parameter.default
    _plain_json(default)
    return structures.InputSpec(
        parameter_type(parameter.type),
        default=default,
        optional=not parameter.required,
        description=display(parameter.description) or None,
    )


def _plain_json(value: Json) -> None:
    """Raises CannotLowerError where a default holds what Argo or Kubernetes would replace."""
    if isinstance(value, str):
        plain(value, "default")
    elif isinstance(value, list):
        for one in value:
            _plain_json(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            plain(key, "default")
            _plain_json(one)


def _config(plan: Plan) -> Any:
    return dsl.PipelineConfig(
        workspace=workspace(plan.claims),
        active_deadline_seconds=plan.timeout or None,
        ttl_seconds_after_finished=plan.time_to_live or None,
    )


def _build(plan: Plan) -> None:
    """Makes the tasks; the SDK collects them. Channels need no task to exist yet, so arrows may point backwards."""
    graph, prepare = Graph.of(plan), prepare_step(plan)
    if prepare:
        graph = Graph.of(replace(plan, nodes=(prepare, *plan.nodes)))
    steps = [node for node in graph.plan.nodes if isinstance(node, Step)]
    for node in graph.plan.nodes:
        graph.tasks[node.name] = import_task(node, graph) if isinstance(node, Import) else step_task(node, graph)
    for step in steps:
        task = graph.tasks[step.name]
        if prepare and step is not prepare and needs_prepare(step, plan):
            task.after(graph.tasks[prepare.name])
        task.after(*(graph.tasks[name] for name in step.after))
        configure(task, step, graph)
    _tell_apart({step.name: graph.tasks[step.name] for step in steps})


def _tell_apart(tasks: Mapping[str, Any]) -> None:
    """Gives containers that are equal but whose inputs or outputs differ a variable that tells them apart.

    KFP's backend keeps a component's inputs and outputs under a hash of its container alone, so the second of two such
    steps would run with those of the first (backend/src/v2/compiler/argocompiler/argo.go, hashComponentContainer).
    """
    first: dict[str, tuple[Any, Any]] = {}
    for name, task in tasks.items():
        surface = (task.component_spec.inputs, task.component_spec.outputs)
        if first.setdefault(repr(task.container_spec), surface) != surface:
            task.set_env_variable(_STEP_VARIABLE, name)


def _ir(component: Any) -> str:
    """What kfp.compiler would write to a file, in memory and for every locale.

    The SDK writes in the machine's encoding, puts line breaks of a parameter's default into the comment as they are,
    and objects in the order of a hash table there.
    """
    spec = _sorted(json_format.MessageToDict(component.pipeline_spec))
    header = pipeline_spec_builder.extract_comments_from_pipeline_spec(_commentable(spec), component.description)
    platform = json_format.MessageToDict(component.platform_spec)
    body: str = yaml.dump_all([spec, platform] if platform else [spec], sort_keys=True)
    return str(header) + body


def _commentable(spec: dict[str, Any]) -> dict[str, Any]:
    root = spec["root"]
    definitions = root.get("inputDefinitions", {})
    parameters = {
        name: {key: one_line(value) if key == "defaultValue" and isinstance(value, str) else value
               for key, value in fields.items()}
        for name, fields in definitions.get("parameters", {}).items()
    }  # fmt: skip
    if not parameters:
        return spec
    return spec | {"root": root | {"inputDefinitions": definitions | {"parameters": parameters}}}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def _manifests(component: Any, plan: Plan, ir: str) -> str:
    """KFP's manifests. A PipelineVersion's spec is immutable (pipelineversion_webhook.go), so its name has a digest."""
    digest = hashlib.sha256(ir.encode()).hexdigest()[:10]
    options = compiler.KubernetesManifestOptions(
        pipeline_name=plan.name,
        pipeline_display_name=display(plan.display_name) or None,
        pipeline_version_name=f"{plan.name}-{digest}",
        pipeline_version_display_name=f"{display(plan.display_name) or plan.name} {digest}",
        include_pipeline_manifest=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.yaml")
        compiler.Compiler().compile(
            component, str(path), kubernetes_manifest_options=options, kubernetes_manifest_format=True
        )
        return path.read_text(encoding="ascii")
