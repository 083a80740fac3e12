"""Branches lie in each other like groups, and what comes out of them is whole: KFP has no other shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.groups import chain, covers, is_nested
from kade2kfp.plan.order import ancestors
from kade2kfp.plan.regions import Branch, opposite, regions, ways_in

Regions = Mapping[str, frozenset[Branch]]


def groups(analysis: Analysis) -> Iterator[Diagnostic]:
    """K517: a task in a branch needs what comes after the branch. K518: branches of two conditions, neither in the other.

    K510: arrows into one path of which none may bring anything. K519: such arrows over a volume.
    """
    document = analysis.document
    # What a branch holds is not known where an arrow, or who it leads to, could not be read.
    whole = document.arrows_are_whole and not document.is_torn(("tasks",), ("arrows",))
    if not whole or not any(task.type == "condition" for task in document.tasks):
        return
    found = regions(analysis)
    yield from _round(analysis, found)
    yield from _independent(analysis, found)
    meeting: dict[tuple[str, str], list[Flow]] = {}
    for flow in analysis.flows:
        if not flow.order_only and flow.taker.type != "select":
            meeting.setdefault((flow.taker.id, flow.to_path), []).append(flow)
    for flows in meeting.values():
        if len(flows) > 1 and all(opposite(found, one, flows[0]) for one in flows[1:]):
            yield from _met(flows, found)


def _round(analysis: Analysis, found: Regions) -> Iterator[Diagnostic]:
    """KFP begins what follows a condition when all in it has ended, so nothing in it can wait for that."""
    ways = ways_in(analysis)
    for condition in (task.id for task in analysis.document.tasks if task.type == "condition"):
        inside = {id_ for id_, branches in found.items() if any(one == condition for one, _ in branches)}
        for id_ in (task.id for task in analysis.document.tasks if task.id in inside):
            for before, _ in ways.get(id_, ()):
                if before in inside or before == condition or id_ in ancestors(ways, before):
                    continue
                behind = ancestors(ways, before)
                if condition in behind or behind & inside:
                    side = next(side for one, side in found[id_] if one == condition)
                    yield Diagnostic(
                        "K517",
                        f"`{id_}` is in the {side} branch of `{condition}`, and needs `{before}`, which comes after that condition",
                        _where(analysis, before, id_),
                        f"take it from a task of the same branch, or one before `{condition}`",
                    )
                    break


def _where(analysis: Analysis, giver: str, taker: str) -> Pointer:
    for flow in analysis.flows:
        if (flow.giver.id, flow.taker.id) == (giver, taker):
            return flow.arrow.place("from_task")
    return next(
        one.place.pointer for one in analysis.resolution.references if (one.target.task, one.holder) == (giver, taker)
    )


def _independent(analysis: Analysis, found: Regions) -> Iterator[Diagnostic]:
    told: set[frozenset[Branch]] = set()
    for task in analysis.document.tasks:
        branches = chain(task.id, found)
        if is_nested(branches, found) or found[task.id] in told:
            continue
        told.add(found[task.id])
        names = sorted({condition for condition, _ in branches})
        related = tuple(Related(f"`{one.id}`", one.place("id")) for one in analysis.document.tasks if one.id in names)
        yield Diagnostic(
            "K518",
            f"`{task.id}` is in branches of {' and of '.join(f'`{name}`' for name in names)}, of which neither lies in the other",
            task.place("id"),
            f"draw an arrow from `{names[0]}` to `{names[1]}` with the branch in which that is to be asked, or let one condition decide",
            related,
        )


def _met(flows: list[Flow], found: Regions) -> Iterator[Diagnostic]:
    last, taker = flows[-1], flows[0].taker
    carried = next((flow for flow in flows if flow.volume), None)
    if carried:
        yield Diagnostic(
            "K519",
            f"two branches bring a folder of a volume into {carried.to_path} of `{taker.id}`, and which one is known only at run time",
            carried.arrow.place("volume") if carried.arrow.given("volume") else carried.arrow.place("to_path"),
            'carry it as an artifact: "volume": null on these arrows; or give each its own path',
        )
    elif not covers([chain(flow.giver.id, found) for flow in flows], chain(taker.id, found)):
        yield Diagnostic(
            "K510",
            f"it may be that nothing comes into {last.to_path} of `{taker.id}`: {', '.join(f'`{flow.giver.id}`' for flow in flows)} are not all cases",
            last.arrow.place("to_path"),
            "let an arrow from each branch that can be taken lead there",
        )
