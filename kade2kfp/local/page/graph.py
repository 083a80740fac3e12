"""The graph of a run as SVG: boxes coloured by state, arrows behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kade2kfp.diagnostics.escape import width
from kade2kfp.drawing.layout import Layout, Node, Placed, layout, path
from kade2kfp.local.page.text import columns, plain
from kade2kfp.local.state import StepState

_HEIGHT = 50
_CHARACTER = 7.4  # of the page's font at 13px, rather too wide than too narrow
_BESIDE = 52  # symbol and margins beside the name
_NARROWEST, _WIDEST = 140, 236
_MARGIN = 8
_PAGE = (1150, 720)  # what a page of the usual width shows without scrolling
_READABLE = 0.33  # of the natural size


def graph(steps: Sequence[StepState], edges: Sequence[tuple[str, str]], line: Callable[[StepState], str]) -> str:
    """The graph, with what is said about it; `line` gives a box's second line, as plain text.

    Boxes link to the task's row, whose id is `t` and the step's number.
    """
    if not steps:
        return '<p class="dim">This run has no tasks.</p>'
    widest = max(max(width(step.display_name[:60]), width(line(step)[:60]) * 0.88) for step in steps)
    across = round(min(max(_NARROWEST, widest * _CHARACTER + _BESIDE), _WIDEST))
    drawn = layout([Node(step.name, across, _HEIGHT) for step in steps], edges)
    by_name = {step.name: step for step in steps}
    parts = [_frame(drawn), _arrows(drawn, by_name)]
    letters = int((across - _BESIDE + 8) / _CHARACTER)
    parts += [_box(place, number, step, line(step), letters) for number, (place, step) in _pairs(drawn, steps)]
    wide, high = drawn.width + 2 * _MARGIN, drawn.height + 2 * _MARGIN
    view = f"{-_MARGIN} {-_MARGIN} {wide:g} {high:g}"
    # It shrinks to the page, but only while its text can be read; then it scrolls.
    style = f"max-width:{wide:g}px;min-width:{min(wide, max(wide * 0.7, 300)):g}px"
    svg = (
        f'<svg class="graph" viewBox="{view}" style="{style}" role="group" aria-label="Graph of the tasks">'
        + _HEAD
        + "".join(parts)
        + "</svg>"
    )
    said = []
    if drawn.frames:
        said.append("An arrow at a frame stands for one at each task in it.")
    if drawn.reduced:
        said.append("Arrows that others imply are left out.")
    note = f'<p class="dim">{" ".join(said)}</p>' if said else ""
    if wide <= _PAGE[0] and high <= _PAGE[1]:
        return f'<div class="scroll" tabindex="0" role="region" aria-label="Graph">{svg}</div>{note}'
    # A frame's neighbours stand at its middle, far below what is seen first: such a graph is shown whole where it can be read.
    fit = bool(drawn.frames) and min(_PAGE[0] / wide, _PAGE[1] / high) >= _READABLE
    box = f'<input type="checkbox" class="fit-all"{" checked" if fit else ""}>'
    choice = f'<label class="fit">{box} Fit the whole graph</label>'
    return f'{choice}<div class="scroll tall" tabindex="0" role="region" aria-label="Graph">{svg}</div>{note}'


_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 .5L8 4L0 7.5Z"/></marker></defs>'
)


def _pairs(drawn: Layout, steps: Sequence[StepState]) -> list[tuple[int, tuple[Placed, StepState]]]:
    return list(enumerate(zip(drawn.nodes, steps, strict=True)))


def _frame(drawn: Layout) -> str:
    return "".join(
        f'<rect class="frame" x="{one.x:g}" y="{one.y:g}" width="{one.width:g}" height="{one.height:g}" rx="12"/>'
        for one in drawn.frames
    )


def _arrows(drawn: Layout, by_name: Mapping[str, StepState]) -> str:
    """Arrows that lead to nothing but skipped tasks are dashed."""
    said = []
    for route in drawn.routes:
        dead = all(by_name[one].status == "skipped" for one in route.targets)
        said.append(f'<path class="arrow{" dead" if dead else ""}" d="{path(route.points)}"/>')
    return f'<g class="arrows" aria-hidden="true">{"".join(said)}</g>'


def _box(place: Placed, number: int, step: StepState, line: str, letters: int) -> str:
    """A box; the inner svg cuts off what is wider or higher than it."""
    label = plain(f"{step.display_name[:160]}: {step.status}, {line}")
    at = f'x="{place.x:g}" y="{place.y:g}" width="{place.width:g}" height="{place.height:g}"'
    return (
        f'<a href="#t{number}" class="s-{step.status}" aria-label="{label}"><title>{label}</title>'
        f'<rect class="box" {at} rx="9"/><svg {at}>'
        f'<use class="icon" href="#i-{step.status}" x="14" y="9" width="16" height="16"/>'
        f'<text class="label" x="37" y="22">{columns(step.display_name, letters)}</text>'
        f'<text class="line" x="37" y="39">{columns(line, letters + 3)}</text></svg></a>'
    )
