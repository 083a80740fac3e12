"""What a manager of fields has applied to an object, by the object's own managedFields.

Server-side apply takes away what a manager has applied before and no longer names: who changes one field has to name all of
them. The format of `fieldsV1`: k8s.io/apimachinery, FieldsV1, and sigs.k8s.io/structured-merge-diff, fieldpath.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def managed(found: Mapping[str, Any], manager: str) -> dict[str, Any]:
    """The part of an object that the manager has applied; empty where it has applied nothing."""
    metadata = found.get("metadata")
    entries = metadata.get("managedFields") if isinstance(metadata, Mapping) else None
    for one in entries if isinstance(entries, list) else []:
        ours = isinstance(one, Mapping) and one.get("manager") == manager and one.get("operation") == "Apply"
        if ours and not one.get("subresource"):
            part = _part(found, one.get("fieldsV1"))
            return part if isinstance(part, dict) else {}
    return {}


def _part(value: Any, fields: Any) -> Any:
    """A value with the fields only that are named; all of it where none is, as for what is applied as a whole."""
    if not isinstance(fields, Mapping) or not fields:
        return value
    names = {
        key: below for key, below in fields.items() if key != "."
    }  # "." is the thing itself, without what is in it
    if isinstance(value, Mapping):
        wanted = {key[2:]: below for key, below in names.items() if key.startswith("f:")}
        return {key: _part(value[key], below) for key, below in wanted.items() if key in value}
    if isinstance(value, list):
        return [part for key, below in names.items() for part in _item(value, key, below)]
    return value


def _item(items: list[Any], key: str, below: Any) -> list[Any]:
    """The item of a list that is named by its keys, `k:{"name":"a"}`, by itself, `v:"a"`, or by its place, `i:0`."""
    kind, _, text = key.partition(":")
    try:
        said = json.loads(text)
    except ValueError:
        return []
    if kind == "v":
        return [said] if said in items else []
    if kind == "i":
        return [_part(items[said], below)] if isinstance(said, int) and 0 <= said < len(items) else []
    if kind != "k" or not isinstance(said, Mapping):
        return []
    for one in items:
        if isinstance(one, Mapping) and all(one.get(name) == value for name, value in said.items()):
            part = _part(one, below)
            return [{**said, **part} if isinstance(part, Mapping) else part]
    return []
