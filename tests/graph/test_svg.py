"""The picture itself: nothing covers anything, whatever the graph is, and no text of a document gets out of its place."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kade2kfp.graph import Graph, as_svg, dot, mermaid
from kade2kfp.graph.model import Arrow, Badge, Box, Flow, Passage
from kade2kfp.graph.palette import DARK, LIGHT, Palette
from kade2kfp.graph.shapes import SHAPES
from kade2kfp.rules.read import TYPES as RULED

from .documents import EXAMPLES, HOSTILE, ROOT, STARTERS, TYPES, arrow, document, drawn, hostile, sixty
from .pictures import SVG, check, heads, rectangles, root

both = pytest.mark.parametrize("flow", ["right", "down"])


@both
@pytest.mark.parametrize("path", [*EXAMPLES, *STARTERS], ids=lambda path: path.parent.name)
def test_examples_are_drawn_without_overlaps(path: Path, flow: Flow) -> None:
    graph = drawn(path.read_text(encoding="utf-8"))
    picture = check(as_svg(graph, direction=flow))
    assert len([one for one in rectangles(picture) if one.kind == "task"]) == len(graph.boxes)


@both
def test_sixty_tasks_are_drawn_without_overlaps(flow: Flow) -> None:
    graph = drawn(sixty())
    assert len(graph.boxes) == 60
    assert {box.type for box in graph.boxes} == set(SHAPES)
    picture = check(as_svg(graph, direction=flow))
    boxes = {one.find(f"{SVG}title").text.partition(" (")[0]: one for one in picture.findall(f"{SVG}svg")}
    last, first = boxes["Tell the team"], boxes["Load orders"]
    # It runs at the end, and stands there.
    assert float(last.get("x", "0")) > float(first.get("x", "0"))
    assert all(float(last.get("y", "0")) > float(one.get("y", "0")) for one in boxes.values() if one is not last)


TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60), st.sampled_from(["/data", "/a/b/c.txt", "Train"]))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 12))
    kinds = st.sampled_from(["gate", "sweep", "retry", "always", "volume"])
    badges = st.lists(st.builds(Badge, kinds, TEXTS), max_size=3).map(tuple)
    types = st.sampled_from([*TYPES, "unheard-of"])
    boxes = [Box(f"b{number}", draw(TEXTS), draw(types), draw(TEXTS), draw(badges)) for number in range(count)]
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] != pair[1])
    pairs = draw(st.lists(ends, max_size=24, unique=True)) if count > 1 else []
    rows = st.lists(st.builds(Passage, TEXTS, TEXTS, st.sampled_from(["", "", "nas"])), max_size=8).map(tuple)
    arrows = []
    for giver, taker in pairs:
        passages = draw(rows)
        kind = "data" if passages else draw(st.sampled_from(["order", "values"]))
        branches = draw(st.sampled_from([(), (), ("then",), ("then", "else")]))
        values = tuple(draw(st.lists(TEXTS, min_size=1, max_size=7))) if kind == "values" else ()
        arrows.append(Arrow(giver, taker, kind, branches, passages, values))
    return Graph("random", "", tuple(boxes), tuple(arrows))


@given(graphs(), st.sampled_from(["right", "down"]))
@settings(max_examples=100, deadline=None)
def test_any_graph_is_drawn_without_overlaps(graph: Graph, flow: Flow) -> None:
    text = as_svg(graph, direction=flow)
    check(text)
    assert text == as_svg(graph, direction=flow)


@both
def test_hostile_texts_stay_texts(flow: Flow) -> None:
    graph = drawn(hostile())
    text = as_svg(graph, direction=flow)
    picture = check(text)
    names = {one.tag.removeprefix(SVG) for one in picture.iter()}
    assert names <= {"svg", "title", "desc", "style", "rect", "g", "path", "text"}
    attributes = {name for one in picture.iter() for name in one.attrib}
    shape = {"x", "y", "width", "height", "rx", "d", "viewBox", "transform"}
    assert attributes <= shape | {"class", "role", "overflow"}  # no ids, links, handlers, styles
    assert set(re.findall(r'class="([^"]*)"', text)) <= {
        *("kade2kfp-auto", "page", "head", "label", "word", "word first", "first", "icon", "inside"),
        *("shape", "behind", "inner", "name", "detail"),
        *(f"arrow {kind}" for kind in ("data", "order", "values")),
        *(f"badge {kind}" for kind in ("gate", "sweep", "retry", "always", "exit", "volume")),
        *(f"task {type_}" for type_ in TYPES),
    }
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", text)
    assert "<script>alert(1)</script> (t3): select" in "".join(one.text or "" for one in picture.iter(f"{SVG}title"))


def test_nothing_is_fetched_and_nothing_leaks_into_a_page() -> None:
    text = as_svg(drawn(sixty()))
    assert "://" not in re.sub(r"<title>.*?</title>|<text[^>]*>.*?</text>", "", text).replace(
        "http://www.w3.org/2000/svg", ""
    )
    assert "url(" not in text
    style = root(text).find(f"{SVG}style").text
    selectors = re.sub(r"\{[^{}]*\}", ",", style).replace("@media (prefers-color-scheme: dark) {", "").split(",")
    assert len(selectors) > 50
    assert all(one.strip().startswith(".kade2kfp-auto ") for one in selectors if one.strip(" }\n"))


def test_themes() -> None:
    graph = drawn(document({"id": "a"}))
    light, dark, auto = as_svg(graph, "light"), as_svg(graph, "dark"), as_svg(graph)
    assert DARK.page not in light
    assert LIGHT.page not in dark.replace(DARK.on_gate, "")
    assert "prefers-color-scheme" not in light + dark
    assert auto.index(LIGHT.page) < auto.index("prefers-color-scheme: dark") < auto.index(DARK.page)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(palette: Palette) -> None:
    for fill, line in palette.types.values():
        assert contrast(palette.text, fill) >= 4.5
        assert contrast(palette.dim, fill) >= 4.5
        assert contrast(line, palette.page) >= 3
        assert contrast(line, fill) >= 3
    assert contrast(palette.text, palette.label) >= 4.5
    assert contrast(palette.line, palette.page) >= 3
    assert contrast(palette.dim, palette.label) >= 3  # marks of volumes
    assert contrast(palette.on_gate, palette.gate) >= 4.5
    assert set(palette.types) == set(SHAPES)


def contrast(one: str, other: str) -> float:
    """WCAG 2.1, 1.4.3."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_types_have_outlines_of_their_own() -> None:
    outlines = {type_: shape.outline(200, 60) for type_, shape in SHAPES.items()}
    assert len(set(outlines.values())) == len(outlines) == len(TYPES)


def test_arrows_with_the_same_words_share_a_label() -> None:
    takers = [{"id": f"t{number}"} for number in range(5)]
    arrows = [arrow("a", f"t{number}", "/out", "/in") for number in range(4)] + [arrow("a", "t4", "/out", "/else")]
    picture = check(as_svg(drawn(document({"id": "a"}, *takers, arrows=arrows))))
    assert sum(one.kind == "label" for one in rectangles(picture)) == 2
    assert len(heads(picture)) == 5


def test_long_texts_are_in_full_where_the_pointer_rests() -> None:
    path = "/a/" + "very-long-folder/" * 8 + "last.txt"
    texts = [
        "".join(one.itertext())
        for one in _titles(as_svg(drawn(document({"id": "a"}, {"id": "b"}, arrows=[arrow("a", "b", path, "/in")]))))
    ]
    assert any(path in one for one in texts)


def _titles(text: str) -> list[ElementTree.Element]:
    return list(root(text).iter(f"{SVG}title"))


def test_hundreds_of_tasks() -> None:
    tasks = [{"id": f"t{number}"} for number in range(600)]
    arrows = [arrow(f"t{number // 3}", f"t{number}", "/out", f"/in{number % 5}") for number in range(1, 600)]
    graph = drawn(json.dumps(document(*tasks, arrows=arrows)))
    assert {len(heads(root(as_svg(graph, direction=flow)))) for flow in ("right", "down")} == {599}


@pytest.mark.parametrize("name", ["iris", "sweep"])
def test_the_pictures_of_the_manual_are_current(name: str) -> None:
    graph = drawn((ROOT / "examples" / name / "pipeline.json").read_text(encoding="utf-8"))
    committed = (ROOT / "docs" / f"{name}.svg").read_text(encoding="utf-8")
    assert committed == as_svg(graph), f"stale: kade2kfp graph examples/{name}/pipeline.json -o docs/{name}.svg"


def test_boxes_and_labels_stay_small_whatever_the_texts_are() -> None:
    for flow in ("right", "down"):
        for one in rectangles(root(as_svg(drawn(hostile()), direction=flow))):
            assert one.width <= 260
            assert one.height <= 180


def test_of_a_digest_the_beginning_is_shown_and_all_of_it_where_the_pointer_rests() -> None:
    image = "ghcr.io/team/app@sha256:" + "0123456789abcdef" * 4
    picture = as_svg(drawn(document({"id": "one", "type": "job", "image": image, "command": ["x"]})))
    assert re.findall(r">([^<>]*ghcr[^<>]*)</text>", picture) == ["ghcr.io/…/app@0123456…"]
    assert f"<title>one: job {image}</title>" in picture


def test_every_type_of_task_has_its_shape_in_every_format() -> None:
    assert set(SHAPES) == set(dot._SHAPES) == set(mermaid._SHAPES) == set(RULED)
