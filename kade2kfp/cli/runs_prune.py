"""kade2kfp runs prune."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from kade2kfp.cli.runs import ago, cannot_read, home_option
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.amounts import size
from kade2kfp.local.erase import size_of
from kade2kfp.local.folder import BusyError, Run, all_runs
from kade2kfp.local.prune import TRASH, ChangedError, empty, last_sign, measure, remove_run, select

_EXAMPLES = """\b
Examples:
  kade2kfp runs prune --keep 10
  kade2kfp runs prune --older-than 30d --pipeline iris --dry-run
  kade2kfp runs prune --all --cache --environments --yes

What cannot be removed is said, the rest is removed, and the exit code is 1. A run that is running always stays.
Data on claims that runs share stays, but for the folders that a removed run had there for itself.
"""


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    from kade2kfp.document.types import duration_seconds

    seconds = duration_seconds(value)
    if not seconds:
        raise click.BadParameter(f"'{value}' is not a duration such as `12h`, `7d` or `1d12h`", ctx, param)
    return seconds


@click.command("prune", epilog=_EXAMPLES)
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="Spare the newest N.")
@click.option(
    "--older-than", callback=_seconds, metavar="TIME", help="Only runs that ended as long ago: `7d`, `1d12h`."
)
@click.option("--pipeline", metavar="NAME", help="Only runs of that pipeline; --keep counts them alone.")
@click.option("--all", "all_", is_flag=True, help="All runs.")
@click.option("--cache", is_flag=True, help="Empty the cache: each step runs again.")
@click.option("--environments", is_flag=True, help="Remove the Python environments.\n\nThe next run makes them anew.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@home_option
@click.pass_context
def prune(
    ctx: click.Context,
    keep: int | None,
    older_than: int | None,
    pipeline: str | None,
    all_: bool,
    cache: bool,
    environments: bool,
    dry_run: bool,
    yes: bool,
    home: Path,
) -> None:
    """Remove runs: those that fit all that is said of them."""
    some = keep is not None or older_than is not None or pipeline is not None
    if all_ and some:
        raise click.UsageError("--all is all runs: leave out --keep, --older-than and --pipeline.")
    if not (all_ or some or cache or environments):
        raise click.UsageError("Say which runs: --keep N, --older-than TIME, --pipeline NAME, or --all.")
    try:
        runs = all_runs(home)
        chosen = (
            select(runs, now=time.time(), keep=keep or 0, older_than=older_than or 0, pipeline=pipeline)
            if all_ or some
            else ()
        )
        folders = [home / name for name, wanted in (("cache", cache), ("environments", environments)) if wanted]
        folders = [folder for folder in folders if _holds(folder)]
        left = _holds(home / "runs" / TRASH)
    except OSError as error:
        raise cannot_read(error) from None
    if folders and any(run.state and run.state.status == "running" for run in runs):
        raise click.ClickException(
            "a run is running, and may use the cache and the environments: wait until it has ended"
        )
    if not (chosen or folders or left):
        say("there is nothing to remove")
        return
    if dry_run:
        folders = [*((home / "runs" / TRASH,) if left else ()), *folders]
        sizes = [(run.name, measure(home, run)) for run in chosen] + [(str(one), size_of(one)) for one in folders]
        out("".join(f"would remove {terminal(name)} ({size(count)})\n" for name, count in sizes))
        say(f"{_counted(chosen, folders)} would be removed, {size(sum(count for _, count in sizes))} freed")
        return
    if not yes and (chosen or folders):
        _ask(chosen, folders)
    ctx.exit(_remove(home, chosen, folders))


def _ask(runs: Sequence[Run], folders: Sequence[Path]) -> None:
    """Let the user say yes. Raises click.exceptions.Exit where the answer is no, click.UsageError where nobody can."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(
            "There is no terminal to ask on: add --yes to remove, or --dry-run to see what would be."
        )
    now = time.time()
    for run in runs:
        told = f"{run.state.status}, {ago(last_sign(run.state), now)}" if run.state else "its state cannot be read"
        say(f"  {terminal(run.name)} ({told})")
    for folder in folders:
        say(f"  all in {terminal(str(folder))}")
    if not click.confirm(f"Remove {_counted(runs, folders)}?", err=True):
        say("nothing is removed")
        raise click.exceptions.Exit(0)


def _holds(folder: Path) -> bool:
    """Whether a folder is there, and not empty. Raises OSError."""
    try:
        return any(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _counted(runs: Sequence[Run], folders: Sequence[Path]) -> str:
    said = [f"{len(runs):,} run{'s' if len(runs) != 1 else ''}"] if runs else []
    return " and ".join([*said, *(f"the {folder.name}" for folder in folders)])


def _remove(home: Path, runs: Sequence[Run], folders: Sequence[Path]) -> int:
    """Remove them, and what an earlier removal did not get done, and tell of each; the exit code."""
    freed, failed = 0, False
    trash = home / "runs" / TRASH  # comes first: what is left there by this removal is told of once
    folders = [*((trash,) if _holds(trash) else ()), *folders]
    works: list[tuple[str, Callable[[], int]]] = [(str(folder), partial(empty, folder)) for folder in folders]
    works += [(run.name, partial(remove_run, home, run)) for run in runs]
    for name, work in works:
        try:
            count = work()
        except BusyError:
            say(f"{terminal(name)} stays: it is running")
        except ChangedError:
            say(f"{terminal(name)} stays: it has run again meanwhile")
        except FileNotFoundError:
            say(f"{terminal(name)} is gone already")
        except OSError as error:
            failed = True
            say(f"Error: cannot remove all of {terminal(name)}: {_why(error)}")
        else:
            freed += count
            out(f"removed {terminal(name)} ({size(count)})\n")
    say(f"{size(freed)} freed")
    return 1 if failed else 0


def _why(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return terminal(f"{reason}: {error.filename}" if error.filename else reason)
