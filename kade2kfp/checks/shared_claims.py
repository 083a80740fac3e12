"""Claims that several tasks share."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.read import Document
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.order import may_run_together


def shared_claims(analysis: Analysis) -> Iterator[Diagnostic]:
    """K409 (warning): RO cannot be held. K410 (warning): a ReadWriteOnce claim in tasks that may run together."""
    document = analysis.document
    told: set[str] = set()
    for task in document.tasks:
        for mount in task.volumes or ():
            if mount.acl == "RO" and mount.id and mount.id not in told:
                told.add(mount.id)
                help_ = "KFP mounts no claim read-only: on a cluster the task can write there; local runs hold it"
                yield Diagnostic("K409", f"`RO` on `{mount.id}` cannot be held on Kubeflow", mount.place("acl"), help_)
    yield from _once(analysis, document)


def _once(analysis: Analysis, document: Document) -> Iterator[Diagnostic]:
    for volume in document.volumes:
        if volume.create is None:
            continue
        modes = volume.create.access_modes or ["ReadWriteOnce"]
        if document.is_torn(volume.create.place("access_modes")) or not set(modes) <= {
            "ReadWriteOnce",
            "ReadWriteOncePod",
        }:
            continue
        users = [
            task.id
            for task in document.tasks
            if any(one.value.id == volume.id for one in analysis.settings[task.id].volumes)
        ]
        users += [end.id for flow in analysis.flows if flow.volume == volume.id for end in (flow.giver, flow.taker)]
        pair = may_run_together(analysis, list(dict.fromkeys(users)))
        if pair:
            first, second = (next(task for task in document.tasks if task.id == id_) for id_ in pair)
            message = f"`{volume.id}` is {modes[0]}, and `{first.id}` and `{second.id}` may run together"
            related = tuple(Related(f"`{task.id}`", task.place("id")) for task in (first, second))
            help_ = "on two nodes the second would wait for ever: ask for ReadWriteMany, or draw an arrow between them"
            yield Diagnostic("K410", message, volume.create.place("access_modes"), help_, related)
