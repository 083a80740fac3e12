"""What is said in a task's box below its name: one line by its type, and badges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kade2kfp.document.references import Expression, parse
from kade2kfp.document.shared import Task
from kade2kfp.graph.model import Badge
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.servings import volume_of_serving
from kade2kfp.plan.targets import iteration
from kade2kfp.tasks.condition import Condition
from kade2kfp.tasks.container import Container
from kade2kfp.tasks.load_data import LoadData
from kade2kfp.tasks.notebook import Notebook
from kade2kfp.tasks.select import Select
from kade2kfp.tasks.serving import Serving
from kade2kfp.tasks.viewer import Viewer

_SIGNS = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}


def detail(analysis: Analysis, task: Task) -> str:
    """The one line; empty where the document does not say it."""
    match task:
        case LoadData():
            field, text = "url", brief(task.url)
        case Select():
            field, text = "metric", f"{task.mode or 'max'} {task.metric}"
        case Viewer():
            field, text = "log_path", task.log_path
        case Serving():
            field, text = "framework", task.framework
        case Condition():
            test = task.test
            sides = (operand(test.left), _SIGNS.get(test.operator, test.operator), operand(test.right)) if test else ()
            return " ".join(sides)
        case Notebook() if task.advance == "auto" and task.notebook:
            return task.notebook
        case _:
            settings = analysis.settings.get(task.id)
            return brief(str((settings and settings.get("image")) or ""))
    return "" if task.place(field) in analysis.document.assumed else text


def badges(analysis: Analysis, task: Task) -> Iterator[Badge]:
    """Marks of the box: who waits, what is repeated, what is mounted."""
    if isinstance(task, Container | Notebook) and task.advance != "auto":
        yield Badge("gate", "waits for a person")
    if isinstance(task, Condition) and task.approval:
        yield Badge("gate", "asks a person")
    if (found := iteration(analysis.document, task)) is not None:
        root, each = found
        turns = analysis.sweeps.turns.get(task.id)
        text = f"×{len(turns)}" if turns else "for each"
        if not turns and isinstance(each.items, str):
            text += f" of {brief(each.items)}"
        yield Badge("sweep", text if root == task.id else f"{text}, with {root}")
    if task.retry and task.retry.limit:
        yield Badge("retry", f"up to {task.retry.limit + 1} attempts")
    if task.run_when == "always":
        yield Badge("always", "always runs")
    if analysis.document.pipeline.on_exit == task.id:
        yield Badge("exit", "runs at the end")
    settings = analysis.settings.get(task.id)
    for mount in settings.volumes if settings else ():
        if mount.value.id:
            only = ", read only" if mount.value.acl == "RO" else ""
            yield Badge("volume", f"{mount.value.id}:{mount.value.mount_path}{only}")
    if isinstance(task, Serving) and (volume := volume_of_serving(analysis, task)):
        yield Badge("volume", f"{volume}, for versions")


def operand(value: Any) -> str:
    """One side of a test: the name of what it refers to, or the value."""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    pieces = parse(value)
    if len(pieces) == 1 and isinstance(pieces[0], Expression):
        return name_of(pieces[0])
    return f'"{brief(value)}"'


def brief(text: str) -> str:
    """A text with short names for what it refers to: `{params.size}` becomes `{size}`, with one brace on each side."""
    said = (
        piece if isinstance(piece, str) else f"{{{name_of(piece)}}}" if isinstance(piece, Expression) else piece.text
        for piece in parse(text)
    )
    return "".join(said)


def name_of(one: Expression) -> str:
    """A short name for what a reference takes: `rate`, `train.accuracy`, `item.depth`."""
    match one.root:
        case "params":
            return one.name
        case "item" | "run":
            return f"{one.root}.{one.name}" if one.name else one.root
        case _:
            return f"{one.task}.{value_of(one)}"


def value_of(one: Expression) -> str:
    """What a reference takes of a task, by its own name."""
    return one.name or one.root
