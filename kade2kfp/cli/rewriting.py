"""What `fmt` and `upgrade` share: which files, and what is done with a text that is another than before."""

from __future__ import annotations

import codecs
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from kade2kfp.cli.common import MAX_INPUT, read, show, shown
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.diagnostics.model import STDIN, Diagnostic
from kade2kfp.files import write_atomically
from kade2kfp.rewrite.difference import difference
from kade2kfp.source import Source, read_source

_MARK = codecs.BOM_UTF8.decode()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What becomes of a document: its new text, or why there is none; lines to be said besides."""

    text: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    lines: tuple[str, ...] = ()
    kept: bool = False
    """There is nothing to do: the file stays as it is, byte for byte."""


def rewrite(
    files: Sequence[str], how: Callable[[Source], Rewritten], *, command: str, done: str, check: bool, diff: bool
) -> int:
    """Rewrite the documents, or with `check` or `diff` only tell which would be; gives the exit code.

    All files are done, whatever is wrong with one of them. Standard input goes to standard output.

    Args:
        files: paths; `-` is standard input.
        how: what becomes of a document that could be read.
        command: the command's name: `fmt`.
        done: what a document then is: `formatted`.
        check: write nothing.
        diff: write nothing but the differences, to standard output.
    """
    counts: Counter[str] = Counter()
    wrong: list[tuple[Source, Sequence[Diagnostic]]] = []
    dry = check or diff
    for path in _each_once(files):
        source, before = _read(path)
        try:
            made = how(source) if not source.diagnostics else Rewritten(diagnostics=source.diagnostics)
            text = before if made.kept else made.text
            if text is not None and text != before and path != "-" and not dry:
                _write(path, before, text)
        except (CannotDoError, click.ClickException) as error:
            about = f"{shown(path)}: {error}" if isinstance(error, CannotDoError) else error.format_message()
            say(f"Error: {terminal(about)}")
            counts["wrong"] += 1
            continue
        if text is None:
            wrong.append((source, made.diagnostics))
            counts["wrong"] += 1
            continue
        counts["same" if text == before else "changed"] += 1
        name = terminal(source.file)
        if diff:
            rows = difference(before, text, name, f"{name} ({done})")
            out("".join(f"{_visible(row)}\n" for row in rows))
        if path == "-" and not dry:
            out(text)
        elif text != before:
            say(f"{name}: would be {done}" if dry else f"{name}: {done}")
        for line in made.lines:
            say(terminal(line))
    show(wrong, "text", stream_is_out=False)
    if dry or tuple(files) != ("-",):
        say(_summary(counts, f"would be {done} by `kade2kfp {command}`" if dry else done))
    return 1 if counts["wrong"] or (dry and counts["changed"]) else 0


def _each_once(files: Sequence[str]) -> list[str]:
    """The paths without those that lead to a file that was named before: it would be counted twice."""
    first: dict[str, str] = {}
    for path in files:
        first.setdefault(path if path == "-" else os.path.realpath(path), path)
    return [*first.values()]


def _read(path: str) -> tuple[Source, str]:
    """A document, and its text with the byte order mark that reading leaves out: without it the file is another."""
    if path == "-":
        data = sys.stdin.buffer.read(MAX_INPUT + 1)
        source = read_source(data, STDIN)
        return source, _MARK + source.text if data.startswith(codecs.BOM_UTF8) else source.text
    source = read(path)
    if source.diagnostics:  # there will be no other text
        return source, source.text
    try:
        with open(path, "rb") as stream:
            marked = stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    except OSError:  # it has gone since; writing it will tell
        marked = False
    return source, _MARK + source.text if marked else source.text


def _write(path: str, before: str, text: str) -> None:
    """Put a text in the place of a file that holds `before`.

    Raises click.ClickException where that cannot be, its mode forbids it, or somebody has written to it meanwhile.
    """
    if not os.access(path, os.W_OK) or not os.stat(path).st_mode & 0o222:  # a folder that is writable would do, else
        raise click.ClickException(f"cannot write {shown(path)}: it is read-only")
    with suppress(OSError):  # what has gone writing will tell
        if Path(path).read_bytes() not in (before.encode(), text.encode()):
            raise click.ClickException(f"{shown(path)} has changed meanwhile: it stays as it is")
    write_atomically(Path(path), text)


def _visible(row: str) -> str:
    """A line of a difference: a tab does no harm, and in every line of a document it would be hard to read as an escape."""
    return "\t".join(terminal(part) for part in row.split("\t"))


def _summary(counts: Counter[str], done: str) -> str:
    texts = {"changed": done, "same": "unchanged", "wrong": "with errors"}
    return ", ".join(
        f"{counts[kind]:,} file{'s' if counts[kind] != 1 else ''} {text}"
        for kind, text in texts.items()
        if counts[kind]
    )
