"""The tables of a run's page: tasks, metrics, artifacts, and the failures above them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kade2kfp.local.amounts import duration, number, size
from kade2kfp.local.page.text import NONE, counted, log_line, name, plain, utc, value
from kade2kfp.local.state import Artifact, RunState, StepState

_LAST = 200  # lines of a log, at most
_OPEN = 2  # failures whose log is shown without a click
_METRIC = "metric-"

Logs = Mapping[str, Sequence[str]]


def badge(status: str) -> str:
    """A state as symbol and word."""
    return f'<span class="badge s-{status}">{icon(status)}{status}</span>'


def icon(status: str) -> str:
    """The symbol of a state, which run.html draws."""
    return f'<svg class="icon" width="16" height="16" aria-hidden="true"><use href="#i-{status}"/></svg>'


def failures(state: RunState, logs: Logs) -> str:
    """A card for each failed step: message, help, the log's last lines. Nothing where none failed."""
    failed = [(place, step) for place, step in enumerate(state.steps) if step.failure is not None]
    cards = []
    for count, (place, step) in enumerate(failed):
        failure = step.failure
        if failure is None:
            continue
        help_ = f"<p>{plain(failure.help, 2000)}</p>" if failure.help else ""
        log = _log(failure.tail or logs.get(step.name, ()), is_open=count < _OPEN)
        cards.append(
            f'<article class="failure"><h3>{icon("failed")}<a href="#t{place}">{name(step.display_name)}</a> '
            f'<span class="code">{plain(failure.code)}</span></h3>'
            f'<p class="message">{plain(failure.message, 2000)}</p>{help_}{log}</article>'
        )
    if not cards:
        return ""
    title = "Failure" if len(cards) == 1 else f"{len(cards)} failures"
    return f'<section aria-labelledby="failures"><h2 id="failures">{title}</h2>{"".join(cards)}</section>'


def _log(lines: Sequence[str], *, is_open: bool) -> str:
    if not lines:
        return ""
    last = list(lines)[-_LAST:]
    shown = "\n".join(log_line(line) for line in last)
    title = "Log" if len(last) == 1 else f"Log, last {len(last)} lines"
    return (
        f"<details{' open' if is_open else ''}><summary>{title}</summary>"
        f'<pre tabindex="0" role="region" aria-label="Log">{shown}</pre></details>'
    )


def tasks(state: RunState, logs: Logs, until: float) -> str:
    """A row for each step, to which all else links."""
    rows = "".join(_task(place, step, state, logs, until) for place, step in enumerate(state.steps))
    return _table("tasks", "Tasks", ("State", "Task", "Took", "Attempts", "Exit code", "Outputs", "Metrics"), rows)


def _task(place: int, step: StepState, state: RunState, logs: Logs, until: float) -> str:
    exits = [attempt.exit_code for attempt in step.attempts if attempt.exit_code is not None]
    outputs = [
        (key, given)
        for key, given in step.outputs.items()
        if not (key.startswith(_METRIC) and key.removeprefix(_METRIC) in step.metrics)
    ]
    lines = [f'<span class="dim">{plain(step.type)}</span>']
    if step.name != step.display_name:
        lines[0] = f'<span class="dim"><code>{name(step.name)}</code> &middot; {plain(step.type)}</span>'
    if step.note:
        lines.append(f'<span class="note">{plain(step.note, 500)}</span>')
    if step.status == "running" and state.status == "interrupted":
        lines.append('<span class="note">the run was interrupted</span>')
    lines.append(_log(logs.get(step.name, ()), is_open=False))
    began = f' title="began {utc(step.started)}"' if step.started is not None else ""
    cells = (
        ("State", "", badge(step.status)),
        ("Task", "", f'<strong>{name(step.display_name)}</strong><div class="more">{"".join(lines)}</div>'),
        ("Took", ' class="number"', f"<span{began}>{took(step, until)}</span>"),
        ("Attempts", ' class="number"', str(len(step.attempts)) if step.attempts else NONE),
        ("Exit code", ' class="number"', str(exits[-1]) if exits else NONE),
        ("Outputs", "", _pairs([(key, value(given)) for key, given in outputs])),
        ("Metrics", "", _pairs([(key, f"<code>{number(one)}</code>") for key, one in step.metrics.items()])),
    )
    return _row(cells, f' id="t{place}"')


def took(step: StepState, until: float) -> str:
    """How long a step took, or takes since; `until` in seconds since 1970. HTML."""
    if step.started is None:
        return NONE
    return duration((step.ended if step.ended is not None else until) - step.started)


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """Names with their values, which are HTML."""
    if not pairs:
        return NONE
    return f'<ul class="pairs">{"".join(f"<li>{name(key, 60)} = {shown}</li>" for key, shown in pairs)}</ul>'


def metrics(state: RunState) -> str:
    """Tasks by metrics; bars compare a column's numbers where none is negative. Nothing where there are none."""
    rows = [(place, step) for place, step in enumerate(state.steps) if step.metrics]
    if not rows:
        return ""
    keys = list(dict.fromkeys(key for _, step in rows for key in step.metrics))
    most = {key: _largest([step.metrics[key] for _, step in rows if key in step.metrics]) for key in keys}
    body = "".join(
        f'<tr><th scope="row"><a href="#t{place}">{name(step.display_name, 60)}</a></th>'
        + "".join(_metric(step.metrics.get(key), most[key]) for key in keys)
        + "</tr>"
        for place, step in rows
    )
    head = "".join(f'<th scope="col" class="number">{name(key, 40)}</th>' for key in keys)
    return (
        '<section aria-labelledby="metrics"><h2 id="metrics">Metrics</h2>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Metrics"><table class="metrics">'
        f'<thead><tr><th scope="col">Task</th>{head}</tr></thead><tbody>{body}</tbody></table></div></section>'
    )


def _largest(numbers: Sequence[float]) -> float:
    """What a full bar stands for; 0 where bars would say nothing."""
    if len(numbers) < 2 or not all(math.isfinite(one) and one >= 0 for one in numbers):
        return 0.0
    return max(numbers)


def _metric(given: float | None, most: float) -> str:
    if given is None:
        return f'<td class="number">{NONE}</td>'
    bar = f'<span class="meter"><i style="width:{100 * given / most:.1f}%"></i></span>' if most else ""
    return f'<td class="number">{number(given)}{bar}</td>'


def artifacts(state: RunState) -> str:
    """What the steps left in the run's folder. Nothing where they left none."""
    rows = "".join(
        _row(
            (
                ("Task", "", f'<a href="#t{place}">{name(step.display_name, 60)}</a>'),
                ("Path", "", f"<code>{name(one.path)}</code>"),
                ("Type", "", plain(one.type)),
                ("Files", ' class="number"', _files(one)),
                ("Size", ' class="number"', NONE if _is_elsewhere(one) else size(one.size)),
                ("In the run's folder", "", f"<code>{name(one.stored)}</code>" if one.stored else NONE),
            )
        )
        for place, step in enumerate(state.steps)
        for one in step.artifacts
    )
    if not rows:
        return ""
    total = sum(one.size for step in state.steps for one in step.artifacts)
    many = sum(len(step.artifacts) for step in state.steps)
    heads = ("Task", "Path", "Type", "Files", "Size", "In the run's folder")
    return _table("artifacts", "Artifacts", heads, rows, f"{counted(many, 'artifact')}, {size(total)}")


def _files(one: Artifact) -> str:
    if _is_elsewhere(one):
        return NONE
    return f"{one.files:,}" if one.kind == "directory" else "file"


def _is_elsewhere(one: Artifact) -> bool:
    """Whether it is in an object store, which alone knows how much it is."""
    return "://" in one.stored and not one.files


def _row(cells: Sequence[tuple[str, str, str]], attributes: str = "") -> str:
    """A row of cells: head, attributes, HTML. The roles keep it a table where CSS stacks the cells, on a phone."""
    said = "".join(f'<td role="cell" data-head="{head}"{more}><div>{shown}</div></td>' for head, more, shown in cells)
    return f'<tr role="row"{attributes}>{said}</tr>'


def _table(id_: str, title: str, heads: Sequence[str], rows: str, note: str = "") -> str:
    numbers = {"Took", "Attempts", "Exit code", "Files", "Size"}
    head = "".join(
        f'<th role="columnheader" scope="col"{" class=number" if one in numbers else ""}>{one}</th>' for one in heads
    )
    said = f' <span class="dim">{note}</span>' if note else ""
    return (
        f'<section aria-labelledby="{id_}"><h2 id="{id_}">{title}{said}</h2><div class="scroll"><table role="table" class="cards">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead><tbody role="rowgroup">{rows}</tbody></table></div></section>'
    )
