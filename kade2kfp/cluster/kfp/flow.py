"""What flowed through a run's steps: where each input came from, which values and artifacts there were.

KFP's API does not tell; its drivers do: each hands Argo a patch for the pod of its step, with the launcher's
`--executor_input`, which has the values of the inputs and the URIs of the artifacts in and out
(backend/src/v2/driver/container.go). A step from the cache has no such patch; who takes something of it does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from kade2kfp.cluster.kfp.nodes import Nodes, Path
from kade2kfp.cluster.kfp.states import Placed
from kade2kfp.cluster.kfp.tree import Pipeline, Task
from kade2kfp.local.state import Artifact, StepState
from kade2kfp.steps.parts import ArtifactType

LOGS = "executor-logs"
_METRIC = "metric-"
_DEEPEST = 100
_TYPES = {f"system.{name}": name for name in get_args(ArtifactType)}


@dataclass(frozen=True, slots=True)
class Held:
    """An artifact by its URI: which input or output of a step it was."""

    key: str
    uri: str
    type: ArtifactType = "Artifact"


@dataclass(frozen=True, slots=True)
class Carried:
    """What went into a step and out of it: values and artifacts by the names that KFP has for them."""

    values: Mapping[str, Any] = field(default_factory=dict)
    taken: tuple[Held, ...] = ()
    left: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """Where an input comes from: the output `key` of a step, or the parameter `key` of the run where `step` is empty."""

    step: str
    key: str


def carried(placed: Placed, nodes: Nodes) -> Carried:
    """What went into a step and out of it, as far as its driver said."""
    driver = nodes.at((*placed.path[:-1], f"{placed.task.name}-driver"))
    said = _executor_input(driver.put.get("pod-spec-patch", "")) if driver is not None else {}
    inputs, outputs = _object(said.get("inputs")), _object(said.get("outputs"))
    return Carried(
        _object(inputs.get("parameterValues") or inputs.get("parameter_values")),
        tuple(_artifacts(inputs.get("artifacts"))),
        tuple(_artifacts(outputs.get("artifacts"))),
    )


def _executor_input(patch: str) -> dict[str, Any]:
    try:
        containers = _object(json.loads(patch)).get("containers")
        for one in containers if isinstance(containers, list) else []:
            words = [*_list(_object(one).get("command")), *_list(_object(one).get("args"))]
            if "--executor_input" in words[:-1]:
                return _object(json.loads(words[words.index("--executor_input") + 1]))
    except (ValueError, TypeError, RecursionError):
        pass
    return {}


def _artifacts(said: object) -> Iterator[Held]:
    for key, rows in _object(said).items():
        for row in _list(_object(rows).get("artifacts")):
            one = _object(row)
            if isinstance(uri := one.get("uri"), str) and uri:
                title = _object(one.get("type")).get("schemaTitle")
                yield Held(key, uri, cast(ArtifactType, _TYPES.get(str(title), "Artifact")))


@dataclass(frozen=True, slots=True)
class Flow:
    """Where the inputs of a run's steps come from, by the IR."""

    pipeline: Pipeline
    placed: Mapping[Path, Placed]

    @staticmethod
    def of(pipeline: Pipeline, placed: Sequence[Placed]) -> Flow:
        """The flow between the steps of a run."""
        return Flow(pipeline, {one.path: one for one in placed})

    def ends(self, one: Placed, kind: Literal["parameters", "artifacts"]) -> Iterator[tuple[str, End]]:
        """The inputs of a step with what they come from; those that are constant are left out.

        Of a choice or a loop only what it needs itself.
        """
        for name, said in _object(_object(one.task.inputs).get(kind)).items():
            if one.task.inner and (kind == "artifacts" or name not in one.task.used):
                continue
            for end in self._source(one.path[:-1], _object(said), kind, 0):
                yield name, end

    def _source(self, dag: Path, said: Mapping[str, Any], kind: str, depth: int) -> Iterator[End]:
        """What an input takes that a task in the DAG at the path `dag` has."""
        if depth > _DEEPEST:
            return
        noun = "Parameter" if kind == "parameters" else "Artifact"
        made = _object(said.get(f"taskOutput{noun}"))
        if made:
            key = str(made.get(f"output{noun}Key") or "")
            yield from self._made((*dag, str(made.get("producerTask") or "")), key, kind, depth + 1)
            return
        outer = said.get(f"componentInput{noun}") or said.get(f"componentInput{noun}Name")
        if not isinstance(outer, str):
            return
        if len(dag) == 1:
            if kind == "parameters":
                yield End("", outer)
            return
        task, above = self._dag(dag)
        given = _object(_object(_object(task.inputs if task else None).get(kind)).get(outer))
        yield from self._source(above, given, kind, depth + 1)

    def _made(self, path: Path, key: str, kind: str, depth: int) -> Iterator[End]:
        """The steps that make the output `key` of the task at a path: itself, or tasks in it."""
        task, _ = self._dag(path)
        # What a loop collects is the loop's: the step that brings it together is in no document.
        if task is not None and (not task.inner or task.sort == "loop-group"):
            for one in self._instances(path):
                yield End(one.state.name, key)
            return
        if task is None or depth > _DEEPEST:
            return
        joined = _object(_object(_object(task.joined).get(kind)).get(key))
        for inner, output in _selected(joined):
            yield from self._made((*path, inner), output, kind, depth + 1)

    def _instances(self, path: Path) -> list[Placed]:
        """The steps of a task: one, or, seen from outside of its loop, one for each item."""
        if path in self.placed:
            return [self.placed[path]]
        return [one for own, one in self.placed.items() if _plain(own) == _plain(path)]

    def _dag(self, path: Path) -> tuple[Task | None, Path]:
        """The task at a path, and the path of the DAG that it is in."""
        at = path
        while len(at) > 1 and (at[-1] == "iteration-item" or at[-1].startswith("iteration-iterations(")):
            at = at[:-1]
        tasks = self.pipeline.tasks
        found: Task | None = None
        for name in _plain(at)[1:]:
            found = next((one for one in tasks if one.name == name), None)
            if found is None:
                return None, ()
            tasks = found.inner
        return found, at[:-1]


def _plain(path: Path) -> Path:
    """A path without the items of loops."""
    return tuple(one for one in path if one != "iteration-item" and not one.startswith("iteration-iterations("))


def _selected(joined: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The tasks and outputs that a DAG's output is of (pipeline_spec.proto, DagOutputsSpec)."""
    rows = [*_list(joined.get("artifactSelectors"))]
    if isinstance(one := joined.get("valueFromParameter"), dict):
        rows.append(one)
    rows += _list(_object(joined.get("valueFromOneof")).get("parameterSelectors"))
    for row in rows:
        said = _object(row)
        key = said.get("outputArtifactKey") or said.get("outputParameterKey")
        if isinstance(task := said.get("producerSubtask"), str) and isinstance(key, str):
            yield task, key


def with_values(pipeline: Pipeline, placed: Sequence[Placed], nodes: Nodes) -> list[StepState]:
    """The steps with their artifacts, and with those of their values that another step has taken.

    A value that nobody takes only KFP's metadata store has, which its API does not show.
    """
    flow = Flow.of(pipeline, placed)
    values: dict[str, dict[str, Any]] = {}
    kept: dict[str, dict[str, Held]] = {one.state.name: {} for one in placed}
    for one in placed:
        if one.task.inner:
            continue
        has = carried(one, nodes)
        for name, end in flow.ends(one, "parameters"):
            if end.step and name in has.values:
                values.setdefault(end.step, {})[end.key] = has.values[name]
        for name, end in flow.ends(one, "artifacts"):
            for held in has.taken:
                if held.key == name and end.step:
                    kept.get(end.step, {}).setdefault(end.key, replace(held, key=end.key))
        if one.state.status in ("succeeded", "cached"):
            kept[one.state.name] |= {held.key: held for held in has.left if held.key != LOGS}
    shown = [one.state for one in placed if one.is_shown]
    return [_filled(one, values.get(one.name, {}), kept[one.name]) for one in shown]


def _filled(state: StepState, values: Mapping[str, Any], kept: Mapping[str, Held]) -> StepState:
    metrics = {
        name.removeprefix(_METRIC): float(value)
        for name, value in values.items()
        if name.startswith(_METRIC) and isinstance(value, int | float) and not isinstance(value, bool)
    }
    artifacts = tuple(Artifact(key, "", "directory", one.type, one.uri) for key, one in sorted(kept.items()))
    return replace(state, outputs={**state.outputs, **values}, metrics=metrics, artifacts=artifacts)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
