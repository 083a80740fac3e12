"""kade2kfp gates."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from kade2kfp.cli.gates import Where, called, where_options
from kade2kfp.cli.progress import cut
from kade2kfp.cli.runs import ago, table
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.gates.model import Standing
from kade2kfp.local.amounts import duration

_EXAMPLES = """\b
Examples:
  kade2kfp gates
  kade2kfp gates last --output json

The JSON is a list of objects with `run`, `task`, `step`, `name`, `type`, `pod`, `since`, `until` (seconds since 1970,
or null), `message`, `onReject`, `values` (as in the document, and `required`), `ports`, `notebook` and `ssh` (ports, or
null).
"""
_HEAD = ("RUN", "TASK", "SINCE", "UNTIL", "MESSAGE")
_LONGEST = 200


@click.command("gates", epilog=_EXAMPLES)
@click.argument("run", required=False, metavar="[RUN]")
@click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="A table, or JSON."
)
@where_options
def command(run: str | None, output: str, where: Where) -> None:
    """List the tasks that wait for a person, and what to type there."""
    waiting = where.gates().waiting(run)
    if output == "json":
        out(json.dumps([_as_json(one) for one in waiting], indent=2) + "\n")
    elif waiting:
        out(_text(waiting, time.time(), where))
    else:
        say("nothing waits for a person" + (f" in the run {terminal(run)}" if run is not None else ""))


def _text(waiting: Sequence[Standing], now: float, where: Where) -> str:
    names = called(waiting)
    rows = [_row(one, names[one.run, one.step], now) for one in waiting]
    lines = table([_HEAD, *rows])
    text = [lines[0]]
    for one, line in zip(waiting, lines[1:], strict=True):
        text += [line, *(f"  {row}" for row in _hints(one, names[one.run, one.step], where))]
    return "\n".join(text) + "\n"


def _row(one: Standing, name: str, now: float) -> tuple[str, ...]:
    until = f"in {duration(one.until - now)}" if one.until is not None else "-"
    return one.run, name, ago(one.since, now), until, cut(" ".join(one.message.split()), _LONGEST)


def _hints(one: Standing, name: str, where: Where) -> Iterator[str]:
    """What to type, and what may be given; escaped."""
    from kade2kfp.gates.values import about, example

    pairs = [word for value in one.values if value.required for word in ("--set", example(value))]
    yield where.command("resume", one.run, name, *pairs)
    for row in table([(value.name, about(value), value.description) for value in one.values]) if one.values else ():
        yield f"  {row}"
    yield where.command("reject", one.run, name) + ("" if one.on_reject == "fail" else "  (and the pipeline goes on)")
    if one.port or one.ports:
        yield where.command("open", one.run, name)
    if one.ssh:
        yield where.command("ssh", one.run, name)


def _as_json(one: Standing) -> dict[str, Any]:
    return {
        "run": one.run,
        "task": one.task,
        "step": one.step,
        "name": one.display_name,
        "type": one.type,
        "pod": one.pod,
        "since": _number(one.since),
        "until": _number(one.until),
        "message": one.message,
        "onReject": one.on_reject,
        "values": [asdict(value) for value in one.values],
        "ports": [asdict(port) for port in one.ports],
        "notebook": one.port or None,
        "ssh": one.ssh or None,
    }


def _number(value: float | None) -> float | None:
    """JSON has no numbers that are none."""
    return value if value is not None and math.isfinite(value) else None
