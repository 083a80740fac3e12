"""Tasks that wait for a person."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.shared import Gate
from kade2kfp.document.types import duration_seconds
from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.container import Container
from kade2kfp.tasks.notebook import Notebook

_Waiting = Container | Notebook


def gates(analysis: Analysis) -> Iterator[Diagnostic]:
    """K520: a gate without an end, or one that outlives its pod. K521: a gate that nobody waits at. K523: a value that
    nobody may have given. K209 (warning): what has no effect on a task that waits.
    """
    document = analysis.document
    for task in document.tasks:
        if not isinstance(task, _Waiting) or document.is_torn(task.place("advance")):
            continue
        if task.advance != "auto":
            yield from _end(analysis, task)
            yield from _unread(analysis, task)
            if task.gate:
                yield from _values(analysis, task, task.gate)
        elif task.gate is not None:
            yield Diagnostic(
                "K521",
                "a gate has no effect where `advance` is auto",
                task.place("gate"),
                'leave it out, or say "advance": "manual"',
            )


def _end(analysis: Analysis, task: _Waiting) -> Iterator[Diagnostic]:
    gate, pipeline, compiled = task.gate, analysis.document.pipeline, analysis.resolution.compile_text
    if gate is None or gate.timeout is None:
        if not analysis.document.is_torn(task.place("gate")):
            yield _endless(task)
        return
    own, runs, waits = (
        compiled(one.place("timeout"), one.timeout) if one.timeout else "" for one in (task, pipeline, gate)
    )
    if _shorter(own, waits):
        yield Diagnostic(
            "K520",
            f"the task ends after {own}, before its gate does after {waits}",
            task.place("timeout"),
            "leave the task's `timeout` out, or make it longer",
            (Related("the gate's", gate.place("timeout")),),
        )
    elif _shorter(runs, waits):
        yield Diagnostic(
            "K520",
            f"the run ends after {runs}, before this gate does after {waits}",
            gate.place("timeout"),
            "make it shorter, or the pipeline's `timeout` longer",
            (Related("the pipeline's", pipeline.place("timeout")),),
        )


def _shorter(text: str, other: str) -> bool:
    one, another = duration_seconds(text), duration_seconds(other)
    return one is not None and another is not None and one <= another


def _endless(task: _Waiting) -> Diagnostic:
    help_ = 'add "timeout": "7d" to it' if task.gate else 'add "gate": {"timeout": "7d"}'
    help_ += ": how long a person may take"
    related: tuple[Related, ...] = ()
    if task.type == "container":
        help_ += '; or "advance": "auto", if nobody is to be waited for'
    if task.timeout is not None:
        help_ += "; the task's own `timeout` is another thing, it ends the pod"
        related = (Related("the task's own `timeout`", task.place("timeout")),)
    message = f"`{task.id}` waits for a person, but not for how long"
    return Diagnostic("K520", message, task.gate.at if task.gate else task.at, help_, related)


def _has_child(task: _Waiting) -> bool:
    """Whether something runs that may end by itself."""
    return isinstance(task, Notebook) or task.command is not None or task.script is not None


def _values(analysis: Analysis, task: _Waiting, gate: Gate) -> Iterator[Diagnostic]:
    unasked = {
        "on_timeout": ("resume", "the time is over", gate.on_timeout == "resume"),
        "on_exit": ("advance", "the command ends by itself", gate.on_exit == "advance" and _has_child(task)),
        "on_reject": ("route", "a person rejects", gate.on_reject == "route"),
    }
    ways = {field: said for field, said in unasked.items() if said[2]}
    for value in gate.values or ():
        if ways and not value.given("default") and not analysis.document.is_torn(value.at):
            when = " or ".join(said for _, said, _ in ways.values())
            yield Diagnostic(
                "K523",
                f"`{value.name}` has no default, and nobody types it when {when}",
                value.place("name"),
                'add a "default" to it: the pipeline goes on with that',
                tuple(Related(f'"{word}" lets it go on', gate.place(field)) for field, (word, *_) in ways.items()),
            )


def _unread(analysis: Analysis, task: _Waiting) -> Iterator[Diagnostic]:
    if task.cache:
        yield Diagnostic(
            "K209",
            "`cache` has no effect on a task that waits for a person",
            task.place("cache"),
            "leave it out: whoever is asked is asked in every run",
            on_key=True,
        )
    said = task.gate.on_exit if task.gate else None
    if said and not _has_child(task) and not analysis.document.is_torn(task.place("command"), task.place("script")):
        yield Diagnostic(
            "K209",
            "`onExit` has no effect on a task without a command",
            (task.gate or task).place("on_exit"),
            "leave it out: there is nothing that could end before a person decides",
            on_key=True,
        )
