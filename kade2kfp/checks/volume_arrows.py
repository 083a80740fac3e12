"""Arrows over volumes are mounts: each needs a place of its own."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.connect import mount_of, volume_mounts
from kade2kfp.steps.parts import ClaimMount, Mount


def volume_arrows(analysis: Analysis) -> Iterator[Diagnostic]:
    """K407: a file at /, whose folder would be mounted. K415: a mount at the very place of another."""
    for task in analysis.document.tasks:
        settings = analysis.settings[task.id].volumes
        own = [(mount_of(analysis, one.value), one.value.place("mount_path")) for one in settings]
        taken: dict[str, tuple[Mount, Pointer, str]] = {mount.path: (mount, at, "") for mount, at in own}
        for mount, at, said in _mounts(analysis, task, [mount for mount, _ in own]):
            if mount.path == "/":
                yield Diagnostic(
                    "K407", "nothing can be mounted at /, the folder of this file", at, "put the file into a folder"
                )
            elif mount.path in taken and taken[mount.path][0] != mount and taken[mount.path][2] != said:
                related = (Related("the other mount", taken[mount.path][1]),)
                message = f"at {mount.path} something else is mounted already"
                yield Diagnostic(
                    "K415", message, at, "choose another path for the arrow: two mounts at one would mix", related
                )
            else:
                taken.setdefault(mount.path, (mount, at, said))  # two arrows at one path: see arrow_paths


def _mounts(analysis: Analysis, task: Task, own: list[Mount]) -> Iterator[tuple[ClaimMount, Pointer, str]]:
    """The mounts of arrows, where each is said, and the path that is said there."""
    for flow in analysis.from_task.get(task.id, ()):
        for mount in volume_mounts(analysis, [flow] if flow.volume else [], [], own):
            yield mount, flow.arrow.place("from_path"), flow.from_path
    for flow in analysis.to_task.get(task.id, ()):
        if flow.taker.type != "select":
            for mount in volume_mounts(analysis, [], [flow] if flow.volume else [], own):
                yield mount, flow.arrow.place("to_path"), flow.to_path
