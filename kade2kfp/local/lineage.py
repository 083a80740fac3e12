"""What was made of what in a run: steps, artifacts, values and parameters, and how data went between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kade2kfp.local.choices import artifact_of
from kade2kfp.local.loops import names_seen
from kade2kfp.local.state import RunState, StepState
from kade2kfp.steps.model import Choice, CollectedArtifact, Import, Loop, Node, Plan, Step
from kade2kfp.steps.sources import Collect, OneOf, Output, Param, Source
from kade2kfp.steps.texts import node_sources


@dataclass(frozen=True, slots=True)
class Thing:
    """A step, an artifact that one has left, or a parameter of the run.

    `task` and `step` say whose it is, `name` is an artifact's or a parameter's, `note` a step's state, an artifact's
    type or a parameter's value, `where` where an artifact is: a path in the run's folder, or a URI.
    """

    id: str
    kind: Literal["step", "artifact", "parameter"]
    task: str = ""
    step: str = ""
    name: str = ""
    note: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """Data that went from one thing to another; `value` names it where it was an output's value."""

    start: str
    end: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """All things of a run, and the ways between them. Things stand in an order in which they came to be."""

    things: Mapping[str, Thing]
    ways: tuple[Way, ...]
    _before: Mapping[str, tuple[Way, ...]] = field(default_factory=dict, repr=False)
    _after: Mapping[str, tuple[Way, ...]] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(things: Mapping[str, Thing], ways: Iterator[Way]) -> Lineage:
        """Of things, and the ways between those of them."""
        kept = tuple(one for one in dict.fromkeys(ways) if one.start in things and one.end in things)
        before: dict[str, list[Way]] = {}
        after: dict[str, list[Way]] = {}
        for one in kept:
            before.setdefault(one.end, []).append(one)
            after.setdefault(one.start, []).append(one)
        return Lineage(
            things,
            kept,
            {key: tuple(rows) for key, rows in before.items()},
            {key: tuple(rows) for key, rows in after.items()},
        )

    def before(self, thing: str) -> tuple[Way, ...]:
        """The ways to a thing."""
        return self._before.get(thing, ())

    def after(self, thing: str) -> tuple[Way, ...]:
        """The ways from a thing."""
        return self._after.get(thing, ())

    def around(self, thing: str) -> Lineage:
        """Only the thing, what it was made of, and what was made of it, however far."""
        near = {thing} | self._reached(thing, forwards=True) | self._reached(thing, forwards=False)
        return Lineage.of(
            {key: one for key, one in self.things.items() if key in near},
            (one for one in self.ways if one.start in near and one.end in near),
        )

    def _reached(self, thing: str, *, forwards: bool) -> set[str]:
        found: set[str] = set()
        left = [thing]
        while left:
            at = left.pop()
            nexts = [one.end for one in self.after(at)] if forwards else [one.start for one in self.before(at)]
            left += [one for one in nexts if one not in found]
            found.update(nexts)
        return found


def step_id(step: str) -> str:
    """The id of a step's thing."""
    return f"step:{step}"


def artifact_id(step: str, name: str) -> str:
    """The id of the thing that is an artifact of a step."""
    return f"artifact:{step}/{name}"


def parameter_id(name: str) -> str:
    """The id of a parameter's thing."""
    return f"parameter:{name}"


def things_of(state: RunState, shown: Mapping[str, str]) -> dict[str, Thing]:
    """The things of a run by their ids; `shown` are parameters' values as they are to be shown."""
    found = {
        parameter_id(name): Thing(parameter_id(name), "parameter", name=name, note=shown.get(name, ""))
        for name in state.parameters
    }
    for step in state.steps:
        key = step_id(step.name)
        found[key] = Thing(key, "step", step.task, step.name, note=step.status)
        for one in step.artifacts:
            key = artifact_id(step.name, one.name)
            found[key] = Thing(key, "artifact", step.task, step.name, one.name, one.type, one.stored)
    return found


def made(state: RunState) -> Iterator[Way]:
    """The ways from steps to their artifacts."""
    for step in state.steps:
        for one in step.artifacts:
            yield Way(step_id(step.name), artifact_id(step.name, one.name))


def local_lineage(state: RunState, plan: Plan, shown: Mapping[str, str]) -> Lineage:
    """The lineage of a run on this machine, whose plan says where its inputs come from."""
    nodes = {node.name: node for node in plan.nodes}
    ways = list(made(state))
    for step in state.steps:
        node = nodes.get(step.node or step.name)
        if (node is not None and step.started is not None) or step.status in ("cached", "reused"):
            ways += _into(step, node, state, nodes) if node is not None else ()
    return Lineage.of(things_of(state, shown), iter(ways))


def _into(step: StepState, node: Node, state: RunState, nodes: Mapping[str, Node]) -> Iterator[Way]:
    own = step_id(step.name)
    seen = names_seen(step, state)
    for source in node_sources(node):
        yield from _of_value(source, own, seen, state)
    if isinstance(node, Step):
        for arrived in node.inputs:
            yield from _of_artifact((arrived.step, arrived.output), own, seen, state, nodes)
    if isinstance(node, Loop):
        for one in node.collects:
            for each in state.steps:
                if (each.loop, each.node) == (node.name, one.node):
                    kept = isinstance(one, CollectedArtifact)
                    yield Way(
                        artifact_id(each.name, one.output) if kept else step_id(each.name),
                        own,
                        "" if kept else one.output,
                    )


def _of_value(source: Source, own: str, seen: Mapping[str, str], state: RunState) -> Iterator[Way]:
    if isinstance(source, Param):
        yield Way(parameter_id(source.name), own)
    elif isinstance(source, Output):
        yield Way(step_id(seen.get(source.step, source.step)), own, source.name)
    elif isinstance(source, OneOf):
        for one in source.of:
            name = seen.get(one.step, one.step)
            if any(step.name == name and one.name in step.outputs for step in state.steps):
                yield Way(step_id(name), own, one.name)
    elif isinstance(source, Collect):
        for step in state.steps:
            if (step.node or step.name) == source.of.step:
                yield Way(step_id(step.name), own, source.of.name)


def _of_artifact(
    end: tuple[str, str], own: str, seen: Mapping[str, str], state: RunState, nodes: Mapping[str, Node]
) -> Iterator[Way]:
    """The way of an artifact to a step; through a choice it comes from the branch that was taken."""
    name, output = end
    node = nodes.get(name)
    if isinstance(node, Choice):
        try:
            found = artifact_of(end, state, nodes, seen)
        except (KeyError, StopIteration):
            return
        for step in state.steps:
            if found is not None and any(one is found for one in step.artifacts):
                yield Way(artifact_id(step.name, found.name), own)
        return
    if isinstance(node, Step | Import | Loop):
        yield Way(artifact_id(seen.get(name, name), output), own)
