"""Diagnostics on the standard streams: file by file as they are found, no more than were asked for, then a line that counts."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.diagnostics.model import Diagnostic, Severity
from kade2kfp.diagnostics.most import Most, counted, few, summary
from kade2kfp.rules.model import Rules
from kade2kfp.source import Source

Command = TypeVar("Command", bound=Callable[..., Any])


class Showing:
    """What is shown of the diagnostics of some files: `add` each file, then `end`.

    `output` is text, json, github or sarif. Text goes to standard error, the others to standard output, or to standard
    error as well without `stream_is_out`. Text and annotations are written at once, unless there is a limit: which ones
    matter most is known at the end. Of a file nothing is held but what will still be written.

    `limit` is how many are shown of all files together, errors first, 0 for all; None for a few of each code in text and
    annotations. `color` is auto, always or never.
    """

    def __init__(self, output: str, *, stream_is_out: bool, limit: int | None = None, color: str = "auto") -> None:
        self._output, self._stream_is_out, self._limit = output, stream_is_out, limit
        self._colour = output == "text" and _coloured(color)
        context = click.get_current_context(silent=True)
        if context is not None and self._colour:
            context.color = True  # else click takes colours out of what goes to no terminal
        self._counts: Counter[Severity] = Counter()
        self._files = self._wrong = 0
        self._texts = Most[str](limit or 0)
        self._rows = Most[Diagnostic](_at_most(output, limit))

    def add(self, source: Source, found: Sequence[Diagnostic]) -> None:
        """Show the diagnostics of a file, or keep what will be shown of them."""
        self._files += 1
        self._wrong += bool(found)
        self._counts += counted(found)
        if self._output in ("json", "sarif"):
            for one in found:
                if self._rows.wants(one):
                    self._rows.add(one, one)
        elif self._limit:
            for one in found:
                if self._texts.wants(one):
                    self._texts.add(one, self._rendered(source, one))
        else:
            kept, left_out = few(found) if self._limit is None else (found, {})
            for one in kept:
                self._write(self._rendered(source, one))
            gap = "\n" if self._output == "text" else ""
            for code, count in left_out.items():
                say(f"{terminal(source.file)}: and {count:,} more of {code}{gap}")

    def end(self) -> None:
        """Write what was kept, and the line that counts where anything is wrong."""
        every = sum(self._counts.values())
        if self._output == "json":
            from kade2kfp.diagnostics.as_json import as_json

            self._write(as_json(self._rows.rows(), self._counts))
        elif self._output == "sarif":
            from kade2kfp.diagnostics.sarif import as_sarif

            rows = self._rows.rows()
            self._write(as_sarif(rows, every - len(rows)))
        else:
            texts = self._texts.rows()
            for text in texts:
                self._write(text)
            if self._limit and every > len(texts):
                say(f"and {every - len(texts):,} more: --max-diagnostics 0 shows all")
            if every:
                say(summary(self._counts, self._files, self._wrong))

    def _rendered(self, source: Source, one: Diagnostic) -> str:
        if self._output == "github":
            from kade2kfp.diagnostics.github import as_github

            return as_github([one])
        from kade2kfp.diagnostics.text import render

        columns, on_terminal = _columns()
        rendered = render([one], source.line, colour=self._colour, columns=columns, wrap=on_terminal)
        return "\n".join(rendered) + "\n"

    def _write(self, text: str) -> None:
        if self._output == "text":
            say(text)
        elif self._stream_is_out:
            out(text)
        else:
            say(text.rstrip("\n"))


def _at_most(output: str, limit: int | None) -> int:
    """How many diagnostics a report for machines holds: what its readers take where that is less than was asked for."""
    if output != "sarif":
        return limit or sys.maxsize
    from kade2kfp.diagnostics.sarif import MAX_RESULTS

    return min(limit or MAX_RESULTS, MAX_RESULTS)


def _coloured(color: str) -> bool:
    """Whether standard error gets colours: as was asked for, else as NO_COLOR (no-color.org), FORCE_COLOR and TERM say."""
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (os.environ.get("TERM") != "dumb" and sys.stderr.isatty())


def _columns() -> tuple[int, bool]:
    """How wide standard error is, and whether it is a terminal. COLUMNS is what a user says of it."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
        on_terminal = True
    except (OSError, ValueError, AttributeError):
        columns, on_terminal = 0, False
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said[:6]):
        columns = int(said[:6])
    return max(20, columns) if columns else 120, on_terminal


def limit_of(limit: int | None, rules: Iterable[Rules]) -> int | None:
    """How many diagnostics are shown: as the command line says, else the smallest number of the files' rules, if any."""
    return min((one.max_diagnostics for one in rules if one.max_diagnostics), default=None) if limit is None else limit


def showing_options(function: Command) -> Command:
    """The options `--color` and `--max-diagnostics`: the command gets `color` and `limit`, which is None without it."""
    number = click.IntRange(min=0)
    limit = click.option(
        "--max-diagnostics", "limit", type=number, metavar="N", help="Show N at most, errors first; 0 for all."
    )
    color = click.option(
        "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="When text is coloured."
    )
    return color(limit(function))
