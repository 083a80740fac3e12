"""What a reference names: its source, its type, and the task that makes it; or the diagnostic that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.read import Document
from kade2kfp.document.references import Expression
from kade2kfp.document.shared import CommandTask, Gate, Task
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.steps.sources import Item, Output, Param, RunInfo, Source, Type
from kade2kfp.tasks.condition import Condition
from kade2kfp.tasks.job import ForEach, Job
from kade2kfp.tasks.select import Select
from kade2kfp.tasks.serving import Serving


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference names. `task` is the id of the task that makes it, or empty. `known_item` says that it is an
    item of a list that is in the document.
    """

    source: Source
    type: Type
    task: str = ""
    known_item: bool = False


def _problem(code: str, message: str, help_: str = "") -> Diagnostic:
    return Diagnostic(code, message, (), help_)


def find(
    document: Document, names: Mapping[str, str], holder: Task | None, expression: Expression
) -> Target | Diagnostic | None:
    """What the expression names; None where that could not be read (which has been said)."""
    match expression.root:
        case "params":
            return _param(document, expression.name)
        case "run":
            return _run(document, holder, expression)
        case "item":
            return _item(document, holder, expression)
        case _:
            return _of_task(document, names, holder, expression)


def _param(document: Document, name: str) -> Target | Diagnostic | None:
    for parameter in document.parameters:
        if parameter.name == name:
            return Target(Param(name, parameter.type), parameter.type)
    if document.may_have("parameters", name):
        return None
    known = [parameter.name for parameter in document.parameters]
    help_ = did_you_mean(name, known, noun="parameters") if known else "add it to the pipeline's `parameters`"
    return _problem("K301", f"there is no parameter `{name}`", help_)


_OF_RUN: dict[str, Literal["id", "name", "status"]] = {"id": "id", "name": "name", "status": "status"}


def _run(document: Document, holder: Task | None, expression: Expression) -> Target | Diagnostic:
    unnamed = holder is not None and holder.place("id") in document.assumed
    exit_task = document.pipeline.on_exit
    misnamed = exit_task is not None and document.task(exit_task) is None  # K508's
    unnamed = unnamed or misnamed or document.is_torn(document.pipeline.place("on_exit"))
    if expression.name == "status" and not unnamed and (holder is None or holder.id != exit_task):
        return _problem(
            "K310",
            "`run.status` is known only in the exit task",
            "name this task in the pipeline's `onExit`, or leave the reference out",
        )
    return Target(RunInfo(_OF_RUN[expression.name]), "string")


def iteration(document: Document, task: Task | None) -> tuple[str, ForEach] | None:
    """The iteration that a task is in: the id of the job that begins it, and its forEach."""
    seen: set[str] = set()
    while isinstance(task, Job | Condition) and task.for_each is not None and task.id not in seen:
        seen.add(task.id)
        if task.for_each.each is None:
            return task.id, task.for_each
        task = document.task(task.for_each.each)
    return None


def _type_of(value: Any) -> Type:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "string"


def _common(values: list[Any]) -> Type:
    types = {_type_of(value) for value in values}
    if types <= {"integer", "number"} and types:
        return "integer" if types == {"integer"} else "number"
    return types.pop() if len(types) == 1 else "string"


def _item(document: Document, holder: Task | None, expression: Expression) -> Target | Diagnostic | None:
    found = iteration(document, holder)
    if isinstance(holder, Job | Condition) and document.is_torn(holder.place("for_each")):
        return None
    if found is None:
        if isinstance(holder, Job | Condition) and holder.for_each is not None:
            return None
        return _problem(
            "K309",
            f"{expression.text} stands outside an iteration",
            "give this task a `forEach`, or leave the reference out"
            if holder
            else "put it into the task that is repeated",
        )
    _, each = found
    key = expression.name or None
    if each.matrix is not None:
        if key is None:
            return Target(Item(None, "object"), "object", known_item=True)
        if key not in each.matrix:
            if document.is_torn(each.place("matrix", key)):
                return None
            return _problem("K309", f"the items have no key `{key}`", did_you_mean(key, each.matrix, noun="keys"))
        return Target(Item(key, _common(each.matrix[key])), _common(each.matrix[key]), known_item=True)
    if isinstance(each.items, list):
        if key is None:
            kind = _common(each.items)
            return Target(Item(None, kind), kind, known_item=True)
        keys = [set(item) if isinstance(item, dict) else set() for item in each.items]
        if not all(key in one for one in keys):
            every = set().union(*keys)
            help_ = "add it to each item" if key in every else did_you_mean(key, every, noun="keys")
            return _problem("K309", f"not every item has the key `{key}`", help_)
        kind = _common([item[key] for item in each.items])
        return Target(Item(key, kind), kind, known_item=True)
    return Target(Item(key, "string"), "string")


def _of_task(
    document: Document, names: Mapping[str, str], holder: Task | None, expression: Expression
) -> Target | Diagnostic | None:
    task = document.task(expression.task)
    if task is None:
        if document.may_have("tasks", expression.task):
            return None
        return _problem("K305", f"there is no task `{expression.task}`", _suggest_task(document, expression.task))
    if holder is not None and holder.id == task.id:
        return _problem(
            "K312",
            f"the task `{task.id}` refers to itself",
            "a task's outputs are known only after it has run",
        )
    found = {"outputs": _output, "metrics": _metric, "values": _value, "decision": _decision}[expression.root](
        task, expression.name
    )
    if isinstance(found, Diagnostic):
        return (
            None
            if document.is_torn(
                *(
                    task.place(field)
                    for field in ("outputs", "metrics", "gate", "approval")
                    if field in type(task).model_fields
                )
            )
            else found
        )
    name, kind = found
    inside, outside = iteration(document, task), iteration(document, holder)
    if inside is not None and (outside is None or outside[0] != inside[0]):
        if isinstance(holder, Job | Condition) and document.is_torn(holder.place("for_each")):
            return None
        kind = "array"
    return Target(Output(names[task.id], name, kind), kind, task.id)


def _suggest_task(document: Document, id_: str) -> str:
    by_name = [task.id for task in document.tasks if task.name == id_]
    return (
        f"did you mean `{by_name[0]}`? Tasks are called by their id"
        if by_name
        else did_you_mean(id_, [task.id for task in document.tasks], noun="tasks")
    )


def outputs_of(task: Task) -> dict[str, Type]:
    """Names and types of the values that a task puts out."""
    if isinstance(task, Select):
        return {"winner": "string", "score": "number"}
    if isinstance(task, Serving):
        return {"url": "string", "version": "string"}
    if isinstance(task, CommandTask):
        return {output.name: output.type for output in task.outputs or ()}
    return {}


def _output(task: Task, name: str) -> tuple[str, Type] | Diagnostic:
    known = outputs_of(task)
    if name in known:
        return name, known[name]
    help_ = did_you_mean(name, known, noun="outputs")
    gate = gate_of(task)
    if any(value.name == name for value in (gate.values if gate else None) or ()):
        help_ = f"did you mean `{{{{tasks.{task.id}.values.{name}}}}}`?"
    elif not known and has_metrics(task):
        help_ = (
            f"add it to the task's `outputs`; a number of its metrics file is `{{{{tasks.{task.id}.metrics.{name}}}}}`"
        )
    elif not known and isinstance(task, CommandTask):
        help_ = f'add it to the task\'s `outputs`: {{"name": "{name}", "type": ..., "path": ...}}'
    return _problem("K306", f"the task `{task.id}` has no output `{name}`", help_)


def has_metrics(task: Task) -> bool:
    """Whether others may refer to the task's metrics."""
    return isinstance(task, Select) or (isinstance(task, CommandTask) and task.metrics is not None)


def _metric(task: Task, key: str) -> tuple[str, Type] | Diagnostic:
    if not has_metrics(task):
        return _problem(
            "K307",
            f"the task `{task.id}` has no metrics",
            "say in its `metrics` which file holds them: a flat JSON object of numbers",
        )
    return f"metric-{key}", "number"


def gate_of(task: Task) -> Gate | None:
    """The gate of a task that waits for a person; an empty one where it says nothing about it."""
    if getattr(task, "advance", "auto") in (None, "manual"):
        return getattr(task, "gate", None) or Gate.model_validate({})
    return None


def _value(task: Task, name: str) -> tuple[str, Type] | Diagnostic:
    gate = gate_of(task)
    if gate is None:
        return _problem(
            "K308",
            f"the task `{task.id}` waits for nobody, so it has no values",
            "only a container or notebook with `advance` manual has them",
        )
    known = {value.name: value.type for value in gate.values or ()}
    if name in known:
        return f"value-{name}", known[name]
    return _problem("K306", f"the gate of `{task.id}` has no value `{name}`", did_you_mean(name, known, noun="values"))


def _decision(task: Task, _name: str) -> tuple[str, Type] | Diagnostic:
    if gate_of(task) is None and not (isinstance(task, Condition) and task.approval):
        return _problem(
            "K308",
            f"the task `{task.id}` waits for nobody, so it has no decision",
            "only a container or notebook with `advance` manual, or an approval, has one",
        )
    return "decision", "string"
