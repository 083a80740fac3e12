"""A run as one HTML page that needs nothing else: no network, no script, no other file. templates/run.html is its frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from string import Template

from kade2kfp.local.amounts import duration, number
from kade2kfp.local.page.graph import graph
from kade2kfp.local.page.tables import artifacts, badge, failures, icon, metrics, tasks, took
from kade2kfp.local.page.text import NONE, counted, name, plain, utc, value
from kade2kfp.local.page.timeline import last_moment, timeline
from kade2kfp.local.state import RunState, StepState, StepStatus
from kade2kfp.resources import read_text


def page(
    state: RunState,
    *,
    logs: Mapping[str, Sequence[str]] | None = None,
    edges: Sequence[tuple[str, str]] | None = None,
    now: float | None = None,
) -> str:
    """The page of a run, the same for the same arguments.

    `logs` are the last lines of steps' logs by step name, `edges` the graph's arrows as pairs of step names (else each
    step's `after`). `now`, in seconds since 1970, is until when a running step's time is counted (else the last moment
    that the state tells of).
    """
    logs = logs or {}
    steps = (one if one.display_name.strip() else replace(one, display_name=one.name) for one in state.steps)
    state = replace(state, steps=tuple(steps))
    if edges is None:
        edges = [(before, step.name) for step in state.steps for before in step.after]
    until = last_moment(state, now)
    return Template(read_text("templates/run.html")).substitute(
        title=plain(f"{state.pipeline}: {state.status}"),
        header=_header(state, until),
        failures=failures(state, logs),
        graph=graph(state.steps, edges, lambda step: _line(step, until)),
        timeline=timeline(state, until),
        tasks=tasks(state, logs, until),
        metrics=metrics(state),
        artifacts=artifacts(state),
    )


def _line(step: StepState, until: float) -> str:
    """A box's second line: how long it took and the first metric, else its type."""
    if step.started is None or step.status in ("cached", "reused"):
        return step.status if step.status != "waiting" else step.type
    said = [took(step, until)]
    if len(step.attempts) > 1:
        said.append(counted(len(step.attempts), "attempt"))
    said += [f"{key} {number(one)}" for key, one in list(step.metrics.items())[:1]]
    return " · ".join(said)


def _header(state: RunState, until: float) -> str:
    facts = (
        ("Run", f"<code>{name(state.name)}</code>"),
        ("Started", utc(state.started)),
        ("Took" if state.ended is not None else "So far", duration(until - state.started)),
        ("Engine", plain(state.engine)),
        ("Document", f"<code>{name(state.document)}</code>"),
        ("Id", f"<code>{plain(state.id)}</code>"),
    )
    rows = "".join(f"<div><dt>{head}</dt><dd>{said or NONE}</dd></div>" for head, said in facts)
    return (
        f'<header><p class="kind">Pipeline run</p><h1>{name(state.pipeline)} {badge(state.status)}</h1>'
        f'<dl class="facts">{rows}</dl>{_counts(state)}{_parameters(state)}</header>'
    )


def _counts(state: RunState) -> str:
    """How many steps are in which state: a bar and words, which are the colours' legend too."""
    counts = Counter(step.status for step in state.steps)
    present = [status for status in _ORDER if counts[status]]
    bar = "".join(f'<i class="s-{status}" style="flex:{counts[status]}"></i>' for status in present)
    words = "".join(f'<li class="s-{one}">{icon(one)}<b>{counts[one]}</b> {one}</li>' for one in present)
    many = counted(len(state.steps), "task")
    return f'<div class="counts" aria-label="{many}" role="group"><div class="bar" aria-hidden="true">{bar}</div><ul><li>{many}</li>{words}</ul></div>'


_ORDER: tuple[StepStatus, ...] = (
    "succeeded",
    "cached",
    "reused",
    "running",
    "failed",
    "cancelled",
    "skipped",
    "not-taken",
    "waiting",
)


def _parameters(state: RunState) -> str:
    if not state.parameters:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{name(key)}</th><td>{value(given, 500)}</td></tr>'
        for key, given in state.parameters.items()
    )
    body = f'<table class="parameters">{rows}</table>'
    if len(state.parameters) > 12:
        return f"<details><summary>{len(state.parameters)} parameters</summary>{body}</details>"
    return f"<h2>Parameters</h2>{body}"
