"""The graph in DOT, the language of Graphviz."""

from __future__ import annotations

from kade2kfp.graph.direction import flow_of
from kade2kfp.graph.measure import one_line
from kade2kfp.graph.model import Arrow, Box, Direction, Graph
from kade2kfp.graph.palette import LIGHT
from kade2kfp.graph.words import box_lines, label_lines

_SHAPES = {
    "loadData": "cylinder",
    "container": "component",
    "notebook": "note",
    "job": "box",
    "viewer": "tab",
    "serving": "cds",
    "condition": "hexagon",
    "select": "trapezium",
}
_STYLES = {"data": "solid", "order": "dashed", "values": "dotted"}


def as_dot(graph: Graph, direction: Direction = "auto") -> str:
    """A graph in DOT; `dot -Tsvg` draws it."""
    rows = [
        "digraph {",
        f"  graph [rankdir={'LR' if flow_of(graph, direction) == 'right' else 'TB'}, tooltip={quoted([graph.name])}]",
        '  node [fontname="Helvetica", fontsize=12, style="filled"]',
        f'  edge [fontname="Courier", fontsize=10, color="{LIGHT.line}"]',
        *(f"  t{number} [{_box(box)}]" for number, box in enumerate(graph.boxes)),
        *(f"  t{arrow.giver} -> t{arrow.taker} [{_arrow(arrow)}]" for arrow in graph.arrows),
        "}",
    ]
    return "\n".join(rows) + "\n"


def _box(box: Box) -> str:
    fill, line = LIGHT.types.get(box.type, LIGHT.types["job"])
    style = ', style="rounded,filled"' if box.type == "job" else ""
    twice = ", peripheries=2" if box.has("sweep") else ""
    shape = _SHAPES.get(box.type, "box")
    return f'shape={shape}{style}, fillcolor="{fill}", color="{line}"{twice}, label={quoted(box_lines(box))}'


def _arrow(arrow: Arrow) -> str:
    lines = label_lines(arrow)
    return f"style={_STYLES[arrow.kind]}" + (f", label={quoted(lines)}" if lines else "")


def quoted(lines: list[str]) -> str:
    r"""Lines as one text in double quotes. In a label, `\N` and `&amp;` would mean something; so both are escaped."""
    escaped = (one_line(line).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
