"""What is where in an SVG of ours, read from the SVG itself."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from kade2kfp.graph.measure import bold, mono, regular

SVG = "{http://www.w3.org/2000/svg}"
MEASURES = {"name": bold(14), "detail": regular(12), "badge": regular(11), "word": bold(11), "path": mono(11.5)}


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float
    kind: str

    def meets(self, other: Rectangle) -> bool:
        beside = self.x + self.width <= other.x or other.x + other.width <= self.x
        return not (beside or self.y + self.height <= other.y or other.y + other.height <= self.y)

    def holds(self, x: float, y: float, slack: float = 0.6) -> bool:
        across = self.x + slack < x < self.x + self.width - slack
        return across and self.y + slack < y < self.y + self.height - slack

    def is_met_at(self, x: float, y: float) -> bool:
        """Whether a point lies at one of the sides."""
        across, down = self.x - 1 <= x <= self.x + self.width + 1, self.y - 1 <= y <= self.y + self.height + 1
        at_side = (
            min(abs(x - self.x), abs(x - self.x - self.width), abs(y - self.y), abs(y - self.y - self.height)) <= 1
        )
        return across and down and at_side


def root(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.encode())


def rectangles(picture: ElementTree.Element) -> list[Rectangle]:
    """The boxes and the labels."""
    found = []
    for one in picture.findall(f"{SVG}svg"):
        at = (float(one.get(name, "nan")) for name in ("x", "y", "width", "height"))
        found.append(Rectangle(*at, kind=one.get("class", "").split()[0]))
    return found


def lines(picture: ElementTree.Element) -> list[list[tuple[float, float]]]:
    """Points of the arrows, close to each other."""
    return [
        list(_points(path.get("d", "")))
        for group in picture.findall(f"{SVG}g")
        for path in group.findall(f"{SVG}path")
        if group.get("class", "").startswith("arrow") and path.get("class") != "head"
    ]


def heads(picture: ElementTree.Element) -> list[tuple[float, float]]:
    """The points of the arrowheads."""
    found = [path for path in picture.iter(f"{SVG}path") if path.get("class") == "head"]
    return [(float(x), float(y)) for x, y in (re.findall(r"-?[\d.]+", path.get("d", ""))[:2] for path in found)]


def _points(path: str) -> Iterator[tuple[float, float]]:
    x = y = 0.0
    for command, numbers in re.findall(r"([MLC])([^MLC]*)", path):
        given = [float(one) for one in numbers.split()]
        to_x, to_y = given[-2:]
        if command == "M":
            yield to_x, to_y
        for step in range(1, 17) if command != "M" else ():
            t = step / 16
            if command == "L":
                yield x + (to_x - x) * t, y + (to_y - y) * t
            else:
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield a * x + b * given[0] + c * given[2] + d * to_x, a * y + b * given[1] + c * given[3] + d * to_y
        x, y = to_x, to_y


def texts(picture: ElementTree.Element) -> Iterator[tuple[str, float, float, float, float, float]]:
    """Each text with its left and right end, its base line, and the width and height of the room that it is in."""
    for box in picture.findall(f"{SVG}svg"):
        room = next((one for one in box.iter(f"{SVG}svg") if one.get("class") == "inside"), box)
        wide, high = float(room.get("width", "nan")), float(room.get("height", "nan"))
        label = box.get("class") == "label"
        for parent in room.iter():
            move = re.match(r"translate\((\S+) (\S+)\)", parent.get("transform", ""))
            off_x, off_y = (float(move[1]), float(move[2])) if move else (0.0, 0.0)
            for text in parent.findall(f"{SVG}text"):
                kinds = text.get("class", "").split()
                badge = "badge" in parent.get("class", "")
                kind = next((one for one in kinds if one in MEASURES), "path" if label else "badge" if badge else "?")
                width = MEASURES[kind](text.text or "")
                x = float(text.get("x", "nan")) + off_x
                left = x if "first" in kinds else x - width / 2
                yield text.text or "", left, left + width, float(text.get("y", "nan")) + off_y, wide, high


def check(text: str) -> ElementTree.Element:
    """Nothing lies over anything else, all texts fit, arrows pass beside boxes and labels, heads touch boxes."""
    picture = root(text)
    page = picture.find(f"{SVG}rect")
    assert page is not None
    x, y, width, height = (float(one) for one in picture.get("viewBox", "").split())
    found = rectangles(picture)
    for one, other in combinations(found, 2):
        assert not one.meets(other), (one, other)
    for one in found:
        assert x <= one.x <= one.x + one.width <= x + width
        assert y <= one.y <= one.y + one.height <= y + height
    for line in lines(picture):
        for point in line:
            assert not any(one.holds(*point) for one in found), (point, line[0], line[-1])
            assert x <= point[0] <= x + width
            assert y <= point[1] <= y + height
    boxes = [one for one in found if one.kind == "task"]
    for end in heads(picture):
        assert any(one.is_met_at(*end) for one in boxes), end
    for said, left, right, base, wide, high in texts(picture):
        assert left >= -0.5, said
        assert right <= wide + 0.5, said
        assert 8 <= base <= high - 3, said
    return picture
