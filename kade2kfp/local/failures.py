"""Why steps failed, as diagnostics at the place of the document that is to blame."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.read import Document
from kade2kfp.document.shared import CommandTask, Task
from kade2kfp.local.state import Failure, RunState

_FIELD = {
    "K710": "command",
    "K713": "command",
    "K712": "timeout",
    "K715": "packages_to_install",
    "K716": "gate",
    "K727": "port",
}


def failures(state: RunState, document: Document) -> Iterator[Diagnostic]:
    """A diagnostic for each step that failed, in the order in which they ended, with its log's last lines."""
    failed = [step for step in state.steps if step.failure is not None and step.status == "failed"]
    for step in sorted(failed, key=lambda step: step.ended or 0):
        failure = step.failure
        task = next((one for one in document.tasks if one.id == step.task), None)
        if failure is None or task is None:
            continue
        several = sum(one.task == step.task for one in state.steps) > 1
        yield Diagnostic(
            failure.code,
            f"`{step.name if several else task.id}`: {failure.message}",
            place(failure, task, document),
            failure.help,
            output=failure.tail,
        )


def place(failure: Failure, task: Task, document: Document) -> Pointer:
    """The place that a failure is about: of the field or the arrow, else of the task's id."""
    if failure.code == "K711":
        return _not_left(failure.message, task, document)
    field = _FIELD.get(failure.code, "id")
    if failure.code == "K714" and "the command cannot be started" in failure.message:
        field = "command"
    if field == "command" and isinstance(task, CommandTask) and task.script is not None:
        field = "script"
    return task.place(field) if getattr(task, field, None) is not None else task.place("id")


def _not_left(message: str, task: Task, document: Document) -> Pointer:
    """What a step did not leave: an output, the metrics, or an arrow's path; of paths in paths the inner one."""
    outputs = (task.outputs or ()) if isinstance(task, CommandTask) else ()
    metrics = task.metrics if isinstance(task, CommandTask) else None
    for output in outputs:
        if message.startswith((f"output {output.name}:", f"output {output.name} ")):
            return output.place("name")
    if metrics is not None and message.startswith("metrics"):
        return task.place("metrics")
    found = [(output.path, output.place("path")) for output in outputs]
    if metrics is not None:
        found.append((metrics, task.place("metrics")))
    for arrow in document.arrows:
        if arrow.from_task == task.id and arrow.from_path:
            found.append((arrow.from_path, arrow.place("from_path")))
    named = [(len(path), pointer) for path, pointer in found if path in message]
    return max(named, key=lambda one: one[0])[1] if named else task.place("id")
