"""kade2kfp reject."""

from __future__ import annotations

import click

from kade2kfp.cli.gates import Where, task_argument, the_step, timeout_option, where_options
from kade2kfp.cli.runs import run_argument
from kade2kfp.cli.streams import out
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.gates.model import Decision

_EXAMPLES = """\b
Examples:
  kade2kfp reject last review --reason "the labels are wrong"
"""
_LONGEST = 300
"""Bytes of a reason that the step reads (templates/gate.sh, head_of)."""


@click.command("reject", epilog=_EXAMPLES)
@run_argument
@task_argument
@click.option("--reason", default="", metavar="TEXT", help="Why: one line, which stands in the task's log.")
@timeout_option
@where_options
def command(run: str, task: str | None, reason: str, timeout: int, where: Where) -> None:
    """Reject at a task that waits for a person: it fails, or the pipeline takes the way for that.

    Which of both is said by the document (`onReject`). TASK may be left out where one task of the run waits.
    """
    if problem := _problem(reason):
        raise click.BadParameter(problem, param_hint="--reason")
    gates = where.gates()
    standing = the_step(gates, run, task, gate=True)
    out(terminal(gates.decide(standing, Decision("reject", gates.who(), reason=reason), timeout)) + "\n")


def _problem(reason: str) -> str:
    """Why the step would not read the reason whole; empty where it does."""
    from kade2kfp.document.values import run_time_problem

    try:
        length = len(reason.encode())
    except UnicodeEncodeError:
        return "it is not text in UTF-8"
    if "\n" in reason:
        return "it has more than one line"
    if length > _LONGEST:
        return f"it has {length} bytes, and at most {_LONGEST} reach the task"
    return run_time_problem(reason)
