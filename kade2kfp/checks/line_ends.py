"""Text that a shell or the kernel reads has Unix' line ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kade2kfp.checks.shells import is_read
from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.shared import CommandTask, File
from kade2kfp.plan.analysis import Analysis

_WINDOWS = "\r\n"
_SCRIPTS = (".sh", ".bash")


def line_ends(analysis: Analysis) -> Iterator[Diagnostic]:
    """K229 (warning): a script with Windows' line ends, in the document or in a file that travels with the task."""
    for task in analysis.document.tasks:
        if not isinstance(task, CommandTask):
            continue
        if _WINDOWS in (task.script or ""):
            yield _told("the script", task.place("script"))
        if is_read(task.command or (), task.args or ()):
            for field, words in (("command", task.command or ()), ("args", task.args or ())):
                for i, word in enumerate(words):
                    if _WINDOWS in word:
                        yield _told("the script", task.place(field, i))
        for file in task.files or ():
            content = analysis.contents.get(file.at, b"")
            if b"\r\n" in content and (file.path.endswith(_SCRIPTS) or _starts(task, file, content)):
                yield _told(f"the script {file.path}", file.place("source" if file.source is not None else "content"))


def _starts(task: CommandTask, file: File, content: bytes) -> bool:
    """Whether the kernel reads the first line of a file, and finds no program of a name with a carriage return at its end."""
    first = content.partition(b"\n")[0]
    if not (first.startswith(b"#!") and first.endswith(b"\r")):
        return False
    own_line = re.compile(rf"(?:^|[;&|(])\s*(?:exec\s+)?{re.escape(file.path)}(?:\s|$)", re.MULTILINE)
    return (task.command or [""])[0] == file.path or bool(own_line.search(task.script or ""))


def _told(what: str, at: Pointer) -> Diagnostic:
    help_ = (
        "save it with line ends of Unix, \\n alone: each line, the first one too, would end in a \\r that means nothing"
    )
    return Diagnostic("K229", f"{what} has line ends of Windows", at, help_)
