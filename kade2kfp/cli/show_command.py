"""kade2kfp show."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from kade2kfp.cli.kfp import Place, kfp_options
from kade2kfp.cli.progress import SIGNS, came_out, cut, short_value, tail
from kade2kfp.cli.runs import home_option, labels, local_time, run_argument, state_of, table, the_run, the_steps
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.amounts import duration, size
from kade2kfp.local.state import Artifact, Attempt, Failure, RunState, StepState
from kade2kfp.steps.sources import Json

_EXAMPLES = """\b
Examples:
  kade2kfp show last
  kade2kfp show last train
  kade2kfp show last --html run.html
  kade2kfp show 3f2a91 --cluster

The JSON has `id`, `name`, `pipeline`, `slug`, `document`, `status` (running, succeeded, failed, cancelled or interrupted),
`started`, `ended` (seconds since 1970, or null), `engine`, `parameters`, `steps`, `note`, `outcome` (how all but the exit task
ended) and `version` (1).

A step has `name`, `task`, `display_name`, `type`, `status` (waiting, running, succeeded, cached, reused, failed, skipped,
not-taken or cancelled), `after` (names of steps), `started`, `ended`, `attempts` (`number`, `log`, `started`, `ended`,
`exit_code`), `outputs`, `metrics`, `artifacts` (`name`, `path`, `kind`, `type`, `stored`, `files`, `size`, `digest`), `failure`
(`code`, `message`, `help`, `tail`; or null) and `note`. Its other fields are of use to kade2kfp alone.
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run is kept: its folder, or on a cluster (`folder` is None) its page, which may be unknown."""

    folder: Path | None
    page: str = ""

    def of(self, kept: str) -> str:
        """Where a log or an artifact is that the run's state has as `kept`. On a cluster that is a pod or a URI."""
        return kept if self.folder is None else str(self.folder / kept)


@click.command("show", epilog=_EXAMPLES)
@run_argument
@click.argument("task", required=False, metavar="[TASK]")
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How it is written.\n\njson is the run's state as it is stored.",
)
@click.option(
    "--html", metavar="FILE", help="Write the run as one page.\n\nIt needs no network; `-` is standard output."
)
@home_option
@kfp_options
def command(run: str, task: str | None, output: str, html: str | None, home: Path, place: Place) -> None:
    """Show what became of a run: its tasks, what came out of them, why some failed.

    RUN is a run's name or a part of it, its id or the beginning of that, or `last`. With TASK all is told of that task,
    its values in full.
    """
    if html is not None and (task is not None or output == "json"):
        raise click.UsageError("--html shows the whole run, as a page: leave TASK and --output out.")
    if place.on_cluster:
        from kade2kfp.cli.cluster_show import show_on_cluster

        show_on_cluster(place, run, task, output, html)
        return
    found = the_run(home, run)
    state = state_of(found)
    if html is not None:
        begun = [step for step in state.steps if step.attempts]
        logs = {step.name: tail(found.folder / step.attempts[-1].log).splitlines()[-20:] for step in begun}
        write_page(state, logs, html)
        return
    tell(Origin(found.folder), state, task, output)


def tell(origin: Origin, state: RunState, task: str | None, output: str) -> None:
    """Print a run, or a task of it. Raises click.ClickException where there is no such task."""
    if output == "json":
        from kade2kfp.local.state import to_json

        out(to_json(state if task is None else replace(state, steps=the_steps(state, task))))
    else:
        now = time.time()
        rows = _overview(origin, state, now) if task is None else _in_full(origin, state, the_steps(state, task), now)
        out("".join(row + "\n" for row in rows))


def write_page(state: RunState, logs: dict[str, list[str]], target: str) -> None:
    """Write a run as a page to the file `target`, `-` for standard output. `logs` are last lines by names of steps."""
    from kade2kfp.files import write_atomically
    from kade2kfp.local.page import page

    text = page(state, logs=logs, now=time.time() if state.status == "running" else None)
    if target == "-":
        out(text)
        return
    write_atomically(Path(target), text)
    say(f"{terminal(state.name)} -> {terminal(target)}")


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _paint(text: str, status: str) -> str:
    return click.style(text, fg=SIGNS[status][1]) if _coloured() else text


def _status(step: StepState, state: RunState) -> str:
    """The word for a step: one that was running when its runner went is running no more."""
    return "interrupted" if step.status == "running" and state.status == "interrupted" else step.status


def _sign(status: str) -> str:
    return f"{SIGNS[status][0]} {status}"


def _took(thing: RunState | StepState | Attempt, state: RunState, now: float) -> str:
    """How long it took, or takes until `now`; `-` where it never began, or where nobody knows when it ended."""
    if thing.started is None:
        return "-"
    if thing.ended is None and state.status != "running":
        return "-"
    return duration((now if thing.ended is None else thing.ended) - thing.started)


def _fields(pairs: Iterable[tuple[str, list[str]]]) -> list[str]:
    """Names with their values below each other; those without a value are left out. The values are escaped already."""
    rows = [(name if first else "", value) for name, values in pairs for first, value in _numbered(values)]
    return [f"{name:<10}  {value}".rstrip() for name, value in rows]


def _numbered(values: list[str]) -> Iterable[tuple[bool, str]]:
    return ((position == 0, value) for position, value in enumerate(values))


def _overview(origin: Origin, state: RunState, now: float) -> list[str]:
    """The run, a line for each task, and what went wrong."""
    rows = _fields(
        [
            ("run", [terminal(state.name)]),
            ("pipeline", [terminal(state.pipeline)]),
            ("id", [terminal(state.id)] if origin.folder is None else []),
            ("document", [terminal(state.document)] if state.document else []),
            ("state", [_paint(_sign(state.status), state.status)]),
            ("started", [local_time(state.started)]),
            ("took", [_took(state, state, now)]),
            ("engine", [terminal(state.engine)]),
            ("parameters", [terminal(f"{name}={short_value(value, 60)}") for name, value in state.parameters.items()]),
            ("note", [terminal(state.note)] if state.note and origin.folder is None else []),
            ("folder", [terminal(str(origin.folder))] if origin.folder is not None else []),
            ("page", [terminal(origin.page)] if origin.page else []),
        ]
    )
    rows += ["", *_tasks(state, now)]
    names = labels(state.steps)
    for step in state.steps:
        if step.failure is not None:
            rows += ["", *_failure(names[step.name], step.failure)]
    name = terminal(state.name)
    if state.status == "interrupted":
        rows += ["", f"Its runner is gone. `kade2kfp rerun {name}` finishes it; no finished task runs again."]
    return rows


def _tasks(state: RunState, now: float) -> list[str]:
    names = labels(state.steps)
    cells = [("STATE", "TASK", "TOOK", "ATTEMPTS", "OUT")]
    for step in state.steps:
        came = ", ".join(came_out(step)) or step.note
        cells.append(
            (_sign(_status(step, state)), names[step.name], _took(step, state, now), str(len(step.attempts)), came)
        )
    lines = table(cells, right=frozenset({2, 3}))
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
        lines = [cut(line, columns) for line in lines]
    for position, step in enumerate(state.steps, start=1):
        status = _status(step, state)
        head = len(_sign(status))
        lines[position] = _paint(lines[position][:head], status) + lines[position][head:]
    return lines


def _failure(label: str, failure: Failure) -> list[str]:
    rows = [_paint(f"{terminal(label)}: {terminal(failure.code)} {terminal(failure.message)}", "failed")]
    rows += [f"  help: {terminal(failure.help)}"] if failure.help else []
    return rows + [f"  | {terminal(line)}".rstrip() for line in failure.tail]


def _in_full(origin: Origin, state: RunState, steps: Iterable[StepState], now: float) -> list[str]:
    """All that is known of some steps."""
    rows: list[str] = []
    names = labels(state.steps)
    for step in steps:
        status = _status(step, state)
        rows += [""] if rows else []
        rows += _fields(
            [
                ("task", [terminal(step.task)]),
                ("name", [terminal(step.display_name)] if step.display_name != step.task else []),
                ("step", [terminal(step.name)]),
                ("type", [terminal(step.type)]),
                ("state", [_paint(_sign(status), status)]),
                ("note", [terminal(step.note)] if step.note else []),
                ("after", [terminal(", ".join(names.get(name, name) for name in step.after))] if step.after else []),
                ("started", [local_time(step.started)] if step.started is not None else []),
                ("took", [_took(step, state, now)]),
                ("attempts", [_attempt(origin, state, attempt, now) for attempt in step.attempts]),
                ("outputs", [row for name, value in _declared(step).items() for row in _value_rows(name, value)]),
                ("metrics", [terminal(f"{name} = {value!r}") for name, value in step.metrics.items()]),
                ("artifacts", [row for artifact in step.artifacts for row in _artifact_rows(origin, artifact)]),
            ]
        )
        if step.failure is not None:
            rows += ["", *_failure(names[step.name], step.failure)]
    return rows


def _attempt(origin: Origin, state: RunState, attempt: Attempt, now: float) -> str:
    if attempt.exit_code is not None:
        ended = f"exit code {attempt.exit_code}"
    elif attempt.ended is None and state.status == "running":
        ended = "running"
    else:
        ended = "no exit code"
    return f"{attempt.number}: {ended}, {_took(attempt, state, now)}, {terminal(origin.of(attempt.log))}"


def _declared(step: StepState) -> dict[str, Json]:
    """The outputs of a step without its metrics, which others have referred to as outputs."""
    metrics = {f"metric-{name}" for name in step.metrics}
    return {name: value for name, value in step.outputs.items() if name not in metrics}


def _value_rows(name: str, value: Json) -> list[str]:
    """A value in full; a text of several lines stands below its name."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    first, *more = text.split("\n")
    if not more:
        return [terminal(f"{name} = {first}")]
    return [terminal(f"{name} ="), *(f"  {terminal(row)}" for row in (first, *more))]


def _artifact_rows(origin: Origin, artifact: Artifact) -> list[str]:
    if origin.folder is None:  # how much it is only the object store knows
        return [terminal(f"{artifact.name} ({artifact.type})"), f"  {terminal(artifact.stored)}"]
    what = (
        artifact.type
        if artifact.kind == "file"
        else f"{artifact.type}, {artifact.files} file{'s' if artifact.files != 1 else ''}"
    )
    return [
        terminal(f"{artifact.name}: {artifact.path} ({what}, {size(artifact.size)})"),
        f"  {terminal(origin.of(artifact.stored))}",
    ]
