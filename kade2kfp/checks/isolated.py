"""Tasks that nothing leads to and nothing comes from."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.read import Document
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.lost import Lost
from kade2kfp.plan.mentions import mentions


def isolated(analysis: Analysis) -> Iterator[Diagnostic]:
    """K207 (warning): a task without any arrow or reference, among others. K208: no task at all."""
    document = analysis.document
    if not document.tasks and not document.damaged["tasks"] and not document.pipeline.tasks:
        if not document.is_torn(("tasks",), ()):
            yield Diagnostic("K208", "the pipeline has no tasks", ("tasks",), "draw at least one box")
        return
    joined = {end for arrow in document.arrows for end in (arrow.from_task, arrow.to_task)}
    for reference in analysis.resolution.references:
        if reference.target.task:
            joined |= {reference.target.task, reference.holder}
    joined.add(document.pipeline.on_exit or "")
    joined |= {getattr(getattr(task, "for_each", None), "each", None) or "" for task in document.tasks}
    alone = [task for task in document.tasks if task.id not in joined and not _told(document, task)]
    others = {task.id for task in document.tasks} - {document.pipeline.on_exit}
    misnamed = document.pipeline.on_exit is not None and document.task(document.pipeline.on_exit) is None  # K508's
    if len(others) < 2 or not alone or misnamed or document.is_torn(document.pipeline.place("on_exit")):
        return
    meant = {id_ for one in analysis.resolution.lost for id_ in _ends(one)}
    mentioned = mentions(document).tasks
    for task in alone:
        if mentioned is not None and task.id not in mentioned | meant:
            help_ = "draw an arrow to or from it, or take it out; it runs at once, beside the others"
            yield Diagnostic("K207", f"no arrow leads to or from `{task.id}`", task.place("id"), help_)


def _ends(one: Lost) -> tuple[str, ...]:
    """The tasks that a reference would join."""
    root, _, rest = one.found.meant.partition(".")
    return (one.holder, rest.partition(".")[0]) if root == "tasks" else ()


def _told(document: Document, task: Task) -> bool:
    """Whether it is known otherwise what the task is joined to: by `each`, or by what is said of its id or `runWhen`."""
    each = getattr(getattr(task, "for_each", None), "each", None)
    return each is not None or task.run_when == "always" or task.place("id") in document.assumed
