"""`runs` on a cluster, and finding the run that is meant there."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kade2kfp.cli.kfp import Place
from kade2kfp.cli.runs import local_time, table
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.amounts import duration
from kade2kfp.local.state import RunState

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.client import Kfp
    from kade2kfp.cluster.kfp.runs import Detail, Found

_HEAD = ("ID", "RUN", "PIPELINE", "STATE", "STARTED", "TOOK")
_SHORT = 8


def list_on_cluster(place: Place, pipeline: str | None, limit: int, output: str) -> None:
    """Print the newest runs of a KFP. Raises CannotDoError."""
    from kade2kfp.cluster.kfp.runs import list_runs, pipeline_names, summary

    with place.kfp() as kfp:
        found, more = list_runs(kfp, limit=limit, pipeline=pipeline)
        names = pipeline_names(kfp, found)
        rows = [(one, summary(one, _pipeline(one, names))) for one in found]
        if output == "json":
            out(json.dumps([_as_json(kfp, state) for _, state in rows], indent=2) + "\n")
        elif not rows:
            of = f" of a pipeline '{terminal(pipeline)}'" if pipeline is not None else ""
            say(
                f"there are no runs{of} at {terminal(kfp.target.address)}; {place.command('submit', 'pipeline.json')} starts one"
            )
        else:
            out(_text([state for _, state in rows], time.time()))
    if more:
        say(f"and {more:,} more: --limit 0 lists all")


def _pipeline(found: Found, names: Mapping[str, str]) -> str:
    """What a run's pipeline is called: as KFP knows it, else as the run's own copy has it."""
    spec = found.said.get("pipeline_spec")
    info = spec.get("pipelineInfo") if isinstance(spec, dict) else None
    own = info.get("name") if isinstance(info, dict) else None
    return names.get(found.pipeline_id) or (own if isinstance(own, str) else "") or found.pipeline_id[:_SHORT] or "-"


def _text(states: Sequence[RunState], now: float) -> str:
    """The table; ids are as short as they can be and tell the runs apart."""
    size = _SHORT
    while size < 36 and len({state.id[:size] for state in states}) < len(states):
        size += 4
    rows = [(state.id[:size], state.name, state.pipeline, *_times(state, now)) for state in states]
    return "\n".join(table([_HEAD, *rows])) + "\n"


def _times(state: RunState, now: float) -> tuple[str, str, str]:
    until = now if state.status == "running" else state.ended
    took = duration(until - state.started) if until is not None else "-"
    word = f"{state.status} ({state.note})" if state.note and state.status == "running" else state.status
    return word, local_time(state.started), took


def _as_json(kfp: Kfp, state: RunState) -> dict[str, Any]:
    return {
        "name": state.name,
        "id": state.id,
        "pipeline": state.pipeline,
        "slug": state.slug,
        "document": None,
        "status": state.status,
        "engine": state.engine,
        "started": state.started or None,
        "ended": state.ended,
        "tasks": None,
        "path": kfp.target.run_url(state.id) or None,
        "problem": None,
    }


def detail_of(kfp: Kfp, run: str, *, values: bool = False) -> Detail:
    """All that is known of the run that RUN means. Raises CannotDoError."""
    from kade2kfp.cluster.kfp.runs import find, look, watched

    return look(watched(kfp, find(kfp, run)), values=values)
