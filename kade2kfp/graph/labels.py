"""Which arrows share a label, and what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kade2kfp.graph.contents import Row, label, label_size
from kade2kfp.graph.model import ArrowKind, Flow, Graph


@dataclass(frozen=True, slots=True)
class Label:
    """Rows at arrows that lead from each of `givers` to each of `takers`, which are places in the graph's boxes.

    `arrows` are the arrows' places in the graph. Without rows it is the point where they meet and part.
    """

    kind: ArrowKind
    rows: tuple[Row, ...]
    givers: tuple[int, ...]
    takers: tuple[int, ...]
    arrows: tuple[int, ...]
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


_Said = tuple[ArrowKind, tuple[Row, ...]]


def labels_of(graph: Graph, flow: Flow) -> list[Label]:
    """A label for each arrow; one for those that say the same and leave one box, and for boxes of which that is so alike."""
    leaving: dict[tuple[_Said, int], list[int]] = {}
    for number, arrow in enumerate(graph.arrows):
        leaving.setdefault(((arrow.kind, label(arrow, flow)), arrow.giver), []).append(number)
    alike: dict[tuple[_Said, tuple[int, ...]], list[int]] = {}
    for (said, _), arrows in leaving.items():
        takers = tuple(sorted(graph.arrows[number].taker for number in arrows))
        alike.setdefault((said, takers), []).extend(arrows)
    made = []
    for ((kind, rows), takers), arrows in alike.items():
        givers = tuple(dict.fromkeys(graph.arrows[number].giver for number in arrows))
        width, height = label_size(rows)
        made.append(Label(kind, rows, givers, takers, tuple(arrows), width=math.ceil(width), height=math.ceil(height)))
    return made
