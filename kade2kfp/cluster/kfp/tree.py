"""The tasks of a compiled pipeline as KFP's IR has them: DAGs in DAGs, and which of them the document's steps are.

Nothing else tells, once a run is on a cluster: the IR names tasks by the names of the plan's steps (lowering/pipeline.py),
and puts DAGs of its own between them for branches, loops and the exit task.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kade2kfp.cluster.pods import STEP
from kade2kfp.steps.model import Plan
from kade2kfp.tasks.condition import CHOICE_END, PASS_END
from kade2kfp.tasks.job import COLLECT_END, LOOP_END, NOTHING_END

Sort = Literal["step", "import", "choice", "loop-group", "branches", "then", "else", "loop", "dag"]
"""`choice` and `loop-group` are pipelines in the pipeline (lowering/groups.py, lowering/loops.py); `branches`, `then` and
`else` what the SDK makes of If and Else; `loop` a ParallelFor; `dag` any other, such as what an exit task stands behind."""
_GATE, _TASK, _TYPE = "kade2kfp/gate", "kade2kfp/task", "container"
_DEEPEST = 50
_LONGEST = 3000


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a DAG: `name` as KFP has it, `step` as the plan has it, `task` the id of the document's task.

    `after` are the names of the tasks of the same DAG that it waits for, `inner` its own tasks if it is a DAG, in an
    order in which they can run. `gate` is what its pod says of its gate (cluster/pods.py), `items` a loop's list where
    the IR has it. `inputs` and `outputs` are the IR's `inputs` of the task and `outputDefinitions` of its component,
    `joined` those of a DAG's outputs that are brought from inner tasks (the IR's `dag.outputs`). `own` is false for
    steps that are in no document: they are told of only when they fail. `used` are the inputs of a DAG that it needs for
    itself: what it compares, or a list of items; the others are for the tasks in it.
    """

    name: str
    sort: Sort
    step: str
    task: str
    display_name: str
    after: tuple[str, ...] = ()
    inner: tuple[Task, ...] = ()
    gate: str = ""
    items: tuple[Any, ...] | None = None
    own: bool = True
    inputs: Mapping[str, Any] | None = None
    outputs: Mapping[str, Any] | None = None
    joined: Mapping[str, Any] | None = None
    used: frozenset[str] = frozenset()

    def all(self) -> Iterator[Task]:
        """It and all in it."""
        yield self
        for one in self.inner:
            yield from one.all()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A compiled pipeline: its name, its own tasks, the types and defaults of its parameters by name."""

    name: str
    tasks: tuple[Task, ...] = ()
    parameters: Mapping[str, Any] | None = None

    def all(self) -> Iterator[Task]:
        """All tasks, however deep."""
        for one in self.tasks:
            yield from one.all()


def pipeline_of(spec: object, tasks: Mapping[str, str] | None = None) -> Pipeline:
    """What an IR says; `spec` is its JSON, with its platform part or without.

    `tasks` are ids of the document's tasks by names of steps. What is not as it should be is left out: runs of other
    compilers than ours are shown as far as they can be.
    """
    spec = _object(spec)
    platform = _object(spec.get("platform_spec") or spec.get("platformSpec"))
    spec = _object(spec.get("pipeline_spec") or spec.get("pipelineSpec") or spec)
    kubernetes = _object(_object(_object(platform.get("platforms")).get("kubernetes")).get("deploymentSpec"))
    reader = _Reader(
        _object(spec.get("components")),
        _object(_object(spec.get("deploymentSpec")).get("executors")),
        _object(kubernetes.get("executors")),
        tasks or {},
    )
    root = _object(spec.get("root"))
    return Pipeline(
        _text(_object(spec.get("pipelineInfo")).get("name")),
        reader.tasks(_object(root.get("dag")), 0),
        _object(_object(root.get("inputDefinitions")).get("parameters")),
    )


def tasks_told(description: str) -> dict[str, str]:
    """Ids of tasks by names of steps, if a pipeline version's description holds them: `{"kade2kfp": 1, "tasks": {...}}`.

    There a step stands with its task, or a task with its steps.
    """
    try:
        said = _object(json.loads(description))
    except (ValueError, RecursionError):
        return {}
    if said.get("kade2kfp") != 1:
        return {}
    found: dict[str, str] = {}
    for key, value in _object(said.get("tasks")).items():
        if isinstance(value, str):
            found[key] = value
        elif isinstance(value, list):
            found |= {step: key for step in value if isinstance(step, str)}
    return found


def tasks_text(plan: Plan) -> str:
    """What a version's description says of a plan for `tasks_told`; empty where all steps are called as their tasks are.

    Empty, too, where it is long: KFP's upload takes the description in the URL (pipeline_upload_server.go), and proxies
    limit that. Then steps stand for their tasks.
    """
    found: dict[str, list[str]] = {}
    for one in plan.nodes:
        if one.name != one.task:
            found.setdefault(one.task, []).append(one.name)
    text = json.dumps({"kade2kfp": 1, "tasks": found}, separators=(",", ":")) if found else ""
    return text if len(text) <= _LONGEST else ""


@dataclass(frozen=True, slots=True)
class _Reader:
    components: Mapping[str, Any]
    executors: Mapping[str, Any]
    pods: Mapping[str, Any]
    known: Mapping[str, str]

    def tasks(self, dag: Mapping[str, Any], depth: int) -> tuple[Task, ...]:
        given = _object(dag.get("tasks")) if depth < _DEEPEST else {}
        found = [self.task(name, _object(one), given, depth) for name, one in sorted(given.items())]
        return tuple(_in_order(found))

    def task(self, name: str, said: Mapping[str, Any], beside: Mapping[str, Any], depth: int) -> Task:
        component = _object(self.components.get(_text(_object(said.get("componentRef")).get("name"))))
        dag = component.get("dag")
        display = _text(_object(said.get("taskInfo")).get("name")) or name
        after = tuple(one for one in dict.fromkeys(_waits_for(said)) if one in beside)
        inputs, outputs = _object(said.get("inputs")), _object(component.get("outputDefinitions"))
        if isinstance(dag, dict):
            inner = self.tasks(dag, depth + 1)
            sort = _sort(name, said, component, inner)
            step = _loop_name(name, inner) if sort == "loop" else name
            known = self.known.get(step) or _of_its_step(step, beside)
            joined = _object(dag.get("outputs"))
            items = _items(said)
            return Task(
                name,
                sort,
                step,
                known,
                display,
                after,
                inner,
                "",
                items,
                True,
                inputs,
                outputs,
                joined,
                _used(sort, said),
            )
        label = _text(component.get("executorLabel"))
        if "importer" in _object(self.executors.get(label)):
            return Task(
                name, "import", name, self.known.get(name, name), display, after, inputs=inputs, outputs=outputs
            )
        pod = _object(_object(self.pods.get(label)).get("podMetadata"))
        labels, annotations = _object(pod.get("labels")), _object(pod.get("annotations"))
        step = _text(labels.get(STEP)) if name.startswith(_text(labels.get(STEP)) or "\0") else name
        task = _text(annotations.get(_TASK)) or self.known.get(name, name)
        gate = _text(annotations.get(_GATE))
        own = depth == 0 or not name.endswith((PASS_END, COLLECT_END, NOTHING_END))
        return Task(name, "step", step or name, task, display, after, (), gate, None, own, inputs, outputs)


def _sort(name: str, said: Mapping[str, Any], component: Mapping[str, Any], inner: Sequence[Task]) -> Sort:
    if "parameterIterator" in said or "artifactIterator" in said:
        return "loop"
    if _object(said.get("triggerPolicy")).get("condition"):
        side = _text(_object(said.get("taskInfo")).get("name"))
        return "else" if side in ("else", "none") else "then"
    sorts = {one.sort for one in inner}
    if sorts and sorts <= {"then", "else"}:
        # A lone If of a choice stands in it directly.
        return "branches" if name.startswith("condition-branches-") else "choice"
    if "branches" in sorts and len(inner) == 1:
        taken = _object(_object(component.get("inputDefinitions")).get("parameters"))
        return "loop-group" if "items-as-text" in taken else "choice"
    return "dag"


def _loop_name(name: str, inner: Sequence[Task]) -> str:
    """What the plan calls a ParallelFor: like the first task in it."""
    return inner[0].step + LOOP_END if inner else name


def _of_its_step(name: str, beside: Mapping[str, Any]) -> str:
    """The id of the task that a choice or loop belongs to, by its name."""
    for end in (CHOICE_END, LOOP_END):
        if name.endswith(end) and (name.removesuffix(end) in beside or end == LOOP_END):
            return name.removesuffix(end)
    return name


def _used(sort: Sort, said: Mapping[str, Any]) -> frozenset[str]:
    if sort == "loop":
        items = _object(_object(said.get("parameterIterator")).get("items"))
        return frozenset({_text(items.get("inputParameter"))})
    return frozenset({"left", "right"} if sort == "choice" else {"items"} if sort == "loop-group" else ())


def _items(said: Mapping[str, Any]) -> tuple[Any, ...] | None:
    try:
        found = json.loads(_object(_object(said.get("parameterIterator")).get("items"))["raw"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return tuple(found) if isinstance(found, list) else None


def _waits_for(said: Mapping[str, Any]) -> Iterator[str]:
    """What KFP lets a task wait for (argocompiler/dag.go, addImplicitDependencies)."""
    dependent = said.get("dependentTasks")
    yield from (one for one in (dependent if isinstance(dependent, list) else []) if isinstance(one, str))
    inputs = _object(said.get("inputs"))
    for kind, source in (("parameters", "taskOutputParameter"), ("artifacts", "taskOutputArtifact")):
        for one in _object(inputs.get(kind)).values():
            if producer := _text(_object(_object(one).get(source)).get("producerTask")):
                yield producer


def _in_order(tasks: Sequence[Task]) -> Iterator[Task]:
    """The tasks so that each comes after those that it waits for; else in the order of their names."""
    left, done = list(tasks), set[str]()
    while left:
        ready = [one for one in left if done.issuperset(one.after)] or left
        yield from ready
        done |= {one.name for one in ready}
        left = [one for one in left if one.name not in done]


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def pipeline_seen(paths: Iterable[tuple[str, ...]]) -> Pipeline:
    """What the paths of a run's nodes look like, where nobody has its pipeline any more: names and what is in what."""
    inner: dict[str, Any] = {}
    for path in paths:
        at = inner
        for part in path[1:]:
            if part != "iteration-item" and not part.startswith("iteration-"):
                at = at.setdefault(part, {})
    return Pipeline("", tuple(_seen(inner, 0)))


def _seen(names: Mapping[str, Any], depth: int) -> Iterator[Task]:
    for name, more in sorted(names.items()):
        if name.endswith("-driver") and name.removesuffix("-driver") in names:
            continue
        deeper = {one: rest for one, rest in more.items() if one != "executor"}
        if name.endswith("-driver"):
            name = name.removesuffix("-driver")
        if deeper and depth < _DEEPEST:
            yield Task(name, "dag", name, name, name, inner=tuple(_seen(deeper, depth + 1)))
        elif f"{name}-driver" in names:
            yield Task(name, "step", name, name, name)
        else:
            yield Task(name, "import", name, name, name)
