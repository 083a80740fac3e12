"""docs/commands.md: all commands, from what they declare of themselves (kade2kfp/cli/declared.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import click

from kade2kfp.cli import group
from kade2kfp.cli.declared import about, arguments_of, commands_of, metavar, names_of, options_of, whole_of

EXIT_CODES = (
    ("0", "fine; there may be warnings and notes"),
    (
        "1",
        "a document has errors, or with `--werror` warnings; with `--check` something differs; what is named is not there",
    ),
    ("2", "wrong usage: it is said what to type"),
    ("3", "a run failed, or the cluster or this machine did"),
    ("70", "a bug of kade2kfp; a report was written, and its place is printed"),
    ("124", "what was waited for did not come in time"),
    ("130", "interrupted, as by Ctrl-C"),
    ("141", "the reader of standard output has gone"),
)
INTRO = """\
# The commands

*This page is generated from the commands by `make docs`.* The same is a man page, `man kade2kfp`.

`kade2kfp COMMAND --help` is a screen of it, `kade2kfp COMMAND --help-all` what is here; `kade2kfp help COMMAND` is
`kade2kfp COMMAND --help`. A value stands behind its option (`--jobs 4`) or behind a `=` (`--jobs=4`); behind `--` nothing is
taken for an option. `-` as a file is standard input.

What is asked for goes to standard output, all else to standard error. The shape of JSON output stays as it is told here: new
fields may come, so let a program ignore those that it does not know."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: the words that call it, its usage without them, and what it declares."""

    words: str
    usage: str
    command: click.Command


def entries() -> list[Entry]:
    """All commands and the commands of groups, in the order of the alphabet."""
    return list(_below(click.Context(group, info_name="kade2kfp")))


def _below(parent: click.Context) -> Iterator[Entry]:
    for name, command in commands_of(parent).items():
        context = click.Context(command, info_name=name, parent=parent)
        yield Entry(context.command_path, " ".join(command.collect_usage_pieces(context)), command)
        yield from _below(context)


def commands_page() -> str:
    """The page's text."""
    every = entries()
    rows = [INTRO, "", "| | |", "|---|---|"]
    rows += [f"| [`{one.words}`](#{_anchor(one.words)}) | {text(about(one.command).line)} |" for one in every]
    rows += [
        "",
        "## Exit codes",
        "",
        "| | |",
        "|---|---|",
        *(f"| {code} | {text(what)} |" for code, what in EXIT_CODES),
    ]
    for one in every:
        rows += _section(one)
    return "\n".join(rows) + "\n"


def _section(entry: Entry) -> Iterator[str]:
    told = about(entry.command)
    yield from ("", f"## {entry.words}", "", "```text", f"{entry.words} {entry.usage}", "```")
    for paragraph in told.paragraphs:
        yield from ("", text(paragraph))
    rows = [(name, what) for name, what in arguments_of(entry.command) if what]
    rows += [(f"{names_of(one)} {metavar(one)}".rstrip(), whole_of(one)) for one in options_of(entry.command)]
    if rows:
        yield from ("", "| | |", "|---|---|")
        yield from (f"| {_code(name)} | {text(what)} |" for name, what in rows)
    if told.examples:
        yield from ("", "```sh", *told.examples, "```")
    for paragraph in told.notes:
        yield from ("", text(paragraph))


def text(said: str) -> str:
    """A sentence as Markdown: what stands in backquotes is code, all else is no mark-up."""
    parts = re.split(r"(`[^`]+`)", said)
    return "".join(
        _code(one[1:-1]) if one.startswith("`") else re.sub(r"([\\*<>|\[\]])", r"\\\1", one) for one in parts
    )


def _code(said: str) -> str:
    """Code that may stand in a table."""
    return f"`{said.replace('|', chr(92) + '|')}`"


def _anchor(words: str) -> str:
    return words.replace(" ", "-")
