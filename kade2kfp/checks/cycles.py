"""No task comes after itself."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.plan.analysis import Analysis


def cycles(analysis: Analysis) -> Iterator[Diagnostic]:
    """K327: tasks that wait for one another, as the path of their names; one diagnostic a knot of tasks."""
    edges = waiting(analysis)
    done: set[str] = set()
    for task in _tasks(analysis):
        if task not in done:
            path = _cycle_from(task, edges, done)
            if path:
                shown = " → ".join(f"`{id_}`" for id_ in path)
                at = edges[path[-2]][path[-1]]
                yield Diagnostic(
                    "K327",
                    f"these tasks wait for one another: {shown}",
                    at,
                    "take out one of the arrows or references between them",
                )


def waiting(analysis: Analysis) -> dict[str, dict[str, Pointer]]:
    """By a task's id, the tasks that wait for it, each with the arrow or reference that says so."""
    tasks = _tasks(analysis)
    edges: dict[str, dict[str, Pointer]] = {}
    for arrow in analysis.document.arrows:
        if arrow.from_task != arrow.to_task and arrow.from_task in tasks and arrow.to_task in tasks:
            edges.setdefault(arrow.from_task, {}).setdefault(arrow.to_task, arrow.at)
    for reference in analysis.resolution.references:
        if reference.target.task and reference.holder:
            edges.setdefault(reference.target.task, {}).setdefault(reference.holder, reference.place.pointer)
    return edges


def _tasks(analysis: Analysis) -> dict[str, None]:
    document = analysis.document
    return dict.fromkeys((*(task.id for task in document.tasks), *sorted(document.damaged["tasks"])))


def _cycle_from(start: str, edges: dict[str, dict[str, Pointer]], done: set[str]) -> list[str]:
    """The first cycle that can be reached, with its first task again at the end; without recursion."""
    stack: list[tuple[str, Iterator[str]]] = [(start, iter(edges.get(start, {})))]
    path, on_path = [start], {start}
    found: list[str] = []
    while stack:
        here, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            stack.pop()
            path.pop()
            on_path.discard(here)
            done.add(here)
        elif following in on_path:
            found = found or [*path[path.index(following) :], following]
        elif following not in done:
            stack.append((following, iter(edges.get(following, {}))))
            path.append(following)
            on_path.add(following)
    return found
