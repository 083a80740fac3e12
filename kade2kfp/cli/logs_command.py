"""kade2kfp logs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from kade2kfp.cli.kfp import Place, kfp_options
from kade2kfp.cli.log_printer import Printer
from kade2kfp.cli.runs import home_option, labels, run_argument, state_of, store_option, the_run, the_steps
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.folder import Run, read_run
from kade2kfp.local.state import ENDED, Attempt, RunState, StepState

_EXAMPLES = """\b
Examples:
  kade2kfp logs last train
  kade2kfp logs last --follow
  kade2kfp logs iris-20260309 train --all-attempts --tail 50
  kade2kfp logs last train -f --cluster

The exit code is 0 however the run ended; with --follow it is 3 where nothing carries the run on any more. On a cluster,
the log of a pod that is gone is read from the object store.
"""
_PAUSE = 0.2
_SHARE = 4 * 1024 * 1024
"""Seconds between two looks at a run, and bytes that one log may show before it is the next one's turn."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which logs, and how: `attempt` None is the last one, and with `every` all."""

    task: str | None
    attempt: int | None
    every: bool


@click.command("logs", epilog=_EXAMPLES)
@run_argument
@click.argument("task", required=False)
@click.option(
    "-f", "--follow", is_flag=True, help="Go on with what is written, until the end.\n\nOf the run, or of the task."
)
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="That attempt of a task; else the last one.")
@click.option("--all-attempts", "every", is_flag=True, help="All attempts, in order.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each log.")
@store_option
@home_option
@kfp_options
@click.pass_context
def command(
    ctx: click.Context,
    run: str,
    task: str | None,
    follow: bool,
    attempt: int | None,
    every: bool,
    tail: int | None,
    store: str,
    home: Path,
    place: Place,
) -> None:
    """Print what the tasks of a run wrote.

    RUN is a run's name, a unique part of one, its id, or `last`; TASK a task's id. Where there are several tasks,
    each line says which wrote it. Bytes are printed as they are, or, on a terminal, so that it acts on none of them.
    """
    if attempt is not None and every:
        raise click.UsageError("--attempt and --all-attempts exclude each other.")
    wanted = Wanted(task, attempt, every)
    if place.on_cluster:
        from kade2kfp.cli.cluster_logs import logs_on_cluster

        logs_on_cluster(place, run, wanted, tail, store, follow=follow)
        return
    found = the_run(home, run)
    state = state_of(found)
    printer = Printer(found.folder, state, the_steps(state, task), every=every)
    if follow:
        ctx.exit(_follow(found, state, wanted, tail, printer))
    say_none(state, wanted)
    names = labels(state.steps)
    for step, one in wanted_logs(state, wanted):
        if not printer.begin(step, one, tail):
            path = terminal(str(found.folder / one.log))
            say(f"the log of {terminal(names[step.name])}, attempt {one.number}, is gone: {path}")
            continue
        printer.more(step, one, None)
        printer.end(step, one)
    if state.status == "interrupted":
        say(_interrupted(found))


def _follow(run: Run, state: RunState, wanted: Wanted, tail: int | None, printer: Printer) -> int:
    """Show what is written until there is no more to come; the exit code.

    What a state tells has been written before it: logs are read after the state, and once more when all has ended.
    """
    begun = {(step.name, one.number) for step, one in wanted_logs(state, wanted)}
    first = dict(begun)
    looked, seen, done = time.monotonic(), _signature(run.folder), set[tuple[str, int]]()
    later = replace(wanted, every=wanted.attempt is None)
    while True:
        grown = False
        for step, one in wanted_logs(state, later):
            key = (step.name, one.number)
            if key in done or (not wanted.every and one.number < first.get(step.name, 0)):
                continue
            if not printer.begin(step, one, tail if key in begun else None):
                continue
            more = printer.more(step, one, _SHARE)
            grown |= more
            if one.ended is not None and not more:
                printer.end(step, one)
                done.add(key)
        if not grown:
            if state.status != "running" or all(step.status in ENDED for step in the_steps(state, wanted.task)):
                break
            time.sleep(_PAUSE)
        if (now := _signature(run.folder)) != seen or time.monotonic() - looked > 1:
            looked, seen = time.monotonic(), now
            state = state_of(read_run(run.folder))
    printer.end_all()
    say_none(state, wanted)
    if state.status == "interrupted":
        say(_interrupted(run))
        return 3
    return 0


def _signature(folder: Path) -> tuple[int, int] | None:
    """What changes whenever the state is replaced; None where there is none."""
    try:
        status = (folder / "state.json").stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _interrupted(run: Run) -> str:
    return (
        f"nothing carries the run {terminal(run.name)} on any more: `kade2kfp rerun {terminal(run.name)}` finishes it"
    )


def wanted_logs(state: RunState, wanted: Wanted) -> list[tuple[StepState, Attempt]]:
    """The logs that are wanted, in the order in which their steps began."""
    steps = sorted(the_steps(state, wanted.task), key=lambda step: step.started or 0.0)
    return [(step, one) for step in steps for one in _attempts(step, wanted)]


def _attempts(step: StepState, wanted: Wanted) -> Sequence[Attempt]:
    if wanted.attempt is not None:
        return [one for one in step.attempts if one.number == wanted.attempt]
    return step.attempts if wanted.every else step.attempts[-1:]


def say_none(state: RunState, wanted: Wanted) -> None:
    """Where no log is there, say why. Raises click.ClickException for an attempt that there was not."""
    if wanted_logs(state, wanted):
        return
    steps = the_steps(state, wanted.task)
    if wanted.attempt is not None and any(step.attempts for step in steps):
        most = max(len(step.attempts) for step in steps)
        said = f"{most} attempt{'s' if most != 1 else ''}"
        raise click.ClickException(f"there is no attempt {wanted.attempt}: {wanted.task or 'no task'} had {said}")
    names = labels(state.steps)
    for step in steps:
        why = f" ({step.note})" if step.note else ""
        say(f"{terminal(names[step.name])} has no log: it is {step.status}{terminal(why)}")
