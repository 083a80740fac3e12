"""Server-side apply as Kubernetes has it (its documentation, "Server-Side Apply"), for whole objects.

An object is a mapping of paths to leaves. Lists that Kubernetes merges by a key are mappings by it; all other lists are
leaves. What a manager no longer applies goes, if nobody else owns it.
"""

from __future__ import annotations

from typing import Any

# The last field of the path, and the fields that tell its members apart (x-kubernetes-list-map-keys).
_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
}
_PORTS = ("containerPort", "port")
Leaves = dict[tuple[str, ...], Any]


class ConflictError(Exception):
    """409; its text is the Status's message."""


class InvalidError(Exception):
    """422."""


def leaves(value: Any, path: tuple[str, ...] = ()) -> Leaves:
    """All leaves of an object by their paths; a member of a list has `[name=x]` in its path.

    Raises:
        InvalidError: two members of a list have one key.
    """
    if isinstance(value, dict):
        found: Leaves = {} if value else {path: {}}
        for key, one in value.items():
            found |= leaves(one, (*path, key))
        return found
    keys = _keys(path, value)
    if not keys:
        return {path: value}
    found, seen = {}, set()
    for one in value:
        name = ",".join(f"{key}={one.get(key)}" for key in keys)
        if name in seen:
            raise InvalidError(
                f"failed to create typed patch object: .{'.'.join(path)}: duplicate entries for key [{name}]"
            )
        seen.add(name)
        found |= leaves(one, (*path, f"[{name}]"))
    return found


def _keys(path: tuple[str, ...], value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not path:
        return ()
    if path[-1] == "ports":
        return tuple(key for key in _PORTS if key in value[0])
    return _KEYS.get(path[-1], ())


def tree(found: Leaves) -> Any:
    """The object of some leaves."""
    root: Any = {}
    for path, value in found.items():
        if path == ():
            return value
        here = root
        for key in path[:-1]:
            here = here.setdefault(key, {})
        if isinstance(here.get(path[-1]), dict) and value == {}:
            continue
        here[path[-1]] = value
    return _lists(root)


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.startswith("[") for key in value):
        return [_lists(one) for one in value.values()]
    return {key: _lists(one) for key, one in value.items()}


def apply(live: Any, owners: dict[tuple[str, ...], set[str]], wanted: Any, manager: str, force: bool) -> Any:
    """The object after an apply; `owners` says whose each leaf is, and is changed."""
    before, after = leaves(live) if live else {}, leaves(wanted)
    lost = [
        (path, one)
        for path, value in after.items()
        for one in owners.get(path, set()) - {manager}
        if before.get(path) != value
    ]
    if lost and not force:
        said = "; ".join(f'conflict with "{one}": .{".".join(path)}' for path, one in lost)
        raise ConflictError(f"Apply failed with {len(lost)} conflicts: {said}")
    for path, one in lost:
        owners[path].discard(one)
    for path in [path for path, of in owners.items() if manager in of and path not in after]:
        owners[path].discard(manager)
        if not owners[path]:
            del owners[path]
            before.pop(path, None)
    for path, value in after.items():
        # A leaf takes the place of a tree, and the other way round.
        for other in [one for one in before if one != path and one[: len(path)] == path and value != {}]:
            del before[other]
        before[path] = value
        owners.setdefault(path, set()).add(manager)
    # Members of lists come in the order of what is applied.
    return tree({path: before[path] for path in after} | before)


def merge(live: Any, patch: Any) -> Any:
    """The object after a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    found = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merge(found.get(key), value)
    return found
