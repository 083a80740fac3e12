"""What runs next: a pure function of the plan and of what is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kade2kfp.local.state import DONE, ENDED, SETTLED, RunState, StepState
from kade2kfp.steps.model import Choice, Import, Loop, Node, Plan, Step
from kade2kfp.steps.parts import Branch, Iteration
from kade2kfp.steps.sources import Output
from kade2kfp.steps.texts import around, node_sources


@dataclass(frozen=True, slots=True)
class Move:
    """What can be decided now: the steps that may start, those that never will, each with the reason, those in a branch
    that is not taken, and the loops whose items have all been seen to.
    """

    start: tuple[str, ...]
    skip: tuple[tuple[str, str], ...]
    passed: tuple[str, ...]
    close: tuple[str, ...] = ()


TAKEN = "taken"
"""The output of a choice: `then` or `else`."""


def before(node: Node, plan: Plan) -> tuple[str, ...]:
    """The names of the nodes that must have ended before a node starts, each once, in the order of their mention.

    A choice is a pipeline in the pipeline (lowering/groups.py): it begins when all is there that its branches take from
    outside, and what comes after it begins when all in it has ended. So does a loop, which ends itself when all in it has.
    """
    found = list(_own(node))
    if isinstance(node, Choice | Loop):
        inner = [one for one in plan.nodes if node.name in around(one)]
        known = {node.name, *(one.name for one in inner)}
        found += [name for one in inner for name in _own(one) if name not in known]
    for name in (name for name in tuple(found) if name not in around(node)):
        found += [one.name for one in plan.nodes if name in around(one) and loops(one) <= loops(node)]
    return tuple(dict.fromkeys(found))


def _own(node: Node) -> Iterator[str]:
    yield from around(node)
    if not isinstance(node, Import):
        yield from node.after
    if isinstance(node, Step):
        yield from (one.step for one in node.inputs)
    yield from (source.step for source in node_sources(node) if isinstance(source, Output))


def loops(node: Node) -> frozenset[str]:
    """The names of the loops that a node is in."""
    return frozenset(one.loop for one in node.within if isinstance(one, Iteration))


def waiting(node: Node, plan: Plan) -> StepState:
    """The state of a node that waits."""
    type_ = {Import: "import", Choice: "condition", Loop: "loop"}.get(type(node), "")
    return StepState(
        node.name,
        node.task,
        node.display_name,
        node.type if isinstance(node, Step) else type_,
        after=before(node, plan),
        within=tuple((one.choice, one.side) for one in node.within if isinstance(one, Branch)),
        at_once=node.parallelism if isinstance(node, Loop) else 0,
    )


def next_move(state: RunState, always: frozenset[str], last: str = "") -> Move:
    """The steps to start and to skip. `always` are those that run however the step before them ended; `last` is the exit
    task's, which runs when the outcome of all others is known.

    A step that was skipped has not ended in KFP's eyes: its exit hook is its pod's (lowering.md, runWhen). How such a hook
    ends matters to nobody else: Argo looks at the task's own phase (workflow/controller/dag.go, evaluateDependsLogic).
    """
    by_name: Mapping[str, StepState] = {step.name: step for step in state.steps}
    start, skip, passed, close = [], [], [], []
    open_items = _open_items(state)
    for step in state.steps:
        if step.type == "loop" and step.status == "running":
            close += [step.name] if all(one.status in ENDED for one in state.steps if one.loop == step.name) else []
        if step.status != "waiting":
            continue
        if step.name == last:
            start += [last] if state.outcome else []
            continue
        if any(_closed(by_name[choice], side) for choice, side in step.within):
            passed.append(step.name)
            continue
        if step.loop and not _its_turn(step, by_name[step.loop], open_items):
            continue
        earlier = [by_name[name] for name in step.after]
        if not all(one.status in ENDED for one in earlier):
            continue
        wrong = [one for one in earlier if one.status not in SETTLED and one.name not in always]
        if step.name in always:
            wrong = [one for one in wrong if one.status != "failed"]
        if wrong:
            skip.append((step.name, f"{wrong[0].display_name} {was(wrong[0])}"))
        else:
            start.append(step.name)
    return Move(tuple(start), tuple(skip), tuple(passed), tuple(close))


def _open_items(state: RunState) -> dict[str, set[int]]:
    """For each loop the numbers of the items that have been begun with, and are not done with."""
    found: dict[str, set[int]] = {}
    for step in state.steps:
        if step.loop and step.status == "running":
            found.setdefault(step.loop, set()).add(step.number)
    begun = {(step.loop, step.number) for step in state.steps if step.loop and step.status != "waiting"}
    for step in state.steps:
        if step.status == "waiting" and (step.loop, step.number) in begun:
            found.setdefault(step.loop, set()).add(step.number)
    return found


def _its_turn(step: StepState, loop: StepState, open_items: dict[str, set[int]]) -> bool:
    """Whether a step may begin as far as its loop is concerned; its item counts as begun with then."""
    begun = open_items.setdefault(loop.name, set())
    if loop.status != "running" or (loop.at_once and step.number not in begun and len(begun) >= loop.at_once):
        return False
    begun.add(step.number)
    return True


def _closed(choice: StepState, side: str) -> bool:
    """Whether a branch is not taken."""
    return choice.status == "not-taken" or (choice.status in DONE and choice.outputs.get(TAKEN) != side)


def was(step: StepState) -> str:
    """What became of a step that did not succeed, in words."""
    return {"failed": "failed", "skipped": "was skipped", "cancelled": "was cancelled"}[step.status]


def downstream(plan: Plan, names: frozenset[str]) -> frozenset[str]:
    """The names, and those of all nodes behind them, the exit task's too."""
    found = set(names)
    if names and plan.on_exit:
        found.add(plan.on_exit)
    grown = True
    while grown:
        more = {node.name for node in plan.nodes if node.name not in found and found.intersection(before(node, plan))}
        grown = bool(more)
        found |= more
    return frozenset(found)


def upstream(plan: Plan, names: frozenset[str]) -> frozenset[str]:
    """All nodes that the named ones build on, without those themselves."""
    nodes = {node.name: node for node in plan.nodes}
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        more = [name for name in before(nodes[waiting.pop()], plan) if name not in found]
        found.update(more)
        waiting += more
    return frozenset(found - names)
