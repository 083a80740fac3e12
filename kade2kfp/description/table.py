"""Text for a terminal in columns. Cells may hold any text of a document: nothing in them acts upon the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kade2kfp.diagnostics.escape import terminal, width

_INDENT, _GAP = 2, 2
_NARROW = 10
"""No column is made narrower than so, however narrow the terminal is."""
_WORD = 30
"""Words up to this length are kept whole while other columns can give way."""


def table(rows: Iterable[Sequence[str]], columns: int) -> Iterator[str]:
    """The lines of a table that is at most `columns` wide. Cells that are too long go on in the next line."""
    cells = [[terminal(cell) for cell in row] for row in rows]
    if not cells:
        return
    rooms = _widths(cells, columns - _INDENT)
    rows_of_lines = [[wrap(cell, room) for cell, room in zip(row, rooms, strict=True)] for row in cells]
    widths = [max(width(line) for lines in column for line in lines) for column in zip(*rows_of_lines, strict=True)]
    for row_lines in rows_of_lines:
        for number in range(max(len(lines) for lines in row_lines)):
            parts = [lines[number] if number < len(lines) else "" for lines in row_lines]
            padded = (part + " " * (room - width(part)) for part, room in zip(parts, widths, strict=True))
            yield (" " * _INDENT + (" " * _GAP).join(padded)).rstrip(" ")


def paragraph(text: str, columns: int, indent: int = 0) -> Iterator[str]:
    """The lines of a text."""
    for line in wrap(terminal(text), columns - indent):
        yield (" " * indent + line).rstrip(" ")


def _widths(cells: list[list[str]], room: int) -> list[int]:
    """The widths of the columns. Where there is too little room, the widest gives way first; words stay whole if they can."""
    columns = list(zip(*cells, strict=True))
    widths = [min(max(map(width, column)), room) for column in columns]
    words = [min(max(width(word) for cell in column for word in cell.split(" ")), _WORD) for column in columns]
    room -= _GAP * (len(widths) - 1)
    while sum(widths) > room:
        spare = [i for i, one in enumerate(widths) if one > max(words[i], _NARROW)]
        spare = spare or [i for i, one in enumerate(widths) if one > _NARROW]
        if not spare:
            break
        widths[max(spare, key=lambda i: widths[i])] -= 1
    return widths


def wrap(text: str, room: int) -> list[str]:
    """A text in lines of at most `room` columns, broken at spaces where there are some."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined) <= room:
            lines[-1] = joined
            continue
        pieces = list(_pieces(word, room))
        lines += pieces if lines[-1] else []
        lines = lines if lines[-1] else pieces
    return lines


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word in pieces of at most `room` columns."""
    piece = ""
    for char in word:
        if piece and width(piece + char) > room:
            yield piece
            piece = ""
        piece += char
    yield piece


def clipped(text: str, most: int) -> str:
    """A text, or its beginning with how long it is: what somebody has put there by mistake is not shown in full."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def some(names: Sequence[str], most: int = 6) -> str:
    """The first of some names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def duration(seconds: float) -> str:
    """A time as the document writes it: `1h30m`."""
    if seconds != int(seconds):
        return f"{seconds:g}s"
    rest, parts = int(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts) or "0s"


def size(count: int) -> str:
    """An amount of bytes: `23 KiB`."""
    return f"{count:,} B" if count < 1024 else f"{round(count / 1024):,} KiB"
