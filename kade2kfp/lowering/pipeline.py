"""A plan as KFP's graph component, compiled and written by KFP's SDK."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import yaml
from google.protobuf import json_format
from kfp import compiler, dsl
from kfp.compiler import pipeline_spec_builder
from kfp.dsl import graph_component, structures

from kade2kfp.lowering.components import import_task, step_task
from kade2kfp.lowering.groups import Group, group, group_task, inside
from kade2kfp.lowering.loops import inside_loop, loop_group, loop_task, parallel
from kade2kfp.lowering.pod import configure
from kade2kfp.lowering.services import with_services
from kade2kfp.lowering.text import CannotLowerError, display, one_line, plain
from kade2kfp.lowering.types import parameter_type
from kade2kfp.lowering.values import Graph, channel
from kade2kfp.lowering.volumes import needs_prepare, prepare_step, workspace
from kade2kfp.lowering.yaml_text import dumped
from kade2kfp.steps.model import Choice, Import, Loop, Plan, PlanParameter, Step
from kade2kfp.steps.parts import Within
from kade2kfp.steps.sources import Json

_STEP_VARIABLE = "KADE2KFP_STEP"
Surfaces = dict[str, tuple[Any, Any]]
"""Inputs and outputs of the first step with a container, by the container."""


def compile_plan(plan: Plan, format: Literal["ir", "pipelineversion"]) -> str:
    """The plan as YAML, see kade2kfp.lowering.lower."""
    plan = with_services(plan)
    prepare = prepare_step(plan)
    graph = Graph.of(replace(plan, nodes=(prepare, *plan.nodes)) if prepare else plan)
    surfaces: Surfaces = {}
    groups: dict[str, Group] = {}
    # The SDK compiles a group at once, so the inner ones come first.
    for outer in sorted(
        (one for one in plan.nodes if isinstance(one, Choice | Loop)), key=lambda one: -len(one.within)
    ):
        made = _group(outer, graph, groups, surfaces, prepare)
        if made:
            groups[outer.name] = made
    component = graph_component.GraphComponent(
        component_spec=_signature(plan),
        pipeline_func=lambda: _root(graph, groups, surfaces, prepare),
        display_name=display(plan.display_name),
        pipeline_config=_config(plan),
    )
    if component.name != plan.name:
        raise CannotLowerError(f"KFP would call {plan.name!r} {component.name!r}")
    _once(component.platform_spec)
    text = _ir(component)
    return text if format == "ir" else _manifests(component, plan, text)


def _group(
    outer: Choice | Loop, graph: Graph, groups: Mapping[str, Group], surfaces: Surfaces, prepare: Step | None
) -> Group | None:
    """The component of a choice or a loop; None where there is nothing in it, or it needs none."""

    def build(within: Within, inner: Graph) -> None:
        _build(inner, within, groups, surfaces, prepare)

    def finish(task: Any, step: Step, inner: Graph) -> None:
        configure(task, step, inner)
        _tell_apart(task, step.name, surfaces)

    if isinstance(outer, Choice):
        return group(outer, graph, build)
    return loop_group(outer, graph, build, finish) if outer.collects else None


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


def _root(graph: Graph, groups: Mapping[str, Group], surfaces: Surfaces, prepare: Step | None) -> None:
    """Makes the pipeline's own tasks; where there is an exit task, all others in a handler with it.

    The prepare step is among the others. Where it fails, the exit task runs all the same, on what is there.
    """
    last = next((node for node in graph.plan.nodes if node.name == graph.plan.on_exit), None)
    if not isinstance(last, Step):
        _build(graph, (), groups, surfaces, prepare)
        return
    task = step_task(last, graph)
    configure(task, last, graph)
    _tell_apart(task, last.name, surfaces)
    with dsl.ExitHandler(task):
        _build(graph, (), groups, surfaces, prepare)


def _build(graph: Graph, within: Within, groups: Mapping[str, Group], surfaces: Surfaces, prepare: Step | None) -> None:
    """Makes the tasks of the nodes in these branches; the SDK collects them."""
    _make(graph, within, groups)
    for node in graph.plan.nodes:
        if node.name in graph.tasks and not isinstance(node, Import):
            task = graph.tasks[node.name]
            task.after(*_earlier(node, graph, prepare))
            if isinstance(node, Step):
                if node.always:
                    task.ignore_upstream_failure()
                configure(task, node, graph)
                _tell_apart(task, node.name, surfaces)


def _make(graph: Graph, within: Within, groups: Mapping[str, Group]) -> None:
    """The tasks of `_build`, and those of loops there that are no group. Channels need no task to exist yet, so arrows may
    point backwards.
    """
    for node in graph.plan.nodes:
        if node.within != within or node.name == graph.plan.on_exit:
            continue
        if isinstance(node, Choice):
            if node.name in groups:
                graph.tasks[node.name] = group_task(node, groups[node.name], graph)
        elif isinstance(node, Loop):
            if node.name in groups:
                graph.tasks[node.name] = loop_task(node, groups[node.name], graph)
            else:
                parallel(node, channel(node.items, graph), graph, lambda inner, its: _make(its, inner, groups))
        else:
            graph.tasks[node.name] = import_task(node, graph) if isinstance(node, Import) else step_task(node, graph)


def _earlier(node: Step | Choice | Loop, graph: Graph, prepare: Step | None) -> Iterator[Any]:
    """The tasks that a node's task waits for besides those that bring it something."""
    loops = {one.name: inside_loop(one) for one in graph.plan.nodes if isinstance(one, Loop)}
    for name in _waited_for(node, graph, prepare):
        if name in graph.tasks:
            yield graph.tasks[name]
        elif name in loops:  # it has no task of its own; the SDK lets who waits for one in it wait for all of it
            inner = (one.name for one in graph.plan.nodes if one.within == loops[name])
            yield from (graph.tasks[one] for one in inner if one in graph.tasks)


def _waited_for(node: Step | Choice | Loop, graph: Graph, prepare: Step | None) -> Iterator[str]:
    """The names of what a node waits for besides what brings it something; for a choice or loop, all in it too.

    Of those the ones that have tasks in the graph are meant: others are inside of a group, or outside of this one.
    """
    inner = [one for one in graph.plan.nodes if isinstance(node, Choice | Loop) and inside(node, one)]
    for one in (node, *inner):
        if isinstance(one, Step) and prepare and one is not prepare and _uses_prepared(one, graph.plan):
            yield prepare.name
        if not isinstance(one, Import):
            yield from one.after


def _uses_prepared(step: Step, plan: Plan) -> bool:
    """Whether a step has to wait for the prepare step, for itself or for the one that always runs after it.

    That one is an Argo hook on this step, and would be one on each task that it waits for (argocompiler/dag.go, DAG).
    """
    hooks = [one for one in plan.nodes if isinstance(one, Step) and one.always and step.name in one.after]
    return not step.always and any(needs_prepare(one, plan) for one in (step, *hooks))


def _tell_apart(task: Any, name: str, surfaces: Surfaces) -> None:
    """Gives a container that is equal to an earlier one, but whose inputs or outputs differ, a variable of its own.

    KFP's backend keeps a component's inputs and outputs under a hash of its container alone, so the second of two such
    steps would run with those of the first (backend/src/v2/compiler/argocompiler/argo.go, hashComponentContainer).
    """
    surface = (task.component_spec.inputs, task.component_spec.outputs)
    if surfaces.setdefault(repr(task.container_spec), surface) != surface:
        task.set_env_variable(_STEP_VARIABLE, name)


def _once(platform: Any) -> None:
    """Takes out what the SDK puts twice into the lists of an executor: tolerations, mounts, pull secrets.

    In a group of several groups it merges an inner one's executors anew for each of them, and so appends them to
    themselves (kfp/compiler/pipeline_spec_builder.py, merge_platform_deployment_config).
    """
    for config in platform.platforms.values():
        for executor in config.deployment_spec.executors.values():
            for field, value in json_format.MessageToDict(executor).items():
                if isinstance(value, list):
                    executor[field] = [one for i, one in enumerate(value) if one not in value[:i]]


def _ir(component: Any) -> str:
    """What kfp.compiler would write to a file, in memory and for every locale.

    The SDK writes in the machine's encoding, puts line breaks of a parameter's default into the comment as they are,
    and objects in the order of a hash table there.
    """
    spec = _sorted(json_format.MessageToDict(component.pipeline_spec))
    header = pipeline_spec_builder.extract_comments_from_pipeline_spec(_commentable(spec), component.description)
    platform = json_format.MessageToDict(component.platform_spec)
    return str(header) + dumped([spec, platform] if platform else [spec])


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
        # The SDK writes it for itself: see yaml_text.
        return dumped(yaml.safe_load_all(path.read_text(encoding="ascii")), kubectl=True)
