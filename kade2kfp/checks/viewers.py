"""Viewers have something to show, in the way that they are to show it."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.types import inside
from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.viewer import Viewer


def viewers(analysis: Analysis) -> Iterator[Diagnostic]:
    """K235: a volume that goes with the run, or a Tensorboard resource that cannot do what is asked. K236 (warning): nothing to show."""
    for task in analysis.document.tasks:
        if isinstance(task, Viewer):
            yield from _passing(analysis, task)
            yield from _of_kubeflow(analysis, task)
            yield from _empty(analysis, task)


def _passing(analysis: Analysis, task: Viewer) -> Iterator[Diagnostic]:
    """A server in pods of its own cannot mount what Argo makes for the run and removes after it."""
    created = {volume.id: volume for volume in analysis.document.volumes if volume.create}
    for flow in analysis.to_task.get(task.id, ()):
        if flow.volume in created:
            at = flow.arrow.place("volume") if flow.arrow.given("volume") else flow.arrow.at
            yield Diagnostic(
                "K235",
                f"a viewer cannot show `{flow.volume}`, which goes with the run",
                at,
                'carry the data as an artifact ("volume": null), or by a volume with a `claimName`',
                (Related("the volume", created[flow.volume].at),),
            )
    for mount in task.volumes or ():
        if mount.id in created:
            help_ = "mount a volume with a `claimName`"
            message = f"a viewer cannot mount `{mount.id}`, which goes with the run"
            yield Diagnostic("K235", message, mount.place("id"), help_, (Related("the volume", created[mount.id].at),))


def _of_kubeflow(analysis: Analysis, task: Viewer) -> Iterator[Diagnostic]:
    if task.flavor != "kubeflow":
        return
    for field in ("command", "image", "packages_to_install", "paused"):
        if getattr(task, field):
            yield Diagnostic(
                "K235",
                f"Kubeflow's Tensorboard resource takes no `{task.place(field)[-1]}`",
                task.place(field),
                "leave it out, or leave out `flavor`",
                (Related("the flavor", task.place("flavor")),),
            )
    arriving = [flow for flow in analysis.to_task.get(task.id, ()) if not flow.order_only]
    for flow in arriving:
        if not flow.volume:
            yield Diagnostic(
                "K235",
                "Kubeflow's Tensorboard resource shows folders of claims, and this arrow brings an artifact",
                flow.arrow.at,
                "carry the data by a volume, or leave out `flavor`",
                (Related("the flavor", task.place("flavor")),),
            )
    if len(arriving) > 1:
        message = "Kubeflow's Tensorboard resource shows one folder, and several arrows lead here"
        yield Diagnostic("K235", message, task.place("flavor"), "draw one viewer for each, or leave out `flavor`")


def _empty(analysis: Analysis, task: Viewer) -> Iterator[Diagnostic]:
    document = analysis.document
    if document.is_torn(task.place("id"), task.place("volumes")) or not document.arrows_are_whole:
        return
    if task.place("log_path") in document.assumed:  # what is missing is told, and no arrow can lead there yet
        return
    mounts = [one.value.mount_path for one in analysis.settings[task.id].volumes]
    shown = any(inside(task.log_path, path) or inside(path, task.log_path) for path in mounts)
    coming = any(arrow.to_task == task.id and (arrow.from_path or arrow.to_path) for arrow in document.arrows)
    if not shown and not coming and not document.is_torn(("arrows",)):
        help_ = f"draw an arrow from the task that writes it, to {task.log_path}"
        yield Diagnostic(
            "K236", f"nothing leads to {task.log_path}, so `{task.id}` has nothing to show", task.at, help_
        )
