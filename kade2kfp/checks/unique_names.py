"""Ids and names that must be unique are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kade2kfp.checks.filled import named
from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.read import Document
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.targets import gate_of

_HELP = {
    "task": "give one of them another id: arrows and references call it by that",
    "arrow": "give one of them another id, or none",
    "file": "keep one of them, or give it another path",
    "port": "keep one of them, or give it another number and name",
    "pull secret": "keep one of them",
}


def unique_names(analysis: Analysis) -> Iterator[Diagnostic]:
    """K200: two tasks, arrows, parameters, volumes, outputs, values, ports, files or pull secrets of one name."""
    document = analysis.document
    yield from _repeated("task", _task_ids(document))
    yield from _repeated("arrow", ((arrow.id, arrow.place("id")) for arrow in document.arrows if arrow.id))
    yield from _repeated("parameter", ((one.name, one.place("name")) for one in document.parameters))
    yield from _repeated("volume", ((one.id, one.place("id")) for one in document.volumes))
    for owner in document.owners:
        secrets = ((one.name, one.place("name")) for one in owner.image_pull_secrets or ())
        names = (named(analysis, analysis.known, at, raw) for raw, at in secrets)
        yield from _repeated("pull secret", ((name.text, name.field) for name in names if name))
    for task in document.tasks:
        outputs = getattr(task, "outputs", None) or ()
        yield from _repeated("output", ((one.name, one.place("name")) for one in outputs))
        for output in outputs:
            if whose := _taken(task, output.name):
                help_ = f"{whose} handed on under such names; choose another"
                yield Diagnostic("K200", f"the output's name `{output.name}` is taken", output.place("name"), help_)
        files = getattr(task, "files", None) or ()
        yield from _repeated("file", ((one.path, one.place("path")) for one in files))
        gate = getattr(task, "gate", None)
        yield from _repeated("value", ((one.name, one.place("name")) for one in (gate.values if gate else None) or ()))
        ports = getattr(task, "ports", None) or ()
        yield from _repeated("port", ((str(one.container_port), one.place("container_port")) for one in ports))
        yield from _repeated("port", ((one.name, one.place("name")) for one in ports if one.name))


def _task_ids(document: Document) -> Iterator[tuple[str, Pointer]]:
    """The ids of all tasks, also of those that could not be read, but for ids with which something is wrong."""
    for i, task in enumerate(document.pipeline.tasks):
        id_ = task.get("id") if isinstance(task, dict) else None
        if isinstance(id_, str) and not document.is_torn(("tasks", i, "id")):
            yield id_, ("tasks", i, "id")


def _taken(task: Task, name: str) -> str:
    """What a task hands on under an output's name by itself; empty if nothing."""
    if name.startswith("metric-"):
        return "metrics are"
    waits = gate_of(task) is not None and (name in ("decision", "by") or name.startswith("value-"))
    return "what a person says at the gate is" if waits else ""


def _repeated(noun: str, given: Iterable[tuple[str, Pointer]]) -> Iterator[Diagnostic]:
    first: dict[str, Pointer] = {}
    for name, at in given:
        if name in first:
            related = Related(f"the first {noun} `{name}`", first[name])
            yield Diagnostic(
                "K200",
                f"there are two {noun}s `{name}`",
                at,
                _HELP.get(noun, "give one of them another name"),
                (related,),
            )
        else:
            first[name] = at
