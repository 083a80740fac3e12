"""Parameters are well declared, and used."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.pipeline import Parameter
from kade2kfp.document.shared import TypedValue
from kade2kfp.document.types import number_text
from kade2kfp.document.values import MAX_INTEGER, default_problem, is_of_type, pattern_problem, problems
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.mentions import mentions


def parameters(analysis: Analysis) -> Iterator[Diagnostic]:
    """K241: a default that does not fit. K242 (warning): unused. K243: limits that do not fit. K244: a value that would be changed."""
    document = analysis.document
    used = {one.expression.name for one in analysis.resolution.references if one.expression.root == "params"}
    unused = {parameter.name for parameter in document.parameters} - used
    if unused:
        mentioned = mentions(document).parameters
        unused = set() if mentioned is None else unused - mentioned
    if unused:
        unused -= {one.found.meant.removeprefix("params.") for one in analysis.resolution.lost}
    for parameter in document.parameters:
        yield from declaration(parameter)
        if parameter.name in unused:
            help_ = f"refer to it by {{{{params.{parameter.name}}}}}, or take it out"
            yield Diagnostic("K242", f"the parameter `{parameter.name}` is not used", parameter.place("name"), help_)
    for task in document.tasks:
        gate = getattr(task, "gate", None)
        for value in (gate.values if gate else None) or ():
            yield from declaration(value)


def declaration(declared: Parameter | TypedValue) -> Iterator[Diagnostic]:
    """What is wrong with the declaration of a parameter, or of a value that a person gives."""
    sound = True
    for field in ("minimum", "maximum"):
        if getattr(declared, field) is not None and declared.type not in ("integer", "number"):
            sound = False
            yield Diagnostic(
                "K243",
                f"`{field}` is for numbers, and `{declared.name}` is of type {declared.type}",
                declared.place(field),
                "leave it out",
            )
    if declared.minimum is not None and declared.maximum is not None and declared.minimum > declared.maximum:
        sound = False
        yield Diagnostic(
            "K243",
            f"the minimum {number_text(declared.minimum)} is more than the maximum {number_text(declared.maximum)}",
            declared.place("minimum"),
            "swap them",
        )
    if declared.pattern is not None:
        if declared.type != "string":
            sound = False
            yield Diagnostic(
                "K243",
                f"`pattern` is for texts, and `{declared.name}` is of type {declared.type}",
                declared.place("pattern"),
                "leave it out",
            )
        elif problem := pattern_problem(declared.pattern):
            sound = False
            help_ = "it is a regular expression as Rust's regex crate has them: no look-around, no back-references"
            yield Diagnostic("K243", f"the pattern cannot be used: {problem}", declared.place("pattern"), help_)
    for i, value in enumerate(declared.enum or ()):
        if not is_of_type(value, declared.type):
            sound = False
            yield Diagnostic(
                "K243",
                f"this value of `enum` is not of type {declared.type}",
                declared.place("enum", i),
                "make it one, or change the type",
            )
    if declared.enum == []:
        sound = False
        yield Diagnostic(
            "K243",
            "`enum` allows no value at all",
            declared.place("enum"),
            "name the values, or leave it out",
        )
    if not declared.given("default") or not sound:
        return
    found = list(problems(declared.default, declared))
    for problem in found:
        help_ = (
            "pass it as a text"
            if str(MAX_INTEGER) in problem or "2^53" in problem
            else "change the default, or what the parameter allows"
        )
        yield Diagnostic(
            "K241",
            f"the default of `{declared.name}` does not fit: {problem}",
            declared.place("default"),
            help_,
        )
    if not found and (problem := default_problem(declared.default)):
        help_ = "write such text into the task itself (command, script, env or files): there it arrives unchanged"
        yield Diagnostic(
            "K244",
            f"the default of `{declared.name}` would not arrive unchanged: {problem}",
            declared.place("default"),
            help_,
        )
