"""Names of a step's inputs and outputs in KFP, and what stands for a value there: a placeholder or a channel.

KFP's names begin with a letter and go on with letters, digits, `_`, `-` and spaces (kfp/dsl/pipeline_channel.py).
They end up in paths of the launcher (/tmp/kfp/outputs/NAME), so there are no spaces here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kfp import dsl
from kfp.dsl import pipeline_channel, placeholders

from kade2kfp.lowering.text import CannotLowerError, plain
from kade2kfp.lowering.types import artifact_type, parameter_type
from kade2kfp.steps.command import plain_env
from kade2kfp.steps.model import Choice, CollectedValue, Import, Loop, Node, Plan, Step
from kade2kfp.steps.parts import ArtifactOutput, ArtifactType, EnvValue
from kade2kfp.steps.sources import Arrived, Constant, Item, Output, Param, RunInfo, Source, Text, literal, sources

IMPORTED = "artifact"
METRICS = "metrics"
# The SDK puts values that are known only at run time among the task's inputs under these names
# (kfp/compiler/pipeline_spec_builder.py, build_task_spec_for_task).
_TAKEN = (
    "base_image",
    "cpu_request",
    "cpu_limit",
    "memory_request",
    "memory_limit",
    "accelerator_type",
    "accelerator_count",
)
# The driver adds this artifact itself where logs are published (backend/src/v2/driver/driver.go, provisionOutputs).
_LOGS = "executor-logs"
EXECUTOR_INPUT = Arrived("", "uri")
"""All that KFP tells a step about its inputs and outputs, as JSON; no input has this name."""
_RUN_INFO = {"id": dsl.PIPELINE_JOB_ID_PLACEHOLDER, "name": dsl.PIPELINE_JOB_NAME_PLACEHOLDER}
STATUS = RunInfo("status")
"""How the run has ended. No task of the plan gives it: KFP fills it in for an exit task's input of its own type."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """KFP's names of a step's outputs, by the Plan's: artifacts, and parameters with `metric-KEY` among them."""

    artifacts: Mapping[str, str]
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Inputs:
    """KFP's names of a step's inputs: of values, of artifacts (by ArtifactInput.name), and of the cache key."""

    values: Mapping[Source, str]
    artifacts: Mapping[str, str]
    cache_key: str


End = tuple[str, str]
"""A node of the plan, and one of its artifacts."""


@dataclass(frozen=True, slots=True)
class Surface:
    """What a group takes from outside: its input of each value and of each artifact, by KFP's name."""

    values: Mapping[Source, str]
    artifacts: Mapping[End, str]


@dataclass(frozen=True, slots=True)
class Graph:
    """The plan with what its steps are called in KFP, and the tasks made so far."""

    plan: Plan
    outputs: Mapping[str, Outputs]
    tasks: dict[str, Any] = field(default_factory=dict)
    surface: Surface = field(default_factory=lambda: Surface({}, {}))
    """What comes from outside, where this is the graph of a group and not of the pipeline."""
    item: Callable[[str | None], Any] | None = None
    """The channel of the item, or of one key of it, where this is the graph of what a loop repeats."""

    @staticmethod
    def of(plan: Plan) -> Graph:
        """The graph of a plan, without tasks."""
        return Graph(plan, {node.name: output_names(node) for node in plan.nodes})

    def within(self, surface: Surface) -> Graph:
        """The graph of a group, without tasks."""
        return replace(self, tasks={}, surface=surface, item=None)

    def of_item(self, item: Callable[[str | None], Any]) -> Graph:
        """The same graph for what a loop repeats in it; with the same tasks."""
        return replace(self, item=item)


def output_names(node: Node) -> Outputs:
    """KFP's names of what a node hands on; producer and consumers both ask here."""
    if isinstance(node, Import):
        return Outputs({"artifact": IMPORTED}, {})
    if isinstance(node, Choice):
        return Outputs({join.name: join.name for join in node.joins}, {})
    if isinstance(node, Loop):
        values = {one.name: one.name for one in node.collects if isinstance(one, CollectedValue)}
        return Outputs({one.name: one.name for one in node.collects if one.name not in values}, values)
    unique = unique_names([_LOGS])
    artifacts = {METRICS: unique(METRICS)} if node.metrics else {}
    parameters = {parameter.name: unique(parameter.name) for parameter in node.parameters}
    for output in node.outputs:
        if isinstance(output, ArtifactOutput) and output.name not in artifacts:
            artifacts[output.name] = unique(output.name)
    for key in node.metrics.keys if node.metrics else ():
        parameters.setdefault(f"metric-{key}", unique(f"metric-{key}"))
    return Outputs(artifacts, parameters)


def input_names(step: Step) -> Inputs:
    """KFP's names of what a step takes in through its command: values by where they come from, then artifacts."""
    direct = {name for name, _ in plain_env(step)}
    texts = [
        *step.command,
        *_gate_texts(step),
        *(e.value for e in step.env if isinstance(e, EnvValue) and e.name not in direct),
    ]
    unique = unique_names(_TAKEN)
    # Parameters keep their own names where any can.
    found = sorted(dict.fromkeys(sources(texts)), key=lambda source: not isinstance(source, Param))
    values = {source: unique(called(source)) for source in found}
    artifacts = {arrived.name: unique(arrived.name) for arrived in step.inputs}
    return Inputs(values, artifacts, unique("cache-key"))


@dataclass(frozen=True, slots=True)
class Placeholders:
    """Where KFP puts things, as placeholders that its driver and launcher fill in (steps.command.Places)."""

    inputs: Inputs
    outputs: Outputs

    def value(self, source: Source) -> str:
        """The placeholder of a value."""
        return str(placeholders.InputValuePlaceholder(self.inputs.values[source]))

    def input_path(self, name: str) -> str:
        """The placeholder of the place where an artifact has arrived."""
        return str(placeholders.InputPathPlaceholder(self.inputs.artifacts[name]))

    def input_uri(self, name: str) -> str:
        """The placeholder of an input artifact's URI, or of all that KFP tells the step."""
        if name == EXECUTOR_INPUT.input:
            return str(dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER)
        return str(placeholders.InputUriPlaceholder(self.inputs.artifacts[name]))

    def output_path(self, name: str) -> str:
        """The placeholder of the place that an artifact is taken from."""
        return str(placeholders.OutputPathPlaceholder(self.outputs.artifacts[name]))

    def output_uri(self, name: str) -> str:
        """The placeholder of an output artifact's URI."""
        return str(placeholders.OutputUriPlaceholder(self.outputs.artifacts[name]))

    def parameter_file(self, name: str) -> str:
        """The placeholder of the file that an output parameter is read from."""
        return str(placeholders.OutputParameterPlaceholder(self.outputs.parameters[name]))

    def port(self, number: int) -> int:
        """The same: a pod has all ports for itself."""
        return number


def channel(source: Source, graph: Graph) -> Any:
    """What the SDK takes for a source: a channel, or the placeholder of what is known of the run.

    The driver fills such a placeholder in only where it is the whole value of a task's input or of a claim's, secret's
    or config map's name (backend/src/v2/driver/resolve.go).
    """
    if source in graph.surface.values:
        return pipeline_channel.create_pipeline_channel(graph.surface.values[source], parameter_type(source.type))
    match source:
        case Param(name, type_):
            return pipeline_channel.create_pipeline_channel(name, parameter_type(type_))
        case Output(step, name, type_):
            key = graph.outputs[step].parameters.get(name)
            if key is None:
                raise CannotLowerError(f"no step writes {name!r} of {step!r}")
            return pipeline_channel.create_pipeline_channel(key, parameter_type(type_), task_name=step)
        case Constant(_, value):
            return plain(value, "item")
        case RunInfo("id" | "name" as known):
            return _RUN_INFO[known]
        case Item(item) if graph.item:
            return graph.item(item)
    raise CannotLowerError(f"not carried yet: {source}")


def artifact_channel(end: End, type_: ArtifactType, graph: Graph) -> Any:
    """What the SDK takes for an artifact."""
    if end in graph.surface.artifacts:
        return pipeline_channel.create_pipeline_channel(graph.surface.artifacts[end], artifact_type(type_))
    key = graph.outputs[end[0]].artifacts[end[1]]
    return pipeline_channel.create_pipeline_channel(key, artifact_type(type_), task_name=end[0])


def whole(text: Text, graph: Graph, what: str) -> Any:
    """A text for a field that takes a literal or exactly one source; `what` names the field.

    Mixed text compiles in the SDK, but the driver then drops all but the reference
    (backend/src/v2/driver/resolve.go, resolvePodSpecInputRuntimeParameter).
    """
    source = _only(text, what)
    if isinstance(source, RunInfo):
        raise CannotLowerError(f"{what} cannot hold what is known of the run")
    return source if isinstance(source, str) else channel(source, graph)


def object_name(text: Text, graph: Graph, what: str) -> Any:
    """The name of a claim, a secret or a config map: like `whole`, but the run's own id and name may be it too."""
    source = _only(text, what)
    return source if isinstance(source, str) else channel(source, graph)


def _only(text: Text, what: str) -> str | Source:
    known = literal(text)
    if known is not None:
        return plain(known, what)
    parts = [part for part in text if part != ""]
    if len(parts) != 1:
        raise CannotLowerError(f"{what} mixes text and references")
    if isinstance(parts[0], Arrived):
        raise CannotLowerError(f"{what} cannot be the path of an artifact")
    return parts[0]


def _gate_texts(step: Step) -> list[Text]:
    if step.gate is None:
        return []
    test = step.gate.only_if
    compared = (test.left, test.right) if test else ()
    return [step.gate.message, tuple(one for one in compared if isinstance(one, Source))]


def called(source: Source) -> str:
    """What an input for a source would be called."""
    match source:
        case Param(name):
            return name
        case Output(step, name):
            return f"{step}-{name}"
        case Constant(name):
            return name
        case RunInfo(known):
            return f"run-{known}"
        case Item(item):
            return f"item-{item}" if item else "item"
    raise CannotLowerError(f"not carried yet: {source}")


def unique_names(taken: Iterable[str]) -> Callable[[str], str]:
    """A function that makes names legal for KFP and different from all that were asked before."""
    used = set(taken)

    def unique(wanted: str) -> str:
        legal = re.sub(r"[^A-Za-z0-9_-]+", "-", wanted)[:100].strip("-")
        legal = legal if legal[:1].isalpha() else f"x-{legal}".strip("-")
        name, number = legal, 1
        while name in used:
            number += 1
            name = f"{legal}-{number}"
        used.add(name)
        return name

    return unique
