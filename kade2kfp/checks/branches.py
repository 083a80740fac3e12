"""What one branch makes is not used where it may not exist."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.regions import Branch, regions


def branches(analysis: Analysis) -> Iterator[Diagnostic]:
    """K510: a reference to a task of the opposite branch, or out of a branch into a join."""
    if not any(task.type == "condition" for task in analysis.document.tasks):
        return
    found = regions(analysis)
    entered: dict[str, set[Branch]] = {}
    for flow in analysis.flows:
        own = {(flow.giver.id, flow.arrow.branch)} if flow.arrow.branch else set()
        entered.setdefault(flow.taker.id, set()).update(found.get(flow.giver.id, frozenset()) | own)
    for reference in analysis.resolution.references:
        if not reference.target.task or not reference.holder:
            continue
        makers = found.get(reference.target.task, frozenset())
        mine = found.get(reference.holder, frozenset())
        for condition, branch in makers:
            if (condition, branch) not in mine and condition != reference.holder:
                other = "else" if branch == "then" else "then"
                joined = {(condition, branch), (condition, other)} <= entered.get(reference.holder, set())
                where = "a join of both branches" if joined else f"the {other} branch"
                message = f"`{reference.target.task}` runs only in the {branch} branch of `{condition}`, and `{reference.holder}` is {'' if joined else 'in '}{where}"
                within = (reference.expression.start, reference.expression.end)
                help_ = "refer to a task that always runs before, or move this one into the same branch"
                yield Diagnostic("K510", message, reference.place.pointer, help_, within=within)
                break
