"""What one branch makes is not used where it may not exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.regions import Branch, opposite, regions


def branches(analysis: Analysis) -> Iterator[Diagnostic]:
    """K510: a reference to a task of the opposite branch, or a reference or lone arrow out of a branch into a join."""
    if not any(task.type == "condition" for task in analysis.document.tasks):
        return
    found = regions(analysis)
    # An arrow that could not be read may be the one that is missing.
    if analysis.document.arrows_are_whole and not analysis.document.is_torn(("arrows",)):
        yield from _lone_arrows(analysis, found)
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


def _lone_arrows(analysis: Analysis, found: Mapping[str, frozenset[Branch]]) -> Iterator[Diagnostic]:
    """Arrows that bring something out of a branch into a join, where no arrow of the other branch brings it too."""
    told: set[tuple[str, str]] = set()
    for flow in analysis.flows:
        left = found.get(flow.giver.id, frozenset()) - found.get(flow.taker.id, frozenset())
        if flow.order_only or not left or flow.taker.type == "select":
            continue
        meeting = [one for one in analysis.to_task[flow.taker.id] if one.to_path == flow.to_path and one is not flow]
        if any(opposite(found, flow, one) for one in meeting):
            continue
        condition, branch = min(left)
        if (flow.taker.id, condition) in told:
            continue
        told.add((flow.taker.id, condition))
        other = "else" if branch == "then" else "then"
        message = (
            f"`{flow.giver.id}` runs only in the {branch} branch of `{condition}`, and `{flow.taker.id}` joins both"
        )
        help_ = f"let an arrow from the {other} branch lead into {flow.to_path} too, or leave the paths out"
        yield Diagnostic("K510", message, flow.arrow.place("from_path"), help_)
