"""Regions: which branches of which conditions a task belongs to."""

from __future__ import annotations

from collections.abc import Mapping

from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.flows import Flow

Branch = tuple[str, str]
"""A condition's id, and `then` or `else`."""


def ways_in(analysis: Analysis) -> dict[str, list[tuple[str, Branch | None]]]:
    """For each task what it comes after: the task before it, and the branch if that is a condition."""
    ways: dict[str, list[tuple[str, Branch | None]]] = {}
    for flow in analysis.flows:
        if flow.giver.id != flow.taker.id:
            branch = (
                (flow.giver.id, flow.arrow.branch) if flow.arrow.branch and flow.giver.type == "condition" else None
            )
            ways.setdefault(flow.taker.id, []).append((flow.giver.id, branch))
    for reference in analysis.resolution.references:
        if reference.target.task and reference.holder and reference.target.task != reference.holder:
            ways.setdefault(reference.holder, []).append((reference.target.task, None))
    return ways


def regions(analysis: Analysis) -> Mapping[str, frozenset[Branch]]:
    """The branches that each task is in, by id. A task fed by both branches of a condition is their join: in neither.

    Tasks in a cycle are in none.
    """
    ways = ways_in(analysis)
    found: dict[str, frozenset[Branch]] = {}
    for start in (task.id for task in analysis.document.tasks):
        stack = [start]
        while stack:
            here = stack[-1]
            waiting = [before for before, _ in ways.get(here, ()) if before not in found and before not in stack]
            if here not in found and waiting:
                stack.append(waiting[0])
                continue
            found.setdefault(here, _merged(ways.get(here, ()), found))
            stack.pop()
    return found


def _merged(
    ways: list[tuple[str, Branch | None]] | tuple[()], found: Mapping[str, frozenset[Branch]]
) -> frozenset[Branch]:
    branches: set[Branch] = set()
    for before, branch in ways:
        branches |= found.get(before, frozenset())
        if branch:
            branches.add(branch)
    # Whoever joins both branches of a condition is outside of those that lie in them, too.
    joined = {branch for branch in branches if (branch[0], "else" if branch[1] == "then" else "then") in branches}
    return frozenset(branch for branch in branches - joined if not joined & found.get(branch[0], frozenset()))


def opposite(found: Mapping[str, frozenset[Branch]], one: Flow, other: Flow) -> bool:
    """Whether two arrows leave opposite branches of one condition, so that only one of them ever brings something.

    `found` is what `regions` gives.
    """
    mine, theirs = found.get(one.giver.id, frozenset()), found.get(other.giver.id, frozenset())
    return any((condition, "else" if branch == "then" else "then") in theirs for condition, branch in mine)
