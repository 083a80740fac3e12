"""Conditions say what they look at, and compare like with like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.document.types import kind_of
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.resolve import Reference, parameter
from kade2kfp.tasks.condition import Condition, Test


def conditions(analysis: Analysis) -> Iterator[Diagnostic]:
    """K500 (warning): nothing behind it. K501: neither test nor approval. K502: operands that cannot be compared."""
    for task in analysis.document.tasks:
        if not isinstance(task, Condition):
            continue
        if (
            task.test is None
            and task.approval is None
            and not analysis.document.is_torn(task.place("test"), task.place("approval"))
        ):
            yield Diagnostic(
                "K501",
                f"the condition `{task.id}` has neither `test` nor `approval`",
                task.at,
                'add "test": {"left": ..., "operator": ..., "right": ...}',
            )
        if (
            not analysis.from_task.get(task.id)
            and analysis.document.arrows_are_whole
            and not any(arrow.from_task == task.id for arrow in analysis.document.arrows)
        ):
            help_ = 'draw an arrow from it with "branch": "then" or "else"'
            yield Diagnostic("K500", f"nothing stands behind the condition `{task.id}`", task.place("id"), help_)
        if task.test is not None:
            yield from _at_what_was_meant(analysis, task.test, list(_compared(analysis, task.test)))


def _at_what_was_meant(analysis: Analysis, test: Test, found: list[Diagnostic]) -> Iterator[Diagnostic]:
    """A side where a reference was meant and not written (K314) is why the sides do not fit: it is said there."""
    if found:
        sides = {test.place("left"), test.place("right")}
        at = next((one.place.pointer for one in analysis.resolution.lost if one.place.pointer in sides), None)
        found = [replace(found[0], pointer=at)] if at else found
    yield from found


def _compared(analysis: Analysis, test: Test) -> Iterator[Diagnostic]:
    kinds = {}
    for side in ("left", "right"):
        value, at = getattr(test, side), test.place(side)
        if isinstance(value, str) and at not in analysis.resolution.whole and _mixed(analysis, at):
            help_ = "compare one whole reference; a job can put a text together and write it as an output"
            yield Diagnostic("K502", "text and a reference together cannot be compared", at, help_)
            return
        kind = _kind(analysis, value, at)
        kinds[side] = kind
        if kind in ("array", "object"):
            yield Diagnostic(
                "K502",
                f"{'a list' if kind == 'array' else 'an object'} cannot be compared",
                at,
                "compare a text, a number or a boolean",
            )
    left, right = kinds["left"], kinds["right"]
    if not left or not right or {"array", "object"} & {left, right}:
        return
    if left != right:
        help_ = 'numbers are compared with numbers; a number in quotes is a text: write 0.9, not "0.9"'
        if "boolean" in (left, right):
            help_ = "a boolean is compared with true or false, without quotes"
        yield Diagnostic("K502", f"a {left} cannot be compared with a {right}", test.place("right"), help_)
    elif left != "number" and test.operator not in ("==", "!="):
        yield Diagnostic(
            "K502",
            f"a {left} has no order: {test.operator} is for numbers",
            test.place("operator"),
            "use == or !=",
        )
    else:
        yield from _never(analysis, test)


def _never(analysis: Analysis, test: Test) -> Iterator[Diagnostic]:
    """A text that the other side, which has few values, never is: one branch would never be taken."""
    for side, other in (("left", "right"), ("right", "left")):
        reference = analysis.resolution.whole.get(test.place(side))
        literal = getattr(test, other)
        if reference is None or not isinstance(literal, str) or "{{" in literal:
            continue
        values = _values(analysis, reference)
        if values and literal not in values:
            message = f"{reference.expression.text} is never `{literal[:60]}`"
            yield Diagnostic("K502", message, test.place(other), did_you_mean(literal, values, noun="values"))


def _values(analysis: Analysis, reference: Reference) -> list[str]:
    """All texts that a reference may stand for; none where there may be others."""
    if reference.expression.root == "decision":
        return ["resume", "reject"]
    declared = (
        parameter(analysis.document, reference.expression.name) if reference.expression.root == "params" else None
    )
    if declared is None or not declared.enum or analysis.document.is_torn(declared.place("enum")):
        return []
    return [value for value in declared.enum if isinstance(value, str)]


def _mixed(analysis: Analysis, at: Pointer) -> bool:
    return any(one.place.pointer == at for one in analysis.resolution.references)


def _kind(analysis: Analysis, value: Any, at: tuple[str | int, ...]) -> str:
    """`number`, `string`, `boolean`, `array`, `object`, or empty where it is not known."""
    if isinstance(value, str) and "{{" in value:
        reference = analysis.resolution.whole.get(at)
        if reference is None:
            return "string" if any(one.place.pointer == at for one in analysis.resolution.references) else ""
        return "number" if reference.target.type in ("integer", "number") else reference.target.type
    words = kind_of(value)
    for word, kind in (
        ("boolean", "boolean"),
        ("number", "number"),
        ("text", "string"),
        ("list", "array"),
        ("object", "object"),
    ):
        if word in words:
            return kind
    return ""
