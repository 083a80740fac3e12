"""A directed graph in layers: nodes are 0 to count - 1, edges are pairs of them. Nothing here knows of sizes.

The steps are those of Sugiyama, Tagawa and Toda (1981): break cycles, put nodes into layers, order each layer by
barycentres. All are deterministic: ties fall to the lower number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

Edge = tuple[int, int]


def neighbours(count: int, edges: Iterable[Edge]) -> tuple[list[list[int]], list[list[int]]]:
    """What stands before each node, and what after it, in the order of the edges."""
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        after[source].append(target)
        before[target].append(source)
    return before, after


def acyclic(count: int, edges: Sequence[Edge]) -> set[Edge]:
    """The edges that have to be turned round so that no cycle is left: those that lead back in a depth-first walk."""
    _, after = neighbours(count, edges)
    turned: set[Edge] = set()
    colour = [0] * count  # 0 not seen, 1 on the way from the root, 2 done
    for root in range(count):
        if colour[root]:
            continue
        colour[root] = 1
        walk = [(root, iter(after[root]))]
        while walk:  # no recursion: a chain may be longer than Python's stack
            node, rest = walk[-1]
            following = next(rest, None)
            if following is None:
                colour[node] = 2
                walk.pop()
            elif colour[following] == 1:
                turned.add((node, following))
            elif colour[following] == 0:
                colour[following] = 1
                walk.append((following, iter(after[following])))
    return turned


def ranks(count: int, edges: Iterable[Edge]) -> list[int]:
    """The layer of each node: the longest way to it. The edges have no cycle."""
    before, after = neighbours(count, edges)
    missing = [len(one) for one in before]
    ready = [node for node in range(count) if not missing[node]]
    rank = [0] * count
    for node in ready:  # grows while it is walked
        for following in after[node]:
            rank[following] = max(rank[following], rank[node] + 1)
            missing[following] -= 1
            if not missing[following]:
                ready.append(following)
    return rank


def without_implied(count: int, edges: Sequence[Edge], rank: Sequence[int]) -> list[Edge]:
    """The edges but those that a longer way says as well. The edges have no cycle."""
    _, after = neighbours(count, edges)
    reach = [0] * count  # a bit for each node
    kept: set[Edge] = set()
    for node in sorted(range(count), key=lambda one: -rank[one]):
        for following in sorted(after[node], key=lambda one: (rank[one], one)):
            if not reach[node] >> following & 1:
                kept.add((node, following))
                reach[node] |= reach[following] | 1 << following
    return [edge for edge in edges if edge in kept]


def first_order(rank: Sequence[int], edges: Iterable[Edge]) -> list[list[int]]:
    """Layers in the order of a depth-first walk, which keeps together what hangs together."""
    before, after = neighbours(len(rank), edges)
    layers: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    seen = [False] * len(rank)
    for root in range(len(rank)):
        stack = [root] if not before[root] else []
        while stack:
            node = stack.pop()
            if seen[node]:
                continue
            seen[node] = True
            layers[rank[node]].append(node)
            stack.extend(reversed(after[node]))
    return layers


def ordered(layers: list[list[int]], edges: Sequence[Edge], sweeps: int) -> list[list[int]]:
    """The layers, each in an order with few crossings; every edge joins two layers that stand side by side."""
    count = sum(map(len, layers))
    before, after = neighbours(count, edges)
    place = [0] * count
    best = [list(layer) for layer in layers]
    fewest = _crossings(best, after, place)
    now = [list(layer) for layer in layers]
    for sweep in range(sweeps):
        if not fewest:
            break
        forth = sweep % 2 == 0
        for number in range(1, len(now)) if forth else range(len(now) - 2, -1, -1):
            fixed = now[number - 1 if forth else number + 1]
            for position, node in enumerate(fixed):
                place[node] = position
            now[number] = _by_barycentre(now[number], before if forth else after, place)
        found = _crossings(now, after, place)
        if found < fewest:
            best, fewest = [list(layer) for layer in now], found
    return best


def _by_barycentre(layer: list[int], others: list[list[int]], place: list[int]) -> list[int]:
    """A layer by the mean place of its neighbours; a node without any keeps its place."""
    mean = {node: sum(place[one] for one in others[node]) / len(others[node]) for node in layer if others[node]}
    moved = iter(sorted(mean, key=lambda node: mean[node]))
    return [next(moved) if node in mean else node for node in layer]


def _crossings(layers: list[list[int]], after: list[list[int]], place: list[int]) -> int:
    """How many pairs of edges cross: inversions, counted with a Fenwick tree."""
    total = 0
    for upper, lower in pairwise(layers):
        for position, node in enumerate(lower):
            place[node] = position
        tree = [0] * (len(lower) + 1)
        seen = 0
        for node in upper:
            ends = sorted(place[one] for one in after[node])
            for end in ends:
                index, not_after = end + 1, 0
                while index:
                    not_after += tree[index]
                    index &= index - 1
                total += seen - not_after
            for end in ends:
                index = end + 1
                while index < len(tree):
                    tree[index] += 1
                    index += index & -index
            seen += len(ends)
    return total
