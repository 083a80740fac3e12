"""kade2kfp viewer."""

from __future__ import annotations

import click

from kade2kfp.cli.service_commands import doing, listing, logging, opening

_EXAMPLES = """\b
Examples:
  kade2kfp viewer open last board
  kade2kfp viewer list -n team-a
"""


@click.group("viewer", epilog=_EXAMPLES)
def command() -> None:
    """TensorBoard and other tools beside a run: list, open, pause, resume, delete.

    Pausing one changes nothing else in the run. On a cluster a viewer goes when its time to live is over.
    """


command.add_command(listing("viewer"))
command.add_command(opening("viewer"))
command.add_command(logging("viewer"))
command.add_command(doing("viewer", "pause", "End its processes, and keep all else."))
command.add_command(doing("viewer", "resume", "Start a paused one again."))
command.add_command(doing("viewer", "delete", "Remove it. What it shows stays where it is."))
