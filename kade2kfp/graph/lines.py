"""Where the lines of arrows run, along the flow: x leads from layer to layer, whichever way a picture is turned then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kade2kfp.drawing.layout import Layout, Placed, Point, Route
from kade2kfp.drawing.rows import nearest
from kade2kfp.graph.model import ArrowKind

_PORT = 12.0  # between two arrows at one side of a box
_CLOSEST = 6.0  # nearer to each other their heads are one blot: then all meet at one point
_HEAD = 12.0  # so much of an arrow's end is straight


@dataclass(frozen=True, slots=True)
class Line:
    """A part of an arrow: straight from the first point to the second, bent to the third, and so on by turns.

    `head` says that it ends at a box.
    """

    kind: ArrowKind
    points: tuple[Point, ...]
    head: bool


@dataclass(frozen=True, slots=True)
class Side:
    """A side of a box: where it is, the middle of it, and how far on both sides of that arrows may meet it."""

    x: float
    middle: float
    room: float


@dataclass(frozen=True, slots=True)
class _Way:
    """A route along the flow, whichever way its arrow points; `lanes` are the points between the two layers."""

    route: Route
    first: Placed
    second: Placed
    lanes: tuple[Point, ...]
    back: bool


def lines(
    drawn: Layout, leaving: Mapping[str, Side], coming: Mapping[str, Side], kinds: Mapping[str, ArrowKind]
) -> tuple[Line, ...]:
    """The lines of a layout.

    Args:
        drawn: boxes and labels, each arrow by way of a label.
        leaving: the side of each box where arrows leave it along the flow.
        coming: the side where they come.
        kinds: of the labels.
    """
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
    begins, ends = _ports(ways, leaving, coming=False), _ports(ways, coming, coming=True)
    made = []
    drawn_before: set[tuple[str, ArrowKind, int, Point]] = set()
    for way, begin, end in zip(ways, begins, ends, strict=True):
        out, into = far[way.first.layer], near[way.second.layer]
        giver, ahead = way.route.sources[0], way.route.targets[0]
        head = ahead not in kinds
        if head:  # it wants a straight line to stand on
            out, into = (out + _HEAD, into) if way.back else (out, into - _HEAD)
        points = (begin, (out, begin[1]), *way.lanes, (into, end[1]), end)
        points = points[::-1] if way.back else points
        kind = kinds[giver if head else ahead]
        # What arrows of one box or label have in common is drawn once; from an even place on, so that bends stay bends.
        steps = [(giver, kind, place, point) for place, point in enumerate(points)]
        common = next((place for place, step in enumerate(steps) if step not in drawn_before), len(points)) - 1
        drawn_before.update(steps)
        made.append(Line(kind, points[max(0, common // 2 * 2) :], head))
    return tuple(made)


def _ports(ways: Sequence[_Way], sides: Mapping[str, Side], *, coming: bool) -> list[Point]:
    """Where each way meets the node at one of its ends: near to where it comes from, apart from others."""
    met: dict[str, list[tuple[float, int]]] = {}
    ports: list[Point] = []
    for number, way in enumerate(ways):
        here, other = (way.second, way.first) if coming else (way.first, way.second)
        beside = way.lanes[-1 if coming else 0][1] if way.lanes else round(other.y + other.height / 2)
        met.setdefault(here.id, []).append((beside, number))
        ports.append((here.x if coming else here.x + here.width, round(here.y + here.height / 2)))
    for id_, row in met.items():
        if side := sides.get(id_):
            ys = _beside([y for y, _ in sorted(row)], side.middle, side.room)
            for (_, number), y in zip(sorted(row), ys, strict=True):
                ports[number] = (side.x, y)
    return ports


def _beside(wanted: Sequence[float], middle: float, room: float) -> list[float]:
    """Places at a side, in their order: where an arrow is straight, else near the middle; `room` is on both sides of it."""
    apart = min(_PORT, 2 * room / max(1, len(wanted) - 1))
    if len(wanted) > 1 and apart < _CLOSEST:
        return [middle] * len(wanted)
    offsets = [apart * number for number in range(len(wanted))]
    spread = offsets[-1] / 2
    near = [y if abs(y - middle) <= room else min(max(y, middle - spread), middle + spread) for y in wanted]
    # Within these bounds the nearest are within them, too: they are means.
    bound = [
        min(max(y, middle - room + offset), middle + room - offsets[-1] + offset)
        for y, offset in zip(near, offsets, strict=True)
    ]
    return [round(y, 1) for y in nearest(bound, offsets, [1.0] * len(bound))]
