"""How high the nodes of a layered graph lie, in an order of each layer that is given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from kade2kfp.drawing.layers import neighbours

GAP = 14.0
"""Between two boxes of a layer."""
_LANE = 9.0  # between an arrow that passes a layer and what is beside it


def rows(
    layers: list[list[int]], short: Sequence[tuple[int, int]], heights: list[float], settle: int = 0
) -> list[float]:
    """The y of each node's middle: near to its neighbours', in the layer's order, none over another.

    `short` are the edges, which join neighbouring layers. What has no height is a lane, where an arrow passes. In the
    last `settle` turns each box looks at its neighbours on both sides.
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
    beside = [[*one, *other] for one, other in zip(before, after, strict=True)]
    for sweep in range(8 + settle):
        for layer, offset in turns if sweep % 2 == 0 else turns[::-1]:
            side = before if sweep % 2 == 0 else after
            near = {one: beside[one] if sweep >= 8 and heights[one] else side[one] for one in layer}
            wanted = [sum(middle[o] for o in near[n]) / len(near[n]) if near[n] else middle[n] for n in layer]
            # Lanes weigh more, so that long arrows are straight.
            weights = [(1.0 if heights[one] else 6.0) * (1 if near[one] else 0.2) for one in layer]
            for one, at in zip(layer, nearest(wanted, offset, weights), strict=True):
                middle[one] = at
    top = min(middle[one] - heights[one] / 2 for one in range(len(middle)))
    return [one - top for one in middle]


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
