"""A node of the plan as a component of KFP, and the task that calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kfp import dsl
from kfp.compiler import compiler_utils
from kfp.dsl import pipeline_task, structures

from kade2kfp.lowering.text import CannotLowerError, display, plain
from kade2kfp.lowering.types import artifact_type, parameter_type
from kade2kfp.lowering.values import (
    IMPORTED,
    METRICS,
    STATUS,
    Graph,
    Inputs,
    Outputs,
    Placeholders,
    artifact_channel,
    channel,
    input_names,
    whole,
)
from kade2kfp.plan.added import joined_again
from kade2kfp.steps import quantity
from kade2kfp.steps.command import container_command, plain_env
from kade2kfp.steps.model import Import, Step
from kade2kfp.steps.parts import ArtifactOutput, Resources
from kade2kfp.steps.sources import Source, Text, sources


def step_task(step: Step, graph: Graph) -> Any:
    """The task of a step: its component, called with what it takes in. What its pod looks like comes later."""
    inputs, outputs = input_names(step), graph.outputs[step.name]
    command, args = container_command(step, Placeholders(inputs, outputs))
    component = structures.ComponentSpec(
        name=step.name,
        inputs=_declared_inputs(step, inputs, graph),
        outputs=_declared_outputs(step, outputs),
        implementation=structures.Implementation(
            container=structures.ContainerSpecImplementation(
                image=str(whole(step.image, graph, "image")),
                command=command,
                args=args,
                env=dict(plain_env(step)),
                resources=_resources(step.resources, graph),
            )
        ),
    )
    task = _called(step.name, component, _arguments(step, inputs, graph), step.display_name)
    # The SDK's compiler sees which values the image and the resources are made from, but does not wait for them.
    task.register_pipeline_channels([channel(source, graph) for source in sources(_pod_texts(step))])
    # What comes from the cache starts no launcher.
    return task.set_caching_options(step.cache_key is not None and not joined_again(step.within, graph.plan))


def import_task(node: Import, graph: Graph) -> Any:
    """The task of an import. As dsl.importer makes it, under the node's own name rather than `importer-2`."""
    schema = artifact_type(node.type)
    component = structures.ComponentSpec(
        name=node.name,
        inputs={"uri": structures.InputSpec("String")},
        outputs={IMPORTED: structures.OutputSpec(schema)},
        implementation=structures.Implementation(
            importer=structures.ImporterSpec(
                artifact_uri="", schema_title=schema, schema_version=schema.partition("@")[2], reimport=False
            )
        ),
    )
    # No display name: the importer enters itself under it, and its consumers look for its name
    # (backend/src/v2/component/importer_launcher.go; driver/resolve.go).
    task = _called(node.name, component, {"uri": whole(node.uri, graph, "uri")}, "")
    task.set_caching_options(True)
    return task


def _resources(given: Resources, graph: Graph) -> Any:
    """Requests and limits as the SDK's setters would note them: legal quantities, or what stands for a channel."""

    def said(text: Text, legal: Callable[[str], str]) -> str | None:
        if not text:
            return None
        value = whole(text, graph, "resources")
        if not isinstance(value, str):
            return str(value)
        try:
            return legal(value)
        except ValueError as error:
            raise CannotLowerError(str(error)) from error

    if given == Resources():
        return None
    return structures.ResourceSpec(
        cpu_request=said(given.cpu_request, quantity.cpu),
        cpu_limit=said(given.cpu_limit, quantity.cpu),
        memory_request=said(given.memory_request, quantity.memory),
        memory_limit=said(given.memory_limit, quantity.memory),
        accelerator_type=plain(given.accelerator, "accelerator") or None,
        accelerator_count=said(given.accelerator_count or (("1",) if given.accelerator else ()), quantity.count),
    )


def _pod_texts(step: Step) -> list[Text]:
    """The texts of a step that KFP resolves into the pod itself, as strings."""
    of: Resources = step.resources
    return [
        step.image,
        of.cpu_request,
        of.cpu_limit,
        of.memory_request,
        of.memory_limit,
        of.accelerator_count,
    ]


def _called(name: str, component: Any, arguments: dict[str, Any], display_name: str) -> Any:
    # Caching is said outright: the SDK's default depends on KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT.
    task = pipeline_task.PipelineTask(component, arguments, execution_caching_default=True)
    if task.name != name:
        raise CannotLowerError(f"KFP would call {name!r} {task.name!r}")
    if display_name:
        task.set_display_name(display(display_name))
    return task


def _declared_inputs(step: Step, inputs: Inputs, graph: Graph) -> dict[str, Any]:
    declared = {name: structures.InputSpec(_input_type(source)) for source, name in inputs.values.items()}
    for arrived in step.inputs:
        declared[inputs.artifacts[arrived.name]] = structures.InputSpec(artifact_type(arrived.type))
    if step.cache_key:
        declared[inputs.cache_key] = structures.InputSpec("String")
    # The driver reads images and quantities as strings only (backend/src/v2/driver/resolve.go,
    # resolvePodSpecInputRuntimeParameter: GetStringValue): a number would become "". It converts what the component
    # declares as a string (resolveInputs), so the inputs that the SDK adds by itself are declared here.
    for source in sources(_pod_texts(step)):
        if source.type != "string":
            added = compiler_utils.additional_input_name_for_pipeline_channel(channel(source, graph))
            declared[added] = structures.InputSpec("String")
    return declared


def _input_type(source: Source) -> str:
    return dsl.PipelineTaskFinalStatus.__name__ if source == STATUS else parameter_type(source.type)


def _declared_outputs(step: Step, outputs: Outputs) -> dict[str, Any]:
    declared = {}
    if step.metrics:
        declared[outputs.artifacts[METRICS]] = structures.OutputSpec(artifact_type("Metrics"))
        for key in step.metrics.keys:
            declared[outputs.parameters[f"metric-{key}"]] = structures.OutputSpec(parameter_type("number"))
    for parameter in step.parameters:
        declared[outputs.parameters[parameter.name]] = structures.OutputSpec(parameter_type(parameter.type))
    for output in step.outputs:
        if isinstance(output, ArtifactOutput):
            declared[outputs.artifacts[output.name]] = structures.OutputSpec(artifact_type(output.type))
    return declared


def _arguments(step: Step, inputs: Inputs, graph: Graph) -> dict[str, Any]:
    given = {STATUS} if step.name == graph.plan.on_exit else set()
    arguments = {name: channel(source, graph) for source, name in inputs.values.items() if source not in given}
    for arrived in step.inputs:
        # An artifact leaves under one type, and what arrives is of that (document.md, Arrows).
        end = (arrived.step, arrived.output)
        arguments[inputs.artifacts[arrived.name]] = artifact_channel(end, arrived.type, graph)
    if step.cache_key:
        arguments[inputs.cache_key] = step.cache_key
    return arguments
