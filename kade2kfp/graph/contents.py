"""What stands in each box and each label, line by line, and how much room that takes. Lengths are in CSS pixels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from kade2kfp.graph.measure import bold, ended, middled, mono, one_line, regular, short_digest, wrapped
from kade2kfp.graph.model import Arrow, Badge, Box, Flow
from kade2kfp.graph.shapes import Shape, shape_of

NAME, DETAIL, BADGE, PATH = bold(14), regular(12), regular(11), mono(11.5)
NAME_LINE, DETAIL_LINE, PILL, LABEL_LINE = 18.0, 16.0, 17.0, 15.0
"""Heights of lines, and of a badge."""
GAP = 5.0
"""Between two badges."""
ICON = 12.0
"""The side of a mark, whose room is 4 wider."""
STACK = 6.0
"""By how much the boxes behind a repeated one stand out."""
_BOX, _LABEL = 184.0, 208.0
"""The widest text."""
_ONE_LINE = {"right": 106.0, "down": 160.0}
"""The widest label that says from and to in one line: columns are narrower with two, rows are lower with one."""
_NAME_ROWS = 3
_ROWS = 6
"""Of paths that are shown at one label."""


@dataclass(frozen=True, slots=True)
class Pill:
    """A badge as it is shown."""

    badge: Badge
    text: str
    width: float


@dataclass(frozen=True, slots=True)
class Contents:
    """The lines of a box, and the size of all in it with its outline."""

    shape: Shape
    names: tuple[str, ...]
    details: tuple[str, ...]
    pills: tuple[tuple[Pill, ...], ...]
    width: float
    height: float
    stacked: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a label: a path or the name of a value, or a `word` in the text's own font; with a volume's mark or without."""

    text: str
    word: bool = False
    marked: bool = False

    @property
    def width(self) -> float:
        """How much room it takes."""
        return (BADGE if self.word else PATH)(self.text) * (1.08 if self.word else 1) + (ICON + 4) * self.marked


def contents(box: Box, flow: Flow) -> Contents:
    """What stands in a box."""
    shape = shape_of(box.type, flow)
    names = tuple(wrapped(one_line(box.name), _BOX, NAME, _NAME_ROWS))
    type_, said = one_line(box.type), one_line(short_digest(box.detail))
    both = f"{type_} · {said}" if said else type_
    if DETAIL(both) <= _BOX:
        details: tuple[str, ...] = (both,)
    elif " " in said:
        details = (ended(type_, _BOX, DETAIL), *wrapped(said, _BOX, DETAIL, 2))
    else:
        details = (ended(type_, _BOX, DETAIL), middled(said, _BOX, DETAIL))
    pills = _pills(box.badges)
    rows = [NAME(name) for name in names] + [DETAIL(line) for line in details]
    rows += [sum(pill.width for pill in row) + GAP * (len(row) - 1) for row in pills]
    high = len(names) * NAME_LINE + len(details) * DETAIL_LINE + len(pills) * (PILL + GAP)
    over = STACK * box.has("sweep")
    width, height = shape.left + max(rows) + shape.right + over, shape.top + high + shape.bottom + over
    return Contents(shape, names, details, pills, width, height, bool(over))


def _pills(badges: tuple[Badge, ...]) -> tuple[tuple[Pill, ...], ...]:
    """Badges in rows, as many in each as there is room for."""
    rows: list[list[Pill]] = []
    room = 0.0
    for badge in badges:
        text = middled(one_line(badge.text), _BOX - ICON - 16, BADGE)
        pill = Pill(badge, text, ICON + 16 + BADGE(text))
        if not rows or pill.width > room:
            rows.append([])
            room = _BOX
        rows[-1].append(pill)
        room -= pill.width + GAP
    return tuple(tuple(row) for row in rows)


def label(arrow: Arrow, flow: Flow) -> tuple[Row, ...]:
    """What stands at an arrow; nothing where it only says what comes first."""
    rows = [Row(ended(one_line(branch), _LABEL, BADGE), word=True) for branch in arrow.branches]
    for volume, passages in groupby(arrow.passages[:_ROWS], lambda one: one.volume):
        for one in passages:
            rows += [Row(text) for text in _passage(one_line(one.from_path), one_line(one.to_path), flow)]
        if volume:
            rows.append(Row(ended(one_line(volume), _LABEL - ICON - 4, BADGE), word=True, marked=True))
    rows += [Row(middled(one_line(value), _LABEL, PATH)) for value in arrow.values[:_ROWS]]
    more = max(len(arrow.passages), len(arrow.values)) - _ROWS
    return (*rows, Row(f"and {more} more", word=True)) if more > 0 else tuple(rows)


def _passage(from_path: str, to_path: str, flow: Flow) -> tuple[str, ...]:
    """A path to a path in one line or two; one path where both are the same."""
    if from_path == to_path:
        return (middled(from_path, _LABEL, PATH),)
    both = f"{from_path} → {to_path}"
    if PATH(both) <= _ONE_LINE[flow]:
        return (both,)
    return middled(from_path, _LABEL, PATH), "→ " + middled(to_path, _LABEL - PATH("→ "), PATH)


def label_size(rows: tuple[Row, ...]) -> tuple[float, float]:
    """Width and height of a label; none without rows."""
    return (max(row.width for row in rows) + 16, len(rows) * LABEL_LINE + 7) if rows else (0.0, 0.0)
