"""Server-side apply of ConfigMaps, and merge patches, as Kubernetes has them (its documentation, "Server-Side Apply").

Fields are named `data.KEY`, `owner.UID`. A manager that applies owns what it names. A field whose value differs and that
another one owns is a conflict, unless forced; with the same value it is shared. What a manager no longer names goes, if
nobody else owns it.
"""

from __future__ import annotations

import copy
from typing import Any


class ConflictError(Exception):
    """409; its text is the Status's message."""


class InvalidError(Exception):
    """422."""


def apply(live: dict[str, Any] | None, wanted: dict[str, Any], manager: str, force: bool) -> dict[str, Any]:
    """The object after an apply; `live` is not changed. `owners` in it stands for managedFields."""
    found = (
        copy.deepcopy(live) if live else {"metadata": {"name": wanted["metadata"]["name"]}, "data": {}, "owners": {}}
    )
    if not manager or len(manager) > 128:
        raise InvalidError("metadata.managedFields.manager: Too long: may not be more than 128 bytes")
    _same_version(live, wanted)
    before, after = _fields(found), _fields(wanted)
    owners: dict[str, list[str]] = found["owners"]
    lost = []
    for name, value in after.items():
        others = [one for one in owners.get(name, []) if one != manager]
        if others and before.get(name) != value:
            lost += [(one, name) for one in others]
    if lost and not force:
        said = "; ".join(f'conflict with "{one}": .{name}' for one, name in lost)
        raise ConflictError(f"Apply failed with {len(lost)} conflict{'s' * (len(lost) > 1)}: {said}")
    for one, name in lost:
        owners[name].remove(one)
    for name in [name for name, by in owners.items() if manager in by and name not in after]:
        owners[name].remove(manager)
        if not owners[name]:
            del owners[name]
            before.pop(name, None)
    for name, value in after.items():
        before[name] = value
        if manager not in owners.setdefault(name, []):
            owners[name].append(manager)
    return _with(found, before)


def merge(live: dict[str, Any], patch: dict[str, Any], manager: str) -> dict[str, Any]:
    """The object after a JSON merge patch (RFC 7386); the manager owns what it changed, nobody what it removed."""
    found = copy.deepcopy(live)
    _same_version(live, patch)
    fields = _fields(found)
    for key, value in (patch.get("data") or {}).items():
        if value is None:
            fields.pop(f"data.{key}", None)
            found["owners"].pop(f"data.{key}", None)
        elif fields.get(f"data.{key}") != value:
            fields[f"data.{key}"] = value
            found["owners"][f"data.{key}"] = [manager]
    return _with(found, fields)


def _same_version(live: dict[str, Any] | None, wanted: dict[str, Any]) -> None:
    version = wanted["metadata"].get("resourceVersion") if "metadata" in wanted else None
    if version is not None and (live is None or version != live["metadata"]["resourceVersion"]):
        raise ConflictError(
            "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version"
        )


def _fields(thing: dict[str, Any]) -> dict[str, Any]:
    owners = thing["metadata"].get("ownerReferences") or []
    return {f"data.{key}": text for key, text in (thing.get("data") or {}).items()} | {
        f"owner.{one['uid']}": one for one in owners
    }


def _with(found: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    data = {name[5:]: text for name, text in fields.items() if name.startswith("data.")}
    if sum(len(text.encode()) for text in data.values()) > 1 << 20:
        raise InvalidError("data: Too long: may not be more than 1048576 bytes")
    found["data"] = data
    if references := [one for name, one in fields.items() if name.startswith("owner.")]:
        found["metadata"]["ownerReferences"] = references
    found["metadata"]["resourceVersion"] = str(int(found["metadata"].get("resourceVersion", "0")) + 1)
    return found
