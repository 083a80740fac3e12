"""Values of parameters: whether they are of their type and within their limits. `run` and `submit` ask the same."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from typing import Any

from kade2kfp.document.pipeline import Parameter
from kade2kfp.document.shared import TypedValue
from kade2kfp.document.types import kind_of, number_text

MAX_INTEGER = 2**53
MAX_DEPTH = 100
_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def is_of_type(value: Any, type_: str) -> bool:
    """Whether a JSON value is of a parameter's type; an integer is a number too, and 2.0 an integer (as in JSON Schema)."""
    match type_:
        case "string":
            return isinstance(value, str)
        case "integer":
            return (isinstance(value, int) and not isinstance(value, bool)) or (
                isinstance(value, float) and value.is_integer()
            )
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def problems(value: Any, declared: Parameter | TypedValue) -> Iterator[str]:
    """What is wrong with a value, in words."""
    if not is_of_type(value, declared.type):
        yield f"expected {_WORDS[declared.type]}, found {kind_of(value)}"
        return
    if problem := _cannot_be_carried(value):
        yield problem
        return
    if declared.enum is not None and not any(same(value, one) for one in declared.enum):
        yield "it is not one of the values of `enum`"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if declared.minimum is not None and value < declared.minimum:
            yield f"{value} is less than the minimum {number_text(declared.minimum)}"
        if declared.maximum is not None and value > declared.maximum:
            yield f"{value} is more than the maximum {number_text(declared.maximum)}"
    if isinstance(value, str) and declared.pattern is not None and matches(declared.pattern, value) is False:
        yield "it does not match the `pattern`"


def _cannot_be_carried(value: Any) -> str:
    """Why a JSON value of the right type cannot go to Kubeflow, wherever in it that is; empty if it can."""
    stack = [(value, 0)]
    while stack:
        one, depth = stack.pop()
        if depth > MAX_DEPTH:
            return f"it is nested more than {MAX_DEPTH} levels deep"
        if isinstance(one, int) and not isinstance(one, bool) and abs(one) > MAX_INTEGER:
            shown = str(one) if one.bit_length() < 100 else "a number in it"
            return f"{shown} is beyond 2^53: Kubeflow carries numbers as doubles and would change it"
        if isinstance(one, float) and not math.isfinite(one):
            return "it holds a number that is not finite"
        if isinstance(one, str) and any("\ud800" <= char <= "\udfff" for char in one):
            return "it holds text that is not Unicode"
        if isinstance(one, list):
            stack += [(item, depth + 1) for item in one]
        elif isinstance(one, dict):
            stack += [(item, depth + 1) for item in (*one, *one.values())]
    return ""


def same(one: Any, other: Any) -> bool:
    """JSON equality: true is not 1."""
    return (type(one) is type(other) and bool(one == other)) or (
        isinstance(one, int | float)
        and isinstance(other, int | float)
        and not isinstance(one, bool)
        and not isinstance(other, bool)
        and one == other
    )


@cache
def _matcher(pattern: str) -> Any:
    """A validator by pydantic-core's regular expressions, which take linear time."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError as error:
        return str(error)


def pattern_problem(pattern: str) -> str:
    """Why a pattern is not a regular expression; empty if it is one."""
    found = _matcher(pattern)
    if not isinstance(found, str):
        return ""
    return next(
        (line.removeprefix("error:").strip() for line in reversed(found.splitlines()) if "error:" in line),
        "it is not a regular expression",
    )


def matches(pattern: str, text: str) -> bool | None:
    """Whether the pattern is found in the text; None if the pattern is not a regular expression."""
    from pydantic_core import ValidationError

    found = _matcher(pattern)
    if isinstance(found, str):
        return None
    try:
        found.validate_python(text)
    except ValidationError:
        return False
    return True


def strings(value: Any) -> Iterator[str]:
    """All texts in a JSON value, keys too."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            stack += one
        elif isinstance(one, dict):
            stack += [*one, *one.values()]


def run_time_problem(value: Any) -> str:
    """Why a value cannot be handed over at run time; empty if it can.

    KFP's launcher and Argo substitute in values again (lowering.md), and Kubernetes folds `$$` and `$(` in them.
    """
    for text in strings(value):
        if "/kfp-workspace" in text:  # KFP: backend/src/v2/driver/driver.go, needsWorkspaceMount
            return "it holds `/kfp-workspace`, which Kubeflow takes for a claim of its own"
        for bad, who in (
            ("{{", "Kubeflow and Argo"),
            ("$(", "Kubernetes"),
            ("$$", "Kubernetes"),
            ("\0", "no program"),
        ):
            if bad in text:
                return (
                    "it holds NUL, which no program can be given"
                    if bad == "\0"
                    else f"it holds `{bad}`, which {who} would replace"
                )
    return ""


def no_json(value: object) -> str:
    """Why a program's value is none of JSON's; empty if it is one, or a number that is not finite, which others tell."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):  # another type, or it holds itself
        return "JSON cannot hold it"
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if not all(isinstance(key, str) for key in one):
                return "a key in it is no text"
            stack += one.values()
        elif isinstance(one, list | tuple):
            stack += one
    return ""


def default_problem(value: Any) -> str:
    """Why a value cannot be a parameter's default; empty if it can.

    KFP's compiler writes no null (kfp/compiler/pipeline_spec_builder.py, to_protobuf_value).
    """
    stack = [value]
    while stack:
        one = stack.pop()
        if one is None:
            return "it holds null, which Kubeflow cannot write down"
        if isinstance(one, list | dict):
            stack += one if isinstance(one, list) else one.values()
    return run_time_problem(value)
