"""The graph as SVG: without scripts, references and ids, so that it may stand in any page.

A box and a label are each an `svg` in the picture, with x, y, width and height. All that comes from the document is cut
off at their sides, and escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from itertools import pairwise

from kade2kfp.diagnostics.escape import terminal
from kade2kfp.drawing.layout import Point
from kade2kfp.graph.contents import DETAIL_LINE, GAP, ICON, LABEL_LINE, NAME_LINE, PILL, STACK, Pill
from kade2kfp.graph.direction import flow_of
from kade2kfp.graph.labels import Label
from kade2kfp.graph.lines import Line
from kade2kfp.graph.model import Arrow, Box, Direction, Flow, Graph
from kade2kfp.graph.palette import LIGHT, Theme, css
from kade2kfp.graph.place import PlacedBox, place
from kade2kfp.graph.shapes import ICONS

_MARGIN = 16
_NOTE = 26
"""The height of a line below everything."""
_REDUCED = "Arrows that longer ways imply are left out."
_TITLE = 2000
"""Characters of a text that is shown in full where the pointer rests."""


def as_svg(graph: Graph, theme: Theme = "auto", direction: Direction = "auto") -> str:
    """A graph as an SVG document; the theme `auto` is dark where the reader's pages are."""
    flow = flow_of(graph, direction)
    drawn = place(graph, flow)
    wide, high = drawn.width + 2 * _MARGIN, drawn.height + 2 * _MARGIN + (_NOTE if drawn.reduced else 0)
    size = f'viewBox="{-_MARGIN} {-_MARGIN} {wide:g} {high:g}" width="{wide:g}" height="{high:g}"'
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} class="kade2kfp-{theme}" role="img">',
        f"<title>{_text(graph.name)}</title>",
        f"<desc>{_text(_described(graph))}</desc>",
        f"<style>\n{css(theme)}\n</style>",
        f'<rect class="page" x="{-_MARGIN}" y="{-_MARGIN}" width="{wide:g}" height="{high:g}" rx="10"/>',
        *(_arrow(line, flow) for line in drawn.lines),
        *(_label(graph, label) for label in drawn.labels if label.rows),
        *(_box(graph.boxes[box.number], box) for box in drawn.boxes),
        f'<text class="detail first" x="0" y="{drawn.height + _NOTE - 6:g}">{_REDUCED}</text>' if drawn.reduced else "",
        "</svg>",
    ]
    return "\n".join(row for row in rows if row) + "\n"


def _text(text: str) -> str:
    """Text of the document for an element: escaped, and without what XML 1.0 does not allow."""
    return html.escape(terminal(text if len(text) <= _TITLE else text[: _TITLE - 1] + "…"))


def _described(graph: Graph) -> str:
    """What the picture shows, for those who do not see it: how many tasks, and which leads to which."""
    tasks = f"{len(graph.boxes)} task{'' if len(graph.boxes) == 1 else 's'}"
    ahead: dict[int, list[str]] = {}
    for arrow in graph.arrows:
        ahead.setdefault(arrow.giver, []).append(graph.boxes[arrow.taker].name)
    ways = [f"{graph.boxes[giver].name} leads to {', '.join(ahead[giver])}." for giver in sorted(ahead)]
    first = f"{graph.description} ({tasks})" if graph.description else f"A pipeline of {tasks}."
    return " ".join([first, *ways])


def _arrow(line: Line, flow: Flow) -> str:
    """An arrow's line, and its head where it ends at a box."""
    points = list(line.points)
    head = ""
    if line.head:
        (x, y), before = points[-1], points[-2]
        if flow == "right":
            back = 9 if before[0] >= x else -9
            shape, points[-1] = f"l{back} -4.5v9z", (x + back * 0.7, y)
        else:
            back = 9 if before[1] >= y else -9
            shape, points[-1] = f"l-4.5 {back}h9z", (x, y + back * 0.7)
        head = f'<path class="head" d="M{x:g} {y:g}{shape}"/>'
    return f'<g class="arrow {line.kind}"><path d="{_path(points, flow)}"/>{head}</g>'


def _path(points: list[Point], flow: Flow) -> str:
    """Straight lines and bends by turns, as the data of an SVG path; bends begin and end along the flow."""
    said = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for number, ((x, y), (to_x, to_y)) in enumerate(pairwise(points)):
        if number % 2 and flow == "right" and y != to_y:
            middle = (x + to_x) / 2
            said.append(f"C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}")
        elif number % 2 and flow == "down" and x != to_x:
            middle = (y + to_y) / 2
            said.append(f"C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}")
        elif (x, y) != (to_x, to_y):
            said.append(f"L{to_x:g} {to_y:g}")
    return "".join(said)


def _label(graph: Graph, label: Label) -> str:
    rows = [f"<title>{_text(_said(graph, label))}</title>"]
    rows.append(f'<rect x=".5" y=".5" width="{label.width - 1:g}" height="{label.height - 1:g}" rx="8"/>')
    for number, row in enumerate(label.rows):
        y = 3.5 + (number + 0.75) * LABEL_LINE
        if row.marked:
            left = (label.width - row.width) / 2
            rows.append(f'<path class="icon" transform="translate({left:g} {y - 10:g})" d="{ICONS["volume"]}"/>')
            rows.append(f'<text class="word first" x="{left + ICON + 4:g}" y="{y:g}">{_text(row.text)}</text>')
        else:
            kind = ' class="word"' if row.word else ""
            rows.append(f'<text{kind} x="{label.width / 2:g}" y="{y:g}">{_text(row.text)}</text>')
    at = f'x="{label.x:g}" y="{label.y:g}" width="{label.width:g}" height="{label.height:g}"'
    return f'<svg class="label" {at}>{"".join(rows)}</svg>'


def _said(graph: Graph, label: Label) -> str:
    """What a label says, in full."""
    givers, takers = (", ".join(graph.boxes[end].name for end in ends) for ends in (label.givers, label.takers))
    return f"{givers} → {takers}: {'; '.join(_parts(graph.arrows[label.arrows[0]]))}"


def _parts(arrow: Arrow) -> Iterator[str]:
    yield from arrow.branches
    for one in arrow.passages:
        way = f"{one.from_path} → {one.to_path}"
        yield f"{way} on {one.volume}" if one.volume else way
    yield from arrow.values


def _box(box: Box, at: PlacedBox) -> str:
    over = STACK * at.contents.stacked
    wide, high = at.width - over, at.height - over
    outline, inner = at.contents.shape.outline(wide, high)
    rows = [f"<title>{_text(_titled(box))}</title>"]
    if over:
        rows += [
            f'<path class="behind" transform="translate({over * part:g} {over * (1 - part):g})" d="{outline}"/>'
            for part in (1, 0.5)
        ]
    front = f' transform="translate(0 {over:g})"' if over else ""
    rows.append(f'<g{front}><path class="shape" d="{outline}"/>')
    rows.append(f'<path class="inner" d="{inner}"/>' if inner else "")
    rows.append(f'<svg class="inside" width="{wide:g}" height="{high:g}">{"".join(_lines(at, wide))}</svg></g>')
    where = f'x="{at.x:g}" y="{at.y:g}" width="{at.width:g}" height="{at.height:g}"'
    known = box.type if box.type in LIGHT.types else "job"
    return f'<svg class="task {known}" {where} overflow="visible">{"".join(rows)}</svg>'


def _titled(box: Box) -> str:
    rest = "".join(f"; {badge.text}" for badge in box.badges)
    named = f"{box.name} ({box.id})" if box.id and box.id != box.name else box.name
    return f"{named}: {box.type}{' ' + box.detail if box.detail else ''}{rest}"


def _lines(at: PlacedBox, wide: float) -> Iterator[str]:
    """A box's texts, each in the middle of the room that its outline leaves."""
    inside = at.contents
    middle = (inside.shape.left + wide - inside.shape.right) / 2
    y = inside.shape.top
    for name in inside.names:
        yield f'<text class="name" x="{middle:g}" y="{y + NAME_LINE * 0.76:g}">{_text(name)}</text>'
        y += NAME_LINE
    for line in inside.details:
        yield f'<text class="detail" x="{middle:g}" y="{y + DETAIL_LINE * 0.74:g}">{_text(line)}</text>'
        y += DETAIL_LINE
    for row in inside.pills:
        x = middle - (sum(pill.width for pill in row) + GAP * (len(row) - 1)) / 2
        for pill in row:
            yield _pill(pill, x, y + GAP)
            x += pill.width + GAP
        y += PILL + GAP


def _pill(pill: Pill, x: float, y: float) -> str:
    kind = pill.badge.kind
    ground = f'<rect width="{pill.width:g}" height="{PILL:g}" rx="{PILL / 2:g}"/>' if kind == "gate" else ""
    icon = f'<path class="icon" transform="translate(6 2.5)" d="{ICONS[kind]}"/>'
    text = f'<text class="first" x="{ICON + 9:g}" y="{PILL * 0.71:g}">{_text(pill.text)}</text>'
    return f'<g class="badge {kind}" transform="translate({x:g} {y:g})">{ground}{icon}{text}</g>'
