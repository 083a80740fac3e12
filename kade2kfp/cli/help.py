"""The help of each command: `--help`, which fits a screen, and `--help-all`, which tells everything.

It is put on the commands from outside, so that a command needs no more than its docstring, its options' helps and the
`Examples:` of its epilog (cli/declared.py). docs/commands.md and the man page are made of the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from textwrap import wrap
from types import TracebackType

import click

from kade2kfp.cli.declared import (
    about,
    arguments_of,
    commands_of,
    default_of,
    first_of,
    letter_of,
    long_of,
    metavar,
    names_of,
    options_of,
    whole_of,
)

SCREEN = 24
"""Lines of the smallest usual terminal."""
COLUMNS = 80
_TERM = 26
_MOST_EXAMPLES = 3
_ON_CLUSTER = ("--cluster", "--endpoint", "--kfp-context", "--namespace", "--port-forward", "--kube-context", "--store")
_HELP = "  -h, --help              Show this. --help-all has the rest, and all in full."


class HelpContext(click.Context):
    """A context whose help fits a screen."""

    def get_help(self) -> str:
        """What `--help` prints."""
        return "\n".join(short(self, _columns()))

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        """Let each wrong use know its command: click's parser raises some without."""
        if isinstance(exc_value, click.UsageError) and exc_value.ctx is None:
            exc_value.ctx = self
        return super().__exit__(exc_type, exc_value, tb)


def with_help(command: click.Command) -> click.Command:
    """The same command, and its own commands, with help that fits a screen, and `--help-all`."""
    command.context_class = HelpContext
    if not any("--help-all" in one.opts for one in command.params):
        command.params.append(
            click.Option(
                ["--help-all"], is_flag=True, is_eager=True, expose_value=False, hidden=True, callback=_show_all
            )
        )
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        with_help(one)
    return command


def turned(words: list[str]) -> list[str]:
    """A command line's words, where `help COMMAND` and `--help COMMAND` are put as `COMMAND --help`; kade2kfp's own help is whole."""
    if words in (["--help-all"], ["help", "help"]):
        return ["--help"]
    asked = words[:1] == ["help"] or (len(words) > 1 and words[0] in ("-h", "--help") and words[1][:1] != "-")
    if asked:
        return [*words[1:], "--help"]
    return words


def short(ctx: click.Context, columns: int = COLUMNS) -> list[str]:
    """The help in a screen of lines: all options are named, and as many as there is room for are explained."""
    told = about(ctx.command)
    usage = [*ctx.get_usage().splitlines(), ""]
    text, *more = [wrap(one, columns, initial_indent="  ", subsequent_indent="  ") for one in told.paragraphs or ("",)]
    every = options_of(ctx.command)
    places = _places(every)
    own = [one for one in every if one not in places]
    below = [*_place_rows(places, columns), _HELP]
    subs = [line for name, one in commands_of(ctx).items() for line in _row(name, about(one).line, columns)]
    below += ["", "Commands:", *subs] if subs else []
    below += ["", *_examples(told.examples[:_MOST_EXAMPLES])] if told.examples else []
    room = SCREEN - len([*usage, *text, "", "Options:", *below])
    options = _options(own, columns, room)
    room -= len(options)
    notes = [wrap(one, columns, initial_indent="  ", subsequent_indent="  ") for one in told.notes]
    for lines, target in (*((one, text) for one in more), *((one, below) for one in notes)):
        if len(lines) >= room:
            break
        room -= len(lines) + 1
        target += ["", *lines]
    return [*usage, *text, "", "Options:", *options, *below]


def in_full(ctx: click.Context, columns: int = COLUMNS) -> str:
    """What `--help-all` prints: arguments, all options with their whole help, all examples, notes."""
    formatter = click.HelpFormatter(width=columns)
    told = about(ctx.command)
    formatter.write(ctx.get_usage() + "\n")
    for text in told.paragraphs:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)
    options = [(f"{names_of(one)} {metavar(one)}".rstrip(), whole_of(one)) for one in options_of(ctx.command)]
    _list(formatter, "Arguments", arguments_of(ctx.command))
    _list(formatter, "Options", [*options, ("-h, --help", "Show the help that fits a screen.")])
    _list(formatter, "Commands", [(name, " ".join(about(one).paragraphs)) for name, one in commands_of(ctx).items()])
    if told.examples:
        formatter.write("\n" + "".join(f"{one}\n" for one in _examples(told.examples)))
    for text in told.notes:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)
    return formatter.getvalue().rstrip("\n")


def _examples(examples: Sequence[str]) -> list[str]:
    return ["  Examples:", *(f"    {one}" for one in examples)]


def _columns() -> int:
    return min(shutil.get_terminal_size().columns, COLUMNS)


def _show_all(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(in_full(ctx, _columns()))
        ctx.exit()


def _options(options: Sequence[click.Option], columns: int, room: int) -> list[str]:
    """Lines for options: a row for each of the first, and the names of those that there is no room for."""
    rows = [_option(one, columns) for one in options]
    for kept in range(len(rows), -1, -1):
        left = [_name(one, long_of(one)) for one in options[kept:]]
        lines = [line for row in rows[:kept] for line in row] + _beside("more", left, columns)
        if len(lines) <= room:
            break
    return lines


def _option(option: click.Option, columns: int) -> list[str]:
    """An option in a line: its name, what its help says first, and the default where there is room for it."""
    letter, long = letter_of(option), long_of(option)
    term = _name(option, f"{letter}, {long}" if letter and letter != long else long)
    value = default_of(option)
    if value and not isinstance(option.type, click.Choice):
        told = _row(term, f"{first_of(option)} [{value}]", columns)
        if len(told) == 1:
            return told
    return _row(term, first_of(option), columns)


def _places(options: Sequence[click.Option]) -> list[click.Option]:
    """Those of the options that say where runs are, where there is such a choice: they are the same for many commands."""
    places = [one for one in options if long_of(one) in (*_ON_CLUSTER, "--home")]
    return places if any(long_of(one) == "--kube-context" for one in places) else []


def _place_rows(options: Sequence[click.Option], columns: int) -> list[str]:
    here = [_name(one, "--home") for one in options if long_of(one) == "--home"]
    there = [_name(one, letter_of(one) or long_of(one)) for one in options if long_of(one) != "--home"]
    return [*_beside("on this machine", here, columns), *_beside("on a cluster", there, columns)]


def _name(option: click.Option, name: str) -> str:
    return f"{'/'.join([name, *option.secondary_opts])} {metavar(option)}".rstrip()


def _beside(title: str, names: Iterable[str], columns: int) -> list[str]:
    """Names of options beside each other, below a title; no name is broken."""
    bound = ", ".join(name.replace(" ", "\0") for name in names)
    rows = wrap(bound, columns, initial_indent=f"  {title}: ", subsequent_indent="    ", break_on_hyphens=False)
    return [row.replace("\0", " ") for row in rows]


def _row(term: str, text: str, columns: int) -> list[str]:
    """A term and what it means, beside it; what the line has no room for stands below."""
    start = f"  {term:<{_TERM - 4}}  "
    return wrap(start + text, columns, subsequent_indent=" " * _TERM, break_on_hyphens=False) or [start.rstrip()]


def _list(formatter: click.HelpFormatter, title: str, rows: Sequence[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)
