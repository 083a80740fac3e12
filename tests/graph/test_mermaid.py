"""Mermaid's text: a small grammar of the statements that we use, which a text of the document cannot leave.

Mermaid's own parser (11.17) has accepted the same documents; it is not here, since it wants Node.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kade2kfp.graph import as_mermaid

from .documents import EXAMPLES, HOSTILE, arrow, document, drawn, hostile, sixty

# What stands in quotes: no quote, back quote, backslash, angle bracket; `#` and `;` only as numbers; no directive.
TEXT = r'"((?:[^"`\\<>#;%&\n\x00-\x1f]|#\d+;|<br/>)*)"'
BOX = re.compile(
    rf"  t(\d+)(\[\(|\[\[|\[/|\[\\|\(\[|\(|>|\{{\{{){TEXT}(\)\]|\]\]|/\]|\]\)|\)|\]|\}}\}})(:::[a-zA-Z]+)?"
)
ARROW = re.compile(rf"  t(\d+) (-->|-\.->)(?:\|{TEXT}\|)? t(\d+)")
STYLE = re.compile(r"  classDef [a-zA-Z]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}")
LINKS = re.compile(r"  linkStyle \d+(,\d+)* stroke-dasharray:2 4")
PAIRS = {"[(": ")]", "[[": "]]", "[/": "/]", "[\\": "/]", "([": "])", "(": ")", ">": "]", "{{": "}}"}


def read(text: str) -> tuple[list[str], list[tuple[str, str, str]]]:
    """The texts of the boxes, and the arrows with theirs; fails where a line is none of our statements."""
    boxes: list[str] = []
    arrows = []
    head, *lines = text.removesuffix("\n").split("\n")
    assert head in ("flowchart LR", "flowchart TD")
    for line in lines:
        if box := BOX.fullmatch(line):
            assert int(box[1]) == len(boxes)
            assert PAIRS[box[2]] == box[4]
            boxes.append(plain(box[3]))
        elif way := ARROW.fullmatch(line):
            assert {int(way[1]), int(way[4])} <= set(range(len(boxes)))
            arrows.append((way[1], way[4], plain(way[3] or "")))
        else:
            assert STYLE.fullmatch(line) or LINKS.fullmatch(line), line
    return boxes, arrows


def plain(text: str) -> str:
    """As Mermaid shows it."""
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text.replace("<br/>", "\n"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_examples(path: Path) -> None:
    graph = drawn(path.read_text(encoding="utf-8"))
    boxes, arrows = read(as_mermaid(graph))
    assert [box.split("\n")[0] for box in boxes] == [box.name for box in graph.boxes]
    assert [arrow[:2] for arrow in arrows] == [(str(one.giver), str(one.taker)) for one in graph.arrows]


def test_sixty_tasks() -> None:
    boxes, arrows = read(as_mermaid(drawn(sixty())))
    assert len(boxes) == 60
    assert ("0", "1", "/data → /in") in arrows
    assert any("×6" in box for box in boxes)
    assert any("⏸ waits for a person" in box for box in boxes)


def test_hostile_texts_stay_texts() -> None:
    text = as_mermaid(drawn(hostile()))
    boxes, arrows = read(text)
    assert len(boxes) == len(arrows) == len(HOSTILE)
    assert boxes[3].startswith("<script>alert(1)</script>\n")
    assert not re.search(r"^\s*(click|style|subgraph|end)\b", text, re.MULTILINE)
    assert "%%" not in text
    assert not re.search(
        r"(style|classDef)[^#\n]*:\S*#.*;", "\n".join(line for line in text.split("\n") if '"' in line)
    )


def test_no_line_of_a_label_is_a_list_for_mermaid() -> None:
    text = as_mermaid(
        drawn(document(*({"id": f"t{n}", "name": name} for n, name in enumerate(["1. a", "2) b", "- c", "* d"]))))
    )
    assert re.findall(r'"(.*?)<br/>', text) == ["1#46; a", "2#41; b", "#45; c", "#42; d"]


def test_it_stays_within_a_fence_of_markdown() -> None:
    name = "```\n\n# Not a heading\n~~~"
    text = as_mermaid(drawn(document({"id": "a", "name": name}, {"id": "b"}, arrows=[arrow("a", "b", "/```", "/x")])))
    assert "`" not in text
    assert not any(line.startswith(("#", "~")) for line in text.split("\n"))
