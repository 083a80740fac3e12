"""What a shell offers for the word at the cursor: `completion` prints the scripts that ask.

A script calls kade2kfp with the line up to the cursor in _KADE2KFP_LINE, and reads rows of KIND, VALUE and HELP with tabs
between them. KIND is `word`, `part` (a word that goes on: no space behind it), or `file`, `folder`, `document`, which the
shell finds itself; VALUE is then what stands before the path in the word. All is silent, whatever is wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from kade2kfp.cli import offered, words
from kade2kfp.cli.offered import Kind, Offer
from kade2kfp.cli.streams import out
from kade2kfp.diagnostics.escape import terminal

VARIABLE = "_KADE2KFP_COMPLETE"
_CURSOR = "\x01"
_HELP = 72
_PATHS: dict[str, Kind] = {"FILE": "file", "PATH": "file", "DIR": "folder", "FOLDER": "folder"}
_KINDS: dict[str, Callable[[click.Context, str], Iterable[Offer]]] = {
    "CODE": offered.codes,
    "CODES": offered.codes,
    "ID": offered.tasks,
    "ID=DIR": offered.volumes,
    "NAME=VALUE": offered.values,
    "RUN": offered.runs,
    "TASK": offered.tasks,
    "TEMPLATE": offered.templates,
    "ZONE": offered.zones,
}
_NO_PATHS = frozenset({"path"})
"""Parameters that are called PATH and name none of this machine: a path of an endpoint."""


class _Offered(click.types.StringParamType):
    """Text whose values are offered by a function."""

    def __init__(self, offers: Callable[[click.Context, str], Iterable[Offer]]) -> None:
        self._offers = offers

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        """What may stand in the place of what has been typed."""
        found = self._offers(ctx, incomplete)
        return [
            CompletionItem(one.value, one.kind, one.help)
            for one in found
            if one.value.startswith(incomplete) or one.kind not in ("word", "part")
        ]


def command(name: str) -> click.Command | None:
    """The words of a command, for the shell; None where they are not known."""
    return words.made(name, _typed)


def commands(names: Mapping[str, str], incomplete: str) -> list[CompletionItem[str]]:
    """The commands that begin so, each with what it does; `names` has a line for each, for those not known better."""
    begun = [one for one in sorted(names) if one.startswith(incomplete)]
    return [CompletionItem(one, help=words.line(one) or names[one]) for one in begun]


def _typed(name: str, metavar: str) -> click.ParamType[str] | None:
    kind = re.match(r"\[?([A-Z]+(=[A-Z]+)?)", metavar)
    if kind is None or name in _NO_PATHS:
        return None
    if name in ("file", "files"):
        return _Offered(lambda ctx, incomplete: [Offer("", "document")])
    if path := _PATHS.get(kind[1]):
        return _Offered(lambda ctx, incomplete: [Offer("", path)])
    offers = _KINDS.get(kind[1])
    return _Offered(offers) if offers else None


def answer(group: click.Group, shell: str) -> None:
    """Write the rows for the line in the environment; none where anything is wrong."""
    with suppress(Exception):  # a shell's line is no place for a traceback
        out("".join(f"{row}\n" for row in _rows(group, shell)))


def _rows(group: click.Group, shell: str) -> Iterator[str]:
    *typed, incomplete = split_arg_string(os.environ["_KADE2KFP_LINE"] + _CURSOR)
    incomplete = incomplete.removesuffix(_CURSOR)
    # What of the word is an option's, as in --output=json, and what of it bash takes for words of their own.
    option = incomplete.partition("=")[0] + "=" if re.match(r"--[a-z-]+=", incomplete) else ""
    breaks = set(os.environ.get("_KADE2KFP_BREAKS", "")) & set("=:") if shell == "bash" else set()
    split = max((incomplete.rfind(one) for one in breaks), default=-1) + 1
    for item in ShellComplete(group, {}, "kade2kfp", VARIABLE).get_completions(typed[1:], incomplete):
        kind = "word" if item.type == "plain" else item.type
        value = (option + item.value)[split:]
        if value.isprintable():
            yield f"{kind}\t{value}\t{_cut(terminal(item.help or ''))}".rstrip("\t")


def _cut(text: str) -> str:
    return text if len(text) <= _HELP else text[: _HELP - 3].rstrip() + "..."
