"""kade2kfp serving."""

from __future__ import annotations

import click

from kade2kfp.cli import services as shared
from kade2kfp.cli.gates import Where, where_options
from kade2kfp.cli.service_commands import doing, listing, logging, opening
from kade2kfp.cli.services import run_argument, task_argument, the_service
from kade2kfp.cli.streams import out
from kade2kfp.diagnostics.escape import terminal

_EXAMPLES = """\b
Examples:
  kade2kfp serving list
  kade2kfp serving rollback iris endpoint

RUN is a run, or the pipeline's name, or the serving's own name. TASK may be left out where there is one.
"""
_ROLLBACK = """\b
Examples:
  kade2kfp serving rollback iris endpoint
  kade2kfp serving rollback iris endpoint --to 20260309-140559-1a2b
"""


@click.group("serving", epilog=_EXAMPLES)
def command() -> None:
    """Endpoints that runs have left: list, open, roll back, pause, resume, delete.

    A serving outlives its run; the next run's takes its place when it answers.
    """


@click.command("rollback", epilog=_ROLLBACK)
@run_argument
@task_argument
@click.option("--to", "version", metavar="VERSION", help="That version; else the one before the present.")
@click.option(
    "--timeout",
    type=click.IntRange(0, 86400),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait until it answers.",
)
@where_options
def rollback(run: str, task: str | None, version: str | None, timeout: int, where: Where) -> None:
    """Let an earlier version answer again.

    The present one answers until the other is ready, and goes on where that does not get ready.
    """
    if version == "":  # as of an unset variable
        raise click.BadParameter("it is empty", param_hint="--to")
    services = shared.services_of(where)
    view = the_service(services, "serving", run, task)
    out(terminal(services.rollback(view, version, timeout)) + "\n")


command.add_command(listing("serving"))
command.add_command(opening("serving"))
command.add_command(logging("serving"))
command.add_command(rollback)
command.add_command(doing("serving", "pause", "End its processes, and keep all else."))
command.add_command(doing("serving", "resume", "Start a paused one again."))
command.add_command(doing("serving", "delete", "Remove the endpoint. Its versions stay on their volume."))
