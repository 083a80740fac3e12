"""What runs next: a pure function of the plan and of what is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kade2kfp.local.state import DONE, ENDED, RunState, StepState
from kade2kfp.steps.model import EnvValue, Import, Node, Plan, SecretMount, Step
from kade2kfp.steps.sources import Output, Text, sources


@dataclass(frozen=True, slots=True)
class Move:
    """What can be decided now: the steps that may start, and those that never will, each with the reason."""

    start: tuple[str, ...]
    skip: tuple[tuple[str, str], ...]


def before(node: Node) -> tuple[str, ...]:
    """The names of the steps that must have ended before a node starts, each once, in the order of their mention."""
    if isinstance(node, Import):
        return _producers([node.uri])
    arriving = (one.step for one in node.inputs)
    return tuple(dict.fromkeys((*node.after, *arriving, *_producers(list(_texts(node))))))


def _texts(step: Step) -> Iterator[Text]:
    of = step.resources
    yield from (*step.command, step.image, *step.pull_secrets)
    if step.gate:
        yield step.gate.message
    yield from (of.cpu_request, of.cpu_limit, of.memory_request, of.memory_limit, of.accelerator_count)
    for env in step.env:
        yield env.value if isinstance(env, EnvValue) else env.object
    for mount in step.mounts:
        if isinstance(mount, SecretMount):
            yield mount.name


def _producers(texts: list[Text]) -> tuple[str, ...]:
    return tuple(source.step for source in sources(texts) if isinstance(source, Output))


def next_move(state: RunState, always: frozenset[str]) -> Move:
    """The steps to start and to skip. `always` are those that run however the step before them ended.

    A step that was skipped has not ended in KFP's eyes: its exit hook is its pod's (lowering.md, runWhen).
    """
    by_name: Mapping[str, StepState] = {step.name: step for step in state.steps}
    start, skip = [], []
    for step in state.steps:
        if step.status != "waiting":
            continue
        earlier = [by_name[name] for name in step.after]
        if not all(one.status in ENDED for one in earlier):
            continue
        wrong = [one for one in earlier if one.status not in DONE]
        if step.name in always:
            wrong = [one for one in wrong if one.status != "failed"]
        if wrong:
            skip.append((step.name, f"{wrong[0].display_name} {_was(wrong[0])}"))
        else:
            start.append(step.name)
    return Move(tuple(start), tuple(skip))


def _was(step: StepState) -> str:
    return {"failed": "failed", "skipped": "was skipped", "cancelled": "was cancelled"}[step.status]


def downstream(plan: Plan, names: frozenset[str]) -> frozenset[str]:
    """The names, and those of all nodes behind them."""
    found = set(names)
    grown = True
    while grown:
        more = {node.name for node in plan.nodes if node.name not in found and found.intersection(before(node))}
        grown = bool(more)
        found |= more
    return frozenset(found)


def upstream(plan: Plan, names: frozenset[str]) -> frozenset[str]:
    """All nodes that the named ones build on, without those themselves."""
    nodes = {node.name: node for node in plan.nodes}
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        more = [name for name in before(nodes[waiting.pop()]) if name not in found]
        found.update(more)
        waiting += more
    return frozenset(found - names)
