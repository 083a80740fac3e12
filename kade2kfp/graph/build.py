"""From a document with its meaning to its graph. It may have errors: what could be read is in the graph."""

from __future__ import annotations

from kade2kfp.document.shared import Task
from kade2kfp.graph.details import badges, detail, value_of
from kade2kfp.graph.model import Arrow, ArrowKind, Box, Graph, Passage
from kade2kfp.plan.analysis import Analysis


def graph_of(analysis: Analysis) -> Graph:
    """The graph of a document: a box for each task, a sweep's too; arrows whose ends are no tasks are left out.

    Of tasks with one id the first has the arrows.
    """
    document = analysis.document
    place = {task.id: number for number, task in reversed(list(enumerate(document.tasks)))}
    boxes = tuple(_box(analysis, task) for task in document.tasks)
    return Graph(document.pipeline.name, document.pipeline.description or "", boxes, _arrows(analysis, place))


def _box(analysis: Analysis, task: Task) -> Box:
    nameless = task.place("id") in analysis.document.assumed
    id_ = "" if nameless else task.id
    name = (task.name or "").strip() or id_ or "(no id)"
    return Box(id_, name, task.type, detail(analysis, task), tuple(badges(analysis, task)))


def _arrows(analysis: Analysis, place: dict[str, int]) -> tuple[Arrow, ...]:
    """One arrow for all arrows and references of two tasks, in the order of the document."""
    branches: dict[tuple[int, int], dict[str, None]] = {}
    passages: dict[tuple[int, int], dict[Passage, None]] = {}
    values: dict[tuple[int, int], dict[str, None]] = {}
    for flow in analysis.flows:
        ends = place[flow.giver.id], place[flow.taker.id]
        branches.setdefault(ends, {})
        if flow.arrow.branch:
            branches[ends][flow.arrow.branch] = None
        if not flow.order_only:
            passage = Passage(flow.from_path, flow.arrow.to_path or "", flow.volume)
            passages.setdefault(ends, {})[passage] = None
    for reference in analysis.resolution.references:
        giver, taker = reference.target.task, reference.holder
        if giver in place and taker in place and (place[giver], place[taker]) not in branches:
            row = values.setdefault((place[giver], place[taker]), {})
            row[value_of(reference.expression)] = None
    made = []
    for ends in [*branches, *values]:
        if ends[0] != ends[1]:
            kind: ArrowKind = "data" if ends in passages else "order" if ends in branches else "values"
            brought = tuple(passages.get(ends, ()))
            made.append(Arrow(*ends, kind, tuple(branches.get(ends, ())), brought, tuple(values.get(ends, ()))))
    return tuple(made)
