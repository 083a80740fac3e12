"""Runs side by side as one HTML page that needs nothing else; templates/compare.html is its frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from string import Template

from kade2kfp.local.amounts import duration, number
from kade2kfp.local.comparison import Row
from kade2kfp.local.page.text import NONE, columns, counted, name, plain, value
from kade2kfp.resources import read_text
from kade2kfp.steps.sources import Json

_MOST_PLOTS = 60
_WIDTH, _LABEL, _VALUE, _BAR, _GAP = 340, 110, 64, 16, 6
_HEADS = (
    ("Parameters", ("parameter",)),
    ("Metrics", ("metric",)),
    ("Outputs", ("output",)),
    ("Runs and tasks", ("run", "state", "seconds")),
)


def comparison_page(names: Sequence[str], rows: Sequence[Row]) -> str:
    """The page of runs that are called `names`; what differs is marked."""
    return Template(read_text("templates/compare.html")).substitute(
        title=plain(f"{counted(len(names), 'run')} compared"),
        plots=_plots(names, rows),
        tables="".join(_tables(names, rows)),
    )


def _tables(names: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    head = "".join(f'<th scope="col">{name(one)}</th>' for one in names)
    for title, kinds in _HEADS:
        body = "".join(_row(row) for row in rows if row.kind in kinds)
        if body:
            yield (
                f'<section><h2>{title}</h2><div class="wide"><table><thead><tr><th scope="col"></th>{head}</tr></thead>'
                f"<tbody>{body}</tbody></table></div></section>"
            )


def _row(row: Row) -> str:
    cells = "".join(
        f'<td class="number">{_cell(row, one)}</td>' if _is_number(one) else f"<td>{_cell(row, one)}</td>"
        for one in row.values
    )
    mark = ' class="differs"' if row.differs else ""
    sign = ' <span title="differs">&ne;</span>' if row.differs else ""
    return f'<tr{mark}><th scope="row">{name(title_of(row))}{sign}</th>{cells}</tr>'


def title_of(row: Row) -> str:
    """What a row is called: `train accuracy`, `took`."""
    return f"{row.of} {row.name}" if row.of else row.name


def _cell(row: Row, one: Json) -> str:
    if one is None:
        return NONE
    if row.kind == "seconds" and isinstance(one, int | float):
        return plain(duration(one))
    if row.kind == "metric" and isinstance(one, int | float):
        return plain(repr(one))
    if row.kind in ("run", "state"):
        return name(str(one))
    return value(one)


def _is_number(one: object) -> bool:
    return isinstance(one, int | float) and not isinstance(one, bool)


def _plots(names: Sequence[str], rows: Sequence[Row]) -> str:
    plotted = [row for row in rows if row.kind == "metric" or (row.kind == "seconds" and not row.of)]
    drawn = [_plot(names, row) for row in plotted if any(_finite(one) is not None for one in row.values)]
    if not drawn:
        return ""
    left = f'<p class="dim">and {len(drawn) - _MOST_PLOTS:,} more</p>' if len(drawn) > _MOST_PLOTS else ""
    return f'<section><h2>Plots</h2><div class="plots">{"".join(drawn[:_MOST_PLOTS])}</div>{left}</section>'


def _finite(one: Json) -> float | None:
    return float(one) if isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) else None


def _plot(names: Sequence[str], row: Row) -> str:
    """A bar for each run, from zero; values below it go to the left."""
    numbers = [_finite(one) for one in row.values]
    known = [one for one in numbers if one is not None]
    low, high = min(0.0, *known), max(0.0, *known)
    room = _WIDTH - _LABEL - _VALUE
    scale = room / (high - low) if high > low and math.isfinite(high - low) else 0.0
    zero = _LABEL - low * scale
    parts = []
    for position, (called, one) in enumerate(zip(names, numbers, strict=True)):
        top = position * (_BAR + _GAP)
        parts.append(f'<text x="0" y="{top + 12}">{columns(called, 16)}</text>')
        if one is None:
            parts.append(f'<text x="{_LABEL + 4}" y="{top + 12}">&ndash;</text>')
            continue
        long, left = abs(one) * scale, zero + min(0.0, one) * scale
        said = duration(one) if row.kind == "seconds" else number(one)
        parts.append(f'<rect x="{left:.1f}" y="{top}" width="{max(long, 1.0):.1f}" height="{_BAR}" rx="2"/>')
        parts.append(f'<text x="{max(left + long, zero) + 4:.1f}" y="{top + 12}">{plain(said)}</text>')
    height = len(names) * (_BAR + _GAP)
    parts.append(f'<line class="axis" x1="{zero:.1f}" y1="0" x2="{zero:.1f}" y2="{height}"/>')
    title = title_of(row)
    return (
        f"<figure><figcaption>{name(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{plain(title)}">{"".join(parts)}</svg></figure>'
    )
