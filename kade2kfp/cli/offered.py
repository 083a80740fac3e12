"""What can stand in a word of the command line: tasks, runs, parameters, volumes, codes, templates, time zones.

All of it is read as quickly as can be, without pydantic and without a look at what is right: of a broken document
nothing is offered. Ids and names are offered only where they are such, so nothing in them acts upon a terminal.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from kade2kfp.local.home import default_home

_MOST_BYTES = 4 * 1024 * 1024
_MOST_RUNS = 200
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_RUN = re.compile(r"[a-z0-9-]{1,40}-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[0-9a-f]{4}")
_PLAIN = re.compile(r"[A-Za-z0-9._+-]+")
_ON_CLUSTER = ("cluster", "endpoint", "kfp_context", "namespace", "port_forward", "kube_context")

Kind = Literal["word", "part", "file", "folder", "document"]
"""What complete.py tells of them."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A value with what it is; of a path, `value` is what stands before it in the word."""

    value: str
    kind: Kind = "word"
    help: str = ""


def runs(ctx: click.Context, incomplete: str) -> Iterator[Offer]:
    """The runs of this machine, the newest first."""
    if any(ctx.params.get(one) for one in _ON_CLUSTER):
        return
    names = _run_names(ctx)
    if names:
        yield Offer("last", help=names[0])
    for name in names:
        at = _RUN.fullmatch(name)
        yield Offer(name, help="{}-{}-{} {}:{}:{}".format(*at.groups()) if at else "")


def tasks(ctx: click.Context, incomplete: str) -> Iterator[Offer]:
    """The ids of the tasks of the document, or of the run, that the line names."""
    state = _read(_run_folder(ctx) / "state.json") if _named(ctx, "run") else None
    if state is not None:
        found: dict[str, str] = {}
        for one in _objects(state.get("steps")):
            found.setdefault(_id(one, "task"), str(one.get("status")))
        yield from (Offer(id_, help=status) for id_, status in found.items() if id_)
        return
    for one in _objects(_document(ctx).get("tasks")):
        if id_ := _id(one, "id"):
            told = [str(one[key]) for key in ("type", "name") if isinstance(one.get(key), str)]
            yield Offer(id_, help=": ".join(told))


def values(ctx: click.Context, incomplete: str) -> Iterator[Offer]:
    """Parameters of the document, or values of the run's task, as `NAME=`; behind it what is allowed, where that is little."""
    if _named(ctx, "run"):
        task = _named(ctx, "task")
        every = _objects(_read(_run_folder(ctx) / "pipeline.json").get("tasks"))
        gates = [one.get("gate") for one in every if not task or one.get("id") == task]
        declared = [one for gate in _objects(gates) for one in _objects(gate.get("values"))]
    else:
        declared = _objects(_document(ctx).get("parameters"))
    for one in declared:
        if not (name := _id(one, "name")):
            continue
        if not incomplete.startswith(f"{name}="):
            yield Offer(f"{name}=", "part", str(one.get("description") or one.get("type") or ""))
            continue
        allowed = one.get("enum") or ([True, False] if one.get("type") == "boolean" else [])
        for value in allowed if isinstance(allowed, list) else []:
            text = value if isinstance(value, str) else json.dumps(value)
            if _PLAIN.fullmatch(text):
                yield Offer(f"{name}={text}")


def volumes(ctx: click.Context, incomplete: str) -> Iterator[Offer]:
    """The ids of the document's volumes as `ID=`; behind it folders."""
    before, equals, _ = incomplete.partition("=")
    if equals:
        yield Offer(f"{before}=", "folder")
        return
    for one in _objects(_document(ctx).get("volumes")):
        if id_ := _id(one, "id"):
            yield Offer(f"{id_}=", "part", str(one.get("claimName") or "made for the run"))


def codes(ctx: click.Context, incomplete: str) -> Iterator[Offer]:
    """Diagnostic codes with their titles; several with commas between them."""
    from kade2kfp.diagnostics.pages import all_codes, page

    before = incomplete[: incomplete.rfind(",") + 1]
    for code in all_codes():
        if code.startswith(incomplete[len(before) :]):
            yield Offer(before + code, help=page(code).title)


def templates(ctx: click.Context, incomplete: str) -> Iterator[Offer]:
    """The names of the templates of `new`."""
    from kade2kfp.cli import new_command

    return (Offer(name, help=about) for name, about in new_command.templates().items())


def zones(ctx: click.Context, incomplete: str) -> Iterator[Offer]:
    """The names of the time zones."""
    from kade2kfp.document.zones import zone_names

    return (Offer(name) for name in zone_names())


def _runs_folder(ctx: click.Context) -> Path:
    named = ctx.params.get("home")
    return (Path(os.path.expanduser(named)) if named else default_home()) / "runs"


def _run_names(ctx: click.Context) -> list[str]:
    """The names of the runs, the newest first: a name tells when the run began."""
    folder = _runs_folder(ctx)
    names = [one for one in os.listdir(folder) if _RUN.fullmatch(one)]
    names.sort(key=lambda name: (name[-20:-5], name), reverse=True)
    return [one for one in names[:_MOST_RUNS] if (folder / one / "state.json").is_file()]


def _run_folder(ctx: click.Context) -> Path:
    """The folder of the run that the line names; one that is not there where it names none, or several."""
    wanted = _named(ctx, "run")
    names = _run_names(ctx)
    found = (
        names[:1]
        if wanted == "last"
        else [one for one in names if wanted == one] or [one for one in names if wanted in one]
    )
    return _runs_folder(ctx) / (found[0] if len(found) == 1 else "none")


def _named(ctx: click.Context, name: str) -> str:
    """The argument of that name, the first of several, as far as the line has it; else empty.

    Where an option's value is still to come, click has not given the arguments to their names yet.
    """
    for number, param in enumerate(one for one in ctx.command.params if isinstance(one, click.Argument)):
        if param.name == name:
            given = ctx.params.get(name)
            word = given[0] if isinstance(given, tuple) and given else given
            return word if isinstance(word, str) else ctx.args[number] if number < len(ctx.args) else ""
    return ""


def _document(ctx: click.Context) -> dict[str, Any]:
    named = _named(ctx, "file") or _named(ctx, "files")
    return _read(Path(os.path.expandvars(os.path.expanduser(named)))) if named not in ("", "-") else {}


def _read(path: Path) -> dict[str, Any]:
    """The object that a file holds; empty where it is none, or larger than one waits for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)  # nobody may write to a pipe
    except (OSError, ValueError):
        return {}
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return {}
        data = file.read(_MOST_BYTES + 1)
    try:
        found = json.loads(data) if len(data) <= _MOST_BYTES else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _objects(found: object) -> list[dict[str, Any]]:
    rows: Iterable[object] = found if isinstance(found, list) else []
    return [one for one in rows if isinstance(one, dict)]


def _id(found: dict[str, Any], key: str) -> str:
    """What a key says, where that can be an id or a name; else empty."""
    word = found.get(key)
    return word if isinstance(word, str) and _ID.fullmatch(word) else ""
