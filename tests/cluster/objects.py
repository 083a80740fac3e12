"""Objects of a cluster besides pods and ConfigMaps: server-side apply with managedFields as Kubernetes writes them, merge
patches, deletion, and the Deployment's controller.

A path is a tuple of `f:NAME` and `k:{KEYS}`, as in fieldsV1.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from .apply import ConflictError

KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "protocol"),
}
OWN = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "name", "namespace")
Path = tuple[str, ...]


class Objects:
    """By resource and name. `broken` are versions whose pods never get ready; `stays` stops the controller."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], dict[str, Any]] = {}
        self.owners: dict[tuple[str, str], dict[tuple[str, str], set[Path]]] = {}
        self.broken: set[str] = set()
        self.unready = False
        self.stays = False
        self.count = 0

    def add(self, resource: str, found: dict[str, Any]) -> dict[str, Any]:
        """As it is, owned by nobody."""
        self.found[resource, found["metadata"]["name"]] = found
        return found

    def list(self, resource: str) -> list[dict[str, Any]]:
        return [one for (kind, _), one in self.found.items() if kind == resource]

    def delete(self, resource: str, name: str) -> dict[str, Any]:
        gone = self.found.pop((resource, name))
        uid = gone["metadata"].get("uid")
        for key, one in list(self.found.items()):
            if any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences", ())):
                del self.found[key]
        return gone

    def apply(self, resource: str, wanted: dict[str, Any], manager: str, *, force: bool = True) -> dict[str, Any]:
        key = (resource, wanted["metadata"]["name"])
        live = self.found.get(key) or {"metadata": {"name": key[1], "uid": f"uid-{key[1]}", "generation": 0}}
        same_version(live, wanted)
        owners, before, after = self.owners.setdefault(key, {}), dict(leaves(live)), dict(leaves(wanted))
        for other, theirs in owners.items():
            lost = {path for path in theirs & set(after) if before.get(path) != after[path]}
            if other != (manager, "Apply") and lost:
                if not force:
                    raise ConflictError(f"Apply failed with {len(lost)} conflicts")
                theirs -= lost
        gone = owners.get((manager, "Apply"), set()) - set(after)
        owners[manager, "Apply"] = set(after)
        gone -= {path for theirs in owners.values() for path in theirs}
        return self._put(key, live, {path: value for path, value in before.items() if path not in gone} | after, wanted)

    def merge(self, resource: str, name: str, patch: dict[str, Any], manager: str) -> dict[str, Any]:
        key = (resource, name)
        live = self.found[key]
        same_version(live, patch)
        before = dict(leaves(live))
        after = dict(leaves(merged(live, patch)))
        changed = {path for path in set(before) | set(after) if before.get(path) != after.get(path)}
        for theirs in self.owners.setdefault(key, {}).values():
            theirs -= changed
        self.owners[key].setdefault((manager, "Update"), set()).update(changed & set(after))
        return self._put(key, live, after, live)

    def _put(
        self, key: tuple[str, str], live: dict[str, Any], fields: dict[Path, Any], wanted: dict[str, Any]
    ) -> dict[str, Any]:
        made = built(fields)
        made["status"] = live.get("status", {})
        made["apiVersion"], made["kind"] = wanted["apiVersion"], wanted["kind"]
        own = {name: live["metadata"][name] for name in OWN if name in live["metadata"]}
        made["metadata"] = made.get("metadata", {}) | own
        made["metadata"].setdefault("creationTimestamp", "2026-03-01T09:59:00Z")
        self.count += 1
        made["metadata"]["resourceVersion"] = str(self.count)
        if made.get("spec") != live.get("spec"):
            made["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
        made["metadata"]["managedFields"] = [
            {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": tree(paths)}
            for (manager, operation), paths in self.owners.get(key, {}).items()
            if paths
        ]
        self.found[key] = made
        if key[0] == "deployments" and not self.stays:
            self.control(made)
        return made

    def control(self, made: dict[str, Any]) -> None:
        """A ReplicaSet for each template; pods that get ready at once, or never; maxUnavailable 0."""
        metadata, spec = made["metadata"], made["spec"]
        sets = [
            one for one in self.list("replicasets") if one["metadata"]["ownerReferences"][0]["uid"] == metadata["uid"]
        ]
        revision = 1 + max(
            [int(one["metadata"]["annotations"]["deployment.kubernetes.io/revision"]) for one in sets] or [0]
        )
        mine = next((one for one in sets if bare(one["spec"]["template"]) == bare(spec["template"])), None)
        if mine is None:
            name = f"{metadata['name']}-{revision}"
            template = copy.deepcopy(spec["template"])
            template["metadata"] = {"creationTimestamp": None, **template["metadata"]}
            template["metadata"]["labels"]["pod-template-hash"] = str(revision)
            owner = {"kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}
            mine = {
                "metadata": {"name": name, "labels": dict(template["metadata"]["labels"]), "ownerReferences": [owner]}
            }
            mine |= {"spec": {"template": template}}
            self.add("replicasets", mine)
        mine["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": str(revision)}
        version, count = spec["template"]["metadata"]["labels"].get("kade2kfp/version", ""), spec.get("replicas", 1)
        good = version not in self.broken and not self.unready
        old = [] if good or not count else [
            one for one in self.list("pods") if owned(one, metadata["uid"]) and one["status"]["conditions"][0]["status"] == "True"
        ]  # fmt: skip
        for one in [one for one in self.list("pods") if owned(one, metadata["uid"]) and one not in old]:
            del self.found["pods", one["metadata"]["name"]]
        for number in range(count):
            self.count += 1
            pod = service_pod(f"{mine['metadata']['name']}-{number}-{self.count}", spec["template"], good=good)
            pod["metadata"]["ownerReferences"] = [{"kind": "Deployment", "uid": metadata["uid"]}]
            self.add("pods", pod)
        made["status"] = {
            "observedGeneration": metadata["generation"],
            "replicas": count + len(old),
            "updatedReplicas": count,
            "readyReplicas": count * good + len(old),
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
        }


def service_pod(name: str, template: dict[str, Any], *, good: bool) -> dict[str, Any]:
    """A pod of a template that is ready, or whose container ends again and again."""
    crash = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
    status = {"restartCount": 4, "state": crash, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    if good:
        status = {"restartCount": 0, "state": {"running": {"startedAt": "2026-03-01T10:00:00Z"}}}
    return {
        "metadata": {
            "name": name,
            "labels": dict(template["metadata"]["labels"]),
            "creationTimestamp": "2026-03-01T10:00:00Z",
        },
        "spec": copy.deepcopy(template["spec"]),
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if good else "False"}],
            "containerStatuses": [{"name": "server", **status}],
        },
    }


def owned(one: dict[str, Any], uid: str) -> bool:
    return any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences", ()))


def bare(template: dict[str, Any]) -> dict[str, Any]:
    """Without what the controller and the API add."""
    found = copy.deepcopy(template)
    found["metadata"]["labels"].pop("pod-template-hash", None)
    found["metadata"].pop("creationTimestamp", None)
    return found


def same_version(live: dict[str, Any], wanted: dict[str, Any]) -> None:
    version = wanted.get("metadata", {}).get("resourceVersion")
    if version is not None and version != live["metadata"].get("resourceVersion"):
        raise ConflictError("Operation cannot be fulfilled: the object has been modified")


def merged(value: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(value) if isinstance(value, dict) else {}
    for key, below in patch.items():
        if below is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), below)
    return found


def leaves(value: Any, path: Path = (), name: str = "") -> Iterator[tuple[Path, Any]]:
    """All that can be owned, with its value."""
    if isinstance(value, dict) and (value or not path):
        for key, below in value.items():
            top = not path and key in ("apiVersion", "kind", "status")
            if not top and not (path == ("f:metadata",) and key in OWN):
                yield from leaves(below, (*path, f"f:{key}"), key)
    elif isinstance(value, list) and name in KEYS and value:
        for one in value:
            keys = {key: one[key] for key in KEYS[name] if key in one}
            here = (*path, "k:" + json.dumps(keys, separators=(",", ":")))
            yield (*here, "."), keys
            for key, below in one.items():
                yield from leaves(below, (*here, f"f:{key}"), key)
    else:
        yield path, value


def built(fields: dict[Path, Any]) -> dict[str, Any]:
    """The object with these fields."""
    root: dict[str, Any] = {}
    for path, value in fields.items():
        here: Any = root
        if path[-1] == "." and path not in fields:
            continue
        steps = path[:-1] if path[-1] == "." else path
        for number, step in enumerate(steps):
            last, following = number == len(steps) - 1, steps[number + 1] if number + 1 < len(steps) else ""
            if step.startswith("f:"):
                if last:
                    here[step[2:]] = value
                else:
                    here = here.setdefault(step[2:], [] if following.startswith("k:") else {})
                continue
            keys = json.loads(step[2:])
            item = next((one for one in here if keys.items() <= one.items()), None)
            if item is None:
                item = dict(keys)
                here.append(item)
            here = item
    return root


def tree(paths: set[Path]) -> dict[str, Any]:
    """fieldsV1."""
    root: dict[str, Any] = {}
    for path in sorted(paths):
        here = root
        for step in path:
            here = here.setdefault(step, {})
    return root
