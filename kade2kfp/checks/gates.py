"""Tasks that wait for a person."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.types import duration_seconds
from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.container import Container
from kade2kfp.tasks.notebook import Notebook


def gates(analysis: Analysis) -> Iterator[Diagnostic]:
    """K520: a gate without a timeout, or longer than its task. K521: a gate that nobody waits at. K522: no notebook to execute."""
    document = analysis.document
    for task in document.tasks:
        if not isinstance(task, Container | Notebook) or document.is_torn(task.place("advance")):
            continue
        if task.advance == "auto":
            if task.gate is not None:
                yield Diagnostic(
                    "K521",
                    "a gate has no effect where `advance` is auto",
                    task.place("gate"),
                    'leave it out, or say "advance": "manual"',
                )
            if isinstance(task, Notebook) and task.notebook is None and not document.is_torn(task.place("notebook")):
                yield Diagnostic(
                    "K522",
                    f"`{task.id}` does not say which notebook to execute",
                    task.at,
                    'add "notebook": "train.ipynb", absolute or relative to `startPath`',
                )
            continue
        timeout = task.gate.timeout if task.gate else None
        if timeout is None and not document.is_torn(task.place("gate")):
            related: tuple[Related, ...] = ()
            help_ = 'add "timeout": "7d" to it' if task.gate else 'add "gate": {"timeout": "7d"}'
            help_ += ": how long a person may take"
            if task.type == "container":
                help_ += '; or "advance": "auto", if nobody is to be waited for'
            if task.timeout is not None:
                help_ += "; the task's own `timeout` is another thing, it ends the pod"
                related = (Related("the task's own `timeout`", task.place("timeout")),)
            yield Diagnostic(
                "K520",
                f"`{task.id}` waits for a person, but not for how long",
                task.gate.at if task.gate else task.at,
                help_,
                related,
            )
        elif timeout and task.timeout and task.gate:
            waits, ends = duration_seconds(timeout), duration_seconds(task.timeout)
            if waits and ends and ends <= waits:
                related = (Related("the gate's", task.gate.place("timeout")),)
                yield Diagnostic(
                    "K520",
                    f"the task ends after {task.timeout}, before its gate does after {timeout}",
                    task.place("timeout"),
                    "leave the task's `timeout` out, or make it longer",
                    related,
                )
