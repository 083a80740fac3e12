"""Mounts of a task: what each is, and where."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.shared import TaskVolume
from kade2kfp.document.types import inside
from kade2kfp.plan.analysis import Analysis

# KFP's launcher and driver keep these for themselves (backend/src/v2/compiler/argocompiler/container.go), we /kade.
RESERVED = (
    "/gcs",
    "/oci",
    "/s3",
    "/minio",
    "/.local",
    "/.cache",
    "/.config",
    "/kfp-launcher",
    "/kfp-workspace",
    "/kade",
    "/var/run/argo",
)
_OF = {
    "acl": ("id",),
    "sub_path": ("id",),
    "optional": ("secret", "config_map"),
}


def mounts(analysis: Analysis) -> Iterator[Diagnostic]:
    """K404: not one thing. K405: a field of another kind. K406: one path twice. K407: a path of KFP's own. K408: a `:` in it."""
    for task in analysis.document.tasks:
        first: dict[str, Pointer] = {}
        for mount in task.volumes or ():
            yield from _what(analysis, mount)
            at, path = mount.place("mount_path"), mount.mount_path
            yield from path_problems(path, at)
            if path in first:
                help_ = "give each its own path: of two mounts at one, Kubernetes keeps the last or mixes them"
                yield Diagnostic("K406", f"two mounts at {path}", at, help_, (Related("the first", first[path]),))
            first.setdefault(path, at)


def _what(analysis: Analysis, mount: TaskVolume) -> Iterator[Diagnostic]:
    kinds = [field for field in ("id", "secret", "config_map", "empty_dir") if getattr(mount, field) is not None]
    if analysis.document.is_torn(*(mount.place(field) for field in ("id", "secret", "config_map", "empty_dir"))):
        return
    if len(kinds) != 1:
        said = "nothing to mount" if not kinds else "more than one thing to mount"
        yield Diagnostic(
            "K404",
            f"this mount names {said}",
            mount.at,
            "give exactly one of `id`, `secret`, `configMap` and `emptyDir`",
        )
        return
    for field, owners in _OF.items():
        if getattr(mount, field) is not None and kinds[0] not in owners:
            name = mount.place(field)[-1]
            owner = " or ".join(f"`{mount.place(one)[-1]}`" for one in owners)
            yield Diagnostic(
                "K405",
                f"`{name}` has no effect here",
                mount.place(field),
                f"it belongs to a mount with {owner}; leave it out",
            )


def path_problems(path: str, at: Pointer) -> Iterator[Diagnostic]:
    """What is wrong with a place where something is to be mounted."""
    if "{{" in path:
        return
    if path == "/":
        yield Diagnostic("K407", "nothing can be mounted at /", at, "name a folder below it")
    for reserved in RESERVED:
        if inside(path, reserved):
            help_ = (
                "choose another path: Kubeflow keeps files of its own there"
                if reserved != "/kade"
                else "choose another path: kade2kfp keeps files of its own there"
            )
            yield Diagnostic("K407", f"{path} lies in {reserved}, which is taken", at, help_)
        elif inside(reserved, path) and path != "/":
            yield Diagnostic("K407", f"{path} would hide {reserved}, which Kubeflow needs", at, "choose another path")
    if ":" in path:
        yield Diagnostic(
            "K408", f"the path {path} holds a `:`", at, "Kubernetes mounts nothing there; choose another path"
        )
