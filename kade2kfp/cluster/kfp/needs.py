"""Whether what of Kubernetes a pipeline needs (kade2kfp.plan.needs) is there.

A pod that names what does not exist waits for ever, and its run with it (lowering.md): so it is looked for first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.kubernetes import read
from kade2kfp.plan.needs import Need

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of a need: `there`, `missing`, or `unknown` with the reason. `tasks` are those that have it."""

    need: Need
    state: Literal["there", "missing", "unknown"]
    reason: str
    tasks: tuple[str, ...]


def look(cluster: Cluster, needs: Mapping[Need, tuple[str, ...]]) -> list[Looked]:
    """Each need with whether it is there. Raises RefusedError where the cluster cannot be asked at all."""
    kept: dict[tuple[str, str], dict[str, Any] | RefusedError | None] = {}
    return [_looked(cluster, need, tasks, kept) for need, tasks in needs.items()]


def _looked(
    cluster: Cluster,
    need: Need,
    tasks: tuple[str, ...],
    kept: dict[tuple[str, str], dict[str, Any] | RefusedError | None],
) -> Looked:
    at = (need.resource, need.name)
    if at not in kept:
        try:
            group = "storage.k8s.io" if need.resource == "storageclasses" else ""
            kept[at] = read(cluster, need.resource, "" if group else need.name, group=group)
        except RefusedError as error:
            if error.status != 403:
                raise
            kept[at] = error
    found = kept[at]
    if isinstance(found, RefusedError):
        return Looked(need, "unknown", "you may not look", tasks)
    if found is None:
        return Looked(need, "missing", f"there is none in namespace `{cluster.namespace}`", tasks)
    if need.resource == "storageclasses":
        return _class(need, found, tasks)
    if need.key and need.key not in {**(found.get("data") or {}), **(found.get("binaryData") or {})}:
        return Looked(need, "missing", "it has no such key", tasks)
    if (found.get("status") or {}).get("phase") == "Lost":
        return Looked(need, "missing", "its volume is lost", tasks)
    return Looked(need, "there", "", tasks)


def _class(need: Need, found: Mapping[str, Any], tasks: tuple[str, ...]) -> Looked:
    classes = storage_classes(found)
    if need.name in classes or (not need.name and any(classes.values())):
        return Looked(need, "there", "", tasks)
    known = ", ".join(classes) or "none"
    return Looked(need, "missing", f"the cluster's storage classes: {known}", tasks)


def storage_classes(found: Mapping[str, Any]) -> dict[str, bool]:
    """The names of listed storage classes, and whether each is the default."""
    rows = [one.get("metadata") or {} for one in found.get("items") or () if isinstance(one, dict)]
    return {str(one.get("name")): (one.get("annotations") or {}).get(_DEFAULT) == "true" for one in rows}
