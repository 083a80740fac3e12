"""Where the keys and values of a TOML text stand, which tomllib does not tell. The text is one that tomllib has read."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field

from kade2kfp.diagnostics.model import Pointer, Span
from kade2kfp.source import Source

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*+)*+")
_KEY = re.compile(r"""[ \t]*+(?:([A-Za-z0-9_-]++)|("(?:[^"\\\n]|\\.)*+")|'([^'\n]*+)')[ \t]*+""")
_PLAIN = re.compile(r"[^,\]}#\r\n]*+")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*+"{3,5}'),
    re.compile(r"'''(?:[^']|'{1,2}(?!'))*+'{3,5}"),
    re.compile(r'"(?:[^"\\\n]|\\.)*+"'),
    re.compile(r"'[^'\n]*+'"),
)


class _LostError(Exception):
    """What comes next is not what was expected: what was found before it stays."""


@dataclass(frozen=True, slots=True)
class Found:
    """Offsets of a key and of its value; of an element of an array both are the value's."""

    key: tuple[int, int]
    value: tuple[int, int]


@dataclass(slots=True)
class _Scan:
    text: str
    pos: int = 0
    found: dict[Pointer, Found] = field(default_factory=dict)
    arrays: dict[Pointer, int] = field(default_factory=dict)
    """The number of the last table of each array of tables."""


def span_of(source: Source, found: dict[Pointer, Found], at: Pointer, *, on_key: bool = False) -> Span | None:
    """The span of a key or value; where it is not known, that of the nearest key around it."""
    if (one := found.get(at)) is not None:
        start, end = one.key if on_key else one.value
        return source.lines.span(start, max(end, start + 1))
    for length in range(len(at) - 1, 0, -1):
        if (one := found.get(at[:length])) is not None:
            return source.lines.span(*one.key)
    return None


def places(text: str) -> dict[Pointer, Found]:
    """Where each key and value stands, by the way to it: `("policy", "max", "cpu")`, `("select", 0)`."""
    scan = _Scan(text)
    with suppress(_LostError, RecursionError, ValueError):
        _document(scan)
    return scan.found


def _document(scan: _Scan) -> None:
    table: Pointer = ()
    while True:
        _skip(scan)
        if scan.pos >= len(scan.text):
            return
        if scan.text[scan.pos] == "[":
            table = _header(scan)
        else:
            _member(scan, table)


def _header(scan: _Scan) -> Pointer:
    many = scan.text.startswith("[[", scan.pos)
    scan.pos += 2 if many else 1
    parts, (start, end) = _keys(scan)
    _expect(scan, "]]" if many else "]")
    at: Pointer = ()
    for i, part in enumerate(parts):
        at = (*at, part)
        if many and i == len(parts) - 1:
            scan.arrays[at] = scan.arrays.get(at, -1) + 1
        scan.found.setdefault(at, Found((start, end), (start, end)))
        if at in scan.arrays:
            at = (*at, scan.arrays[at])
            scan.found.setdefault(at, Found((start, end), (start, end)))
    return at


def _member(scan: _Scan, table: Pointer) -> None:
    parts, span = _keys(scan)
    _expect(scan, "=")
    while scan.text[scan.pos : scan.pos + 1] in (" ", "\t") and scan.pos < len(scan.text):
        scan.pos += 1
    at = (*table, *parts)
    value = _value(scan, at)
    for length in range(len(table) + 1, len(at) + 1):
        if length == len(at):
            scan.found[at] = Found(span, value)
        else:
            scan.found.setdefault(at[:length], Found(span, span))


def _value(scan: _Scan, at: Pointer) -> tuple[int, int]:
    start = scan.pos
    opening = scan.text[start : start + 1]
    if opening in ("[", "{"):
        closing = "]" if opening == "[" else "}"
        scan.pos += 1
        _skip(scan)
        number = 0
        while not scan.text.startswith(closing, scan.pos):
            if opening == "[":
                span = _value(scan, (*at, number))
                scan.found[(*at, number)] = Found(span, span)
                number += 1
            else:
                _member(scan, at)
            _skip(scan)
            if scan.text.startswith(",", scan.pos):
                scan.pos += 1
                _skip(scan)
            elif not scan.text.startswith(closing, scan.pos):
                raise _LostError
        scan.pos += 1
        return start, scan.pos
    patterns = _STRINGS if opening in ('"', "'") else (_PLAIN,)
    match = next((match for pattern in patterns if (match := pattern.match(scan.text, start))), None)
    if match is None:
        raise _LostError
    scan.pos = match.end()
    return start, start + len(match[0].rstrip())


def _keys(scan: _Scan) -> tuple[tuple[str, ...], tuple[int, int]]:
    """A key and its dotted parts, and its span without the space around it."""
    parts: list[str] = []
    start = end = -1
    while match := _KEY.match(scan.text, scan.pos):
        inner = match.span(match.lastindex or 0)
        if match.lastindex == 3:  # the quotes around it
            inner = (inner[0] - 1, inner[1] + 1)
        start, end = (inner[0] if start < 0 else start), inner[1]
        parts.append(_unquoted(match[2]) if match[2] else match[1] or match[3] or "")
        scan.pos = match.end()
        if not scan.text.startswith(".", scan.pos):
            return tuple(parts), (start, end)
        scan.pos += 1
    raise _LostError


def _unquoted(text: str) -> str:
    if "\\" not in text:
        return text[1:-1]
    import tomllib

    return str(tomllib.loads(f"key = {text}")["key"])


def _expect(scan: _Scan, text: str) -> None:
    if not scan.text.startswith(text, scan.pos):
        raise _LostError
    scan.pos += len(text)


def _skip(scan: _Scan) -> None:
    match = _SPACE.match(scan.text, scan.pos)
    scan.pos = match.end() if match else scan.pos
