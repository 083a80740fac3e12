"""How high the nodes of a layered graph lie, in an order of each layer that is given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf

from kade2kfp.drawing.layers import neighbours

GAP = 14.0
"""Between two boxes of a layer."""
_PULL = (1.0, 2.0, 64.0)
"""Of an edge between nodes of which none, one or both are lanes: long arrows bend where they begin and end."""
_LANE = 9.0  # between an arrow that passes a layer and what is beside it


def rows(
    layers: list[list[int]], short: Sequence[tuple[int, int]], heights: list[float], settle: int = 0
) -> list[float]:
    """The y of each node's middle: near to its neighbours', in the layer's order, none over another.

    `short` are the edges, which join neighbouring layers. What has no height is a lane, where an arrow passes. In
    `settle` turns more each node looks at its neighbours on both sides, and lanes are made straight then.
    """
    before, after = neighbours(len(heights), short)
    middle = [0.0] * len(heights)
    offsets = []
    for layer in layers:
        offset = [0.0]
        for one, following in pairwise(layer):
            gap = GAP if heights[one] and heights[following] else _LANE
            offset.append(offset[-1] + (heights[one] + heights[following]) / 2 + gap)
        offsets.append(offset)
        for one, at in zip(layer, offset, strict=True):
            middle[one] = at - offset[-1] / 2
    turns = list(zip(layers, offsets, strict=True))
    for sweep in range(8):
        for layer, offset in turns if sweep % 2 == 0 else turns[::-1]:
            near = before if sweep % 2 == 0 else after
            wanted = [sum(middle[o] for o in near[n]) / len(near[n]) if near[n] else middle[n] for n in layer]
            # Lanes weigh more, so that long arrows are straight.
            weights = [(1.0 if heights[one] else 6.0) * (1 if near[one] else 0.2) for one in layer]
            for one, at in zip(layer, nearest(wanted, offset, weights), strict=True):
                middle[one] = at
    if settle:
        _settle(turns, before, after, heights, middle, settle)
        _straighten(turns, after, heights, middle)
    top = min(middle[one] - heights[one] / 2 for one in range(len(middle)))
    return [one - top for one in middle]


def _settle(
    turns: Sequence[tuple[list[int], list[float]]],
    before: Sequence[list[int]],
    after: Sequence[list[int]],
    heights: Sequence[float],
    middle: list[float],
    rounds: int,
) -> None:
    """Move each node to the middle of its neighbours on both sides, as far as the order allows: arrows grow straight.

    What is made as small as can be is the sum of squares of how far arrows lead up or down; in lanes that counts most.
    """
    pulls = [
        [(other, _PULL[(not heights[one]) + (not heights[other])]) for other in (*before[one], *after[one])]
        for one in range(len(heights))
    ]
    for turn in range(rounds):
        for layer, offset in turns if turn % 2 == 0 else turns[::-1]:
            weights = [sum(pull for _, pull in pulls[one]) for one in layer]
            wanted = [
                sum(middle[other] * pull for other, pull in pulls[one]) / weight if weight else middle[one]
                for one, weight in zip(layer, weights, strict=True)
            ]
            for one, at in zip(layer, nearest(wanted, offset, [weight or 0.2 for weight in weights]), strict=True):
                middle[one] = at


def _straighten(
    turns: Sequence[tuple[list[int], list[float]]],
    after: Sequence[list[int]],
    heights: Sequence[float],
    middle: list[float],
) -> None:
    """Put lanes that follow each other at one y, as many as have room there."""
    where = {one: (turn, at) for turn in turns for at, one in enumerate(turn[0]) if not heights[one]}
    following = {one: next((other for other in after[one] if other in where), -1) for one in where}
    for lane in sorted(following.keys() - set(following.values())):
        row: list[int] = []
        least, most = -inf, inf
        while lane >= 0:
            low, high = _room(*where[lane], middle)
            if max(least, low) > min(most, high):
                _put(row, least, most, middle)
                row, least, most = [], -inf, inf
            row.append(lane)
            least, most = max(least, low), min(most, high)
            lane = following[lane]
        _put(row, least, most, middle)


def _room(turn: tuple[list[int], list[float]], at: int, middle: Sequence[float]) -> tuple[float, float]:
    """From where to where a node of a layer may be moved; it may stay, whatever sums of fractions say."""
    layer, offset = turn
    now = middle[layer[at]]
    low = middle[layer[at - 1]] + offset[at] - offset[at - 1] if at else -inf
    high = middle[layer[at + 1]] - offset[at + 1] + offset[at] if at + 1 < len(layer) else inf
    return min(low, now), max(high, now)


def _put(row: Sequence[int], least: float, most: float, middle: list[float]) -> None:
    """Put lanes to the y nearest to all of them between these."""
    mean = sum(middle[one] for one in row) / len(row)
    for one in row:
        middle[one] = min(max(mean, least), most)


def nearest(wanted: list[float], offset: list[float], weights: list[float]) -> list[float]:
    """Positions nearest to the wanted ones (least squares) that are as far apart as the offsets are, or farther.

    That is isotonic regression of wanted - offset, by pooling adjacent violators.
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for want, off, weight in zip(wanted, offset, weights, strict=True):
        mean, count = want - off, 1
        while pools and pools[-1][0] > mean:
            last, heavy, many = pools.pop()
            mean = (last * heavy + mean * weight) / (heavy + weight)
            weight, count = weight + heavy, count + many
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + off for mean, off in zip(means, offset, strict=True)]
