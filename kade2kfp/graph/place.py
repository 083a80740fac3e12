"""Where boxes, labels and arrows of a graph lie. Lengths are in CSS pixels, x to the right, y down.

Labels are nodes of the layout, between the layers of the boxes: so they cover nothing, and nothing covers them. Arrows
that leave one box with the same label share it, and part behind it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kade2kfp.drawing.layout import Layout, Node, Placed, Point, Route, layout
from kade2kfp.drawing.rows import nearest
from kade2kfp.graph.contents import STACK, Contents, Row, contents, label, label_size
from kade2kfp.graph.model import ArrowKind, Graph

_NARROWEST = 130.0
_AIR = 8.0  # besides what the layout leaves between two nodes
_PORT = 12.0  # between two arrows at one side of a box
_HEAD = 12.0  # so much of an arrow's end is straight


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A box of the graph, by its place there, and where it is drawn."""

    number: int
    contents: Contents
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Label:
    """Rows at arrows of one box; `arrows` are their places in the graph. Without rows it is the point where they part."""

    kind: ArrowKind
    rows: tuple[Row, ...]
    arrows: tuple[int, ...]
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """A part of an arrow: straight from the first point to the second, bent to the third, and so on by turns.

    `head` says that it ends at a box.
    """

    kind: ArrowKind
    points: tuple[Point, ...]
    head: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn."""

    boxes: tuple[PlacedBox, ...]
    labels: tuple[Label, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


def place(graph: Graph) -> Picture:
    """Lay out a graph: boxes in layers from left to right, all of one width."""
    filled = [contents(box) for box in graph.boxes]
    across = math.ceil(max([_NARROWEST, *(one.width for one in filled)]))
    labels = _labels(graph)
    joined = {end for arrow in graph.arrows for end in (arrow.giver, arrow.taker)}
    last = [number for number, box in enumerate(graph.boxes) if box.has("exit") and number not in joined]
    nodes = [
        Node(f"b{number}", across, math.ceil(one.height) + _AIR)
        for number, one in enumerate(filled)
        if number not in last or len(last) == len(filled)
    ]
    edges = []
    for number, label_ in enumerate(labels):
        nodes.append(Node(f"l{number}", label_.width, label_.height + _AIR if label_.rows else 0.0))
        edges.append((f"b{graph.arrows[label_.arrows[0]].giver}", f"l{number}"))
        edges += [(f"l{number}", f"b{graph.arrows[arrow].taker}") for arrow in label_.arrows]
    drawn = layout(nodes, edges, pack=0, apart=(30, 76), settle=4)
    at = {node.id: node for node in drawn.nodes}
    height = drawn.height
    boxes = []
    for number, one in enumerate(filled):
        if (found := at.get(f"b{number}")) is not None:
            box = PlacedBox(number, one, found.x, found.y + _AIR / 2, across, found.height - _AIR)
        else:  # what runs at the end, whatever happened, stands at the end
            x = max(0.0, drawn.width - across)
            box = PlacedBox(number, one, x, height + 2 * _AIR, across, math.ceil(one.height))
            height = box.y + box.height
        boxes.append(box)
    placed = []
    for number, label_ in enumerate(labels):
        there = at[f"l{number}"]
        placed.append(replace(label_, x=there.x, y=there.y + (_AIR / 2 if label_.rows else 0.0)))
    lines = _lines(drawn, {f"b{one.number}": one for one in boxes}, labels)
    return Picture(tuple(boxes), tuple(placed), lines, max(drawn.width, across), math.ceil(height))


def _labels(graph: Graph) -> list[Label]:
    """A label for each arrow, or for those that leave one box and say the same."""
    alike: dict[tuple[int, ArrowKind, tuple[Row, ...]], list[int]] = {}
    for number, arrow in enumerate(graph.arrows):
        alike.setdefault((arrow.giver, arrow.kind, label(arrow)), []).append(number)
    made = []
    for (_, kind, rows), arrows in alike.items():
        width, height = label_size(rows)
        made.append(Label(kind, rows, tuple(arrows), width=math.ceil(width), height=math.ceil(height)))
    return made


@dataclass(frozen=True, slots=True)
class _Way:
    """A route from left to right, whichever way its arrow points; `lanes` are the points between the two columns."""

    route: Route
    left: Placed
    right: Placed
    lanes: tuple[Point, ...]
    back: bool


def _lines(drawn: Layout, boxes: dict[str, PlacedBox], labels: Sequence[Label]) -> tuple[Line, ...]:
    at = {one.id: one for one in drawn.nodes}
    near: dict[int, float] = {}
    far: dict[int, float] = {}
    for one in drawn.nodes:
        near[one.layer] = min(near.get(one.layer, one.x), one.x)
        far[one.layer] = max(far.get(one.layer, 0.0), one.x + one.width)
    ways = []
    for route in drawn.routes:
        source, target = at[route.sources[0]], at[route.targets[0]]
        back = source.layer > target.layer
        points = route.points[::-1] if back else route.points
        ways.append(_Way(route, target if back else source, source if back else target, points[1:-1], back))
    leaving = _ports(ways, boxes, right=False)
    coming = _ports(ways, boxes, right=True)
    lines = []
    drawn_before: set[tuple[str, int, Point]] = set()
    for number, way in enumerate(ways):
        begin, end = leaving[number], coming[number]
        out, into = far[way.left.layer], near[way.right.layer]
        ahead = way.route.targets[0]
        if ahead in boxes:  # a head wants a straight line to stand on
            out, into = (out + _HEAD, into) if way.back else (out, into - _HEAD)
        points = (begin, (out, begin[1]), *way.lanes, (into, end[1]), end)
        via = way.route.sources[0] if ahead in boxes else ahead
        kind = labels[int(via[1:])].kind
        points = points[::-1] if way.back else points
        # What arrows of one label have in common is drawn once; from an even place on, so that bends stay bends.
        steps = [(way.route.sources[0], place, point) for place, point in enumerate(points)]
        common = next((place for place, step in enumerate(steps) if step not in drawn_before), len(points)) - 1
        drawn_before.update(steps)
        lines.append(Line(kind, points[max(0, common // 2 * 2) :], ahead in boxes))
    return tuple(lines)


def _ports(ways: Sequence[_Way], boxes: dict[str, PlacedBox], *, right: bool) -> list[Point]:
    """Where each way meets the node at its right end, or its left end: near to where it comes from, apart from others."""
    met: dict[str, list[tuple[float, int]]] = {}
    for number, way in enumerate(ways):
        here, other = (way.right, way.left) if right else (way.left, way.right)
        beside = way.lanes[-1 if right else 0][1] if way.lanes else round(other.y + other.height / 2)
        met.setdefault(here.id, []).append((beside, number))
    ports: list[Point] = [(0.0, 0.0)] * len(ways)
    for number, way in enumerate(ways):
        node = way.right if right else way.left
        ports[number] = (node.x if right else node.x + node.width, round(node.y + node.height / 2))
    for id_, row in met.items():
        box = boxes.get(id_)
        if box is None:
            continue
        shape, over = box.contents.shape, STACK * box.contents.stacked
        x = box.x if right else box.x + box.width
        spare = shape.before if right else shape.behind
        # The box in front lies lower, and arrows leave the one behind it.
        top = box.y + (over if right else 0)
        high = box.height - over
        ys = _beside([y for y, _ in sorted(row)], round(top + high / 2), 0 if spare is None else high / 2 - spare)
        for (_, number), y in zip(sorted(row), ys, strict=True):
            ports[number] = (x, y)
    return ports


def _beside(wanted: Sequence[float], middle: float, room: float) -> list[float]:
    """Places at a side, in their order: where an arrow is straight, else near the middle; `room` is on both sides of it."""
    apart = min(_PORT, 2 * room / (len(wanted) - 1)) if len(wanted) > 1 else 0.0
    offsets = [apart * number for number in range(len(wanted))]
    spread = offsets[-1] / 2
    near = [y if abs(y - middle) <= room else min(max(y, middle - spread), middle + spread) for y in wanted]
    # Within these bounds the nearest are within them, too: they are means.
    bound = [
        min(max(y, middle - room + offset), middle + room - offsets[-1] + offset)
        for y, offset in zip(near, offsets, strict=True)
    ]
    return [round(y, 1) for y in nearest(bound, offsets, [1.0] * len(bound))]
