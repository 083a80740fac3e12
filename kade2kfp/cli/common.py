"""What the commands share: reading files, values on the command line, showing diagnostics."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from kade2kfp.api import load, parse
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.diagnostics.severity import errors, warnings
from kade2kfp.gates.values import split, typed
from kade2kfp.source import Source

Command = TypeVar("Command", bound=Callable[..., Any])
MAX_INPUT = 16 * 1024 * 1024

files_argument = click.argument("files", nargs=-1, required=True, metavar="FILE...")
set_option = click.option(
    "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Fix a parameter's default. May be repeated."
)
werror_option = click.option("--werror", is_flag=True, help="Let warnings count as errors.")


def shown(path: str) -> str:
    """A file's name as diagnostics have it: relative to the working directory where it lies below."""
    if path == "-":
        return "<stdin>"
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def read(path: str) -> Source:
    """A document by its path, or standard input."""
    if path == "-":
        return parse(sys.stdin.buffer.read(MAX_INPUT + 1), "<stdin>")
    from dataclasses import replace

    source = load(path)
    name = shown(path)
    return replace(source, file=name, diagnostics=tuple(replace(one, file=name) for one in source.diagnostics))


def folder_of(path: str) -> Path:
    """Where the files are that a document names."""
    return Path.cwd() if path == "-" else Path(path).parent


def values(source: Source, pairs: Sequence[str]) -> dict[str, Any]:
    """Values from NAME=VALUE: text for parameters of type string, else JSON.

    Raises click.BadParameter where a pair cannot be read so.
    """
    declared = source.root.get("parameters") if isinstance(source.root, dict) else None
    types = (
        {str(one.get("name")): str(one.get("type")) for one in declared or () if isinstance(one, dict)}
        if isinstance(declared, list)
        else {}
    )
    found: dict[str, Any] = {}
    for pair in pairs:
        try:
            name, text = split(pair)
            found[name] = typed(name, types.get(name, "string"), text)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--set") from None
    return found


def show(results: Iterable[tuple[Source, Sequence[Diagnostic]]], output: str, *, stream_is_out: bool) -> None:
    """Show the diagnostics of all files: as text on standard error, or for machines on standard output or error."""
    rows = list(results)
    every = [one for _, found in rows for one in found]
    if output == "json":
        from kade2kfp.diagnostics.as_json import as_json

        _write(as_json(every), stream_is_out)
        return
    if output == "github":
        from kade2kfp.diagnostics.github import as_github

        _write(as_github(one for _, found in rows for one in few(found)[0]), stream_is_out)
        if every:
            say(summary(every, len(rows)))
        return
    from kade2kfp.diagnostics.text import render

    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    columns = _columns()
    for source, found in rows:
        kept, left_out = few(found)
        for text in render(kept, source.line, colour=colour, columns=columns):
            say(text + "\n")
        for code, count in left_out.items():
            say(f"{terminal(source.file)}: and {count:,} more of {code}\n")
    if every:
        say(summary(every, len(rows)))


def _write(text: str, stream_is_out: bool) -> None:
    if stream_is_out:
        out(text)
    elif text:
        say(text.rstrip("\n"))


def few(found: Sequence[Diagnostic], most: int = 20) -> tuple[list[Diagnostic], dict[str, int]]:
    """The first of each code, and how many more there are: one cause may have thousands of effects."""
    seen: Counter[str] = Counter()
    kept = []
    for one in found:
        seen[one.code] += 1
        if seen[one.code] <= most:
            kept.append(one)
    return kept, {code: count - most for code, count in seen.items() if count > most}


def _columns() -> int:
    try:
        return max(60, os.get_terminal_size(sys.stderr.fileno()).columns)
    except (OSError, ValueError, AttributeError):
        return 120


def summary(found: Sequence[Diagnostic], files: int) -> str:
    """One line that counts: `2 errors and 1 warning in 3 files`."""
    rows = list(found)
    counts = {"error": errors(rows), "warning": warnings(rows)}
    counts["note"] = len(rows) - sum(counts.values())
    parts = [f"{count} {word}{'s' if count != 1 else ''}" for word, count in counts.items() if count]
    said = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return said + (f" in {files} files" if files != 1 else "")


def failed(found: Iterable[Diagnostic], *, werror: bool) -> bool:
    """Whether the exit code is 1."""
    rows = list(found)
    return bool(errors(rows) or (werror and warnings(rows)))


def output_format(*names: str) -> Callable[[Command], Command]:
    """The option that says how diagnostics are written: text, json, or github for annotations of pull requests."""
    choice = click.Choice(["text", "json", "github"])
    return click.option(
        *names, "output", type=choice, default="text", show_default=True, help="How diagnostics are written."
    )
