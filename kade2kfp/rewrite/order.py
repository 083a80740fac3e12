"""The order of fields: that of the models, so that a new field has its place by where it is declared.

Only the order of objects that the format knows means nothing. Maps keep theirs (the keys of a matrix are turned over in
their order), lists too.
"""

from __future__ import annotations

from functools import cache
from typing import get_args

from kade2kfp.document.base import Model, fields_by_alias
from kade2kfp.document.pipeline import Arrow, Defaults, Envelope, Parameter, Volume
from kade2kfp.document.shape import model_at
from kade2kfp.document.shared import Task
from kade2kfp.rewrite.tree import Node, Tree
from kade2kfp.tasks import TASK_TYPES

FIRST = ("id", "type", "name", "description", "image")
"""What a task begins with; then what its type alone has, then what all tasks share."""
LAST = ("position", "ui")
"""The editor's, before what begins with `x-`."""
_LISTS: dict[str, type[Model]] = {"parameters": Parameter, "volumes": Volume, "arrows": Arrow}
_TASKS = {get_args(model.model_fields["type"].annotation)[0]: model for model in TASK_TYPES}


def ordered(document: Node) -> Node:
    """The same document with its fields in order. Unknown fields keep theirs, behind the known ones."""
    return _object(document, Envelope)


def _object(value: Node, model: type[Model]) -> Node:
    known = fields(model)
    names = [name for name in known if name in value]
    names += [name for name in value if name not in known and not _is_editors(name)]
    names += [name for name in LAST if name in value]
    names += [name for name in value if name.startswith("x-")]
    return {name: _field(value[name], model, name) for name in names}


def _field(value: Tree, model: type[Model], name: str) -> Tree:
    """The value of a field: what is no model's, stays as it is."""
    if isinstance(value, dict):
        inner = _model(model, name, in_list=False)
        return _object(value, inner) if inner else value
    if not isinstance(value, list):
        return value
    if model is Envelope and name == "tasks":
        return [_object(one, _task(one)) if isinstance(one, dict) else one for one in value]
    inner = _model(model, name, in_list=True)
    return [_object(one, inner) if isinstance(one, dict) else one for one in value] if inner else value


def _task(value: Node) -> type[Task]:
    """The model of a task; where its type is not known, what all tasks share."""
    name = value.get("type")
    return _TASKS.get(name, Task) if isinstance(name, str) else Task


@cache
def _model(model: type[Model], name: str, *, in_list: bool) -> type[Model] | None:
    """The model of a field's value, or of the elements of its list."""
    if model is Envelope and name == "defaults":  # the envelope leaves the reading of its parts to read.py
        return None if in_list else Defaults
    if model is Envelope and name in _LISTS:
        return _LISTS[name] if in_list else None
    return model_at(model, (name, 0) if in_list else (name,))


@cache
def fields(model: type[Model]) -> dict[str, None]:
    """The names of a model's fields in the document, in order, without the editor's."""
    names = fields_by_alias(model)
    if issubclass(model, Task):
        shared = fields_by_alias(Task)
        names = dict.fromkeys([*FIRST, *(name for name in names if name not in shared), *shared], "")
    return {name: None for name in names if not _is_editors(name)}


def _is_editors(name: str) -> bool:
    return name in LAST or name.startswith("x-")
