"""What a command says of itself: its docstring, arguments, options and epilog, for the help, the manual and errors.

The first paragraph of an option's help is what a line of `--help` has room for; more may follow after an empty line.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import click

ARGUMENTS = {
    "CODE": "A diagnostic's code, such as K301; `kade2kfp explain --list` lists them.",
    "COMMAND...": "What is run in the task, in place of a shell.",
    "FILE": "A pipeline document; `-` is standard input.",
    "FILE...": "Pipeline documents; `-` is standard input.",
    "FOLDER": "The folder that is made.",
    "NAME": "A context's name; `kade2kfp context list` lists them.",
    "RUN": "A run's name or a part of one, its id or the beginning of that, or `last`; `kade2kfp runs` lists them. For a "
    "serving also its pipeline's name.",
    "RUN RUN...": "Two runs or more, by names or parts of names, ids or their beginnings, or `last`.",
    "RUN|ARTIFACT": "A run as `kade2kfp runs` lists them, or `last`; or RUN/TASK/NAME, a path or a URI of an artifact.",
    "SHELL": "The shell whose completion is meant.",
    "TASK": "A task's id.",
    "TEMPLATE": "The document to begin with; `kade2kfp new --list` lists them.",
    "WHAT": "Which schema: pipeline, describe, diagnostics or rules; pipeline without it.",
}
"""What an argument stands for, by its metavar."""
_HEADS = ("Example:", "Examples:")


@dataclass(frozen=True, slots=True)
class About:
    """The paragraphs of a command's docstring, its examples, and the paragraphs that stand below them."""

    paragraphs: tuple[str, ...]
    examples: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def line(self) -> str:
        """The first sentence."""
        first = self.paragraphs[0] if self.paragraphs else ""
        return first.partition(". ")[0].rstrip(".") + "." if first else ""


def about(command: click.Command) -> About:
    """What a command's docstring and epilog say."""
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(command.help or "").split("\n\n")]
    examples: list[str] = []
    notes: list[str] = []
    for part in inspect.cleandoc(command.epilog or "").replace("\b\n", "").split("\n\n"):
        first, *rest = part.strip().splitlines() or [""]
        if first in _HEADS:
            examples += [line.strip() for line in rest if line.startswith(" ")]
            rest = [line for line in rest if not line.startswith(" ")]
            first = ""
        if note := " ".join(" ".join([first, *rest]).split()):
            notes.append(note)
    return About(tuple(one for one in paragraphs if one), tuple(examples), tuple(notes))


def commands_of(ctx: click.Context) -> dict[str, click.Command]:
    """The commands of a group by their names, without hidden ones; none of a command that is no group."""
    group = ctx.command
    if not isinstance(group, click.Group):
        return {}
    found = {name: group.get_command(ctx, name) for name in group.list_commands(ctx)}
    return {name: one for name, one in found.items() if one is not None and not one.hidden}


def options_of(command: click.Command) -> list[click.Option]:
    """The options in the order in which they are declared, without hidden ones and `--help`."""
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


def arguments_of(command: click.Command) -> list[tuple[str, str]]:
    """The arguments as they are written in a command line, each with what it stands for."""
    found = [one for one in command.params if isinstance(one, click.Argument)]
    return [(metavar(one), argument(metavar(one))) for one in found]


def argument(shown: str) -> str:
    """What an argument stands for, by its metavar, with brackets or without; empty where nobody has said it."""
    name = shown.replace("[", "").replace("]", "").removeprefix("-- ")
    return ARGUMENTS.get(name) or ARGUMENTS.get(name.removesuffix("..."), "")


def metavar(param: click.Parameter) -> str:
    """What stands for a parameter's value: FILE, [text|json]; empty for a flag."""
    if isinstance(param, click.Option) and (param.is_flag or param.count):
        return ""
    if param.metavar is not None:
        return param.metavar
    choices = "|".join(map(str, param.type.choices)) if isinstance(param.type, click.Choice) else ""
    if isinstance(param, click.Option):
        return f"[{choices}]" if choices else "N" if isinstance(param.type, click.IntRange) else param.type.name.upper()
    name = choices or (param.name or "").upper() + ("..." if param.nargs == -1 else "")
    return name if param.required else f"[{name}]"


def long_of(option: click.Option) -> str:
    """An option's first name with two hyphens."""
    return next((name for name in option.opts if name.startswith("--")), option.opts[0])


def letter_of(option: click.Option) -> str:
    """An option's name with one hyphen; empty where it has none."""
    return next((name for name in option.opts if not name.startswith("--")), "")


def names_of(option: click.Option) -> str:
    """All names of an option: `-o, --out`, `--cache / --no-cache`."""
    names = sorted(option.opts, key=lambda name: name.startswith("--"))
    return " / ".join([", ".join(names), *option.secondary_opts])


def first_of(option: click.Option) -> str:
    """What a line has room for of an option's help."""
    return " ".join((option.help or "").split("\n\n")[0].split())


def whole_of(option: click.Option) -> str:
    """All of an option's help, with its default and what it takes."""
    said = " ".join((option.help or "").split())
    more = ["required"] if option.required else []
    if value := default_of(option):
        more.append(f"default: {value}")
    if isinstance(option.type, click.IntRange) and (limits := limits_of(option.type)):
        more.append(limits)
    return f"{said} ({'; '.join(more)})".strip() if more else said


def default_of(option: click.Option) -> str:
    """What counts where an option is not given; empty where nothing does, or nothing is said of it."""
    if isinstance(option.show_default, str):
        return option.show_default
    return str(option.default) if option.show_default and option.default is not None else ""


def limits_of(type_: click.IntRange) -> str:
    """What numbers it takes: `1 to 256`, `0 or more`; empty where it takes any."""
    if type_.min is not None and type_.max is not None:
        return f"{type_.min} to {type_.max}"
    return f"{type_.min} or more" if type_.min is not None else ""
