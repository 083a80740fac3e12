from __future__ import annotations

import time
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kade2kfp.drawing.layout import Layout, Node, layout, path


def nodes(count: int) -> list[Node]:
    return [Node(f"n{number}", 100 + number % 3 * 20, 40 + number % 2 * 10) for number in range(count)]


@st.composite
def graphs(draw: st.DrawFn, cyclic: bool = False) -> tuple[list[Node], list[tuple[str, str]]]:
    count = draw(st.integers(0, 24))
    places = st.integers(0, max(0, count - 1))
    pairs = draw(st.lists(st.tuples(places, places), max_size=60)) if count else []
    hub = draw(st.booleans()) and count > 13
    if hub:  # so that there are frames
        pairs = [(0, one) for one in range(1, count - 1)] + [pair for pair in pairs if min(pair) > 12]
    edges = [(a, b) if cyclic else (min(a, b), max(a, b)) for a, b in pairs]
    return nodes(count), [(f"n{a}", f"n{b}") for a, b in edges]


def check_boxes(drawn: Layout) -> None:
    for one, other in combinations(drawn.nodes, 2):
        apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
        apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert apart_x or apart_y, (one, other)
    for frame in drawn.frames:
        for one in drawn.nodes:
            inside = frame.x <= one.x and one.x + one.width <= frame.x + frame.width
            inside = inside and frame.y <= one.y and one.y + one.height <= frame.y + frame.height
            beside = one.x + one.width <= frame.x or frame.x + frame.width <= one.x
            beside = beside or one.y + one.height <= frame.y or frame.y + frame.height <= one.y
            assert inside if one.id in frame.members else beside
    for one in drawn.nodes:
        assert 0 <= one.x <= one.x + one.width <= drawn.width
        assert 0 <= one.y <= one.y + one.height <= drawn.height


@given(graphs())
@settings(max_examples=80, deadline=None)
def test_boxes_lie_apart_and_edges_lead_to_higher_layers(graph: tuple[list[Node], list[tuple[str, str]]]) -> None:
    given_nodes, edges = graph
    drawn = layout(given_nodes, edges)
    assert [one.id for one in drawn.nodes] == [one.id for one in given_nodes]
    check_boxes(drawn)
    layer = {one.id: one.layer for one in drawn.nodes}
    wanted = {(a, b) for a, b in edges if a != b}
    assert all(layer[a] < layer[b] for a, b in wanted)
    assert {(a, b) for route in drawn.routes for a in route.sources for b in route.targets} == wanted
    assert drawn == layout(given_nodes, edges)


@given(graphs(cyclic=True))
@settings(max_examples=60, deadline=None)
def test_cycles_are_drawn_too(graph: tuple[list[Node], list[tuple[str, str]]]) -> None:
    given_nodes, edges = graph
    drawn = layout(given_nodes, edges)
    check_boxes(drawn)
    wanted = {(a, b) for a, b in edges if a != b}
    assert {(a, b) for route in drawn.routes for a in route.sources for b in route.targets} == wanted


@given(graphs())
@settings(max_examples=40, deadline=None)
def test_arrows_begin_and_end_at_the_sides_of_boxes(graph: tuple[list[Node], list[tuple[str, str]]]) -> None:
    drawn = layout(*graph, pack=0)
    at = {one.id: one for one in drawn.nodes}
    for route in drawn.routes:
        source, target = at[route.sources[0]], at[route.targets[0]]
        (x, y), (to_x, to_y) = route.points[0], route.points[-1]
        assert abs(x - source.x - source.width) <= 1
        assert source.y < y < source.y + source.height
        assert abs(to_x - target.x) <= 1
        assert target.y < to_y < target.y + target.height
        assert len(route.points) == 2 * (target.layer - source.layer)


@given(graphs(cyclic=True))
@settings(max_examples=60, deadline=None)
def test_a_settled_picture_keeps_its_order(
    graph: tuple[list[Node], list[tuple[str, str]]],
) -> None:
    given_nodes, edges = graph
    loose, drawn = layout(given_nodes, edges, pack=0), layout(given_nodes, edges, pack=0, settle=10)
    check_boxes(drawn)
    for one, other in combinations(range(len(given_nodes)), 2):
        if loose.nodes[one].layer == loose.nodes[other].layer:
            assert (loose.nodes[one].y < loose.nodes[other].y) == (drawn.nodes[one].y < drawn.nodes[other].y)
    assert drawn == layout(given_nodes, edges, pack=0, settle=10)


def test_an_edge_past_many_layers_is_straight() -> None:
    chain = [(f"n{number}", f"n{number + 1}") for number in range(11)]
    edges = [*chain, ("n0", "n11"), ("n2", "n9"), ("n4", "n6")]
    drawn = layout(nodes(12), edges, pack=0, settle=10)
    for source, target in (("n0", "n11"), ("n2", "n9"), ("n4", "n6")):
        route = next(one for one in drawn.routes if (one.sources, one.targets) == ((source,), (target,)))
        assert len({y for _, y in route.points[1:-1]}) == 1


def test_an_edge_past_a_layer_keeps_clear_of_its_boxes() -> None:
    drawn = layout(nodes(4), [("n0", "n1"), ("n1", "n2"), ("n0", "n2"), ("n0", "n3"), ("n3", "n2")])
    route = next(one for one in drawn.routes if (one.sources, one.targets) == (("n0",), ("n2",)))
    height = route.points[1][1]
    assert all(not one.y <= height <= one.y + one.height for one in drawn.nodes if one.layer == 1)


def test_two_arrows_do_not_cross_where_they_need_not() -> None:
    drawn = layout(nodes(6), [("n0", "n5"), ("n1", "n4"), ("n2", "n3")])
    rows = {one.id: one.y for one in drawn.nodes}
    left = sorted(("n0", "n1", "n2"), key=rows.__getitem__)
    right = sorted(("n5", "n4", "n3"), key=rows.__getitem__)
    assert list(zip(left, right, strict=True)) == [("n0", "n5"), ("n1", "n4"), ("n2", "n3")]


def test_unknown_repeated_and_self_edges_are_left_out() -> None:
    drawn = layout(nodes(2), [("n0", "n1"), ("n0", "n1"), ("n1", "n1"), ("n0", "gone"), ("gone", "n1")])
    assert [(route.sources, route.targets) for route in drawn.routes] == [(("n0",), ("n1",))]


def test_two_nodes_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="one id"):
        layout([Node("a", 1, 1), Node("a", 1, 1)], [])


def test_nothing_and_one() -> None:
    assert layout([], []) == Layout((), (), (), 0.0, 0.0)
    one = layout([Node("a", 30, 20)], [])
    assert (one.width, one.height, one.nodes[0].x, one.nodes[0].y) == (30, 20, 0, 0)


def test_many_alike_are_one_frame() -> None:
    drawn = layout(nodes(302), [edge for b in range(1, 301) for edge in (("n0", f"n{b}"), (f"n{b}", "n301"))])
    assert [len(frame.members) for frame in drawn.frames] == [300]
    assert len(drawn.routes) == 2
    check_boxes(drawn)
    assert 0.5 < drawn.frames[0].width / drawn.frames[0].height < 3


@pytest.mark.parametrize(
    "edges",
    [
        [(one, one + 1) for one in range(499)],
        [(one, other) for one in range(500) for other in range(one + 1, min(500, one + 12))],
        [(one, other) for one in range(500) for other in range(one + 1, 500)],
        [(one, 250 + (one * 7 + other) % 250) for one in range(250) for other in range(40)],
        [((one - 1) // 2, one) for one in range(1, 500)],
        [(one, one + 1) for one in range(0, 499, 2)] + [(0, one) for one in range(1, 499, 2)],
        [(0, one) for one in range(1, 500)] + [(one, one + 1) for one in range(498)],
    ],
    ids=["chain", "band", "all", "dense-layers", "tree", "pairs", "long"],
)
def test_500_boxes_of_any_shape_are_placed_soon(edges: list[tuple[int, int]]) -> None:
    named = [(f"n{a}", f"n{b}") for a, b in edges]
    begun = time.process_time()
    drawn = layout(nodes(500), named)
    took = time.process_time() - begun
    layer = {one.id: one.layer for one in drawn.nodes}
    assert all(layer[a] < layer[b] for a, b in named)
    check_boxes(drawn)
    assert took < 3  # an order of magnitude above what it takes


def test_implied_arrows_are_left_out_only_of_a_crowd() -> None:
    few = [(f"n{a}", f"n{b}") for a in range(20) for b in range(a + 1, 20)]
    assert not layout(nodes(20), few).reduced
    many = [(f"n{a}", f"n{b}") for a in range(60) for b in range(a + 1, 60)]
    drawn = layout(nodes(60), many)
    assert drawn.reduced
    assert [(one.sources, one.targets) for one in drawn.routes] == [((f"n{a}",), (f"n{a + 1}",)) for a in range(59)]


def test_a_path_bends_between_layers_and_is_straight_in_them() -> None:
    assert path([(0, 0), (10, 20), (30, 20), (40, 0)]) == "M0 0C5 0 5 20 10 20L30 20C35 20 35 0 40 0"
    assert path([(0, 5), (10, 5)]) == "M0 5L10 5"
