"""The task that runs at the end, and those that run in any case."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import CommandTask, Task
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.targets import gate_of, iteration


def exit_task(analysis: Analysis) -> Iterator[Diagnostic]:
    """K508: an exit task that cannot be one. K509: `runWhen: always` where KFP cannot hold it."""
    document, id_ = analysis.document, analysis.document.pipeline.on_exit
    yield from _always(analysis)
    if id_ is None:
        return
    at = document.pipeline.place("on_exit")
    task = document.task(id_)
    if task is None:
        if not document.may_have("tasks", id_):
            yield Diagnostic(
                "K508",
                f"there is no task `{id_}`",
                at,
                did_you_mean(id_, [one.id for one in document.tasks], noun="tasks"),
            )
        return
    if len(document.tasks) == 1 and not document.damaged["tasks"] and "tasks" not in document.nameless:
        yield Diagnostic(
            "K508",
            f"there is no task but the exit task `{id_}`",
            at,
            "it runs after others: add one, or leave `onExit` out",
        )
    if (
        task.type in ("condition", "select", "viewer")
        or gate_of(task) is not None
        or getattr(task, "for_each", None) is not None
    ):
        yield Diagnostic(
            "K508",
            f"`{id_}` cannot be the exit task: it waits, branches, or is repeated",
            at,
            "name a job, or a container with `advance` auto",
        )
    for arrow in document.arrows:
        if id_ in (arrow.from_task, arrow.to_task):
            yield Diagnostic(
                "K508",
                f"an arrow leads {'from' if arrow.from_task == id_ else 'to'} the exit task `{id_}`",
                arrow.at,
                "take it out: the exit task runs after everything",
            )
    for reference in analysis.resolution.references:
        within = (reference.expression.start, reference.expression.end)
        if reference.holder == id_ and reference.target.task:
            yield Diagnostic(
                "K508",
                "the exit task can refer to no other task",
                reference.place.pointer,
                "it may run before that task has: use `params` and `run` only",
                within=within,
            )
        elif reference.target.task == id_ and reference.holder:
            yield Diagnostic(
                "K508",
                f"`{id_}` is the exit task: nothing comes after it",
                reference.place.pointer,
                "refer to another task",
                within=within,
            )


def _always(analysis: Analysis) -> Iterator[Diagnostic]:
    taken: dict[str, str] = {}
    for task in analysis.document.tasks:
        if task.run_when != "always":
            continue
        if task.id == analysis.document.pipeline.on_exit:
            message = f"`{task.id}` is the exit task, which runs whatever happened"
            yield Diagnostic("K509", message, task.place("run_when"), "leave it out")
            continue
        if not isinstance(task, CommandTask):
            message = f"a task of type {task.type} cannot always run"
            help_ = "only a job, a container or a notebook can: leave it out"
            yield Diagnostic("K509", message, task.place("run_when"), help_)
            continue
        at, coming, leaving = (
            task.place("run_when"),
            analysis.to_task.get(task.id, ()),
            analysis.from_task.get(task.id, ()),
        )
        help_ = "name it in the pipeline's `onExit` instead: that task runs whatever happened"
        drawn = [arrow for arrow in analysis.document.arrows if arrow.to_task == task.id]
        unread = len(drawn) != len(coming) or not analysis.document.arrows_are_whole
        makers = [one for one in analysis.resolution.references if one.holder == task.id and one.target.task]
        takers = [one for one in analysis.resolution.references if one.holder and one.target.task == task.id]
        if makers:
            within = (makers[0].expression.start, makers[0].expression.end)
            yield Diagnostic(
                "K509",
                "a task that always runs can refer to no output: it may not exist",
                makers[0].place.pointer,
                help_,
                within=within,
            )
        elif leaving:
            yield Diagnostic("K509", "nothing can come after a task that always runs", at, help_)
        elif takers:
            message = f"`{task.id}` always runs, and nothing can come after such a task"
            within = (takers[0].expression.start, takers[0].expression.end)
            yield Diagnostic("K509", message, takers[0].place.pointer, "refer to another task", within=within)
        elif len(coming) != 1 and unread:
            continue
        elif len(coming) != 1:
            yield Diagnostic(
                "K509",
                f"a task that always runs has exactly one task before it, and this one has {len(coming)}",
                at,
                help_,
            )
        elif not coming[0].order_only:
            yield Diagnostic(
                "K509",
                "only an arrow without paths can lead to a task that always runs",
                coming[0].arrow.at,
                help_,
            )
        elif coming[0].giver.type == "condition":
            message = f"`{coming[0].giver.id}` is a condition, and only a task with a pod can have one that always runs"
            yield Diagnostic("K509", message, at, "draw the arrow from a task in the branch")
        elif not _one_after_one(analysis, task, coming[0].giver):
            message = f"`{task.id}` would not run once after each of `{coming[0].giver.id}`"
            help_ = f'repeat both together: "forEach": {{"each": "{coming[0].giver.id}"}} on `{task.id}`'
            yield Diagnostic("K509", message, at, help_)
        elif coming[0].giver.id in taken:
            yield Diagnostic(
                "K509",
                f"`{coming[0].giver.id}` has such a task already, `{taken[coming[0].giver.id]}`: KFP holds one",
                at,
                help_,
            )
        else:
            taken[coming[0].giver.id] = task.id


def _one_after_one(analysis: Analysis, task: Task, giver: Task) -> bool:
    """Whether each step of a task has one step of the giver before it, and that no other: both in one iteration, or in none.

    An Argo hook that is on several tasks runs once after each, and a task holds one hook (argocompiler/dag.go, DAG).
    """
    if analysis.document.is_torn(
        *(one.place("for_each") for one in (task, giver) if "for_each" in type(one).model_fields)
    ):
        return True
    mine, theirs = iteration(analysis.document, task), iteration(analysis.document, giver)
    return (mine[0] if mine else None) == (theirs[0] if theirs else None)
