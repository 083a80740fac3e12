"""A choice as a component of KFP: a pipeline in the pipeline, with an If and an Else in it.

Only so can both sides be joined again whatever their shape is, and can values of the document stand in a comparison: the
SDK pastes them into the condition's text as they are, but an input's value stays a value (lowering.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kfp import dsl
from kfp.dsl import graph_component, pipeline_channel, pipeline_task, structures

from kade2kfp.lowering.pod import configure
from kade2kfp.lowering.text import display, plain
from kade2kfp.lowering.types import artifact_type, parameter_type
from kade2kfp.lowering.values import End, Graph, Surface, artifact_channel, called, channel, unique_names
from kade2kfp.plan.added import joined_again
from kade2kfp.steps.model import Choice, Join, Loop, Node, Step
from kade2kfp.steps.parts import Branch, ClaimMount, Iteration, Operand, Within
from kade2kfp.steps.sources import Constant, Item, Output, RunInfo, Source, Type, sources
from kade2kfp.steps.texts import around, node_sources
from kade2kfp.tasks.condition import PASS_END

Side = Literal["then", "else"]
Build = Callable[[Within, Graph], None]
"""Makes the tasks of the nodes that are in these branches and in no inner one."""
_NOT = {"==": "!=", "!=": "==", ">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_NUMBER: Type = "number"


@dataclass(frozen=True, slots=True)
class Group:
    """A choice's or loop's component, and what it is to be called with: by KFP's name of its input, where the value comes
    from.
    """

    component: Any
    surface: Surface
    operands: Mapping[str, Operand]
    kinds: Mapping[str, Type]

    def surface_arguments(self, graph: Graph) -> dict[str, Any]:
        """What it is called with for its surface, in the graph around it."""
        arguments = {name: channel(source, graph) for source, name in self.surface.values.items()}
        declared = self.component.component_spec.inputs
        for end, name in self.surface.artifacts.items():
            arguments[name] = artifact_channel(end, _document_type(declared[name].type), graph)
        return arguments


def inside(outer: Choice | Loop, node: Node) -> bool:
    """Whether a node is in one of the branches of a choice, or in a loop, however deep."""
    return outer.name in around(node)


def surface_of(outer: Choice | Loop, graph: Graph, unique: Callable[[str], str]) -> tuple[Surface, dict[str, Any]]:
    """What the nodes in a choice or loop take from outside of it, and how the component declares it.

    `unique` makes names for its inputs.
    """
    nodes = [node for node in graph.plan.nodes if inside(outer, node)]
    known = {node.name for node in nodes}
    values = {source: unique(called(source)) for source in dict.fromkeys(_from_outside(outer, nodes, known, graph))}
    types: dict[End, Any] = dict(_arriving(nodes, known))
    artifacts = {end: unique(f"{end[0]}-{end[1]}") for end in types}
    inputs = {name: structures.InputSpec(parameter_type(source.type)) for source, name in values.items()}
    inputs |= {name: structures.InputSpec(artifact_type(types[end])) for end, name in artifacts.items()}
    return Surface(values, artifacts), inputs


def group(choice: Choice, graph: Graph, build: Build) -> Group | None:
    """The component of a choice; None where nothing stands behind it.

    Args:
        choice: the choice.
        graph: names of outputs, of the whole plan.
        build: see Build; called for each side that has nodes.
    """
    # Nor do other choices behind which nothing stands.
    if not any(inside(choice, node) and not isinstance(node, Choice) for node in graph.plan.nodes):
        return None
    surface, taken = surface_of(choice, graph, unique_names(["left", "right"]))
    test = choice.test
    operands = {"left": test.left, "right": test.right}
    kinds = {name: _kind(operand, test.type) for name, operand in operands.items()}
    inputs = {name: structures.InputSpec(parameter_type(kind)) for name, kind in kinds.items()}
    component = graph_component.GraphComponent(
        structures.ComponentSpec(
            name=choice.name,
            inputs=inputs | taken,
            outputs={join.name: structures.OutputSpec(artifact_type(join.type)) for join in choice.joins},
            implementation=structures.Implementation(),
        ),
        lambda: _branches(choice, kinds, graph.within(surface), build),
    )
    return Group(component, surface, operands, kinds)


def group_task(choice: Choice, made: Group, graph: Graph) -> Any:
    """The task of a choice in the graph around it."""
    arguments = {name: _argument(operand, made.kinds[name], graph) for name, operand in made.operands.items()}
    arguments |= made.surface_arguments(graph)
    task = made.component(**arguments)
    # Said outright: the SDK's default depends on KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT.
    task.set_caching_options(True)
    task.set_display_name(display(choice.display_name))
    return task


def _document_type(schema: str) -> Any:
    return schema.partition("@")[0].removeprefix("system.")


def _argument(operand: Operand, kind: Type, graph: Graph) -> Any:
    if isinstance(operand, Source):
        return channel(operand, graph)
    if isinstance(operand, str):
        return plain(operand, "operand")
    # The SDK takes no whole number for an input that is not of type integer.
    return float(operand) if kind == _NUMBER else operand


def _kind(operand: Operand, kind: str) -> Type:
    """The type of an operand's input: what it comes from has it."""
    if isinstance(operand, Source):
        return operand.type
    return "boolean" if kind == "boolean" else "string" if kind == "string" else _NUMBER


def _branches(choice: Choice, kinds: Mapping[str, Type], graph: Graph, build: Build) -> dict[str, Any]:
    sides: list[Side] = [side for side in _SIDES if _has_nodes(choice, side, graph)]
    left, right = (pipeline_channel.create_pipeline_channel(name, parameter_type(kind)) for name, kind in kinds.items())
    operator = choice.test.operator if "then" in sides else _NOT[choice.test.operator]
    with dsl.If(pipeline_channel.ConditionOperation(operator, left, right), name=sides[0]):
        build((*choice.within, Branch(choice.name, sides[0])), graph)
    if len(sides) > 1:
        with dsl.Else(name=sides[1]):
            build((*choice.within, Branch(choice.name, sides[1])), graph)
    elif joined_again(choice.within, graph.plan):
        with dsl.Else(name=next(side for side in _SIDES if side not in sides)):
            _pass(choice, graph)
    return {join.name: _one_of(join, graph) for join in choice.joins}


_SIDES: tuple[Side, Side] = ("then", "else")


def _pass(choice: Choice, graph: Graph) -> None:
    """A step that does nothing, for a branch without any, so that the group around it is seen to end."""
    step = Step(
        task=choice.task,
        name=f"{choice.name}{PASS_END}",
        display_name="nothing",
        image=(graph.plan.toolbox_image,),
        command=(("true",),),
        type="pass",
        scheduling=graph.plan.scheduling,
        pull_secrets=graph.plan.pull_secrets,
    )
    container = structures.ContainerSpecImplementation(image=graph.plan.toolbox_image, command=["true"], args=[])
    component = structures.ComponentSpec(name=step.name, implementation=structures.Implementation(container=container))
    task = pipeline_task.PipelineTask(component, {}, execution_caching_default=True)
    task.set_caching_options(False)
    configure(task, step, graph)


def _has_nodes(choice: Choice, side: Side, graph: Graph) -> bool:
    branch = Branch(choice.name, side)
    return any(branch in node.within and not isinstance(node, Choice) for node in graph.plan.nodes)


def _one_of(join: Join, graph: Graph) -> Any:
    ends = []
    for node, output in (join.then, join.otherwise):
        ends.append(graph.tasks[node].outputs[graph.outputs[node].artifacts[output]])
    return dsl.OneOf(*ends)


def _from_outside(outer: Choice | Loop, nodes: list[Node], known: set[str], graph: Graph) -> Iterator[Source]:
    """The values that the nodes of a group take from outside of it; what is known of the run KFP puts in anywhere."""
    for node in nodes:
        own_item = any(isinstance(one, Iteration) and one not in outer.within for one in node.within)
        found = [*node_sources(node)]
        for mount in node.mounts if isinstance(node, Step) else ():
            if isinstance(mount, ClaimMount):
                claim = next(claim for claim in graph.plan.claims if claim.id == mount.claim)
                found += sources([claim.name])
        for source in found:
            inner = (isinstance(source, Output) and source.step in known) or (isinstance(source, Item) and own_item)
            if not isinstance(source, RunInfo | Constant) and not inner:
                yield source


def _arriving(nodes: list[Node], known: set[str]) -> Iterator[tuple[End, Any]]:
    for node in nodes:
        for arrived in node.inputs if isinstance(node, Step) else ():
            if arrived.step not in known:
                yield (arrived.step, arrived.output), arrived.type
        for join in node.joins if isinstance(node, Choice) else ():
            for end in (join.then, join.otherwise):
                if end[0] not in known:
                    yield end, join.type
