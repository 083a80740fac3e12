"""Values that people type as NAME=VALUE, and what a gate's step gets of them: texts, which it copies and never reads."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from kade2kfp.document.shared import TypedValue
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.document.types import number_text
from kade2kfp.document.values import problems, run_time_problem
from kade2kfp.steps.parts import GateValue
from kade2kfp.steps.sources import Json

_EXAMPLES: dict[str, tuple[Json, ...]] = {
    "string": ("text",),
    "integer": (7, 1, 0),
    "number": (0.1, 1, 0),
    "boolean": (True,),
    "array": ([1, 2],),
    "object": ({"a": 1},),
}


def split(pair: str, option: str = "--set") -> tuple[str, str]:
    """Name and text of NAME=VALUE, which an option has. Raises ValueError with a sentence for the user."""
    name, equals, text = pair.partition("=")
    if not equals or not name:
        raise ValueError(f"'{_cut(pair)}' is not NAME=VALUE, such as {option} seed=7")
    return name, text


def typed(name: str, type_: str, text: str, option: str = "--set") -> Any:
    """The value that is typed: JSON for the types that need it, else the text itself.

    Raises ValueError, with a sentence for the user, where the text is not JSON. Whether it is of the type is for
    `problems` to say (document/values.py).
    """
    if type_ not in ("integer", "number", "boolean", "array", "object"):
        return text
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        example = {"array": "'[1, 2]'", "object": "'{\"a\": 1}'", "boolean": "true"}.get(type_, "7")
        message = f"'{_cut(text)}' is not JSON, and `{name}` is of type {type_}: write {option} {name}={example}"
        raise ValueError(message) from None


def texts(values: Sequence[GateValue], pairs: Sequence[str]) -> dict[str, str] | list[str]:
    """What the step gets for the pairs, by the values' names; or, where anything is wrong, all that is, in sentences.

    Strings go as they are, all else as compact JSON. Values that are not given are left out: the step has their defaults.
    """
    declared = {value.name: value for value in values}
    found: dict[str, str] = {}
    wrong: list[str] = []
    named = set()
    for pair in pairs:
        try:
            name, text = split(pair)
            named.add(name)
            if name not in declared:
                wrong.append(_unknown(name, declared))
                continue
            value = _whole(typed(name, declared[name].type, text), declared[name].type)
        except ValueError as error:
            wrong.append(str(error))
            continue
        if problem := _problem(value, declared[name]):
            wrong.append(f"`{name}` cannot be that: {problem} ({about(declared[name])})")
        found[name] = value if isinstance(value, str) else _json(value)
    wrong += [_missing(value) for value in values if value.required and value.name not in named]
    return wrong or found


def about(value: GateValue) -> str:
    """What may be given, in a few words: `number, at least 0, at most 1, default 0.1`."""
    limits = [
        f"{word} {shown}"
        for word, shown in (
            ("one of", " ".join(_shown(one) for one in value.enum) if value.enum is not None else None),
            ("at least", number_text(value.minimum) if value.minimum is not None else None),
            ("at most", number_text(value.maximum) if value.maximum is not None else None),
            ("matches", value.pattern),
        )
        if shown is not None
    ]
    return ", ".join([value.type, *limits, "required" if value.required else f"default {_shown(value.default)}"])


def example(value: GateValue) -> str:
    """NAME=VALUE with a value that is allowed, as far as one is found easily; not quoted for a shell."""
    for candidate in _candidates(value):
        one = _whole(candidate, value.type)
        if not _problem(one, value):
            return f"{value.name}={one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)}"
    return f"{value.name}=..."


def _candidates(value: GateValue) -> Iterator[Json]:
    if not value.required:
        yield value.default
    yield from value.enum or ()
    yield from _EXAMPLES[value.type]
    for limit, rounded in ((value.minimum, math.ceil), (value.maximum, math.floor)):
        if limit is not None:
            whole = float(limit).is_integer() or value.type == "integer"
            yield rounded(limit) if whole else limit


def _whole(value: Any, type_: str) -> Any:
    """2.0 is an integer in JSON, but not in the step's shell."""
    return int(value) if type_ == "integer" and isinstance(value, float) and value.is_integer() else value


def _problem(value: Json, declared: GateValue) -> str:
    """Why a value cannot be given; empty where it can."""
    asked = TypedValue.model_construct(
        name=declared.name,
        type=declared.type,
        enum=list(declared.enum) if declared.enum is not None else None,
        minimum=declared.minimum,
        maximum=declared.maximum,
        pattern=declared.pattern,
    )
    return next(problems(value, asked), "") or run_time_problem(value)


def _unknown(name: str, declared: dict[str, GateValue]) -> str:
    if not declared:
        return f"there is no value `{_cut(name)}`: the gate asks for none"
    return f"there is no value `{_cut(name)}`: {did_you_mean(name, declared, noun='values')}".removesuffix(": ")


def _missing(value: GateValue) -> str:
    described = f": {value.description}" if value.description else ""
    return f"`{value.name}` is missing ({about(value)}){described}; write --set {shlex.quote(example(value))}"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _shown(value: Json) -> str:
    return _cut(_json(value))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(digits)
    return value
