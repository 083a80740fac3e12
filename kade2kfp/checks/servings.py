"""A serving outlives its run, and so does what it needs."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.servings import volume_of_serving
from kade2kfp.tasks.serving import Serving


def servings(analysis: Analysis) -> Iterator[Diagnostic]:
    """K237: no volume that lasts. K238: no replica is the fewest, where only KServe can wake one."""
    document = analysis.document
    for task in document.tasks:
        if not isinstance(task, Serving):
            continue
        yield from _kept(analysis, task)
        scale = task.autoscale
        unsure = document.is_torn(task.place("flavor"))
        if scale is not None and scale.min_replicas == 0 and task.flavor != "kserve" and not unsure:
            help_ = 'say 1, or "flavor": "kserve", which starts one when a request comes'
            message = "a Deployment's autoscaler keeps at least one replica"
            yield Diagnostic("K238", message, scale.place("min_replicas"), help_)


def _kept(analysis: Analysis, task: Serving) -> Iterator[Diagnostic]:
    document = analysis.document
    if document.is_torn(("volumes",), task.place("volume"), ("defaults",)) or document.damaged["volumes"]:
        return
    volumes = {volume.id: volume for volume in document.volumes}
    chosen = volume_of_serving(analysis, task)
    if task.volume and task.volume not in volumes:
        return  # K401 says so
    if task.volume and volumes[task.volume].create:
        related = (Related("the volume", volumes[task.volume].at),)
        message = f"`{task.volume}` goes with the run, and an endpoint stays"
        yield Diagnostic("K237", message, task.place("volume"), "name a volume with a `claimName`", related)
    elif not chosen:
        lasting = [f"`{volume.id}`" for volume in document.volumes if not volume.create]
        help_ = (
            f"name one of {', '.join(lasting)} as its `volume`"
            if lasting
            else 'add {"id": "models", "claimName": "..."} to `volumes`: a claim that several nodes may mount'
        )
        yield Diagnostic("K237", f"no volume keeps what `{task.id}` serves", task.at, help_)
    for mount in task.volumes or ():
        if mount.id and mount.id in volumes and volumes[mount.id].create:
            related = (Related("the volume", volumes[mount.id].at),)
            message = f"an endpoint cannot mount `{mount.id}`, which goes with the run"
            yield Diagnostic("K237", message, mount.place("id"), "mount a volume with a `claimName`", related)
