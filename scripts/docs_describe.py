"""The fields of `describe --json` in docs/describe.md, from the models. What stands above them is written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from kade2kfp.description.model import Description, Shape

PAGE = Path(__file__).resolve().parents[1] / "docs" / "describe.md"
HEADING = "## The fields of the JSON\n"
LEAD = "*This part is generated from the models by `make docs`.*\n"
WORDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Any: "any value"}


def describe_page() -> str:
    """docs/describe.md: what is written by hand, as it is, and the fields anew."""
    written = PAGE.read_text(encoding="utf-8").partition(HEADING)[0] if PAGE.exists() else ""
    return written + HEADING + "\n" + LEAD + "\n".join(line for model in models() for line in _section(model)) + "\n"


def models() -> list[type[Shape]]:
    """The description and all objects in it, each behind the first that has it."""
    found: dict[type[Shape], None] = {}
    todo: list[type[Shape]] = [Description]
    while todo:
        model = todo.pop(0)
        if model not in found:
            found[model] = None
            todo = [one for info in model.model_fields.values() for one in _models_in(info.annotation)] + todo
    return list(found)


def _models_in(annotation: Any) -> Iterator[type[Shape]]:
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, Shape):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _section(model: type[Shape]) -> Iterator[str]:
    yield f"\n### {model.__name__}\n"
    yield " ".join((model.__doc__ or "").split()) + "\n"
    yield "| Field | Type | What it is |\n|---|---|---|"
    for name, info in model.model_fields.items():
        cells = (f"`{info.alias or name}`", _words(info.annotation), _described(info))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _described(info: FieldInfo) -> str:
    return info.description or ""


def _words(annotation: Any) -> str:
    """A field's type in words, with links to the objects."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(args[0])
    if origin in (Union, UnionType):
        return " or ".join("`null`" if one is type(None) else _words(one) for one in args)
    if origin is Literal:
        return ", ".join(f'`"{one}"`' for one in args)
    if origin is list:
        return f"list of {_words(args[0])}"
    if origin is dict:
        return f"object of {_words(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return WORDS[annotation]
