"""Who follows the lines of a picture from box to box finds the arrows of the graph: each of them, and no other."""

from __future__ import annotations

import random
import re
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from kade2kfp.graph import Graph, as_svg
from kade2kfp.graph.model import Arrow, Box, Flow, Passage

from .documents import EXAMPLES, drawn, sixty
from .pictures import SVG, Rectangle, rectangles, root

Point = tuple[float, float]


def ways(picture: Element) -> list[tuple[list[Point], bool]]:
    """The points of each line, the last of them its head's where it has one."""
    found = []
    for group in picture.findall(f"{SVG}g"):
        points: list[Point] = []
        for path in group.findall(f"{SVG}path"):
            said = path.get("d", "")
            if path.get("class") == "head":
                points[-1] = _numbers(re.split("[a-z]", said.removeprefix("M"))[0])[0]
                found.append((points, True))
            else:
                points = [_numbers(part)[-1] for part in re.findall("[MLC]([^MLC]*)", said)]
        if not found or found[-1][0] is not points:
            found.append((points, False))
    return found


def _numbers(text: str) -> list[Point]:
    numbers = [float(one) for one in text.split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def followed(picture: Element) -> set[tuple[int, int]]:
    """From which box to which the lines lead: on from a label to all that leaves it, and from a line to all that part from it."""
    found = rectangles(picture)
    boxes = [one for one in found if one.kind == "task"]
    labels = [one for one in found if one.kind == "label"]
    lines = ways(picture)
    givers: list[set[int]] = []
    for points, _ in lines:
        giver = _at(boxes, points[0])
        givers.append(set() if giver is None else {giver})
    behind = [_behind(lines, labels, number) if not giver else set() for number, giver in enumerate(givers)]
    before: list[set[int]] = []
    while before != givers:
        before = [set(one) for one in givers]
        for number, others in enumerate(behind):
            givers[number].update(*(before[other] for other in others))
    pairs = set()
    for (points, headed), leading in zip(lines, givers, strict=True):
        taker = _at(boxes, points[-1])
        assert headed == (taker is not None)
        assert leading
        pairs |= {(giver, taker) for giver in leading if taker is not None}
    return pairs


def _behind(lines: list[tuple[list[Point], bool]], labels: list[Rectangle], number: int) -> set[int]:
    """The lines that lead to where a line begins that leaves no box."""
    start = lines[number][0][0]
    label = _at(labels, start)
    if label is not None:
        return {other for other, (points, _) in enumerate(lines) if _at(labels, points[-1]) == label}
    return {other for other, (points, _) in enumerate(lines) if other != number and start in points}


def _at(boxes: list[Rectangle], point: Point) -> int | None:
    near = [number for number, one in enumerate(boxes) if one.is_met_at(*point)]
    assert len(near) <= 1, near
    return near[0] if near else None


def leads_right(graph: Graph) -> None:
    flows: tuple[Flow, ...] = ("right", "down")
    for flow in flows:
        wanted = {(arrow.giver, arrow.taker) for arrow in graph.arrows}
        assert followed(root(as_svg(graph, "auto", flow))) == wanted


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_of_examples(path: Path) -> None:
    leads_right(drawn(path.read_text(encoding="utf-8")))


def test_of_sixty_tasks() -> None:
    leads_right(drawn(sixty()))


@pytest.mark.parametrize("seed", range(30))
def test_of_random_graphs(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randint(2, 14)
    pairs = [(one, other) for one in range(count) for other in range(count) if one != other]
    words = chance.randint(0, 3)  # with few of them many arrows share labels
    arrows = [
        Arrow(*pair, "data", passages=(Passage(f"/{chance.randint(0, words)}", "/in"),))
        if chance.random() < 0.7
        else Arrow(*pair, "order")
        for pair in chance.sample(pairs, min(len(pairs), chance.randint(1, 24)))
    ]
    leads_right(Graph("x", "", tuple(Box(f"b{one}", f"b{one}", "job", "") for one in range(count)), tuple(arrows)))
