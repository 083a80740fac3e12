"""What stands behind repeated tasks: who has to be repeated with them, and what may come from all of their items."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.shared import Task
from kade2kfp.document.types import inside
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.regions import opposite, regions
from kade2kfp.plan.targets import iteration
from kade2kfp.tasks.condition import Condition
from kade2kfp.tasks.job import Job


def repeated(analysis: Analysis) -> Iterator[Diagnostic]:
    """K505: in a branch of a repeated condition, but not repeated with it. K511: what cannot come from all items."""
    document = analysis.document
    roots = {
        task.id: found[0]
        for task in document.tasks
        if not _is_torn(analysis, task)
        and (found := iteration(document, task))
        and isinstance(document.task(found[0]), Job)  # else it is K504
    }
    if roots:
        yield from _in_a_branch(analysis, roots)
        yield from _from_all(analysis, roots)


def _is_torn(analysis: Analysis, task: Task) -> bool:
    return "for_each" in type(task).model_fields and analysis.document.is_torn(task.place("for_each"))


def _in_a_branch(analysis: Analysis, roots: dict[str, str]) -> Iterator[Diagnostic]:
    found = regions(analysis)
    for task in analysis.document.tasks:
        for condition, branch in sorted(found[task.id]):
            known = not _is_torn(analysis, task) and condition in roots
            if known and roots.get(task.id) != roots[condition]:
                yield _not_repeated(analysis, task, condition, branch, roots[condition])
                break


def _not_repeated(analysis: Analysis, task: Task, condition: str, branch: str, root: str) -> Diagnostic:
    message = f"`{task.id}` is in the {branch} branch of `{condition}`, which is decided for each item of `{root}`"
    if isinstance(task, Job | Condition) and task.for_each is None:
        help_ = f'add "forEach": {{"each": "{root}"}} to it, so that it runs for the items that take the branch'
    elif isinstance(task, Job | Condition):
        help_ = f"let it be repeated for the items of `{root}` too, or draw it behind the join of both branches"
    else:
        help_ = f"only a job or a condition can be repeated: make it one, or draw it behind the join of both branches of `{condition}`"
    related = tuple(Related("the condition", one.place("id")) for one in analysis.document.tasks if one.id == condition)
    return Diagnostic("K505", message, task.place("id"), help_, related[:1])


def _from_all(analysis: Analysis, roots: dict[str, str]) -> Iterator[Diagnostic]:
    found = regions(analysis)
    for flow in analysis.flows:
        if flow.order_only or flow.giver.id not in roots:
            continue
        giver, root = flow.giver.id, roots[flow.giver.id]
        claims = (setting.value for setting in analysis.settings[giver].volumes if setting.value.id is not None)
        shared = next((claim for claim in claims if inside(flow.from_path, claim.mount_path)), None)
        if shared is not None:
            yield Diagnostic(
                "K511",
                f"{flow.from_path} lies on the volume `{shared.id}`, where all items of `{root}` would write to one folder",
                flow.arrow.place("from_path"),
                "let the arrow leave from a path outside of the mount: then each item has a folder of its own",
                (Related("the mount", shared.place("mount_path")),),
            )
        elif roots.get(flow.taker.id) != root and flow.taker.type != "select":
            if flow.from_kind == "file" and flow.to_kind == "file":
                yield Diagnostic(
                    "K511",
                    f"the file {flow.arrow.to_path} cannot be that of all items of `{root}`",
                    flow.arrow.place("to_path"),
                    "name a folder: it gets a folder for each item, with the file in it, and index.json",
                )
                continue
            other = _beside(analysis, flow, roots)
            if other and (other.to_path != flow.to_path or opposite(found, flow, other)):  # else it is K323
                yield Diagnostic(
                    "K511",
                    f"{flow.arrow.to_path} of `{flow.taker.id}` gets a folder for each item of `{root}`, and something else too",
                    flow.arrow.place("to_path"),
                    "give each arrow its own folder",
                    (Related("the other arrow", other.arrow.place("to_path")),),
                )


def _beside(analysis: Analysis, flow: Flow, roots: dict[str, str]) -> Flow | None:
    """Another arrow into the folder of an arrow that brings all items; those of one iteration lie there together."""
    for one in analysis.to_task[flow.taker.id]:
        same = one.arrow.to_path == flow.arrow.to_path
        if (
            one is not flow
            and same
            and (roots.get(one.giver.id) != roots[flow.giver.id] or one.to_path == flow.to_path)
        ):
            return one
    return None
