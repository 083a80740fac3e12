"""The format's models as data: which fields there are, and which object of a document is read by which model."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from kade2kfp.document.base import Model, alias
from kade2kfp.document.pipeline import Arrow, Defaults, Envelope, Parameter, Volume
from kade2kfp.document.shared import Task
from kade2kfp.tasks import TASK_TYPES

TYPES: dict[str, type[Task]] = {get_args(model.model_fields["type"].annotation)[0]: model for model in TASK_TYPES}
LISTS: dict[str, type[Model]] = {"parameters": Parameter, "volumes": Volume, "arrows": Arrow}
ROOTS: dict[str, type[Model]] = {
    "pipeline": Envelope,
    "parameter": Parameter,
    "volume": Volume,
    "arrow": Arrow,
    "defaults": Defaults,
    **TYPES,
}
EDITORS = ("position", "ui")
READ_ONE_BY_ONE = ("parameters", "volumes", "defaults", "tasks", "arrows")
"""Fields of the pipeline whose elements have models of their own among the roots."""


def bare(annotation: Any) -> list[Any]:
    """What an annotation allows, without Annotated and None: one type, or all of a union."""
    if hasattr(annotation, "__metadata__"):
        return bare(annotation.__origin__)
    if get_origin(annotation) in (types.UnionType, Union):
        return [one for part in get_args(annotation) if part is not type(None) for one in bare(part)]
    return [annotation]


def inner(annotation: Any) -> type[Model] | None:
    """The model of the object, or of the list's or map's objects, that an annotation allows."""
    for one in bare(annotation):
        if isinstance(one, type) and issubclass(one, Model):
            return one
        if get_origin(one) in (list, dict) and (found := inner(get_args(one)[-1])):
            return found
    return None


def fields(model: type[Model]) -> dict[str, Any]:
    """The annotations of a model's fields, by the document's names."""
    return {alias(model, name): field.annotation for name, field in model.model_fields.items()}


def required(model: type[Model]) -> set[str]:
    """The document's names of the fields that must be there."""
    return {alias(model, name) for name, field in model.model_fields.items() if field.is_required()}


def paths(model: type[Model], above: str = "") -> Iterator[str]:
    """The way to every field of a model and of the models in it: `env.valueFrom.secretKeyRef.name`."""
    for name, annotation in fields(model).items():
        if model is Envelope and name in READ_ONE_BY_ONE:
            continue
        yield above + name
        if found := inner(annotation):
            yield from paths(found, f"{above}{name}.")


def literals(annotation: Any) -> list[Any]:
    """The values of a Literal, or nothing."""
    return [value for one in bare(annotation) if get_origin(one) is Literal for value in get_args(one)]


def objects(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], type[Model]]]:
    """Every object of a well-formed document with its model; not the values that users make up."""
    yield from _objects(document, Envelope)
    for key, model in LISTS.items():
        for value in document.get(key) or ():
            yield from _objects(value, model)
    yield from _objects(document.get("defaults"), Defaults)
    for task in document["tasks"]:
        yield from _objects(task, TYPES[task["type"]])


def _objects(value: Any, model: type[Model]) -> Iterator[tuple[dict[str, Any], type[Model]]]:
    if isinstance(value, list):
        for one in value:
            yield from _objects(one, model)
    elif isinstance(value, dict):
        yield value, model
        for name, annotation in fields(model).items():
            if found := inner(annotation):
                yield from _objects(value.get(name), found)
