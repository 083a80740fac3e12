"""What kubelet makes of a pod on this machine: its volumes as folders, its container's environment."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .expand import SERVICES, kubernetes
from .state import Bound, Cluster


class NotStartedError(Exception):
    """Kubernetes cannot start the pod; on a cluster it would wait for ever."""


def project(folder: Path, data: Mapping[str, str]) -> None:
    """Write keys as files as kubelet projects a secret or config map: links through `..data`, swapped at once.

    Called again on a running step's folder, it is the change of a config map that arrives there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    new.chmod(0o755)
    for key, value in data.items():
        (new / key).write_text(value, encoding="utf-8", newline="")
        (new / key).chmod(0o644)
    link = folder / "..data"
    before = link.resolve() if link.exists() else None
    swapped = folder / "..data_tmp"
    swapped.symlink_to(new.name)
    swapped.rename(link)
    for key in data:
        if not (folder / key).is_symlink():
            (folder / key).symlink_to(f"..data/{key}")
    for one in folder.iterdir():
        if not one.name.startswith("..") and one.name not in data:
            one.unlink()
    if before is not None:
        shutil.rmtree(before)


def mounts(pod: Mapping[str, Any], container: Mapping[str, Any], home: Path, cluster: Cluster) -> list[Bound]:
    """Where the container's mounts are on this machine, outermost first; NotStartedError for what is not there."""
    volumes = {one["name"]: one for one in pod["spec"].get("volumes", [])}
    made = []
    for mount in container.get("volumeMounts", []):
        volume = volumes[mount["name"]]
        sources = sorted(set(volume) - {"name"})
        assert len(sources) == 1, f"Kubernetes refuses volume {mount['name']!r}: more than one of {sources}"
        made.append(_mount(volume, mount, home / "volumes" / mount["name"], cluster))
    return sorted(made, key=lambda one: len([part for part in one.path.split("/") if part]))


def _mount(volume: Mapping[str, Any], mount: Mapping[str, Any], folder: Path, cluster: Cluster) -> Bound:
    if "persistentVolumeClaim" in volume:
        root = cluster.claim(volume["persistentVolumeClaim"]["claimName"])
        return Bound(_sub_path(root, mount.get("subPath", "")), mount["mountPath"])
    if "secret" in volume or "configMap" in volume:
        kind = "secret" if "secret" in volume else "configMap"
        name = volume[kind]["secretName" if kind == "secret" else "name"]
        known = cluster.secrets if kind == "secret" else cluster.config_maps
        if name not in known and not volume[kind].get("optional"):
            raise NotStartedError(f"MountVolume.SetUp failed: {kind} {name!r} not found")
        if not folder.exists():
            project(folder, known.get(name, {}))
        return Bound(folder, mount["mountPath"], read_only=True)
    if not folder.exists():  # emptyDir, or an ephemeral claim
        folder.mkdir(parents=True)
        folder.chmod(0o777 if "emptyDir" in volume else 0o755)
    return Bound(_sub_path(folder, mount.get("subPath", "")), mount["mountPath"])


def _sub_path(root: Path, sub_path: str) -> Path:
    """kubelet makes missing folders as root, with the mode of the volume's root (pkg/volume/util/subpath).

    A link must lead to something in the volume (subpath_linux.go, doBindSubPath and doSafeMakeDir).
    """
    parts = [part for part in sub_path.split("/") if part]
    if sub_path.startswith("/") or ".." in parts:
        raise NotStartedError(f"subPath {sub_path!r} must be a relative path without '..'")
    mode, folder = root.stat().st_mode & 0o7777, root
    for part in parts:
        folder = folder / part
        if folder.is_symlink() and not (folder.exists() and folder.resolve().is_relative_to(root.resolve())):
            raise NotStartedError(f"failed to prepare subPath for volumeMount: {sub_path!r} leads out of the volume")
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
    return folder


def environment(pod: Mapping[str, Any], container: Mapping[str, Any], cluster: Cluster) -> dict[str, str]:
    """The container's env (kubelet_pods.go, makeEnvironmentVariables); NotStartedError for a key that is not there."""
    made: dict[str, str] = dict(SERVICES)
    for one in container.get("envFrom", []):
        made |= cluster.config_maps.get(one["configMapRef"]["name"], {})
    for one in container.get("env", []):
        assert not ("value" in one and "valueFrom" in one), f"Kubernetes refuses {one['name']!r}: from two sources"
        if "valueFrom" not in one:
            made[one["name"]] = kubernetes(one.get("value", ""), made)
            continue
        value = _from(pod, one["valueFrom"], cluster)
        if value is not None:
            made[one["name"]] = value
    return made


def _from(pod: Mapping[str, Any], source: Mapping[str, Any], cluster: Cluster) -> str | None:
    assert len(source) == 1, f"Kubernetes refuses an env variable from two sources: {sorted(source)}"
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    kind = next(iter(source))
    known = cluster.secrets if kind == "secretKeyRef" else cluster.config_maps
    value = known.get(source[kind]["name"], {}).get(source[kind]["key"])
    if value is None and not source[kind].get("optional"):
        raise NotStartedError(
            f"CreateContainerConfigError: {source[kind]['name']!r} has no key {source[kind]['key']!r}"
        )
    return value


def _field(pod: Mapping[str, Any], path: str) -> str:
    metadata = pod["metadata"]
    subscript = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if subscript:
        return str(metadata.get(subscript[1], {}).get(subscript[2], ""))
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": f"uid-of-{metadata['name']}",
        "spec.nodeName": "a-node",
        "spec.serviceAccountName": pod["spec"]["serviceAccountName"],
        "status.podIP": "10.244.0.7",
        "status.hostIP": "192.168.0.1",
    }
    assert path in known, f"Kubernetes refuses the field path {path!r}"
    return str(known[path])
