"""Which tasks come before which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.regions import ways_in


def ancestors(ways: Mapping[str, Iterable[tuple[str, object]]], task: str) -> set[str]:
    """All tasks that end before a task begins."""
    found: set[str] = set()
    stack = [task]
    while stack:
        for before, _ in ways.get(stack.pop(), ()):
            if before not in found:
                found.add(before)
                stack.append(before)
    return found


def may_run_together(analysis: Analysis, tasks: list[str]) -> tuple[str, str] | None:
    """The first two of the tasks of which neither comes before the other."""
    ways = ways_in(analysis)
    before = {task: ancestors(ways, task) for task in tasks}
    for i, one in enumerate(tasks):
        for other in tasks[i + 1 :]:
            if one not in before[other] and other not in before[one]:
                return one, other
    return None
