"""A loop in KFP: a ParallelFor; where something is collected, a pipeline in the pipeline with the ParallelFor in it.

KFP's driver fails where an empty list is collected over (backend/src/v2/driver/resolve.go, getParallelForIterationCount
takes 0 for no loop), so an If keeps it away from one. In the Else, a step hands on what is collected of nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from kfp import dsl
from kfp.dsl import for_loop, graph_component, pipeline_channel, pipeline_task, structures

from kade2kfp.lowering.groups import Build, Group, surface_of
from kade2kfp.lowering.text import display, plain
from kade2kfp.lowering.types import artifact_type, parameter_type
from kade2kfp.lowering.values import Graph, channel, unique_names
from kade2kfp.steps.model import CollectedValue, Loop, Step
from kade2kfp.steps.parts import Iteration, Within
from kade2kfp.steps.python_text import embed_python
from kade2kfp.tasks.job import COLLECT_END, LOOP_END, NOTHING_END

Configure = Callable[[Any, Step, Graph], None]
"""Says of a task's pod what its step says."""
_ITEMS, _TEXT, _NOTHING = "items", "items-as-text", "nothing"


def inside_loop(loop: Loop) -> Within:
    """Where the nodes are that a loop repeats, those in inner branches left out."""
    return (*loop.within, Iteration(loop.name))


def parallel(loop: Loop, items: Any, graph: Graph, build: Build) -> None:
    """Makes the tasks of what a loop repeats, in a ParallelFor; `items` is the channel of the list."""
    with dsl.ParallelFor(items, parallelism=loop.parallelism or None) as item:
        build(inside_loop(loop), graph.of_item(lambda key: item if key is None else _key(item, key)))


def _key(item: Any, key: str) -> Any:
    """A key of an item. The SDK takes Python's names only, and writes its `subvar_name` into a CEL expression as it is."""
    found = for_loop.LoopArgumentVariable(
        item, key if key.isidentifier() and key.isascii() else f"key_{key.encode().hex()}"
    )
    found.subvar_name = json.dumps(plain(key, "key"), ensure_ascii=False)[1:-1]
    return found


def loop_group(loop: Loop, graph: Graph, build: Build, configure: Configure) -> Group:
    """The component of a loop that collects.

    Args:
        loop: the loop.
        graph: names of outputs, of the whole plan.
        build: see Build; called for what the loop repeats.
        configure: see Configure; called for the steps that collect.
    """
    surface, inputs = surface_of(loop, graph, unique_names([_ITEMS, _TEXT, _NOTHING]))
    own = {_ITEMS: parameter_type("array"), _TEXT: parameter_type("string"), _NOTHING: parameter_type("string")}
    component = graph_component.GraphComponent(
        structures.ComponentSpec(
            name=loop.name,
            inputs={name: structures.InputSpec(type_) for name, type_ in own.items()} | inputs,
            outputs=_outputs(loop),
            implementation=structures.Implementation(),
        ),
        lambda: _body(loop, graph.within(surface), build, configure),
    )
    return Group(component, surface, {}, {})


def loop_task(loop: Loop, made: Group, graph: Graph) -> Any:
    """The task of a loop that collects, in the graph around it."""
    items = channel(loop.items, graph)
    task = made.component(**{_ITEMS: items, _TEXT: "", _NOTHING: "[]"}, **made.surface_arguments(graph))
    # The SDK compares no lists, but texts, and the driver makes a text of what a component declares as one
    # (backend/src/v2/driver/resolve.go, handleParamTypeValidationAndConversion). Called so, the SDK would refuse it.
    task.inputs[_TEXT] = items
    task.set_caching_options(True)  # see group_task
    task.set_display_name(display(loop.display_name))
    return task


def _body(loop: Loop, graph: Graph, build: Build, configure: Configure) -> dict[str, Any]:
    items = pipeline_channel.create_pipeline_channel(_ITEMS, parameter_type("array"))
    text, nothing = (
        pipeline_channel.create_pipeline_channel(name, parameter_type("string")) for name in (_TEXT, _NOTHING)
    )
    with dsl.If(pipeline_channel.ConditionOperation("!=", text, nothing), name="some"):
        parallel(loop, items, graph, build)
        some = _collecting(loop, COLLECT_END, {_ITEMS: items, **dict(_collected(loop, graph))}, graph, configure)
    with dsl.Else(name="none"):
        none = _collecting(loop, NOTHING_END, {}, graph, configure)
    return {one.name: dsl.OneOf(some.outputs[one.name], none.outputs[one.name]) for one in loop.collects}


def _collected(loop: Loop, graph: Graph) -> Iterator[tuple[str, Any]]:
    for one in loop.collects:
        names = graph.outputs[one.node]
        key = names.parameters[one.output] if isinstance(one, CollectedValue) else names.artifacts[one.output]
        yield one.name, dsl.Collected(graph.tasks[one.node].outputs[key])


def _outputs(loop: Loop) -> dict[str, Any]:
    return {
        one.name: structures.OutputSpec(
            parameter_type("array") if isinstance(one, CollectedValue) else artifact_type(one.type)
        )
        for one in loop.collects
    }


def _collecting(loop: Loop, end: str, given: dict[str, Any], graph: Graph, configure: Configure) -> Any:
    """The task of templates/collect_items.py: with what is `given`, or of nothing."""
    declared = {_ITEMS: structures.InputSpec(parameter_type("array"))} if given else {}
    words = []
    for one in loop.collects:
        if isinstance(one, CollectedValue):
            declared[one.name] = structures.InputSpec(parameter_type("array"))
            words += [one.name, "value"]
        else:
            declared[one.name] = structures.InputSpec(artifact_type(one.type), is_artifact_list=True)
            words += [one.name, f"file:{one.file.encode().hex()}" if one.file else "folder"]
    step = _step(loop, end, graph)
    component = structures.ComponentSpec(
        name=step.name,
        inputs={name: declared[name] for name in given},
        outputs=_outputs(loop),
        implementation=structures.Implementation(
            container=structures.ContainerSpecImplementation(
                image=graph.plan.toolbox_image,
                command=["python3", "-c", embed_python("collect_items.py")],
                args=[dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER, *words],
            )
        ),
    )
    task = pipeline_task.PipelineTask(component, given, execution_caching_default=True)
    task.set_display_name(display(step.display_name))
    task.set_caching_options(False)  # see joined_again in plan/added.py
    configure(task, step, graph)
    return task


def _step(loop: Loop, end: str, graph: Graph) -> Step:
    plan = graph.plan
    return Step(
        task=loop.task,
        name=loop.name.removesuffix(LOOP_END) + end,
        display_name=loop.display_name,
        image=(plan.toolbox_image,),
        command=(),
        type="collect",
        scheduling=plan.scheduling,
        pull_secrets=plan.pull_secrets,
        cache_key="",
        within=loop.within,
    )
