"""Where boxes, labels and arrows of a graph lie. Lengths are in CSS pixels, x to the right, y down.

Labels are nodes of the layout, between the layers of the boxes: so they cover nothing, and nothing covers them. The
layout leads to the right; a picture that leads down is one with x and y exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kade2kfp.drawing.layout import Layout, Node, Placed, layout
from kade2kfp.graph.contents import STACK, Contents, contents
from kade2kfp.graph.labels import Label, labels_of
from kade2kfp.graph.lines import Line, Side, lines
from kade2kfp.graph.model import Flow, Graph

_NARROWEST = 130.0
_AIR = 8.0  # besides what the layout leaves between two nodes
_GAP = 22.0  # between boxes that nothing joins
_APART: Mapping[Flow, tuple[float, float]] = {"right": (30, 76), "down": (22, 70)}
"""How far two layers are from each other at least and at most."""


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
class Picture:
    """All that is drawn; `reduced` where that is too much for arrows that longer ways imply."""

    boxes: tuple[PlacedBox, ...]
    labels: tuple[Label, ...]
    lines: tuple[Line, ...]
    width: float
    height: float
    reduced: bool


def place(graph: Graph, flow: Flow) -> Picture:
    """Lay out a graph: boxes in layers, all of one width; what nothing joins to others stands below, the end last."""
    filled = [contents(box, flow) for box in graph.boxes]
    across = math.ceil(max([_NARROWEST, *(one.width for one in filled)]))
    labels = labels_of(graph, flow)
    drawn = _laid(filled, labels, across, flow)
    at = {node.id: node for node in drawn.nodes}
    boxes, placed = [], []
    for number, one in enumerate(filled):
        if (found := at.get(f"b{number}")) is not None:
            x, y = (found.y + _AIR / 2, found.x) if flow == "down" else (found.x, found.y + _AIR / 2)
            boxes.append(PlacedBox(number, one, x, y, across, math.ceil(one.height)))
    for number, label in enumerate(labels):
        there, air = at[f"l{number}"], _AIR / 2 if label.rows else 0.0
        x, y = (there.y + air, there.x) if flow == "down" else (there.x, there.y + air)
        placed.append(replace(label, x=x, y=y))
    leaving, coming = (_sides(at, filled, flow, coming=one) for one in (False, True))
    run = lines(drawn, leaving, coming, {f"l{number}": label.kind for number, label in enumerate(labels)})
    if flow == "down":
        run = tuple(replace(line, points=tuple((y, x) for x, y in line.points)) for line in run)
    width, height = (drawn.height, drawn.width) if flow == "down" else (drawn.width, drawn.height)
    lone = [number for number in range(len(filled)) if f"b{number}" not in at]
    boxes += _below(graph, filled, lone, across, width, height)
    width = max([width, *(box.x + box.width for box in boxes)])
    height = max([height, *(box.y + box.height for box in boxes)])
    boxes.sort(key=lambda box: box.number)
    return Picture(tuple(boxes), tuple(placed), run, width, math.ceil(height), drawn.reduced)


def _laid(filled: Sequence[Contents], labels: Sequence[Label], across: float, flow: Flow) -> Layout:
    """The layout of what arrows join, to the right."""
    nodes = []
    for number in sorted({end for label in labels for end in (*label.givers, *label.takers)}):
        high = math.ceil(filled[number].height)
        sizes = (high, across + _AIR) if flow == "down" else (across, high + _AIR)
        nodes.append(Node(f"b{number}", *sizes))
    edges = []
    for number, label in enumerate(labels):
        air = _AIR if label.rows else 0.0
        sizes = (label.height, label.width + air) if flow == "down" else (label.width, label.height + air)
        nodes.append(Node(f"l{number}", *sizes))
        edges += [(f"b{giver}", f"l{number}") for giver in label.givers]
        edges += [(f"l{number}", f"b{taker}") for taker in label.takers]
    return layout(nodes, edges, pack=0, apart=_APART[flow], settle=10)


def _sides(at: Mapping[str, Placed], filled: Sequence[Contents], flow: Flow, *, coming: bool) -> dict[str, Side]:
    """The sides of the boxes in the layout where arrows come, or leave."""
    sides = {}
    for number, one in enumerate(filled):
        if (node := at.get(f"b{number}")) is None:
            continue
        over = STACK * one.stacked
        # Boxes behind a box stand out to the right and to the top: arrows come and leave at the outermost.
        begin = node.y + _AIR / 2 + (over if coming else 0)
        long = node.height - _AIR - over
        spare = one.shape.spare(flow, coming=coming)
        room = 0 if spare is None else max(0.0, long / 2 - spare)
        sides[node.id] = Side(node.x if coming else node.x + node.width, round(begin + long / 2), room)
    return sides


def _below(
    graph: Graph, filled: Sequence[Contents], lone: Sequence[int], across: float, width: float, height: float
) -> list[PlacedBox]:
    """Boxes that nothing joins, in rows below the others; what runs at the end, whatever happened, at the right of the last."""
    last = [number for number in lone if graph.boxes[number].has("exit")]
    others = [number for number in lone if number not in last]
    columns = max(math.floor((width + _GAP) / (across + _GAP)), math.ceil(math.sqrt(len(others))))
    rows = [others[at : at + columns] for at in range(0, len(others), columns or 1)]
    width = max(width, min(columns, len(others)) * (across + _GAP) - _GAP, across)
    boxes = []
    y = height + _GAP if height else 0.0
    for row in [*rows, *([number] for number in last)]:
        x = width - across if row[0] in last else 0.0
        for column, number in enumerate(row):
            high = math.ceil(filled[number].height)
            boxes.append(PlacedBox(number, filled[number], x + column * (across + _GAP), y, across, high))
        y += max(math.ceil(filled[number].height) for number in row) + _GAP
    return boxes
