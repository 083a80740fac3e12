"""kade2kfp runs."""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from kade2kfp.cli.kfp import Place, kfp_options
from kade2kfp.cli.runs import cannot_read, home_option, local_time, table
from kade2kfp.cli.runs_prune import prune
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.local.amounts import duration
from kade2kfp.local.folder import Run, all_runs
from kade2kfp.local.prune import last_sign
from kade2kfp.local.state import SETTLED, RunState

_EXAMPLES = """\b
Examples:
  kade2kfp runs --pipeline iris
  kade2kfp runs --output json
  kade2kfp runs --cluster --limit 100
  kade2kfp runs prune --keep 10

The JSON is a list of objects with `name`, `id`, `pipeline`, `slug`, `document`, `status`, `engine`, `started`, `ended`
(seconds since 1970), `tasks` (`done` and `total`), `path` (on a cluster the page of the run) and `problem`; null stands
for what is not known.
"""
_HEAD = ("RUN", "PIPELINE", "STATE", "TASKS", "STARTED", "TOOK")


@click.group("runs", epilog=_EXAMPLES, invoke_without_command=True)
@click.option("--pipeline", metavar="NAME", help="Only the runs of that pipeline.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, metavar="N", help="The newest N; 0 for all."
)
@click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="A table, or JSON."
)
@home_option
@kfp_options
@click.pass_context
def command(ctx: click.Context, pipeline: str | None, limit: int, output: str, home: Path, place: Place) -> None:
    """List the runs on this machine or on a cluster, the newest first; or remove some.

    One that is `interrupted` lost what carried it out: `kade2kfp rerun` finishes it.
    """
    if ctx.invoked_subcommand is not None:
        if place.on_cluster:
            raise click.UsageError(f"{ctx.invoked_subcommand} is for the runs of this machine.", ctx)
        for name in ("limit", "output"):
            if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                raise click.UsageError(f"--{name} is for the list of runs, not for {ctx.invoked_subcommand}.", ctx)
        # What is said before the name of a command that removes things must not be lost on it.
        ctx.default_map = {ctx.invoked_subcommand: {"home": str(home), "pipeline": pipeline}}
        return
    if place.on_cluster:
        from kade2kfp.cli.cluster_runs import list_on_cluster

        list_on_cluster(place, pipeline, limit, output)
        return
    try:
        runs = all_runs(home)
    except OSError as error:
        raise cannot_read(error) from None
    fitting = [
        run for run in runs if pipeline is None or (run.state and pipeline in (run.state.pipeline, run.state.slug))
    ]
    shown = fitting[:limit] if limit else fitting
    if output == "json":
        out(json.dumps([_as_json(run) for run in shown], indent=2) + "\n")
    elif not shown:
        say(_none(runs, home, pipeline))
    else:
        explicit = ctx.get_parameter_source("home") is ParameterSource.COMMANDLINE
        out(_text(shown, time.time(), f" --home {shlex.quote(str(home))}" if explicit else ""))
    if len(shown) < len(fitting):
        say(f"and {len(fitting) - len(shown):,} more: --limit 0 lists all")


command.add_command(prune)


def _none(runs: Sequence[Run], home: Path, pipeline: str | None) -> str:
    if not runs or pipeline is None:
        return f"there are no runs below {terminal(str(home))}; `kade2kfp run pipeline.json` starts one"
    hint = did_you_mean(pipeline, [run.state.pipeline for run in runs if run.state], noun="pipelines")
    return f"there are no runs of a pipeline '{terminal(pipeline)}'" + (f": {terminal(hint)}" if hint else "")


def _text(runs: Sequence[Run], now: float, more: str) -> str:
    lines = table([_HEAD, *(_row(run, now) for run in runs)], right=frozenset({3}))
    text = [lines[0]]
    for run, line in zip(runs, lines[1:], strict=True):
        text.append(line)
        if run.state is None:
            text.append(f"  its state cannot be read: {terminal(run.problem)}")
        elif run.state.status == "interrupted":
            text.append(f"  to finish it: kade2kfp rerun {terminal(run.name + more)}")
    return "\n".join(text) + "\n"


def _row(run: Run, now: float) -> tuple[str, ...]:
    state = run.state
    if state is None:
        return run.name, "?", "unreadable", "?", "?", "?"
    until = now if state.status == "running" else last_sign(state)
    tasks = f"{_done(state)}/{len(state.steps)}"
    return run.name, state.pipeline, state.status, tasks, local_time(state.started), duration(until - state.started)


def _done(state: RunState) -> int:
    return sum(step.status in SETTLED for step in state.steps)


def _as_json(run: Run) -> dict[str, Any]:
    state = run.state
    known: dict[str, Any] = dict.fromkeys(
        ("id", "pipeline", "slug", "document", "status", "engine", "started", "ended")
    )
    if state is not None:
        known = {name: getattr(state, name) for name in known}
        known |= {name: _number(known[name]) for name in ("started", "ended")}
    tasks = {"done": _done(state), "total": len(state.steps)} if state is not None else None
    return {"name": run.name, **known, "tasks": tasks, "path": str(run.folder), "problem": run.problem or None}


def _number(value: float | None) -> float | None:
    """JSON has no numbers that are none."""
    return value if value is not None and math.isfinite(value) else None
