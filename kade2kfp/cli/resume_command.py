"""kade2kfp resume."""

from __future__ import annotations

import click

from kade2kfp.cli.gates import Where, task_argument, the_step, timeout_option, where_options
from kade2kfp.cli.runs import run_argument
from kade2kfp.cli.streams import out
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.gates.model import Decision

_EXAMPLES = """\b
Examples:
  kade2kfp resume last review
  kade2kfp resume last train --set lr=0.1
"""


@click.command("resume", epilog=_EXAMPLES)
@run_argument
@task_argument
@click.option(
    "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A value that the task asks for. May be repeated."
)
@timeout_option
@where_options
def command(run: str, task: str | None, pairs: tuple[str, ...], timeout: int, where: Where) -> None:
    """Let a task that waits for a person go on, with the values that it asks for.

    `kade2kfp gates` lists what waits. TASK may be left out where one task of the run does.
    """
    from kade2kfp.gates.values import texts

    gates = where.gates()
    standing = the_step(gates, run, task, gate=True)
    values = texts(standing.values, pairs)
    if isinstance(values, list):
        raise click.UsageError("--set: " + "\n  ".join(values))
    out(terminal(gates.decide(standing, Decision("resume", gates.who(), values), timeout)) + "\n")
