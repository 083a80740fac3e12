"""Notebooks: what is said goes with who lets them advance."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.types import inside
from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.notebook import Notebook


def notebooks(analysis: Analysis) -> Iterator[Diagnostic]:
    """K302, K525: parameters that cannot be set. K202, K209: what does not go with `advance`. K407: a folder of our own. K522: no
    notebook to execute.
    """
    for task in analysis.document.tasks:
        if not isinstance(task, Notebook):
            continue
        yield from _parameters(analysis, task)
        if task.start_path and inside(task.start_path, "/kade"):
            help_ = "choose another folder: kade2kfp keeps files of its own there"
            yield Diagnostic(
                "K407", f"{task.start_path} lies in /kade, which is taken", task.place("start_path"), help_
            )
        if analysis.document.is_torn(task.place("advance")):
            continue
        if task.advance == "auto":
            yield from _what(analysis, task)
            yield from _no_command(task)
            yield from _unread(task, ("port",), ": where `advance` is auto there is no server")
        else:
            help_ = ' where a person advances the task; or say "advance": "auto" to execute the notebook'
            yield from _unread(task, ("notebook", "parameters"), help_)


def _what(analysis: Analysis, task: Notebook) -> Iterator[Diagnostic]:
    document, path = analysis.document, task.notebook
    if path is None:
        if not document.is_torn(task.place("notebook")):
            yield Diagnostic(
                "K522",
                f"`{task.id}` does not say which notebook to execute",
                task.at,
                'add "notebook": "/work/train.ipynb", absolute or relative to `startPath`',
            )
        return
    at = task.place("notebook")
    if not path.endswith(".ipynb"):
        help_ = 'name one, such as "train.ipynb"; for a program take a task of "type": "job"'
        yield Diagnostic("K522", f"{path} is no notebook: it does not end in .ipynb", at, help_)
    folder = task.start_path or analysis.settings[task.id].get("working_dir") or task.working_dir
    torn = document.is_torn(task.place("start_path"), task.place("working_dir"))
    if not path.startswith("/") and not folder and not torn:
        help_ = (
            f'add "startPath": "/work", the folder that it lies in; or write its absolute path, such as /work/{path}'
        )
        yield Diagnostic("K522", f"{path} is relative, and the task does not say to what", at, help_)


def _no_command(task: Notebook) -> Iterator[Diagnostic]:
    help_ = 'leave it out, or say "advance": "manual": there a command takes the place of Jupyter\'s server'
    said = next((field for field in ("command", "script") if getattr(task, field) is not None), None)
    if said and not (task.command is not None and task.script is not None):  # both: K202 already
        yield Diagnostic("K202", f"there is a {said} and a notebook to execute", task.place(said), help_)
    elif task.args and not said:
        help_ = 'hand values over by `parameters`, such as "parameters": {"rate": 0.1}'
        yield Diagnostic("K202", "there are arguments and a notebook to execute", task.place("args"), help_)


def _unread(task: Notebook, fields: tuple[str, ...], why: str) -> Iterator[Diagnostic]:
    for field in fields:
        if getattr(task, field) is not None:
            message = f"`{task.place(field)[-1]}` has no effect here"
            yield Diagnostic("K209", message, task.place(field), f"leave it out{why}", on_key=True)


def _parameters(analysis: Analysis, task: Notebook) -> Iterator[Diagnostic]:
    for name in task.parameters or {}:
        if not name.isidentifier() or keyword.iskeyword(name):
            yield Diagnostic(
                "K525",
                f"`{name[:60]}` cannot be a variable of the notebook",
                task.place("parameters", name),
                "it has letters, digits and `_`, begins with no digit, and is no word of Python's own",
                on_key=True,
            )
    at = task.place("parameters")
    for reference in analysis.resolution.references:
        pointer = reference.place.pointer
        if pointer[: len(at)] == at and len(pointer) > len(at) + 1:
            yield Diagnostic(
                "K302",
                "no reference can stand inside of a list or an object of `parameters`",
                pointer,
                "give it a parameter of its own: a text that is one reference keeps the type of what it names",
                within=(reference.expression.start, reference.expression.end),
            )
