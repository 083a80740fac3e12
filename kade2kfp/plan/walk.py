"""Every text of a model that references may stand in, with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.base import Model, Takes, takes


@dataclass(frozen=True, slots=True)
class Place:
    """A text of the document: where it stands, whose field it is, and when it may hold references."""

    pointer: Pointer
    text: str
    takes: Takes
    model: type[Model]
    field: str


def texts(model: Model) -> Iterator[Place]:
    """All texts of the model and of the models in it, in the order of the fields."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if value is not None and not isinstance(value, bool | int | float):
            mark = takes(type(model), name)
            if mark is not Takes.FREE and name not in ("position", "ui"):
                yield from _values(value, model.place(name), mark, type(model), name)


def _values(value: Any, pointer: Pointer, mark: Takes, model: type[Model], field: str) -> Iterator[Place]:
    if isinstance(value, str):
        yield Place(pointer, value, mark, model, field)
    elif isinstance(value, Model):
        yield from texts(value)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _values(item, (*pointer, i), mark, model, field)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _values(item, (*pointer, key), mark, model, field)
