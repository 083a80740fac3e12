"""Diagnostics as annotations of GitHub: workflow commands, which GitHub shows at their lines in a pull request.

The form and its escapes are those of actions/toolkit, packages/core/src/command.ts; the runner reads them by
src/Runner.Common/ActionCommand.cs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from kade2kfp.diagnostics.escape import brief
from kade2kfp.diagnostics.model import STDIN, Diagnostic, Severity, Span
from kade2kfp.diagnostics.severity import severity

# GitHub's words; it shows ten of each in a step, the first ones.
_WORDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def as_github(diagnostics: Iterable[Diagnostic]) -> str:
    """A line for each diagnostic; nothing in a document's text makes another line or command of it."""
    return "".join(
        annotation(_WORDS[severity(one.code)], _rows(one), one.file, title=one.code, span=one.span)
        for one in diagnostics
    )


def annotation(word: str, rows: Iterable[str], file: str, *, title: str, span: Span | None = None) -> str:
    """A workflow command as a line: `word` is error, warning or notice, `file` relative to the working directory.

    GitHub takes columns only where an annotation ends in the line where it begins.
    """
    properties = {"title": title, "file": _in_repository(file)}
    if span is not None:
        properties |= {"line": str(span.line), "endLine": str(span.end_line)}
        if span.line == span.end_line:
            properties |= {"col": str(span.column), "endColumn": str(span.end_column)}
    pairs = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items())
    text = "\n".join(map(brief, rows))
    return f"::{word} {pairs}::{text.translate(_DATA)}\n"


def _rows(one: Diagnostic) -> Iterator[str]:
    place = f":{one.span.line}:{one.span.column}" if one.span else ""
    yield f"{one.file}{place}: {one.message}"  # the log shows this alone, without the annotation's place
    for related in one.related:
        yield f"see: {related.message}" + (f" (line {related.span.line})" if related.span else "")
    if one.help:
        yield f"help: {one.help}"


def _in_repository(file: str) -> str:
    """A file's name as GitHub knows it, from the root of the repository that is checked out, wherever we are called."""
    root = os.environ.get("GITHUB_WORKSPACE")
    if not root or file == STDIN:
        return file
    relative = os.path.relpath(os.path.realpath(file), os.path.realpath(root))
    return file if relative.startswith("..") else relative
