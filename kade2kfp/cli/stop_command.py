"""kade2kfp stop."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from kade2kfp.cli.gates import TooLateError
from kade2kfp.cli.kfp import Place, kfp_options
from kade2kfp.cli.runs import home_option, run_argument, state_of, the_run
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.folder import read_run
from kade2kfp.local.state import RunState

_EXAMPLES = """\b
Examples:
  kade2kfp stop last
  kade2kfp stop 3f2a91 --yes --cluster

Exit codes: 0 it does not run any more, 3 the cluster failed, 124 it still runs after --timeout.
"""


@click.command("stop", epilog=_EXAMPLES)
@run_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--timeout",
    type=click.IntRange(0, 86400),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait until it has stopped.",
)
@home_option
@kfp_options
def command(run: str, yes: bool, timeout: int, home: Path, place: Place) -> None:
    """Stop a run, and wait until its tasks have ended; its exit task still runs.

    What has succeeded stays: `kade2kfp rerun` goes on with it.
    """
    if place.on_cluster:
        _on_cluster(place, run, yes, timeout)
        return
    from kade2kfp.local.stop import interrupt, wait_until_left

    found = the_run(home, run)
    state = state_of(found)
    if state.status != "running":
        say(f"{terminal(found.name)} does not run: {state.status}")
        return
    _sure(found.name, yes)
    if interrupt(found.folder):
        say(f"{terminal(found.name)} is told to stop")
    if not wait_until_left(found.folder, timeout):
        raise TooLateError(f"{found.name} still runs after {timeout} s: its exit task may take its time")
    _say_stopped(state_of(read_run(found.folder)))


def _on_cluster(place: Place, run: str, yes: bool, timeout: int) -> None:
    from kade2kfp.cli.following import looks
    from kade2kfp.cluster.kfp.control import terminate
    from kade2kfp.cluster.kfp.runs import find, status_of

    with place.kfp() as kfp:
        found = find(kfp, run)
        status = status_of(found.said)
        if status != "running":
            say(f"{terminal(found.name)} does not run: {status}")
            return
        _sure(f"{found.name} ({found.id})", yes)
        terminate(kfp, found)
        say(f"{terminal(found.name)} is told to stop")
        state: RunState | None = None
        for detail in looks(kfp, found.id, time.monotonic() + timeout):
            state = detail.state
        if state is None or state.status == "running":
            raise TooLateError(f"{found.name} still runs after {timeout} s: its exit task may take its time")
        _say_stopped(state)


def _sure(name: str, yes: bool) -> None:
    """Ask, unless that was answered before. Raises click.ClickException where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on: --yes stops it without.")
    if not click.confirm(f"Stop {terminal(name)}?", err=True):
        raise click.exceptions.Exit(1)


def _say_stopped(state: RunState) -> None:
    if state.status == "cancelled":
        say(f"{terminal(state.name)} has stopped")
    else:
        say(f"{terminal(state.name)} has ended: {state.status}")
