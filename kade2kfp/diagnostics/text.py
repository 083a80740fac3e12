"""Diagnostics as text: where, what, the line with a caret below it, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kade2kfp.diagnostics.escape import brief, terminal, width
from kade2kfp.diagnostics.model import Diagnostic, Severity, Span
from kade2kfp.diagnostics.severity import severity

_COLOURS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.NOTE: "1;36"}
Line = Callable[[int], str]


def render(
    diagnostics: Iterable[Diagnostic], line: Line, *, colour: bool = False, columns: int = 120, wrap: bool = False
) -> Iterator[str]:
    """One text a diagnostic, without a newline at its end. `line` gives a line of the source by its number.

    No excerpt is wider than `columns`, where those are 40 or more. With `wrap` what stands below it is broken between words;
    the line with the place never is: terminals and editors find the place in it by that.
    """
    for one in diagnostics:
        yield "\n".join(_rows(one, line, _Paint(colour), columns, wrap))


class _Paint:
    """Colours, or none."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on else text


def _rows(one: Diagnostic, line: Line, paint: _Paint, columns: int, wrap: bool) -> Iterator[str]:
    kind = severity(one.code)
    place = terminal(one.file) + (f":{one.span.line}:{one.span.column}" if one.span else "")
    yield f"{place}: {paint(_COLOURS[kind], f'{kind}[{one.code}]')}: {paint('1', brief(one.message))}"
    if one.span:
        yield from _excerpt(one.span, line, paint, _COLOURS[kind], columns)
    margin = " " * (len(str(one.span.line)) if one.span else 0)

    def below(word: str, text: str) -> str:
        room = columns - len(f"{margin} = {word}: ")
        rows = _wrapped(brief(text), room) if wrap else [brief(text)]
        return f"{margin} = {paint('1', word)}: " + f"\n{' ' * (columns - room)}".join(rows)

    for related in one.related:
        where = f" (line {related.span.line}, column {related.span.column})" if related.span else ""
        yield below("see", f"{related.message}{where}")
    if one.output:
        yield f"{margin} = {paint('1', 'log')}:"
        yield from (f"{margin}     {terminal(text)}".rstrip() for text in one.output)
    if one.help:
        yield below("help", one.help)


def _wrapped(text: str, columns: int) -> list[str]:
    """A text in rows, broken between words; a word that is longer than a row stays whole."""
    rows = [""]
    for word in text.split(" "):
        longer = f"{rows[-1]} {word}" if rows[-1] else word
        if rows[-1] and width(longer) > columns:
            rows.append(word)
        else:
            rows[-1] = longer
    return rows


def _excerpt(span: Span, line: Line, paint: _Paint, colour: str, columns: int) -> Iterator[str]:
    text = line(span.line)
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(text)
    number = str(span.line)
    room, characters = columns - len(number) - 3, max(16, columns - (12 if columns >= 60 else 7))
    before, marked, after = _fitting(text.replace("\t", " "), start, max(end, start + 1), room, characters)
    margin = " " * len(number)
    yield f"{margin} {paint('34', '|')}"
    yield f"{number} {paint('34', '|')} {before}{marked}{after}".rstrip()
    yield f"{margin} {paint('34', '|')} {' ' * width(before)}{paint(colour, '^' * max(1, width(marked)))}"


def _fitting(text: str, start: int, end: int, columns: int, characters: int) -> tuple[str, str, str]:
    """What is shown of a line before, in and behind what is marked: about so many characters, fewer if they are wide."""
    while True:
        shown, first, last = _window(text, start, end, characters)
        parts = terminal(shown[:first]), terminal(shown[first:last]), terminal(shown[last:])
        wide = sum(map(width, parts))
        if wide <= columns or characters <= 16:
            return parts
        characters = max(16, min(characters - 1, characters * columns // wide))


def _window(text: str, start: int, end: int, columns: int) -> tuple[str, int, int]:
    """The part of a long line around what is marked; lines of the editor can be the whole document."""
    if len(text) <= columns:
        stripped = len(text) - len(text.lstrip()) if len(text) > columns // 2 else 0
        stripped = min(stripped, start)
        return text[stripped:], start - stripped, end - stripped
    end = min(end, start + columns - 10)
    first = max(0, start - min(columns // 3, max(8, (columns - (end - start)) // 3)))
    last = min(len(text), first + columns - 6)
    head, tail = "... " if first else "", " ..." if last < len(text) else ""
    shift = len(head) - first
    return f"{head}{text[first:last]}{tail}", start + shift, min(end, last) + shift
