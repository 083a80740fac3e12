"""Choices of a run on this machine: which branch is taken, and which artifact a join hands on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from kade2kfp.local.order import TAKEN
from kade2kfp.local.places import Known
from kade2kfp.local.state import Artifact, RunState, StepState
from kade2kfp.steps.model import Choice, Node
from kade2kfp.steps.parts import Comparison, Operand
from kade2kfp.steps.sources import Json, Source


def holds(test: Comparison, known: Known) -> bool:
    """Whether a comparison holds; numbers are compared as doubles, as KFP does."""
    left, right = _value(test.left, test, known), _value(test.right, test, known)
    if test.operator in ("==", "!="):
        return (left == right) == (test.operator == "==")
    if not isinstance(left, float) or not isinstance(right, float):
        raise TypeError(f"{test.operator} is for numbers (checks/conditions.py)")
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[test.operator]


def _value(operand: Operand, test: Comparison, known: Known) -> Json:
    value = known.value(operand) if isinstance(operand, Source) else operand
    return float(value) if test.type == "number" and isinstance(value, int | float) else value


def decided(choice: Choice, state: StepState, known: Known) -> StepState:
    """The state of a choice that has been made."""
    side = "then" if holds(choice.test, known) else "else"
    return replace(state, status="succeeded", ended=time.time(), outputs={TAKEN: side})


def artifact_of(
    end: tuple[str, str], state: RunState, nodes: Mapping[str, Node], names: Mapping[str, str]
) -> Artifact | None:
    """The artifact that a node has put out; through joins, of the branch that was taken. None where nobody wrote it.

    `names` are the names of steps by their node's, where that is another.
    """
    name, output = end
    node, step = nodes[name], state.step(names.get(name, name))
    if isinstance(node, Choice):
        join = next(one for one in node.joins if one.name == output)
        return artifact_of(join.then if step.outputs[TAKEN] == "then" else join.otherwise, state, nodes, names)
    return next((one for one in step.artifacts if one.name == output), None)
