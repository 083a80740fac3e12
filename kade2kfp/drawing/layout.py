"""Where the boxes and arrows of a graph lie: from left to right in layers. Nothing here knows of runs or documents.

Lengths are in CSS pixels, x to the right, y down. Many boxes with the same neighbours are packed into one frame, a
grid: an arrow to a frame stands for one to each of its boxes. Without that, a task of 300 branches has no picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from kade2kfp.drawing.layers import acyclic, first_order, neighbours, ordered, ranks, without_implied
from kade2kfp.drawing.rows import GAP, rows

Point = tuple[float, float]
_PADDING = 10.0  # between a frame and its boxes
_MANY = 1000  # arrows; from there on those that others imply are left out
_PASSING = 4000  # lanes for arrows that pass layers; more cost time and cannot be told apart


@dataclass(frozen=True, slots=True)
class Node:
    """A box to place."""

    id: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A box in its place: `x` and `y` are its upper left corner, `layer` counts from 0."""

    id: str
    layer: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Frame:
    """Boxes with the same neighbours."""

    members: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """An arrow from each of `sources` to each of `targets`.

    From the first point to the second it bends, to the third it is straight, and so on by turns.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The boxes in the order of the nodes, frames, arrows and the size of all; `reduced` where implied arrows are left out."""

    nodes: tuple[Placed, ...]
    frames: tuple[Frame, ...]
    routes: tuple[Route, ...]
    width: float
    height: float
    reduced: bool = False


@dataclass(frozen=True, slots=True)
class _Unit:
    """A box, or a frame with its boxes in `columns`; the size is that of the whole."""

    members: tuple[int, ...]
    width: float
    height: float
    columns: int = 1


def layout(
    nodes: Sequence[Node],
    edges: Sequence[tuple[str, str]],
    *,
    pack: int = 10,
    apart: tuple[float, float] = (40, 110),
    settle: int = 0,
) -> Layout:
    """Place nodes so that edges lead from left to right; `pack` is the fewest boxes for a frame (0: no frames).

    `apart` is how far two layers are from each other at least, and at most, where many edges run between them;
    `settle` for how many turns more each node moves to the middle of its neighbours, which makes long edges straight.
    Edges that name no node, or one node twice, are left out; where edges form a cycle, some lead back.
    Raises ValueError where two nodes have one id.
    """
    index = {node.id: number for number, node in enumerate(nodes)}
    if len(index) < len(nodes):
        raise ValueError("two nodes have one id")
    if not nodes:
        return Layout((), (), (), 0.0, 0.0)
    known = dict.fromkeys((index[a], index[b]) for a, b in edges if a != b and a in index and b in index)
    units = _units(nodes, list(known), pack)
    unit_of = {member: number for number, unit in enumerate(units) for member in unit.members}
    # The members of a frame have the same neighbours: an edge of one is an edge of all.
    joined = list(dict.fromkeys((unit_of[a], unit_of[b]) for a, b in known))
    turned = acyclic(len(units), joined)
    forth = list(dict.fromkeys((b, a) if (a, b) in turned else (a, b) for a, b in joined))
    rank = ranks(len(units), forth)
    reduced = len(forth) > _MANY
    if reduced:
        forth = without_implied(len(units), forth, rank)
        kept = set(forth)
        joined = [(a, b) for a, b in joined if ((b, a) if (a, b) in turned else (a, b)) in kept]
    lanes, short, layer_of = _lanes(rank, forth)
    sweeps = 12 if len(short) <= 2 * _MANY else 2
    layers = ordered(first_order(layer_of, short), short, sweeps)
    heights = [unit.height for unit in units] + [0.0] * (len(layer_of) - len(units))
    middle = rows(layers, short, heights, settle)
    left, right = _columns(layers, units, short, layer_of, apart)
    width = right[-1]

    placed: dict[int, Placed] = {}
    frames = []
    for number, unit in enumerate(units):
        column = rank[number]
        x = round((left[column] + right[column] - unit.width) / 2)
        y = round(middle[number] - unit.height / 2)
        placed |= _members(nodes, unit, column, x, y)
        if len(unit.members) > 1:
            frames.append(Frame(tuple(nodes[one].id for one in unit.members), x, y, unit.width, unit.height))
    routes = []
    for source, target in joined:
        a, b = (target, source) if (source, target) in turned else (source, target)
        start = (round((left[rank[a]] + right[rank[a]] + units[a].width) / 2), round(middle[a]))
        end = (round((left[rank[b]] + right[rank[b]] - units[b].width) / 2), round(middle[b]))
        passed = [lanes[a, column] for column in range(rank[a] + 1, rank[b])] if (a, rank[b] - 1) in lanes else []
        between = [(side[layer_of[one]], round(middle[one])) for one in passed for side in (left, right)]
        points: tuple[Point, ...] = (start, *between, end)
        names = [tuple(nodes[one].id for one in units[unit].members) for unit in (source, target)]
        routes.append(Route(names[0], names[1], points if (a, b) == (source, target) else points[::-1]))
    height = max(middle[one] + heights[one] / 2 for one in range(len(middle)))
    ready = tuple(placed[number] for number in range(len(nodes)))
    return Layout(ready, tuple(frames), tuple(routes), width, math.ceil(height), reduced)


def path(points: Sequence[Point]) -> str:
    """A route as the data of an SVG path."""
    said = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for number, ((x, y), (to_x, to_y)) in enumerate(pairwise(points)):
        if number % 2 or y == to_y:
            said.append(f"L{to_x:g} {to_y:g}")
        else:
            bend = (to_x - x) / 2
            said.append(f"C{x + bend:g} {y:g} {to_x - bend:g} {to_y:g} {to_x:g} {to_y:g}")
    return "".join(said)


def _units(nodes: Sequence[Node], edges: Sequence[tuple[int, int]], pack: int) -> list[_Unit]:
    """Each node by itself, or with those that have the same neighbours, where that are many."""
    before, after = neighbours(len(nodes), edges)
    alike: dict[tuple[frozenset[int], frozenset[int]], list[int]] = {}
    for number in range(len(nodes)):
        alike.setdefault((frozenset(before[number]), frozenset(after[number])), []).append(number)
    units = []
    for members in alike.values():
        if pack and len(members) >= max(2, pack):
            units.append(_frame(nodes, members))
        else:
            units += [_Unit((one,), nodes[one].width, nodes[one].height) for one in members]
    return sorted(units, key=lambda unit: unit.members[0])


def _cell(nodes: Sequence[Node], members: Sequence[int]) -> tuple[float, float]:
    return max(nodes[one].width for one in members), max(nodes[one].height for one in members)


def _frame(nodes: Sequence[Node], members: Sequence[int]) -> _Unit:
    """A grid that is about a third wider than high."""
    width, height = _cell(nodes, members)
    columns = max(1, round(math.sqrt(len(members) * (height + GAP) / (width + GAP) * 4 / 3)))
    down = math.ceil(len(members) / columns)
    across = columns * (width + GAP) - GAP + 2 * _PADDING
    return _Unit(tuple(members), across, down * (height + GAP) - GAP + 2 * _PADDING, columns)


def _members(nodes: Sequence[Node], unit: _Unit, layer: int, x: float, y: float) -> dict[int, Placed]:
    """The boxes of a unit whose upper left corner is known."""
    if len(unit.members) == 1:
        only = nodes[unit.members[0]]
        return {unit.members[0]: Placed(only.id, layer, x, y, only.width, only.height)}
    width, height = _cell(nodes, unit.members)
    placed = {}
    for number, one in enumerate(unit.members):
        row, column = divmod(number, unit.columns)
        at = Placed(nodes[one].id, layer, x + _PADDING, y + _PADDING, nodes[one].width, nodes[one].height)
        placed[one] = replace(at, x=at.x + column * (width + GAP), y=at.y + row * (height + GAP))
    return placed


def _lanes(
    rank: list[int], edges: Sequence[tuple[int, int]]
) -> tuple[dict[tuple[int, int], int], list[tuple[int, int]], list[int]]:
    """A lane for each source and layer that its edges pass, as further nodes; edges that join neighbouring layers; all ranks.

    The edges of one source share lanes. Where there would be too many, the longest edges have none and pass behind boxes.
    """
    lanes: dict[tuple[int, int], int] = {}
    short: dict[tuple[int, int], None] = {}
    layer_of = list(rank)
    for source, target in sorted(edges, key=lambda edge: (rank[edge[1]] - rank[edge[0]], edge)):
        if rank[target] - rank[source] - 1 > _PASSING - len(lanes):
            break
        last = source
        for column in range(rank[source] + 1, rank[target]):
            if (source, column) not in lanes:
                lanes[source, column] = len(layer_of)
                layer_of.append(column)
            short[last, lanes[source, column]] = None
            last = lanes[source, column]
        short[last, target] = None
    return lanes, sorted(short), layer_of


def _columns(
    layers: list[list[int]],
    units: Sequence[_Unit],
    short: Sequence[tuple[int, int]],
    layer_of: Sequence[int],
    apart: tuple[float, float],
) -> tuple[list[float], list[float]]:
    """The left and right side of each layer; the more arrows between two layers, the farther they are apart."""
    crowd = [0] * len(layers)
    for source, _ in short:
        crowd[layer_of[source]] += 1
    left, right, x = [], [], 0.0
    for number, layer in enumerate(layers):
        left.append(x)
        x += math.ceil(max((units[one].width for one in layer if one < len(units)), default=0.0))
        right.append(x)
        x += min(apart[0] + 2 * crowd[number], apart[1])
    return left, right
