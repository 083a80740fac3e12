"""A team's rules on the command line: which file of settings holds, and what the options add to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, wraps
from typing import Any

import click

from kade2kfp.rules.codes import problem
from kade2kfp.rules.find import rules_file
from kade2kfp.rules.model import Rules


@dataclass(frozen=True, slots=True)
class RulesChoice:
    """What the options say of rules: other codes than the file's, another file, or none."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    config: str = ""
    no_config: bool = False


def rules_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--select`, `--ignore`, `--config`, `--no-config`: the command gets them as `choice`, a RulesChoice."""

    @config_options
    @wraps(function)
    def command(
        *args: Any, choice: RulesChoice, select: tuple[str, ...], ignore: tuple[str, ...], **options: Any
    ) -> Any:
        chosen = replace(choice, select=_codes("--select", select), ignore=_codes("--ignore", ignore))
        return function(*args, choice=chosen, **options)

    ignored = (
        "Show none of these warnings and notes.\n\nCodes or their beginnings, as in K206,K4; besides the settings'."
    )
    selected = "Show these warnings and notes only.\n\nCodes or their beginnings, as in K206,K4; not the settings'."
    for name, help_ in (("ignore", ignored), ("select", selected)):
        click.option(f"--{name}", multiple=True, metavar="CODES", help=help_)(command)
    return command


def config_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--config` and `--no-config`: the command gets them as `choice`, a RulesChoice."""

    @wraps(function)
    def command(*args: Any, config: str | None, no_config: bool, **options: Any) -> Any:
        if config is not None and no_config:
            raise click.UsageError("--config names a file of rules and --no-config wants none: keep one of them.")
        return function(*args, choice=RulesChoice(config=config or "", no_config=no_config), **options)

    click.option("--no-config", is_flag=True, help="Go by no team's rules.")(command)
    click.option("--config", metavar="FILE", help="The team's rules, in place of kade2kfp.toml.")(command)
    return command


def rules_for(
    path: str, choice: RulesChoice = RulesChoice(), *, output: str = "text", stream_is_out: bool = False
) -> Rules:
    """The rules that hold for a document.

    Args:
        path: the document's path, `-` for standard input.
        choice: what the options say.
        output: how what is wrong with the settings is written, as `cli.common.show` takes it.
        stream_is_out: whether that goes to standard output where it is for machines.

    Raises click.exceptions.Exit with code 1 where the settings are wrong, which was shown then.
    """
    folder = os.getcwd() if path == "-" else os.path.dirname(os.path.abspath(path))
    file = choice.config if choice.config else "" if choice.no_config else _found(folder)
    rules = _read(file, output, stream_is_out) if file else Rules()
    return replace(rules, select=choice.select or rules.select, ignore=(*rules.ignore, *choice.ignore))


@cache
def _found(folder: str) -> str:
    """Where the settings for documents of a folder are; two hundred documents in it cost one search."""
    return str(rules_file(folder) or "")


@cache
def _read(file: str, output: str, stream_is_out: bool) -> Rules:
    from kade2kfp.cli.common import show
    from kade2kfp.rules.read import read_rules

    rules, source, found = read_rules(file, _shown(file))
    if found:
        show([(source, found)], output, stream_is_out=stream_is_out)
        raise click.exceptions.Exit(1)
    return rules


def _shown(file: str) -> str:
    """The file's name from the working directory, `../kade2kfp.toml`, where that is the shorter one."""
    absolute = os.path.abspath(file)
    return min(os.path.relpath(absolute), absolute, key=len)


def _codes(option: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    """The codes of an option that may be repeated, with commas between them. Raises click.UsageError."""
    found = [code.strip() for text in texts for code in text.split(",")]
    for code in found:
        wrong, help_ = problem(code)
        if wrong:
            raise click.UsageError(f"{option}: {wrong}: {help_}, as in `{option} K206,K4`.")
    return tuple(dict.fromkeys(found))
