"""Where lines end: an object or list stands on one line where it fits, else each of its items begins one.

It takes time in proportion to the text: whether something fits is known after as many characters as fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import StringIO
from json import JSONEncoder
from unicodedata import east_asian_width

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.rewrite.tree import Node, Number, Tree
from kade2kfp.source.limits import MAX_BYTES

WIDTH = 100
"""Columns of a line, its comma too; characters of East Asian width are two. A text is never broken."""
_LISTS = ("parameters", "volumes", "tasks", "arrows")
"""Lists of the pipeline that have each element on a line of its own also where all would fit on one: one change, one line of a diff."""


def laid_out(document: Node) -> str:
    """The text of a document. Raises CannotDoError where it would be larger than a document may be."""
    out = StringIO(newline="\n")
    _open(document, 0, out)
    out.write("\n")
    text = out.getvalue()
    if len(text.encode()) > MAX_BYTES:
        raise _too_large()
    return text


def _too_large() -> CannotDoError:
    # A list of a million digits, far inside, takes many times its space when each of them has a line.
    return CannotDoError(f"its lines would take more than {MAX_BYTES >> 20} MiB, and no document may be as large")


def _open(value: Node | list[Tree], level: int, out: StringIO) -> None:
    """Write an object or list over several lines; the first begins where `out` ends."""
    indent, last = "  " * (level + 1), len(value) - 1
    out.write("{" if isinstance(value, dict) else "[")
    for number, (name, item) in enumerate(_items(value)):
        head = f"{quoted(name)}: " if name is not None else ""
        comma = "," if number < last else ""
        always = not level and name in _LISTS and isinstance(item, list)
        out.write(f"\n{indent}{head}")
        line = None if always and item else _on_one_line(item, WIDTH - len(indent) - width(head) - len(comma))
        if line is not None:
            out.write(line)
        elif isinstance(item, dict | list) and item:
            _open(item, level + 1, out)
        else:
            out.write(_short(item))
        out.write(comma)
        if out.tell() > MAX_BYTES:
            raise _too_large()
    if value:
        out.write(f"\n{indent[2:]}")
    out.write("}" if isinstance(value, dict) else "]")


def _items(value: Node | list[Tree]) -> Iterable[tuple[str | None, Tree]]:
    return value.items() if isinstance(value, dict) else ((None, one) for one in value)


def _on_one_line(value: Tree, room: int) -> str | None:
    """A value on one line; None where it is wider than `room` columns."""
    parts: list[str] = []
    return "".join(parts) if _flatten(value, room, parts) >= 0 else None


def _flatten(value: Tree, room: int, parts: list[str]) -> int:
    """Add the parts of a value to others; gives the room that is left, and stops as soon as that is less than none."""
    if room < 2 and not isinstance(value, Number):  # nothing but a number takes one column
        return -1
    if not isinstance(value, dict | list) or not value:
        if isinstance(value, str) and len(value) > room:
            return -1  # a long text is not looked at by all that it stands in
        parts.append(_short(value))
        return room - width(parts[-1])
    parts.append("{" if isinstance(value, dict) else "[")
    room -= 2
    for number, (name, item) in enumerate(_items(value)):
        if name is not None and len(name) > room:
            return -1
        head = (", " if number else "") + (f"{quoted(name)}: " if name is not None else "")
        parts.append(head)
        room = _flatten(item, room - width(head), parts)
        if room < 0:
            return room
    parts.append("}" if isinstance(value, dict) else "]")
    return room


def _short(value: Tree) -> str:
    """What holds nothing: a text, a number, a word, an empty object or list."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return "null" if value is None else "true" if value else "false"


def quoted(text: str) -> str:
    """A text in JSON, as itself where it can be seen; what is invisible, or changes how what follows is shown, as an escape."""
    shown = _encode(text)
    return shown if shown.isascii() and "\x7f" not in shown else _HIDDEN.sub(_escape, shown)


_encode = JSONEncoder(ensure_ascii=False).encode
# Not U+200C and U+200D, which words of many scripts need. Fixed here, so that no other Python's Unicode escapes others.
_HIDDEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)


def _escape(match: re.Match[str]) -> str:
    return JSONEncoder().encode(match[0])[1:-1]


def width(text: str) -> int:
    """Columns of a text: two for each character of East Asian width, one for any other."""
    return len(text) if text.isascii() else len(text) + sum(east_asian_width(char) in "WF" for char in text)
