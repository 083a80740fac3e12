"""What the commands about runs share: which home, which run, which steps are meant; what is listed of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal, width
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.local.amounts import duration
from kade2kfp.local.home import HOME_VARIABLE, default_home

if TYPE_CHECKING:
    from kade2kfp.local.folder import Run
    from kade2kfp.local.state import RunState, StepState


def _home(ctx: click.Context, param: click.Parameter, value: str | None) -> Path:
    if value == "":  # as of an unset variable: what follows may remove things, and not those of another home
        raise click.BadParameter("it is empty", ctx, param)
    try:
        return default_home() if value is None else Path(value).absolute()
    except (OSError, RuntimeError) as error:
        raise click.UsageError(f"There is no home for runs ({error}): name a folder with --home.", ctx) from None


def _store(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    if value is None:
        return ""
    from kade2kfp.cluster.kfp.where import url_of

    try:
        return url_of(value, "the address of the store")
    except CannotDoError as error:
        raise click.BadParameter(f"{error}, {error.help}", ctx, param) from None


home_option = click.option(
    "--home",
    metavar="DIR",
    callback=_home,
    help=f"Where runs are kept; else ${HOME_VARIABLE}.\n\nElse kade2kfp below $XDG_DATA_HOME or ~/.local/share.",
)
"""`--home DIR`; the command gets `home: Path`, absolute."""


def home_words(home: Path) -> tuple[str, ...]:
    """What leads another command to the runs of this home: nothing where it looks there by itself."""
    try:
        return () if home == default_home() else ("--home", str(home))
    except (OSError, RuntimeError):
        return ("--home", str(home))


store_option = click.option(
    "--store",
    metavar="URL",
    callback=_store,
    help="On a cluster: the object store of the artifacts.\n\nElse $AWS_ENDPOINT_URL, else what KFP itself uses.",
)
"""`--store URL`; the command gets `store: str`, empty where it was not given."""
run_argument = click.argument("run", metavar="RUN")
"""RUN; the command gets `run: str`, for `the_run`."""


def cannot_read(error: OSError) -> click.ClickException:
    """What to raise where a file or folder of the home cannot be read."""
    return click.ClickException(f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}")


def the_run(home: Path, wanted: str) -> Run:
    """The run that `wanted` means: a name or a part of one, an id, or `last`.

    Its state may be None: `state_of` refuses those. Raises click.ClickException where there is none, or several.
    """
    from kade2kfp.local.folder import find

    try:
        found = find(home, wanted)
    except OSError as error:
        raise cannot_read(error) from None
    if isinstance(found, str):
        raise click.ClickException(found)
    return found


def state_of(run: Run) -> RunState:
    """The state of a run. Raises click.ClickException where it cannot be read."""
    if run.state is None:
        raise click.ClickException(f"cannot read {run.folder / 'state.json'}: {run.problem}")
    return run.state


def the_steps(state: RunState, wanted: str | None) -> tuple[StepState, ...]:
    """The steps that TASK means, in the plan's order: those of a task's id, else of a name, else of a display name.

    None means all. Raises click.ClickException where there is none.
    """
    if wanted is None:
        return state.steps
    for field in ("task", "name", "display_name"):
        if found := tuple(step for step in state.steps if getattr(step, field) == wanted):
            return found
    known = [step.task for step in state.steps]
    hint = did_you_mean(wanted, known, noun="tasks")
    raise click.ClickException(f"the run {state.name} has no task '{wanted}'" + (f": {hint}" if hint else ""))


def local_time(seconds: float) -> str:
    """Seconds since 1970 as the reader's clock has them: `2026-03-09 14:05:59`."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "?"


def ago(seconds: float, now: float) -> str:
    """How long before `now` a moment was, both in seconds since 1970: `12s ago`."""
    return f"{duration(now - seconds)} ago"


def table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Rows of cells as lines with aligned columns, the cells escaped; the columns of the numbers `right` end together."""
    cells = [[terminal(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = []
        for number, (cell, columns) in enumerate(zip(row, widths, strict=True)):
            fill = " " * (columns - width(cell))
            padded.append(fill + cell if number in right else cell + fill)
        lines.append("  ".join(padded).rstrip())
    return lines


def labels(steps: Sequence[StepState]) -> dict[str, str]:
    """What each of a run's steps is called to the user, by its name: its task's id, or its name where the task has several.

    Not escaped. Takes all steps of the run: a part of them cannot tell whether a task has several.
    """
    count = Counter(step.task for step in steps)
    return {step.name: step.task if count[step.task] == 1 else step.name for step in steps}
