"""kade2kfp context."""

from __future__ import annotations

import json
from typing import Literal

import click

from kade2kfp.cli.gates import told
from kade2kfp.cli.runs import table
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal

_EXAMPLES = """\b
Examples:
  kade2kfp context list
  kade2kfp context use prod

A context is an entry of `contexts` in the configuration: endpoint, namespace, a way to log in; see docs/cluster.md.
"""


def _examples(line: str) -> str:
    return f"\b\nExamples:\n  kade2kfp context {line}\n"


@click.group("context", epilog=_EXAMPLES)
def command() -> None:
    """List the clusters that are known by name, or choose one."""


@command.command("list", epilog=_examples("list"))
@click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How it is written."
)
def list_(output: Literal["text", "json"]) -> None:
    """List the contexts; the current one is marked. No token is shown."""
    from kade2kfp.cluster.kfp.config import LOGINS, read

    with told():
        config = read()
    found = [
        {
            "name": name,
            "current": name == config.current,
            "endpoint": one.get("endpoint") or "port-forward",
            "namespace": one.get("namespace", ""),
            "login": next((way for way in LOGINS if one.get(way)), "none"),
        }
        for name, one in config.contexts.items()
    ]
    if output == "json":
        out(json.dumps({"file": str(config.path), "contexts": found}, indent=2) + "\n")
        return
    if not found:
        say(f"there are no contexts: {terminal(str(config.path))} has none")
        return
    rows = [("", "NAME", "ENDPOINT", "NAMESPACE", "LOGIN")]
    rows += [
        (
            "*" if one["current"] else "",
            str(one["name"]),
            str(one["endpoint"]),
            str(one["namespace"]),
            str(one["login"]),
        )
        for one in found
    ]
    out("".join(f"{row}\n" for row in table(rows)))


@command.command("use", epilog=_examples("use prod"))
@click.argument("name", metavar="NAME")
def use(name: str) -> None:
    """Make a context the one that is meant by default."""
    from kade2kfp.cluster.kfp.config import choose

    with told():
        path = choose(name)
    say(f"{terminal(name)} is now the current context of {terminal(str(path))}")


@command.command("show", epilog=_examples("show"))
def show() -> None:
    """Say which cluster is meant where none is named. Nothing is asked of it."""
    from kade2kfp.cluster.kfp.where import target_of

    with told():
        target = target_of(always=True)
    if target is not None:
        name = f"context {target.context}: " if target.context else ""
        place = f", namespace {target.namespace}" if target.namespace else ""
        out(f"{terminal(name + target.address + place)}\n")
