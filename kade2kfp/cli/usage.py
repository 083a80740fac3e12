"""What is said of a command line that is wrong: what is right, and what to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from kade2kfp.cli.declared import about, argument, commands_of, limits_of, long_of, metavar
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.document.suggest import closest, did_you_mean

_TWINS = {"--param": "--set", "--set": "--param"}
"""What an option of one command is called by another."""


def refusal(error: click.UsageError) -> list[str]:
    """The lines for a wrong command line, escaped: its usage, what is wrong, what is right, an example to go by."""
    context = error.ctx
    first, *rest = _lines(error)
    if context is None:
        return [f"Error: {first}", *rest]
    example = _example(context.command, " ".join([first, *rest]))
    lines = [*context.get_usage().splitlines(), *([f"For example: {example}"] if example else [])]
    lines += [f"Try '{context.command_path} --help' for help.", ""]
    return [*lines, f"Error: {first}", *rest, *(f"  {terminal(one)}" for one in _right(error, context))]


def unknown_command(word: str, ctx: click.Context, known: list[str]) -> click.UsageError:
    """The error to raise where a group has no such command."""
    hint = did_you_mean(word, known, noun="commands") or f"`{ctx.command_path} --help` lists them"
    return click.UsageError(f"There is no command '{word}': {hint}", ctx)


def _lines(error: click.UsageError) -> list[str]:
    context = error.ctx
    if isinstance(error, click.NoSuchOption) and context is not None:
        return [terminal(_no_such_option(error, context))]
    return [terminal(row) for row in error.format_message().splitlines()] or [""]


def _no_such_option(error: click.NoSuchOption, context: click.Context) -> str:
    """Which option was meant; click's own suggestions differ between its versions."""
    given = error.option_name
    options = [one for one in context.command.params if isinstance(one, click.Option)]
    known = {name: f"{name} {metavar(one)}".rstrip() for one in options for name in (*one.opts, *one.secondary_opts)}
    long = {name: shown for name, shown in (known | {"--help": "--help"}).items() if name.startswith("--")}
    meant = _TWINS[given] if _TWINS.get(given) in long else closest(given, long) if given.startswith("--") else None
    hint = f"did you mean `{long[meant]}`?" if meant is not None else f"`{context.command_path} --help` lists them"
    return f"No such option '{given}': {hint}"


def _right(error: click.UsageError, context: click.Context) -> Iterator[str]:
    """What would have been right, as far as the declaration of what is wrong says it."""
    if isinstance(error, click.BadOptionUsage) and not isinstance(error, click.NoSuchOption):
        for one in context.command.params:
            if error.option_name in one.opts:
                yield f"write {error.option_name} {metavar(one)}".rstrip()
    if isinstance(context.command, click.Group) and context.parent is not None:
        yield f"its commands: {', '.join(commands_of(context))}"
    param = error.param if isinstance(error, click.BadParameter) else None
    if isinstance(error, click.MissingParameter) and isinstance(param, click.Argument):
        if text := argument(metavar(param)):
            yield f"{metavar(param).strip('[]')}: {text[:1].lower()}{text[1:]}".rstrip(".")
    elif isinstance(error, click.MissingParameter) and isinstance(param, click.Option):
        yield f"write {long_of(param)} {metavar(param)}".rstrip()
    elif isinstance(param, click.Option) and isinstance(param.type, click.IntRange):
        yield f"{long_of(param)} takes a whole number, {limits_of(param.type)}".removesuffix(", ")


def _example(command: click.Command, said: str) -> str:
    """The example that has an option of which something is said, else the first."""
    examples = about(command).examples
    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", said))
    return next((one for one in examples if named & _words(one)), next(iter(examples), ""))


def _words(example: str) -> set[str]:
    try:
        return set(shlex.split(example))
    except ValueError:
        return set(example.split())
