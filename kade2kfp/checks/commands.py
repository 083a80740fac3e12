"""A task that runs a command says which: KFP never uses an image's entrypoint."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import CommandTask
from kade2kfp.plan.analysis import Analysis


def commands(analysis: Analysis) -> Iterator[Diagnostic]:
    """K201: no command. K202: a command and a script. K203: an empty command or a NUL in it."""
    for task in analysis.document.tasks:
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


_OPERATORS = frozenset(("&&", "||", "|", ";", ">", ">>", "<", "2>&1", "&"))


def _shell(task: CommandTask) -> Iterator[Diagnostic]:
    """K228 (warning): what only a shell would understand, in a command that is started without one."""
    words = task.command or []
    if not words or words[0].rpartition("/")[2] in ("sh", "bash", "dash", "ash", "zsh"):
        return
    help_ = "no shell reads a command: write each word on its own, or use `script`, which is for `sh -e`"
    if any(char in words[0] for char in " \t\n") and "{{" not in words[0]:
        yield Diagnostic("K228", "the program's name has a space in it", task.place("command", 0), help_)
        return
    for i, word in enumerate(words):
        if word in _OPERATORS:
            yield Diagnostic(
                "K228", f"`{word}` would be an argument of {words[0][:40]}", task.place("command", i), help_
            )
            return
