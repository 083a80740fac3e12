"""Diagnostics as text: where, what, the line with a caret below it, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kade2kfp.diagnostics.escape import terminal, width
from kade2kfp.diagnostics.model import Diagnostic, Severity, Span
from kade2kfp.diagnostics.severity import severity

_COLOURS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.NOTE: "1;36"}
Line = Callable[[int], str]


def render(diagnostics: Iterable[Diagnostic], line: Line, *, colour: bool = False, columns: int = 120) -> Iterator[str]:
    """One text a diagnostic, without a newline at its end. `line` gives a line of the source by its number."""
    for one in diagnostics:
        yield "\n".join(_rows(one, line, _Paint(colour), columns))


class _Paint:
    """Colours, or none."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on else text


def _rows(one: Diagnostic, line: Line, paint: _Paint, columns: int) -> Iterator[str]:
    kind = severity(one.code)
    place = terminal(one.file) + (f":{one.span.line}:{one.span.column}" if one.span else "")
    yield f"{place}: {paint(_COLOURS[kind], f'{kind}[{one.code}]')}: {paint('1', terminal(one.message))}"
    if one.span:
        yield from _excerpt(one.span, line, paint, _COLOURS[kind], columns)
    margin = " " * (len(str(one.span.line)) if one.span else 0)
    for related in one.related:
        where = f" (line {related.span.line}, column {related.span.column})" if related.span else ""
        yield f"{margin} = {paint('1', 'see')}: {terminal(related.message)}{where}"
    if one.output:
        yield f"{margin} = {paint('1', 'log')}:"
        yield from (f"{margin}     {terminal(text)}".rstrip() for text in one.output)
    if one.help:
        yield f"{margin} = {paint('1', 'help')}: {terminal(one.help)}"


def _excerpt(span: Span, line: Line, paint: _Paint, colour: str, columns: int) -> Iterator[str]:
    text = line(span.line)
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(text)
    text, start, end = _window(text.replace("\t", " "), start, max(end, start + 1), max(40, columns - 12))
    number = str(span.line)
    margin = " " * len(number)
    before, marked = terminal(text[:start]), terminal(text[start:end])
    yield f"{margin} {paint('34', '|')}"
    yield f"{number} {paint('34', '|')} {before}{marked}{terminal(text[end:])}".rstrip()
    yield f"{margin} {paint('34', '|')} {' ' * width(before)}{paint(colour, '^' * max(1, width(marked)))}"


def _window(text: str, start: int, end: int, columns: int) -> tuple[str, int, int]:
    """The part of a long line around what is marked; lines of the editor can be the whole document."""
    if len(text) <= columns:
        stripped = len(text) - len(text.lstrip()) if len(text) > columns // 2 else 0
        stripped = min(stripped, start)
        return text[stripped:], start - stripped, end - stripped
    end = min(end, start + columns - 10)
    first = max(0, start - max(8, (columns - (end - start)) // 3))
    last = min(len(text), first + columns - 6)
    head, tail = "... " if first else "", " ..." if last < len(text) else ""
    shift = len(head) - first
    return f"{head}{text[first:last]}{tail}", start + shift, min(end, last) + shift
