"""Tasks that nothing leads to and nothing comes from."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis


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
    if len(document.tasks) < 2 or not document.arrows_are_whole or analysis.resolution.unresolved:
        return  # what is wrong with an arrow was said: no need to say it of its tasks too
    for task in document.tasks:
        each = getattr(getattr(task, "for_each", None), "each", None)
        if task.id not in joined and each is None and not document.is_torn(task.at):
            help_ = "draw an arrow to or from it, or take it out; it runs at once, beside the others"
            yield Diagnostic("K207", f"no arrow leads to or from `{task.id}`", task.place("id"), help_)
