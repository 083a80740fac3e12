"""kade2kfp compare."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kade2kfp.cli.kfp import Place, kfp_options
from kade2kfp.cli.progress import short_value
from kade2kfp.cli.runs import home_option, state_of, store_option, table, the_run
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.amounts import duration
from kade2kfp.local.comparison import Row, rows_of
from kade2kfp.local.state import RunState
from kade2kfp.steps.sources import Json

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.client import Kfp
    from kade2kfp.cluster.kfp.objects import Objects

_EXAMPLES = """\b
Examples:
  kade2kfp compare iris-20260308 iris-20260309
  kade2kfp compare last 3f2a91 --cluster --html compared.html
  kade2kfp compare last local:last --cluster --output csv

What is not equal is marked by `*`. The JSON has `runs` (`id`, `name`, `pipeline`, `status`, `started`, `ended`) and `rows`
(`kind`: run, parameter, metric, output, state or seconds; `task`, `name`, `values` in the order of the runs, `differs`).
"""
_MOST = 50
_CELL = 40
_LOCAL = "local:"


@click.command("compare", epilog=_EXAMPLES)
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@click.option(
    "--output",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How it is written.\n\ncsv and json have all values in full.",
)
@click.option("--html", metavar="FILE", help="Write a page with plots.\n\nIt needs no network; `-` is standard output.")
@click.option("--all", "every", is_flag=True, help="Also states and durations of tasks that hardly differ.")
@store_option
@home_option
@kfp_options
def command(
    runs: tuple[str, ...], output: str, html: str | None, every: bool, store: str, home: Path, place: Place
) -> None:
    """Put runs side by side: their parameters, metrics, outputs and durations.

    RUN is what `show` takes. With an option that names a cluster, `local:RUN` is a run of this machine.
    """
    if len(runs) < 2:
        raise click.UsageError("Two runs or more are compared.")
    if len(runs) > _MOST:
        raise click.UsageError(f"At most {_MOST} runs are compared.")
    if html is not None and output != "table":
        raise click.UsageError("--html writes a page: leave --output out.")
    states = _states(runs, home, place, store)
    rows = rows_of(states)
    names = names_of(states)
    if html is not None:
        _write_page(names, rows, html)
    elif output == "json":
        out(json.dumps(_as_json(states, rows), indent=2, ensure_ascii=False) + "\n")
    elif output == "csv":
        out(_as_csv(names, rows))
    else:
        out(_as_table(names, rows, every))


def _states(runs: Sequence[str], home: Path, place: Place, store: str) -> list[RunState]:
    if not place.on_cluster:
        return [state_of(the_run(home, one.removeprefix(_LOCAL))) for one in runs]
    from kade2kfp.cluster.kfp.objects import Objects

    with place.kfp() as kfp, Objects(kfp.target, store) as objects:
        return [
            state_of(the_run(home, one.removeprefix(_LOCAL)))
            if one.startswith(_LOCAL)
            else _of_cluster(kfp, one, objects)
            for one in runs
        ]


def _of_cluster(kfp: Kfp, run: str, objects: Objects) -> RunState:
    """A run of a cluster, with all its metrics where somebody has said where the object store is."""
    from kade2kfp.cli.cluster_runs import detail_of
    from kade2kfp.cluster.kfp.artifacts import with_metrics

    state = detail_of(kfp, run, values=True).state
    if not any(one.type == "Metrics" for step in state.steps for one in step.artifacts):
        return state
    if not objects.is_named:
        say(f"note: of {terminal(state.name)} only metrics are known that other tasks take; --store URL has all")
        return state
    try:
        return with_metrics(state, objects)
    except CannotDoError as error:
        say(f"note: {terminal(str(error))}; of {terminal(state.name)} only metrics are known that other tasks take")
        return state


def names_of(states: Sequence[RunState]) -> list[str]:
    """What the runs are called: by their names, with the beginning of the id where several have one."""
    count = Counter(one.name for one in states)
    return [one.name if count[one.name] == 1 else f"{one.name} ({one.id[:8]})" for one in states]


def _write_page(names: Sequence[str], rows: Sequence[Row], target: str) -> None:
    from kade2kfp.files import write_atomically
    from kade2kfp.local.page.comparison import comparison_page

    text = comparison_page(names, rows)
    if target == "-":
        out(text)
        return
    write_atomically(Path(target), text)
    say(f"{len(names)} runs -> {terminal(target)}")


def _as_table(names: Sequence[str], rows: Sequence[Row], every: bool) -> str:
    shown = [row for row in rows if every or not row.of or row.kind in ("metric", "output") or row.differs]
    cells = [("", "TASK", "WHAT", *names)]
    cells += [("*" if row.differs else "", row.of, row.name, *(_cell(row, one) for one in row.values)) for row in shown]
    left = len(rows) - len(shown)
    more = f"and {left:,} states and durations that hardly differ: --all\n" if left else ""
    return "\n".join(table(cells)) + "\n" + more


def _cell(row: Row, one: Json) -> str:
    if one is None:
        return "-"
    if row.kind == "seconds" and isinstance(one, int | float):
        return duration(one)
    text = repr(one) if isinstance(one, float) else short_value(one, _CELL)
    return " ".join(text.split()) or "''"


def _as_csv(names: Sequence[str], rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "task", "name", *map(_harmless, names), "differs"])
    for row in rows:
        values = [
            "" if one is None else _harmless(one if isinstance(one, str) else json.dumps(one)) for one in row.values
        ]
        writer.writerow([row.kind, _harmless(row.of), _harmless(row.name), *values, "yes" if row.differs else "no"])
    return text.getvalue()


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula, and no terminal or log for a command; numbers stay as they are."""
    text = terminal(text)
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _as_json(states: Sequence[RunState], rows: Sequence[Row]) -> dict[str, Json]:
    return {
        "runs": [
            {
                "id": one.id,
                "name": one.name,
                "pipeline": one.pipeline,
                "status": one.status,
                "started": _number(one.started),
                "ended": _number(one.ended),
            }
            for one in states
        ],
        "rows": [
            {
                "kind": row.kind,
                "task": row.of or None,
                "name": row.name,
                "values": [_number(one) if isinstance(one, float) else one for one in row.values],
                "differs": row.differs,
            }
            for row in rows
        ],
    }


def _number(value: float | None) -> float | None:
    """JSON has no numbers that are none."""
    return value if value is not None and math.isfinite(value) else None
