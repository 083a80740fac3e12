"""The outline of each type of task, so that types are told apart without colours, too. Lengths are in CSS pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kade2kfp.graph.model import Flow

Outline = Callable[[float, float], tuple[str, str]]
"""From width and height to the data of two SVG paths: the outline, which is filled, and lines in it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An outline, the room that it takes from the text on each side, and where arrows may meet its sides.

    How far from the corners arrows keep: `before` at the left side, `behind` at the right, `above` and `below`; None
    where all meet in the middle.
    """

    outline: Outline
    left: float = 14
    right: float = 14
    top: float = 9
    bottom: float = 9
    before: float | None = 10
    behind: float | None = 10
    above: float | None = 16
    below: float | None = 16

    def spare(self, flow: Flow, *, coming: bool) -> float | None:
        """How far from the corners arrows keep where they come along the flow, or leave."""
        if flow == "right":
            return self.before if coming else self.behind
        return self.above if coming else self.below


def _rounded(w: float, h: float) -> tuple[str, str]:
    return _rectangle(0, 0, w, h, 8), ""


def _rectangle(x: float, y: float, w: float, h: float, r: float) -> str:
    a = f"a{r:g} {r:g} 0 0 1"
    return (
        f"M{x + r:g} {y:g}h{w - 2 * r:g}{a} {r:g} {r:g}v{h - 2 * r:g}{a} {-r:g} {r:g}"
        f"h{2 * r - w:g}{a} {-r:g} {-r:g}v{2 * r - h:g}{a} {r:g} {-r:g}z"
    )


def _cylinder(w: float, h: float) -> tuple[str, str]:
    cap = 7
    over = f"a{w / 2:g} {cap} 0 0 1 {w:g} 0"
    return f"M0 {cap}{over}v{h - 2 * cap:g}a{w / 2:g} {cap} 0 0 1 {-w:g} 0z", f"M0 {cap}a{w / 2:g} {cap} 0 0 0 {w:g} 0"


def _barred(w: float, h: float) -> tuple[str, str]:
    return f"M0 0h{w:g}v{h:g}h{-w:g}z", f"M7 0v{h:g}M{w - 7:g} 0v{h:g}"


def _spined(w: float, h: float) -> tuple[str, str]:
    rings = round((h - 12) / 9)
    step = (h - 12) / rings
    holes = "".join(f"M6 {6 + step * (ring + 0.5):g}h6" for ring in range(rings))
    return _rectangle(0, 0, w, h, 4), f"M17 0v{h:g}{holes}"


def _screen(w: float, h: float) -> tuple[str, str]:
    stand = f"M{w / 2 - 26:g} {h - 1:g}h52M{w / 2:g} {h - 8:g}v7"
    return _rectangle(0, 0, w, h - 8, 8), stand


def _pointed(w: float, h: float) -> tuple[str, str]:
    tip = 18
    return f"M0 0h{w - tip:g}L{w:g} {h / 2:g}L{w - tip:g} {h:g}H0z", ""


def _hexagon(w: float, h: float) -> tuple[str, str]:
    tip = 20
    return f"M{tip} 0H{w - tip:g}L{w:g} {h / 2:g}L{w - tip:g} {h:g}H{tip}L0 {h / 2:g}z", ""


def _funnel(w: float, h: float) -> tuple[str, str]:
    return f"M0 0L{w:g} 10V{h - 10:g}L0 {h:g}z", ""


def _funnel_down(w: float, h: float) -> tuple[str, str]:
    return f"M0 0H{w:g}L{w - 16:g} {h:g}H16z", ""


SHAPES = {
    "loadData": Shape(_cylinder, top=17, bottom=13, before=14, behind=14, above=45, below=45),
    "container": Shape(_barred, left=18, right=18),
    "notebook": Shape(_spined, left=27),
    "job": Shape(_rounded),
    "viewer": Shape(_screen, bottom=17, before=18, behind=18, below=None),
    "serving": Shape(_pointed, right=26, behind=None, above=28, below=28),
    "condition": Shape(_hexagon, left=26, right=26, before=None, behind=None, above=28, below=28),
    "select": Shape(_funnel, right=18, top=12, bottom=12, before=12, behind=20),
}
_DOWN = {"select": Shape(_funnel_down, left=24, right=24, below=28)}
PLAIN = SHAPES["job"]
"""Of a type that has no shape of its own."""


def shape_of(type_: str, flow: Flow) -> Shape:
    """The shape of a type, where the picture leads so: a funnel grows narrow along it."""
    found = SHAPES.get(type_, PLAIN)
    return found if flow == "right" else _DOWN.get(type_, found)


ICONS = {
    "gate": "M2.5 1.5h2.6v9H2.5zM6.9 1.5h2.6v9H6.9z",
    "sweep": "M1 4h7v7H1zM4 4V1h7v7H8",
    "retry": "M10.5 6a4.5 4.5 0 1 1-1.4-3.2M9.6.4v2.8H6.8",
    "always": "M1 6h9.5M7 2.5L10.5 6L7 9.5",
    "exit": "M2.5 11.5V1h7.5L8 3.75L10 6.5H2.5",
    "volume": "M1.5 3a4.5 2 0 0 1 9 0v6a4.5 2 0 0 1-9 0zM1.5 3a4.5 2 0 0 0 9 0",
}
"""The mark of each kind of badge: the data of an SVG path in a square of 12."""
