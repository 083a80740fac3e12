"""What a box and an arrow say in lines of plain text, for formats whose own tools find room for them."""

from __future__ import annotations

from kade2kfp.graph.measure import short_digest
from kade2kfp.graph.model import Arrow, Badge, Box, Passage

_ROWS = 12
_LONGEST = 60
_MARKS = {"gate": "⏸ ", "sweep": "", "retry": "↻ ", "always": "", "exit": "", "volume": "mounts "}


def box_lines(box: Box) -> list[str]:
    """The name, the type with what it says, and the badges."""
    said = f"{box.type} · {cut(short_digest(box.detail))}" if box.detail else box.type
    return [cut(box.name), said, *(_badge(badge) for badge in box.badges[:_ROWS])]


def _badge(badge: Badge) -> str:
    return cut(_MARKS[badge.kind] + badge.text)


def label_lines(arrow: Arrow) -> list[str]:
    """The branches, the paths, and the values; none where the arrow only says what comes first."""
    rows = [*arrow.branches, *(_passage(one) for one in arrow.passages), *(cut(one) for one in arrow.values)]
    return rows if len(rows) <= _ROWS else [*rows[:_ROWS], f"and {len(rows) - _ROWS} more"]


def _passage(one: Passage) -> str:
    way = cut(one.from_path) if one.from_path == one.to_path else f"{cut(one.from_path)} → {cut(one.to_path)}"
    return f"{way} on {one.volume}" if one.volume else way


def cut(text: str) -> str:
    """A text without its middle, where it is very long."""
    return text if len(text) <= _LONGEST else text[: _LONGEST // 2] + "…" + text[1 - _LONGEST // 2 :]
