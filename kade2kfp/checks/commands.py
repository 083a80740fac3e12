"""A task that runs a command says which: KFP never uses an image's entrypoint."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from kade2kfp.checks.shells import USUAL, is_read, operator_in, variable_in
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import CommandTask
from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.viewer import Viewer


def commands(analysis: Analysis) -> Iterator[Diagnostic]:
    """K201: no command. K202: a command and a script. K203: an empty command or a NUL in it. K228: what only a shell reads."""
    for task in analysis.document.tasks:
        if isinstance(task, Viewer):
            yield from _variables(task, _OF_A_VIEWER)
        if not isinstance(task, CommandTask):
            continue
        if task.command is not None and task.script is not None:
            yield Diagnostic(
                "K202",
                "there is a command and a script",
                task.place("script"),
                "keep one of them; `args` may follow either",
            )
        by_itself = task.type == "job" or getattr(task, "advance", None) == "auto"
        needs_one = by_itself and task.type != "notebook"  # what an executed notebook may say: checks/notebooks.py
        said = task.command is not None or task.script is not None
        if not said and needs_one and not analysis.document.is_torn(task.place("command"), task.place("script")):
            help_ = (
                'add "command": ["python", "/code/train.py"] or a "script": Kubeflow never uses the image\'s entrypoint'
            )
            yield Diagnostic("K201", f"the task `{task.id}` has no command", task.at, help_)
        elif not said and task.args and not by_itself and not analysis.document.is_torn(task.place("command")):
            yield Diagnostic(
                "K201",
                "there are arguments without a command",
                task.place("args"),
                "add a `command` or a `script`",
            )
        empty = task.command is not None and (not task.command or not task.command[0])
        if empty and not analysis.document.is_torn(task.place("command")):
            yield Diagnostic(
                "K203",
                "the command is empty",
                task.place("command"),
                "its first element is the program to start",
            )
        yield from _shell(task)
        yield from _variables(task, USUAL | {setting.value.name for setting in analysis.settings[task.id].env})
        if task.script is not None and not task.script.strip():
            yield Diagnostic("K203", "the script is empty", task.place("script"), "write what the shell shall do")
        for field, words in (
            ("command", task.command or ()),
            ("args", task.args or ()),
            ("script", (task.script or "",)),
        ):
            for i, word in enumerate(words):
                if "\0" in word:
                    at = task.place(field, i) if field != "script" else task.place(field)
                    yield Diagnostic(
                        "K203",
                        "a command cannot hold the character NUL",
                        at,
                        "take it out: no program can be given one",
                    )


_OF_A_VIEWER = frozenset(("HOST", "PORT"))
# A reference may have spaces in it; what stands around it is the program's name all the same.
_REFERENCE = re.compile(r"\{\{[^{}]*\}\}")


def _shell(task: CommandTask) -> Iterator[Diagnostic]:
    """K228 (warning): what only a shell would understand, in a command that is started without one."""
    words = task.command or []
    if not words or is_read(words, task.args or ()):
        return
    help_ = "no shell reads a command: write each word on its own, or use `script`, which is for `sh -e`"
    if any(char in _REFERENCE.sub("", words[0]) for char in " \t\n"):
        yield Diagnostic("K228", "the program's name has a space in it", task.place("command", 0), help_)
    elif (i := operator_in(words)) is not None:
        yield Diagnostic(
            "K228", f"`{words[i]}` would be an argument of {words[0][:40]}", task.place("command", i), help_
        )


def _variables(task: CommandTask | Viewer, names: Container[str]) -> Iterator[Diagnostic]:
    """K228 (warning): a variable that nothing puts in: texts arrive as they stand, where Kubernetes puts in `$(NAME)`."""
    args = task.args or [] if isinstance(task, CommandTask) else []
    if is_read(task.command or [], args):
        return
    for field, words in (("command", task.command or []), ("args", args)):
        for i, word in enumerate(words):
            if variable := variable_in(word, names):
                help_ = 'let a shell put it in: "command": ["sh", "-c", "exec program $NAME"]'
                yield Diagnostic("K228", f"`{variable}` would arrive as it stands", task.place(field, i), help_)
                break
