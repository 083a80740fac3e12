"""What arrows share, how texts are broken and cut, and what large pictures cost."""

from __future__ import annotations

import time
import unicodedata
from typing import Any

import pytest

from kade2kfp.graph import Graph, as_svg
from kade2kfp.graph.contents import contents
from kade2kfp.graph.labels import labels_of
from kade2kfp.graph.measure import bold, ended, middled, regular, wrapped
from kade2kfp.graph.model import Arrow, Box, Flow, Passage
from kade2kfp.graph.palette import DARK, LIGHT

from .documents import arrow, document, drawn, sixty
from .pictures import SVG, check, heads, rectangles, root
from .test_svg import contrast

FLOWS: tuple[Flow, ...] = ("right", "down")


def graph(count: int, pairs: list[tuple[int, int]], words: int) -> Graph:
    """Tasks with arrows of so many different paths."""
    boxes = tuple(Box(f"b{number}", f"b{number}", "job", "python:3.11") for number in range(count))
    arrows = (Arrow(a, b, "data", passages=(Passage("/out", f"/in{a % words}"),)) for a, b in pairs)
    return Graph("g", "", boxes, tuple(arrows))


def test_twenty_candidates_share_the_label_at_what_they_are_handed_to() -> None:
    tasks: list[dict[str, Any]] = [{"id": f"t{number}", "metrics": "/m"} for number in range(20)]
    best = {"id": "best", "type": "select", "metric": "x", "path": "/m"}
    arrows = [arrow(f"t{number}", "best", "/m", "/candidates") for number in range(20)]
    given = drawn(document(*tasks, best, arrows=arrows))
    for flow in FLOWS:
        picture = check(as_svg(given, direction=flow))
        assert sum(one.kind == "label" for one in rectangles(picture)) == len(heads(picture)) == 1
    titles = ["".join(one.itertext()) for one in picture.iter(f"{SVG}title")]
    assert f"{', '.join(f't{number}' for number in range(20))} → best: /m → /candidates" in titles


def test_a_label_stands_for_an_arrow_from_each_of_its_givers_to_each_of_its_takers() -> None:
    for given in (drawn(sixty()), graph(12, [(a, b) for a in range(12) for b in range(a + 1, 12)], 2)):
        labels = labels_of(given, "right")
        numbers = [number for label in labels for number in label.arrows]
        assert sorted(numbers) == list(range(len(given.arrows)))
        for label in labels:
            ends = [(given.arrows[number].giver, given.arrows[number].taker) for number in label.arrows]
            assert sorted(ends) == sorted((giver, taker) for giver in label.givers for taker in label.takers)
            assert {given.arrows[number].kind for number in label.arrows} == {label.kind}


def test_arrows_that_are_too_many_for_one_side_meet_at_one_point_of_it() -> None:
    wide = graph(41, [(number, 40) for number in range(40)], 40)
    for flow in FLOWS:
        picture = check(as_svg(wide, direction=flow))
        assert len(heads(picture)) == 40
        assert len(set(heads(picture))) == 1
    few = graph(4, [(number, 3) for number in range(3)], 3)
    assert len(set(heads(check(as_svg(few, direction="right"))))) == 3


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("train", ["train"]),
        ("Train the gradient boosted decision trees", ["Train the gradient", "boosted decision", "trees"]),
        ("train-gradient-boosted-decision-trees", ["train-gradient-", "boosted-decision-", "trees"]),
        ("best.accuracy ≥ min_accuracy", ["best.accuracy ≥", "min_accuracy"]),
        ("x" * 60, None),
    ],
)
def test_names_are_broken_where_words_end(text: str, rows: list[str] | None) -> None:
    found = wrapped(text, 160, bold(14), 3)
    assert rows is None or found == rows
    assert len(found) <= 3
    assert all(bold(14)(row) <= 160 for row in found)


def test_of_a_long_image_the_name_and_the_tag_are_left() -> None:
    image = "registry.example.org/a-very-long-team-name/and-a-project/an-image-name:2026.11.22-rc1"
    short = middled(image, 184, regular(12))
    assert short.startswith("…/an-im")
    assert short.endswith(".11.22-rc1")
    assert middled("ghcr.io/team/app:1", 184, regular(12)) == "ghcr.io/team/app:1"
    assert middled("/a/" + "b/" * 40 + "file.txt", 120, regular(12)).endswith("/file.txt")


@pytest.mark.parametrize(
    "text",
    ["👩‍💻👨‍👩‍👧‍👦" * 6, "e\u0301a\u0308" * 20, "👍🏽👍🏿" * 12, "कि" * 20],
    ids=["joined", "accents", "skin", "vowels"],
)
def test_no_character_is_parted_from_what_belongs_to_it(text: str) -> None:
    measure = bold(14)
    for most in range(96, 200, 3):
        parts = [ended(text, most, measure), *wrapped(text, most, measure, 3), *middled(text, most, measure).split("…")]
        for kept in filter(None, (part.rstrip("…") for part in parts)):
            assert measure(kept) <= most
            assert not kept.endswith("\u200d")
            assert kept[0] != "\u200d"
            assert unicodedata.category(kept[0]) not in ("Mn", "Mc", "Sk")


def test_a_name_from_right_to_left_ends_at_its_left() -> None:
    text = as_svg(drawn(document({"id": "a", "name": "אימון המודל על כל הנתונים הזמינים מכל האזורים של המדינה"})))
    assert ".name { font-size: 14px; font-weight: 600; unicode-bidi: plaintext; }" in text


def test_who_does_not_see_it_is_told_what_leads_where() -> None:
    arrows = [arrow("a", "b", "/o", "/i"), arrow("a", "c"), arrow("b", "c")]
    picture = root(as_svg(drawn(document({"id": "a", "name": "<A>"}, {"id": "b"}, {"id": "c"}, arrows=arrows))))
    assert picture.get("role") == "img"
    assert [one.tag.removeprefix(SVG) for one in picture][:2] == ["title", "desc"]
    assert picture[0].text == "drawn"
    assert picture[1].text == "A pipeline of 3 tasks. <A> leads to b, c. b leads to c."
    assert len(root(as_svg(drawn(sixty())))[1].text or "") <= 2000


def test_a_picture_that_leaves_arrows_out_says_so() -> None:
    note = "Arrows that longer ways imply are left out."
    dense = graph(50, [(a, b) for a in range(50) for b in range(a + 1, 50)], 50)
    for flow in FLOWS:
        picture = check(as_svg(dense, direction=flow))
        assert [one.text for one in picture.findall(f"{SVG}text")] == [note]
    assert note not in as_svg(drawn(sixty()))
    for palette in (LIGHT, DARK):
        assert contrast(palette.dim, palette.page) >= 4.5


def test_a_dense_graph_is_no_more_text_than_its_arrows() -> None:
    both = graph(100, [(a, b) for a in range(50) for b in range(50, 100)], 1)
    assert len(as_svg(both)) < 1000 * 100


def _cost(given: Graph, flow: Flow) -> float:
    """Seconds of this process for a picture, the best of three."""
    took = []
    for _ in range(3):
        begin = time.process_time()
        as_svg(given, direction=flow)
        took.append(time.process_time() - begin)
    return min(took)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_thousand_tasks_cost_little_more_for_each_than_two_hundred(flow: Flow) -> None:
    def layered(count: int) -> Graph:
        pairs = [(max(0, one - 10 - one * 7 % 13), one) for one in range(10, count)]
        pairs += [(max(0, one - 20 - one * 5 % 11), one) for one in range(20, count)]
        return graph(count, sorted({pair for pair in pairs if pair[0] < pair[1]}), 5)

    small, large = _cost(layered(200), flow), _cost(layered(1000), flow)
    assert large < 5 * 3 * small


def test_contents_of_a_box_have_three_lines_of_a_name_at_most() -> None:
    for flow in FLOWS:
        found = contents(Box("a", "word " * 60, "select", "max x"), flow)
        assert len(found.names) == 3
        assert found.names[-1].endswith("…")
