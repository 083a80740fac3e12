"""When the steps of a run began and ended, as bars along one axis of time."""

from __future__ import annotations

import math
from itertools import pairwise

from kade2kfp.local.amounts import duration
from kade2kfp.local.page.text import counted, name, plain
from kade2kfp.local.state import RunState, StepState

_MOST_TICKS = 6
_NICE = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def last_moment(state: RunState, now: float | None = None) -> float:
    """When the run ended; while it runs: `now`, or the last moment that the state tells of."""
    if state.ended is not None:
        return state.ended
    known = [state.started] if now is None else [now]
    for step in state.steps:
        known += [one for one in (step.started, step.ended) if one is not None]
        known += [one for attempt in step.attempts for one in (attempt.started, attempt.ended) if one is not None]
    return max(known)


def timeline(state: RunState, until: float) -> str:
    """Rows of bars, one for each attempt; steps that never began have none. `until` is where bars without an end reach to."""
    rows = [(number, step) for number, step in enumerate(state.steps) if step.started is not None]
    if not rows:
        return '<p class="dim">No task has started.</p>'
    begin = min([state.started, *(step.started for _, step in rows if step.started is not None)])
    span = until - begin
    if not (math.isfinite(span) and span > 0):
        span = 1.0
    tick = _tick(span)
    axis = "".join(
        f'<span style="left:{100 * number * tick / span:.3f}%">{_short(number * tick)}</span>'
        for number in range(int(span / tick + 1e-9) + 1)
        if number * tick <= span * 0.93
    )
    body = "".join(_row(number, step, begin, span, until) for number, step in rows)
    left = len(state.steps) - len(rows)
    note = f'<p class="dim">{counted(left, "task")} never started.</p>' if left and state.ended is not None else ""
    return (
        f'<div class="scroll tall" tabindex="0" role="region" aria-label="Timeline">'
        f'<div class="time" style="--tick:{min(100.0, 100 * tick / span):.3f}%">'
        f'<div class="axis" aria-hidden="true"><span></span><div>{axis}</div></div><ol>{body}</ol></div></div>{note}'
    )


def _tick(span: float) -> float:
    for one in _NICE:
        if span / one <= _MOST_TICKS:
            return float(one)
    return float(86400 * math.ceil(span / 86400 / _MOST_TICKS))


def _short(seconds: float) -> str:
    """A tick's label, in its largest whole unit: as `duration` writes it, without the zeros at its end."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    if seconds > 60:
        return f"{seconds // 60:g}m{seconds % 60:02g}s"
    return f"{round(seconds, 1):g}s" if seconds else "0"


def _row(number: int, step: StepState, begin: float, span: float, until: float) -> str:
    started = step.started if step.started is not None else begin
    ended = step.ended if step.ended is not None else until
    said = f"{step.status}, began after {duration(started - begin)}, took {duration(ended - started)}"
    if len(step.attempts) > 1:
        said += f", {len(step.attempts)} attempts"
    bars = []
    for one, following in pairwise(step.attempts):
        if one.ended is not None:
            bars.append(f'<i class="wait" style="{_at(one.ended, following.started, begin, span)}"></i>')
    for index, attempt in enumerate(step.attempts):
        last = index == len(step.attempts) - 1
        end = attempt.ended if attempt.ended is not None else ended
        kind = f"s-{step.status}" if last else "s-failed"
        bars.append(f'<i class="bar {kind}" style="{_at(attempt.started, end, begin, span)}"></i>')
    if not step.attempts:
        bars.append(f'<i class="bar s-{step.status}" style="{_at(started, ended, begin, span)}"></i>')
    return (
        f'<li><a href="#t{number}" title="{plain(step.display_name)}">{name(step.display_name, 60)}</a>'
        f'<div class="track" role="img" title="{said}" aria-label="{said}">{"".join(bars)}</div></li>'
    )


def _at(start: float, end: float, begin: float, span: float) -> str:
    parts = ((one - begin) / span for one in (start, end))
    first, last = (min(max(one, 0.0), 1.0) if math.isfinite(one) else 0.0 for one in parts)
    return f"left:{100 * first:.3f}%;width:{100 * max(0.0, last - first):.3f}%"
