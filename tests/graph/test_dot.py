"""DOT: every text of a document is one quoted string; Graphviz reads it, where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.graph import as_dot

from .documents import EXAMPLES, HOSTILE, document, drawn, hostile, sixty

# https://graphviz.org/doc/info/lang.html: in a quoted string only `\"` is escaped; what else stands behind a backslash is the label's.
TOKEN = re.compile(r'\s*(?:(->|[{}\[\]=,])|"((?:[^"\\\n]|\\[^\n])*)"|([a-zA-Z0-9_.]+))')
DOT = shutil.which("dot")


def tokens(text: str) -> list[tuple[str, str]]:
    """All tokens: signs, strings, words; fails where something else stands."""
    found, at = [], 0
    while at < len(text.rstrip()):
        token = TOKEN.match(text, at)
        assert token, text[at : at + 80]
        sign, string, word = token.groups()
        found.append(("sign", sign) if sign else ("word", word) if word else ("string", string))
        at = token.end()
    return found


def statements(text: str) -> list[list[tuple[str, str]]]:
    """The statements between the outer braces: each is a name, or two with an arrow, and attributes in brackets."""
    every = tokens(text)
    assert every[:2] == [("word", "digraph"), ("sign", "{")]
    assert every[-1] == ("sign", "}")
    found: list[list[tuple[str, str]]] = [[]]
    for token in every[2:-1]:
        assert token not in (("sign", "{"), ("sign", "}"))
        found[-1].append(token)
        if token == ("sign", "]"):
            found.append([])
    assert not found.pop()
    return found


def labels(text: str) -> list[str]:
    """The label of each box, as it is shown."""
    shown = []
    for one in statements(text):
        if re.fullmatch(r"t\d+", one[0][1]) and one[1] == ("sign", "["):
            label = one[one.index(("word", "label")) + 2]
            assert label[0] == "string"
            lines = re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), label[1])
            shown.append(lines.replace("&amp;", "&"))
    return shown


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_examples(path: Path) -> None:
    graph = drawn(path.read_text(encoding="utf-8"))
    assert [label.split("\n")[0] for label in labels(as_dot(graph))] == [box.name for box in graph.boxes]


def test_hostile_texts_stay_texts() -> None:
    graph = drawn(hostile())
    shown = labels(as_dot(graph))
    assert len(shown) == len(HOSTILE)
    assert shown[HOSTILE.index("\\N\\l\\n")].startswith("\\N\\l\\n\n")
    assert shown[HOSTILE.index("&#x1b;&#0;&amp;")].startswith("&#x1b;&#0;&amp;\n")
    assert shown[HOSTILE.index('\\"')].startswith('\\"\n')


def test_kinds_of_arrows_are_lines_of_their_own() -> None:
    text = as_dot(drawn(sixty()))
    assert all(f"[style={style}" in text for style in ("solid", "dashed", "dotted"))


@pytest.mark.skipif(DOT is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("given", [hostile, sixty], ids=["hostile", "sixty"])
def test_graphviz_reads_it(given: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    text = as_dot(drawn(given()))
    ran = subprocess.run([str(DOT), "-Tplain"], input=text.encode(), cwd=tmp_path, capture_output=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.count(b"\nnode ") == len(given()["tasks"])


def test_an_empty_graph_is_a_graph() -> None:
    assert statements(as_dot(drawn(document())))
