"""kade2kfp rerun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click
from click.core import ParameterSource

from kade2kfp.api import Checked, also, for_a_run, load, validate
from kade2kfp.cli.common import show
from kade2kfp.cli.kfp import Place, kfp_options
from kade2kfp.cli.rules import rules_for
from kade2kfp.cli.running import (
    Launch,
    MachineError,
    carry_out,
    conduct,
    engine_option,
    ground_of,
    jobs_option,
    launch_of,
    output_option,
    readable_secrets,
    secrets_option,
)
from kade2kfp.cli.runs import home_option, run_argument, state_of, the_run
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.folder import BusyError, Run, hold
from kade2kfp.local.secrets import Objects
from kade2kfp.local.start import again, read_options
from kade2kfp.local.state import SETTLED, RunState, UnreadableError
from kade2kfp.local.trees import remove

_EXAMPLES = """\b
Examples:
  kade2kfp rerun last
  kade2kfp rerun last --failed
  kade2kfp rerun last --cluster --failed --follow

The JSON is that of `kade2kfp show --output json`; of a cluster's run it has `id`, `name` and `url` (or null).
"""
_HERE = ("secrets", "engine", "jobs")


@click.command("rerun", epilog=_EXAMPLES)
@run_argument
@click.option(
    "--failed", is_flag=True, help="Go on with a run that failed.\n\nWhat failed and what was skipped runs again."
)
@click.option("--follow", "-f", is_flag=True, help="On a cluster: show the run until it ends.")
@secrets_option
@engine_option
@jobs_option
@home_option
@output_option
@kfp_options
@click.pass_context
def command(
    ctx: click.Context,
    run: str,
    failed: bool,
    follow: bool,
    secrets: str | None,
    engine: str,
    jobs: int,
    home: Path,
    output: Literal["text", "json"],
    place: Place,
) -> None:
    """Go on with a run that was interrupted or cancelled, or run an ended one again.

    What has succeeded in an interrupted or cancelled run stays, and the rest runs, in the same run. A run that has
    ended is run again as a new one, with the same document and parameters; with --failed it is gone on with instead.
    On a cluster it is always run again, unless --failed is given.
    """
    if place.on_cluster:
        for name in _HERE:
            if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--{name} is for runs on this machine.", ctx)
        from kade2kfp.cli.cluster_rerun import rerun_on_cluster

        ctx.exit(rerun_on_cluster(place, run, output, failed=failed, shown=follow))
    if follow:
        raise click.UsageError("--follow is for runs on a cluster: here it is always shown.", ctx)
    found = the_run(home, run)
    state = state_of(found)
    goes_on = failed or state.status in ("interrupted", "cancelled")
    if state.status == "running":
        raise _busy(found)
    if goes_on and state.status != "interrupted" and all(step.status in SETTLED for step in state.steps):
        raise click.ClickException(f"all tasks of {found.name} have succeeded; without --failed it is run again")
    checked = _document(found, state)
    done = frozenset(step.name for step in state.steps if goes_on and step.status in SETTLED)
    launch = _launch(ctx, checked, readable_secrets(secrets), found, engine, jobs, output, done, secrets)
    for path in _changed(found.folder, Path(state.document)) if goes_on else ():
        say(
            f"note: {terminal(str(path))} has changed since; this run goes on with its own copy, `kade2kfp run` takes the new one"
        )
    if not goes_on:
        ctx.exit(carry_out(launch, home, state.document, output))
    try:
        with hold(found.folder):
            launch.engine.of_run(state.id).clean()
            remove(found.folder / "scratch")
            ground = ground_of(launch, found.folder, home)
            continued = again(replace(state, engine=launch.engine.name), launch.plan)
            ctx.exit(conduct(launch, ground, continued, home, output))
    except BusyError:
        raise _busy(found) from None
    except OSError as error:
        raise MachineError(f"cannot go on with {found.name}: {(error.strerror or str(error)).lower()}") from None


def _busy(run: Run) -> click.ClickException:
    return click.ClickException(f"{run.name} is running: `kade2kfp logs {run.name} -f` shows it")


def _changed(folder: Path, document: Path) -> Iterator[Path]:
    """The document and the files of its folder that are no longer what the run has copies of."""
    pairs = [(folder / "pipeline.json", document)]
    files = folder / "files"
    pairs += [(copy, document.parent / copy.relative_to(files)) for copy in sorted(files.rglob("*")) if copy.is_file()]
    for copy, original in pairs:
        try:
            if original.read_bytes() != copy.read_bytes():
                yield original
        except OSError:  # gone, which is no change to take
            continue


def _document(run: Run, state: RunState) -> Checked:
    """The run's own copy of its document, with the values that it began with, by the rules where the document was."""
    rules = rules_for(state.document) if os.path.isfile(state.document) else None
    source, files = load(run.folder / "pipeline.json"), run.folder / "files"
    return for_a_run(validate(source, folder=files, values=state.parameters, rules=rules))


def _launch(
    ctx: click.Context,
    checked: Checked,
    objects: Objects,
    run: Run,
    engine: str,
    jobs: int,
    output: str,
    done: frozenset[str],
    secrets: str | None,
) -> Launch:
    try:
        options = read_options(run.folder)
    except UnreadableError as error:
        raise click.ClickException(f"cannot go on with {run.name}: {error}") from None
    launch, found = launch_of(
        checked,
        objects,
        options.engine if engine == "auto" else engine,
        jobs,
        volumes=[f"{id_}={path}" for id_, path in options.volumes.items()],
        copies=[f"{start}={path}" for start, path in options.copies.items()],
        readable=options.readable,
        done=done,
        secrets=secrets,
    )
    if launch is None:
        checked = also(checked, found)
        show([(checked.source, checked.diagnostics)], output, stream_is_out=output == "json")
        ctx.exit(1)
    return launch
