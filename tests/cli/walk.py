"""All commands of the command line, each with the words that call it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click

from kade2kfp.cli import group


def commands() -> dict[str, click.Context]:
    """Every command and every command of a group, by its words, such as `serving list`, with a context of its own."""
    return dict(_below(click.Context(group, info_name="kade2kfp"), ""))


def _below(context: click.Context, lead: str) -> Iterator[tuple[str, click.Context]]:
    parent = context.command
    assert isinstance(parent, click.Group)
    for name in parent.list_commands(context):
        command = parent.get_command(context, name)
        assert command is not None
        here = command.context_class(command, info_name=name, parent=context)
        yield lead + name, here
        if isinstance(command, click.Group):
            yield from _below(here, f"{lead}{name} ")


def options(context: click.Context) -> list[click.Option]:
    """What `--help` has to name."""
    return [one for one in context.command.params if isinstance(one, click.Option) and not one.hidden]


def calls(line: str) -> Iterator[list[str]]:
    """The words behind each `kade2kfp` of a shell's line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    found: list[str] | None = None
    for word in [*lexer, ";"]:
        if word == "kade2kfp" and found is None:
            found = []
        elif found is not None and set(word) <= set("|&;<>()"):
            yield found
            found = None
        elif found is not None:
            found.append(word)
