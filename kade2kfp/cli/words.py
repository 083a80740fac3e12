"""The words of all commands, known without importing one: what a shell completes must not wait for pydantic.

words.json beside this file is made of the commands themselves by scripts/words.py, which a test compares. A command that
is not in it yet is imported.
"""

from __future__ import annotations

import functools
import json
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import click

from kade2kfp.cli.declared import about, first_of, metavar

Described = dict[str, Any]
"""A command as JSON: `help`, `params` in their order, `commands` of a group."""


def described(command: click.Command) -> Described:
    """A command's words: what `made` makes a command of that parses the same, and does nothing."""
    found: Described = {"help": about(command).line}
    params = [one for one in command.params if not (isinstance(one, click.Option) and one.hidden)]
    found["params"] = [_param(one) for one in params]
    if isinstance(command, click.Group):
        found["commands"] = {name: described(one) for name, one in sorted(command.commands.items())}
    return found


def _param(param: click.Parameter) -> Described:
    found: Described = {"name": param.name, "metavar": metavar(param)}
    if isinstance(param.type, click.Choice):
        found["choices"] = [str(one) for one in param.type.choices]
    if isinstance(param, click.Option):
        found["words"] = ["/".join([one, *param.secondary_opts]) for one in param.opts]
        return found | {"help": first_of(param), "flag": param.is_flag, "multiple": param.multiple}
    return found | {"nargs": param.nargs}


@functools.cache
def _all() -> Mapping[str, Described]:
    found: Mapping[str, Described] = json.loads(pkgutil.get_data("kade2kfp.cli", "words.json") or b"{}")
    return found


def line(name: str) -> str:
    """What a command does, in one line; empty where that is not known."""
    return str(_all().get(name, {}).get("help", ""))


def made(name: str, typed: Callable[[str, str], click.ParamType[Any] | None]) -> click.Command | None:
    """A command with the words of the one of that name; None where it is not known.

    `typed` says by a parameter's name and metavar which type offers its values, None for any text.
    """
    return _command(name, _all()[name], typed) if name in _all() else None


def _command(name: str, words: Described, typed: Callable[[str, str], click.ParamType[Any] | None]) -> click.Command:
    params: list[click.Parameter] = []
    for one in words["params"]:
        type_ = click.Choice(one["choices"]) if "choices" in one else typed(one["name"], one["metavar"])
        if "nargs" in one:
            params.append(click.Argument([one["name"]], type=type_, nargs=one["nargs"], required=False))
        elif one["flag"]:
            params.append(click.Option([one["name"], *one["words"]], is_flag=True, help=one["help"]))
        else:
            params.append(
                click.Option([one["name"], *one["words"]], type=type_, multiple=one["multiple"], help=one["help"])
            )
    if "commands" in words:
        subs = {sub: _command(sub, one, typed) for sub, one in words["commands"].items()}
        return click.Group(name, subs, params=params, help=words["help"])
    return click.Command(name, params=params, help=words["help"], context_settings=_SETTINGS)


_SETTINGS = {"help_option_names": ["-h", "--help"]}
