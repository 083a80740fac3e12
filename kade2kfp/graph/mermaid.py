"""The graph as Mermaid's flowchart, which GitHub and others draw in Markdown."""

from __future__ import annotations

import re

from kade2kfp.graph.direction import flow_of
from kade2kfp.graph.measure import one_line
from kade2kfp.graph.model import Arrow, Box, Direction, Graph
from kade2kfp.graph.palette import LIGHT
from kade2kfp.graph.words import box_lines, label_lines

# Mermaid's shapes that every version knows.
_SHAPES = {
    "loadData": ("[(", ")]"),
    "container": ("[[", "]]"),
    "notebook": (">", "]"),
    "job": ("(", ")"),
    "viewer": ("([", "])"),
    "serving": ("[/", "/]"),
    "condition": ("{{", "}}"),
    "select": ("[\\", "/]"),
}
# All else is written as a number: quotes end a text, `%%{` begins a directive, a back quote a text in Markdown or the
# end of the fence, a backslash a line end, `<` an element.
_PLAIN = re.compile(r"[^\w {}/.:,=+()@→…·×≥≤≠-]")
# What Markdown takes for a list where a line begins with it; Mermaid refuses to draw that.
_LIST = re.compile(r"^(\d+)[.)]|^[-+](?= )")
# Mermaid takes the last `;` from a line with one of these, a colon and a `#` (packages/mermaid/src/utils.ts, encodeEntities).
_STYLE = re.compile("style|classDef")


def as_mermaid(graph: Graph, direction: Direction = "auto") -> str:
    """A graph as Mermaid's text, one statement a line; without the fence that Markdown wants around it."""
    rows = ["flowchart LR" if flow_of(graph, direction) == "right" else "flowchart TD"]
    rows += [f"  t{number}{_box(box)}" for number, box in enumerate(graph.boxes)]
    rows += [f"  {_arrow(arrow)}" for arrow in graph.arrows]
    dotted = [str(number) for number, arrow in enumerate(graph.arrows) if arrow.kind == "values"]
    if dotted:
        rows.append(f"  linkStyle {','.join(dotted)} stroke-dasharray:2 4")
    used = {box.type for box in graph.boxes}
    for type_, (fill, line) in LIGHT.types.items():
        if type_ in used:
            rows.append(f"  classDef {type_} fill:{fill},stroke:{line},color:{LIGHT.text}")
    return "\n".join(rows) + "\n"


def _box(box: Box) -> str:
    begin, end = _SHAPES.get(box.type, _SHAPES["job"])
    kind = f":::{box.type}" if box.type in LIGHT.types else ""
    return f'{begin}"{_text(box_lines(box))}"{end}{kind}'


def _arrow(arrow: Arrow) -> str:
    line = "-->" if arrow.kind == "data" else "-.->"
    lines = label_lines(arrow)
    said = f'|"{_text(lines)}"|' if lines else ""
    return f"t{arrow.giver} {line}{said} t{arrow.taker}"


def _text(lines: list[str]) -> str:
    """Lines of a text in double quotes."""
    return "<br/>".join(_line(one_line(line)) for line in lines) or " "


def _line(line: str) -> str:
    escaped = _STYLE.sub(
        lambda found: _number(found[0][0]) + found[0][1:], _PLAIN.sub(lambda found: _number(found[0]), line)
    )
    return _LIST.sub(lambda found: (found[1] or "") + _number(found[0][-1]), escaped)


def _number(char: str) -> str:
    return f"#{ord(char)};"
