"""An arrow leads from a task to another, and says of both ends what it must."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.pipeline import Arrow
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.plan.analysis import Analysis

_CARRY_NOTHING_OUT = {
    "condition": "let the data's own arrow go past the condition; the condition's arrows only order",
    "viewer": "nothing waits for a viewer; draw the arrow from the task that writes the data",
    "serving": "an endpoint hands on no files; refer to its URL by `{{tasks.ID.outputs.url}}`",
}


def arrow_ends(analysis: Analysis) -> Iterator[Diagnostic]:
    """K320: no such task. K321: to itself. K322: one path only. K328: branch. K331: a type that takes no paths. K334: no effect."""
    document = analysis.document
    tasks = {task.id: task for task in document.tasks}
    for arrow in document.arrows:
        for field, id_ in (("from_task", arrow.from_task), ("to_task", arrow.to_task)):
            if id_ not in tasks and not document.may_have("tasks", id_):
                yield Diagnostic("K320", f"there is no task `{id_}`", arrow.place(field), _help(analysis, id_))
        if arrow.from_task == arrow.to_task:
            yield Diagnostic(
                "K321",
                f"the arrow leads from `{arrow.from_task}` to itself",
                arrow.place("to_task"),
                "a task cannot wait for itself",
            )
            continue
        yield from _paths(analysis, arrow)
        giver, taker = tasks.get(arrow.from_task), tasks.get(arrow.to_task)
        if giver is not None:
            if giver.type == "condition" and arrow.branch is None and not document.is_torn(arrow.place("branch")):
                help_ = 'add "branch": "then" or "branch": "else"'
                yield Diagnostic(
                    "K328",
                    f"the arrow leaves the condition `{giver.id}` and does not say by which branch",
                    arrow.at,
                    help_,
                )
            elif giver.type != "condition" and arrow.branch is not None:
                yield Diagnostic(
                    "K328",
                    f"`{giver.id}` is a {giver.type}: only a condition has branches",
                    arrow.place("branch"),
                    "leave `branch` out",
                )
            if arrow.from_path and giver.type in _CARRY_NOTHING_OUT:
                yield Diagnostic(
                    "K331",
                    f"a {giver.type} hands on no path",
                    arrow.place("from_path"),
                    _CARRY_NOTHING_OUT[giver.type],
                )
            torn = document.is_torn(arrow.place("from_path"), arrow.place("to_path"))
            if giver.type == "viewer" and not arrow.from_path and not arrow.to_path and not torn:
                help_ = "draw the arrow from the task that comes before: a viewer ends with nothing"
                yield Diagnostic("K331", "nothing waits for a viewer", arrow.at, help_)
        if taker is not None and arrow.to_path and taker.type in ("condition", "loadData"):
            what = (
                "a condition looks at values" if taker.type == "condition" else "loadData takes its data from its `url`"
            )
            yield Diagnostic(
                "K331",
                f"{what}, no path can go into it",
                arrow.place("to_path"),
                "leave both paths out: then the arrow only orders",
            )


def _help(analysis: Analysis, id_: str) -> str:
    by_name = [task.id for task in analysis.document.tasks if task.name == id_]
    if by_name:
        return f"did you mean `{by_name[0]}`? Arrows call a task by its id"
    return did_you_mean(id_, [task.id for task in analysis.document.tasks], noun="tasks")


def _paths(analysis: Analysis, arrow: Arrow) -> Iterator[Diagnostic]:
    if analysis.document.is_torn(arrow.place("from_path"), arrow.place("to_path")):
        return
    if (arrow.from_path is None) != (arrow.to_path is None):
        missing = "fromPath" if arrow.from_path is None else "toPath"
        there = "to_path" if arrow.from_path is None else "from_path"
        help_ = f"add `{missing}`, or leave both out: then the arrow only orders"
        yield Diagnostic("K322", f"the arrow has no `{missing}`", arrow.place(there), help_)
    elif arrow.from_path is None:
        for field in ("kind", "artifact_type", "volume"):
            if getattr(arrow, field) is not None:
                message = f"`{arrow.place(field)[-1]}` has no effect: the arrow carries nothing"
                yield Diagnostic("K334", message, arrow.place(field), "add `fromPath` and `toPath`, or leave it out")
    elif arrow.artifact_type and (arrow.volume or (not arrow.given("volume") and analysis.document.defaults.volume)):
        message = "`artifactType` has no effect: a volume carries this arrow, there is no artifact"
        yield Diagnostic("K334", message, arrow.place("artifact_type"), 'leave it out, or say "volume": null')
