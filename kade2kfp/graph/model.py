"""A document's graph as data: one box a task, and what leads from box to box. Every picture of it is drawn from this.

Texts are those of the document, as they stand there: whoever draws them escapes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BadgeKind = Literal["gate", "sweep", "retry", "always", "exit", "volume"]
ArrowKind = Literal["data", "order", "values"]
Flow = Literal["right", "down"]
"""Where arrows lead."""
Direction = Literal["auto", Flow]
"""What is asked for; `auto` is one of the two, by the graph's shape."""


@dataclass(frozen=True, slots=True)
class Badge:
    """What is worth knowing of a box at a glance, such as `×12` of a sweep or `nas:/data` of a mounted volume."""

    kind: BadgeKind
    text: str


@dataclass(frozen=True, slots=True)
class Box:
    """A task. `detail` is what tells it from others of its `type`: an image, a URL, a test; it may be empty."""

    id: str
    name: str
    type: str
    detail: str
    badges: tuple[Badge, ...] = ()

    def has(self, kind: BadgeKind) -> bool:
        """Whether it has a badge of that kind."""
        return any(badge.kind == kind for badge in self.badges)


@dataclass(frozen=True, slots=True)
class Passage:
    """A path of one task that becomes a path of another; on the volume of that id, if that is not empty."""

    from_path: str
    to_path: str
    volume: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """All that leads from one box to another; `giver` and `taker` are places in the graph's boxes.

    `data` carries paths, `order` only says what comes first, `values` stands where a reference alone says so. `branches`
    are those of a condition that it leaves; `values` names what references take.
    """

    giver: int
    taker: int
    kind: ArrowKind
    branches: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """The boxes in the document's order, and at most one arrow from each to each other."""

    name: str
    description: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
