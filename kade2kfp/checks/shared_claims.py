"""Claims that several tasks share."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.read import Document
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.expand import parallelism
from kade2kfp.plan.order import may_run_together
from kade2kfp.plan.targets import iteration


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


def _repeated(analysis: Analysis, users: list[str]) -> Task | None:
    """A task whose steps, or those of another task of its iteration, may run together."""
    tasks = [task for task in analysis.document.tasks if task.id in users and iteration(analysis.document, task)]
    many = [task for task in tasks if len(analysis.sweeps.turns.get(task.id, (None, None))) > 1]
    return many[0] if len(many) > 1 or any(parallelism(analysis, task) != 1 for task in many) else None


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
            # The exit task runs when all others have ended.
            if task.id != document.pipeline.on_exit
            and any(one.value.id == volume.id for one in analysis.settings[task.id].volumes)
        ]
        users += [end.id for flow in analysis.flows if flow.volume == volume.id for end in (flow.giver, flow.taker)]
        pair = may_run_together(analysis, list(dict.fromkeys(users)))
        if not pair and (repeated := _repeated(analysis, list(dict.fromkeys(users)))):
            message = f"`{volume.id}` is {modes[0]}, and the steps of `{repeated.id}` for its items may run together"
            help_ = "on two nodes the second would wait for ever: ask for ReadWriteMany"
            shown = (Related(f"`{repeated.id}`", repeated.place("id")),)
            yield Diagnostic("K410", message, volume.create.place("access_modes"), help_, shown)
        if pair:
            first, second = (next(task for task in document.tasks if task.id == id_) for id_ in pair)
            message = f"`{volume.id}` is {modes[0]}, and `{first.id}` and `{second.id}` may run together"
            related = tuple(Related(f"`{task.id}`", task.place("id")) for task in (first, second))
            help_ = "on two nodes the second would wait for ever: ask for ReadWriteMany, or draw an arrow between them"
            yield Diagnostic("K410", message, volume.create.place("access_modes"), help_, related)
