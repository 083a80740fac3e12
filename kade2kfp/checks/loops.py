"""What cannot be where a task is repeated for a list that only a run knows: KFP makes a ParallelFor of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.regions import Branch, regions, ways_in
from kade2kfp.plan.resolve import Reference
from kade2kfp.plan.run_time import loop_of
from kade2kfp.steps.sources import Item
from kade2kfp.tasks.condition import Condition

_KNOWN = "or write the list into the document: known items become a task each"
_AS_TEXT = frozenset({"command", "args", "script", "value", "left", "right"})
"""Fields whose text the step itself gets. In all others the SDK loses an item (pipeline_spec_builder.py,
build_task_spec_for_task)."""
Regions = Mapping[str, frozenset[Branch]]


def loops(analysis: Analysis) -> Iterator[Diagnostic]:
    """K516: what a loop over a run-time list cannot have in it, or hand on; from its inner branches nothing leaves (K510, K511)."""
    document = analysis.document
    roots = {task.id: root for task in document.tasks if (root := loop_of(document, task))}
    if not roots:
        return
    found = regions(analysis)
    for task in document.tasks:
        if task.id in roots:
            yield from _inside(task, roots, found)
    for flow in analysis.flows:
        if flow.giver.id in roots:
            yield from _arrow(analysis, flow, roots)
    for reference in analysis.resolution.references:
        yield from _reference(reference, roots)
    yield from _coming_back(analysis, roots)


def _inside(task: Task, roots: Mapping[str, str], found: Regions) -> Iterator[Diagnostic]:
    root = roots[task.id]
    if isinstance(task, Condition) and task.approval:
        message = f"nobody can be asked for each item of `{root}`: how many there are is known only in a run"
        yield Diagnostic("K516", message, task.place("approval"), f"ask before or after all items, {_KNOWN}")
    mine, its = (_outer(one, root, roots, found) for one in (task.id, root))
    if mine != its:
        condition, side = min(mine ^ its)
        within, without = (task.id, root) if (condition, side) in mine else (root, task.id)
        message = f"`{within}` is in the {side} branch of `{condition}` and `{without}` is not, and both are repeated for the same items"
        help_ = f'draw `{without}` into that branch too, or put the condition into the iteration: "forEach": {{"each": "{root}"}}'
        yield Diagnostic("K516", message, task.place("id"), help_)


def _outer(task: str, root: str, roots: Mapping[str, str], found: Regions) -> frozenset[Branch]:
    """The branches that a task is in, but for those of conditions that are repeated with it."""
    return frozenset(branch for branch in found[task] if roots.get(branch[0]) != root)


def _arrow(analysis: Analysis, flow: Flow, roots: Mapping[str, str]) -> Iterator[Diagnostic]:
    root = roots[flow.giver.id]
    at = flow.arrow.place("from_path")
    if flow.order_only:
        return
    if flow.volume:
        message = f"the items of `{root}` are known only in a run, and no folder of the volume `{flow.volume}` can be one item's"
        yield Diagnostic("K516", message, at, f'let the arrow carry an artifact ("volume": null), {_KNOWN}')
        return
    if roots.get(flow.taker.id) == root:
        return
    if flow.taker.type == "select":
        message = f"the items of `{root}` are known only in a run, and a select chooses among tasks of the document"
        help_ = f"let a job take what all items bring, and choose, {_KNOWN}"
        yield Diagnostic("K516", message, at, help_)
    elif other := _same_folder(analysis, flow, roots):
        message = f"{flow.arrow.to_path} of `{flow.taker.id}` gets a folder for each item of `{root}` twice, from `{other}` too"
        yield Diagnostic("K516", message, flow.arrow.place("to_path"), f"give each arrow its own folder, {_KNOWN}")


def _same_folder(analysis: Analysis, flow: Flow, roots: Mapping[str, str]) -> str:
    """The giver of an earlier arrow out of the same loop into the same folder, with other files; equal ones are K323."""
    for one in analysis.flows:
        if one is flow:
            return ""
        same = one.taker is flow.taker and one.arrow.to_path == flow.arrow.to_path and one.to_path != flow.to_path
        if same and roots.get(one.giver.id) == roots[flow.giver.id]:
            return one.giver.id
    return ""


def _reference(reference: Reference, roots: Mapping[str, str]) -> Iterator[Diagnostic]:
    place = reference.place
    within = (reference.expression.start, reference.expression.end)
    if isinstance(reference.target.source, Item) and reference.holder in roots and place.field not in _AS_TEXT:
        message = f"{reference.expression.text} is known only in a run, and KFP does not put an item in here"
        help_ = f"use it in `command`, `args`, `script`, or in a variable's `value`, {_KNOWN}"
        yield Diagnostic("K516", message, place.pointer, help_, within=within)


def _coming_back(analysis: Analysis, roots: Mapping[str, str]) -> Iterator[Diagnostic]:
    """A task outside of a loop that comes after something in it, and before something in it."""
    before = {id_: {giver for giver, _ in ways} for id_, ways in ways_in(analysis).items()}
    for task in analysis.document.tasks:
        if task.id not in roots:
            continue
        root, seen = roots[task.id], set[str]()
        waiting = [one for one in before.get(task.id, ()) if roots.get(one) != root]
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            seen.add(one)
            if roots.get(one) == root:
                message = (
                    f"`{task.id}` is repeated for the items of `{root}`, and waits for what comes after all of them"
                )
                help_ = f"let what comes between them be repeated too, by `each`, {_KNOWN}"
                yield Diagnostic("K516", message, task.place("id"), help_)
                break
            waiting += before.get(one, ())
