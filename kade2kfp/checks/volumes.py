"""Volumes of the pipeline, and every name of one."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.suggest import closest, did_you_mean
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.servings import volume_of_serving
from kade2kfp.tasks.serving import Serving

MAX_SLUG = 43


def volumes(analysis: Analysis) -> Iterator[Diagnostic]:
    """K400: no such volume. K402: not one of claimName and create. K403: two created ones. K413 (warning): not used."""
    document = analysis.document
    known = {volume.id for volume in document.volumes}
    for name, at in _named(analysis):
        if name not in known and not document.may_have("volumes", name):
            help_ = did_you_mean(name, [volume.id for volume in document.volumes], noun="volumes")
            help_ = help_ if document.volumes else "add it to the pipeline's `volumes`"
            yield Diagnostic("K400", f"there is no volume `{name}`", at, help_)
    meant = [name if name in known else closest(name, known) for name, _ in _named(analysis)]
    meant += [volume_of_serving(analysis, task) for task in document.tasks if isinstance(task, Serving)]
    unsure = None in meant or document.is_torn(("tasks",), ("arrows",), ("defaults",))
    created: Pointer | None = None
    yield from _long_name(analysis)
    for volume in document.volumes:
        if volume.id not in meant and not unsure:
            help_ = "mount it in a task, let an arrow go over it, or take it out"
            yield Diagnostic("K413", f"the volume `{volume.id}` is not used", volume.place("id"), help_)
        torn = document.is_torn(volume.place("claim_name"), volume.place("create"))
        if (volume.claim_name is None) == (volume.create is None) and not torn:
            what = "neither `claimName` nor `create`" if volume.create is None else "`claimName` and `create`"
            help_ = "name a claim that exists, or let one be created for the run"
            yield Diagnostic("K402", f"the volume `{volume.id}` has {what}", volume.at, help_)
        if volume.create is not None:
            if created is not None:
                help_ = "KFP has one workspace a run; mount it at several paths, with a subPath each"
                yield Diagnostic(
                    "K403",
                    "a second volume is to be created",
                    volume.place("create"),
                    help_,
                    (Related("the first", created),),
                )
            created = created or volume.place("create")


def _long_name(analysis: Analysis) -> Iterator[Diagnostic]:
    """K412: KFP calls the pod's volume after the run's claim, WORKFLOW-kfp-workspace, which has room for 63 characters."""
    document = analysis.document
    created = [volume for volume in document.volumes if volume.create is not None]
    torn = document.is_torn(document.pipeline.place("slug"))
    if created and len(analysis.slug) > MAX_SLUG and not torn:
        message = f"the pipeline's name in KFP, {analysis.slug}, is too long for a created volume: {MAX_SLUG} characters at most"
        help_ = 'give the pipeline a short "slug"'
        at = document.pipeline.place("slug" if document.pipeline.slug else "name")
        yield Diagnostic("K412", message, at, help_, (Related("the created volume", created[0].place("create")),))


def _named(analysis: Analysis) -> Iterator[tuple[str, Pointer]]:
    document = analysis.document
    if document.defaults.volume:
        yield document.defaults.volume, document.defaults.place("volume")
    for arrow in document.arrows:
        if arrow.volume:
            yield arrow.volume, arrow.place("volume")
    for task in document.tasks:
        for mount in task.volumes or ():
            if mount.id is not None:
                yield mount.id, mount.place("id")
        if isinstance(task, Serving) and task.volume:
            yield task.volume, task.place("volume")
