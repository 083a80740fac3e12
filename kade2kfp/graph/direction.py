"""Whether a picture leads to the right or down."""

from __future__ import annotations

from collections import Counter

from kade2kfp.drawing.layers import acyclic, ranks
from kade2kfp.graph.model import Direction, Flow, Graph

_LONG = 3  # tasks one behind the other that a page shows side by side, large enough to be read
_ALONG = 3  # so much room, in proportion to _BESIDE, do a task and its label take along a row
_BESIDE = 2  # and so much a task in a column of them


def flow_of(graph: Graph, wanted: Direction) -> Flow:
    """What is wanted; for `auto` to the right while that fits a page, then where the picture is the less wide.

    It is found in the graph alone, so that it is the same in each format.
    """
    if wanted != "auto":
        return wanted
    count = len(graph.boxes)
    edges = [(arrow.giver, arrow.taker) for arrow in graph.arrows]
    turned = acyclic(count, edges)
    rank = ranks(count, [edge[::-1] if edge in turned else edge for edge in edges])
    joined = {end for edge in edges for end in edge}
    layers = Counter(rank[number] for number in joined)
    long, wide = len(layers), max(layers.values(), default=0)
    return "down" if long > _LONG and long * _ALONG > wide * _BESIDE else "right"
