"""The colours of a graph as CSS, for light and dark pages. All texts have a contrast of 4.5 and all lines of 3 at least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Theme = Literal["auto", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as `#rrggbb`. `types` are fill and line by type of task."""

    page: str
    text: str
    dim: str
    line: str
    label: str
    frame: str
    gate: str
    on_gate: str
    types: Mapping[str, tuple[str, str]]


LIGHT = Palette(
    page="#ffffff",
    text="#1f2328",
    dim="#4d5560",
    line="#6e7781",
    label="#f6f8fa",
    frame="#d0d7de",
    gate="#bc4c00",
    on_gate="#ffffff",
    types={
        "loadData": ("#ddf4ff", "#0969da"),
        "container": ("#eceff2", "#57606a"),
        "notebook": ("#fff1e5", "#bc4c00"),
        "job": ("#dafbe1", "#1a7f37"),
        "viewer": ("#ffeff7", "#bf3989"),
        "serving": ("#f5edff", "#8250df"),
        "condition": ("#fff8c5", "#9a6700"),
        "select": ("#d5f5f6", "#0e7490"),
    },
)
DARK = Palette(
    page="#0d1117",
    text="#f0f3f6",
    dim="#b1bac4",
    line="#8b949e",
    label="#161b22",
    frame="#3d444d",
    gate="#f0883e",
    on_gate="#0d1117",
    types={
        "loadData": ("#0c2540", "#58a6ff"),
        "container": ("#262c36", "#9198a1"),
        "notebook": ("#33200f", "#f0883e"),
        "job": ("#0f2d1b", "#3fb950"),
        "viewer": ("#361627", "#f778ba"),
        "serving": ("#271d42", "#bc8cff"),
        "condition": ("#2f2609", "#d29922"),
        "select": ("#0b2e33", "#39c5cf"),
    },
)


def css(theme: Theme) -> str:
    """The style sheet of a picture. Its rules hold below `.kade2kfp-THEME` only: the picture may stand in a page."""
    scope = f".kade2kfp-{theme}"
    rows = [_below(scope, row) for row in (*_FORMS, *_colours(DARK if theme == "dark" else LIGHT))]
    if theme == "auto":
        rows += ["@media (prefers-color-scheme: dark) {", *(_below(scope, row) for row in _colours(DARK)), "}"]
    return "\n".join(rows)


def _below(scope: str, rule: str) -> str:
    """A rule for what lies below `scope`, each of its selectors."""
    selectors, brace, body = rule.partition(" {")
    return ", ".join(f"{scope} {one}" for one in selectors.split(", ")) + brace + body


_FORMS = (
    'text { font-family: -apple-system, "Segoe UI", "Liberation Sans", Helvetica, Arial, sans-serif; text-anchor: middle; }',
    "text.first { text-anchor: start; }",
    ".name { font-size: 14px; font-weight: 600; unicode-bidi: plaintext; }",
    ".detail { font-size: 12px; }",
    ".badge text, .label text.word { font-size: 11px; }",
    ".label text { font-family: ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace; font-size: 11.5px; }",
    ".label text.word { font-family: -apple-system, 'Segoe UI', 'Liberation Sans', Helvetica, Arial, sans-serif; font-weight: 600; }",
    ".shape, .behind { stroke-width: 1.6; stroke-linejoin: round; }",
    ".inner, .icon { fill: none; stroke-width: 1.3; stroke-linejoin: round; }",
    ".arrow path { fill: none; stroke-width: 1.6; }",
    ".order path { stroke-dasharray: 7 4; }",
    ".values path { stroke-dasharray: 1.6 4; stroke-linecap: round; }",
    ".arrow path.head { stroke: none; }",
)


def _colours(palette: Palette) -> list[str]:
    rows = [
        f".page {{ fill: {palette.page}; }}",
        f"text {{ fill: {palette.text}; }}",
        f".detail, .badge text {{ fill: {palette.dim}; }}",
        f".icon {{ stroke: {palette.dim}; }}",
        f".arrow path {{ stroke: {palette.line}; }}",
        f".arrow path.head {{ fill: {palette.line}; }}",
        f".label rect {{ fill: {palette.label}; stroke: {palette.frame}; }}",
        f".badge.gate rect {{ fill: {palette.gate}; }}",
        f".badge.gate text, .badge.gate .icon {{ fill: {palette.on_gate}; stroke: none; }}",
    ]
    for type_, (fill, line) in palette.types.items():
        rows.append(f".{type_} .shape, .{type_} .behind {{ fill: {fill}; stroke: {line}; }}")
        rows.append(f".{type_} .inner {{ stroke: {line}; }}")
    return rows
