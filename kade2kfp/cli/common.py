"""What the commands share: reading files, values on the command line, how diagnostics are written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from kade2kfp.cli.showing import Showing
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.diagnostics.model import STDIN, Diagnostic
from kade2kfp.diagnostics.severity import errors, warnings
from kade2kfp.source import Source, read_file, read_source

Command = TypeVar("Command", bound=Callable[..., Any])
MAX_INPUT = 16 * 1024 * 1024

files_argument = click.argument("files", nargs=-1, required=True, metavar="FILE...")
set_option = click.option(
    "--set", "--param", "pairs", multiple=True, metavar="NAME=VALUE", help="Fix a parameter's default. May be repeated."
)
werror_option = click.option("--werror", is_flag=True, help="Let warnings count as errors.")


def shown(path: str) -> str:
    """A file's name as diagnostics have it: relative to the working directory where it lies below."""
    if path == "-":
        return STDIN
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def typed_as(path: str) -> str:
    """A file's name as one types it in a shell: quoted where it must be, and no option where it begins with a dash."""
    if path == "-":
        return path
    from shlex import quote

    name = shown(path)
    return terminal(quote(f"./{name}" if name.startswith("-") else name))


def read(path: str) -> Source:
    """A document by its path, or standard input."""
    if path == "-":
        return read_source(sys.stdin.buffer.read(MAX_INPUT + 1), STDIN)
    from dataclasses import replace

    source = read_file(path)
    name = shown(path)
    return replace(source, file=name, diagnostics=tuple(replace(one, file=name) for one in source.diagnostics))


def folder_of(path: str) -> Path:
    """Where the files are that a document names."""
    return Path.cwd() if path == "-" else Path(path).parent


def values(source: Source, pairs: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Values from NAME=VALUE of an option: text for parameters of type string, else JSON.

    Raises click.BadParameter where a pair cannot be read so.
    """
    from kade2kfp.gates.values import split, typed

    declared = source.root.get("parameters") if isinstance(source.root, dict) else None
    types = (
        {str(one.get("name")): str(one.get("type")) for one in declared or () if isinstance(one, dict)}
        if isinstance(declared, list)
        else {}
    )
    found: dict[str, Any] = {}
    for pair in pairs:
        try:
            name, text = split(pair, option)
            found[name] = typed(name, types.get(name, "string"), text, option)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=option) from None
    return found


def show(results: Iterable[tuple[Source, Sequence[Diagnostic]]], output: str, *, stream_is_out: bool) -> None:
    """Show the diagnostics of some files, and count them."""
    showing = Showing(output, stream_is_out=stream_is_out)
    for source, found in results:
        showing.add(source, found)
    showing.end()


def failed(found: Iterable[Diagnostic], *, werror: bool) -> bool:
    """Whether the exit code is 1."""
    rows = list(found)
    return bool(errors(rows) or (werror and warnings(rows)))


def output_format(*names: str) -> Callable[[Command], Command]:
    """The option that says how diagnostics are written: text, json, github for annotations of pull requests, or sarif."""
    choice = click.Choice(["text", "json", "github", "sarif"])
    return click.option(*names, "output", type=choice, default="text", help="How diagnostics are written.")
