"""The syntax of references: `{{params.NAME}}`, `{{tasks.ID.outputs.NAME}}`, ... inside a string; `{{{{` is a literal `{{`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_OPEN = re.compile(r"\{\{\{\{|\{\{")
_EXPRESSION = re.compile(r"\{\{([^{}]*)\}\}")
Root = Literal["params", "outputs", "metrics", "values", "decision", "item", "run"]
_OF_TASK: dict[str, Root] = {"outputs": "outputs", "metrics": "metrics", "values": "values"}


@dataclass(frozen=True, slots=True)
class Expression:
    """One reference: what it names, and where in the string it stands (start and end in characters)."""

    root: Root
    task: str
    name: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Misfit:
    """A `{{` that is no reference."""

    start: int
    end: int
    text: str


def parse(text: str) -> tuple[str | Expression | Misfit, ...]:
    """The string's pieces in order: literal text (with `{{{{` already turned into `{{`), references, and misfits."""
    return tuple(_merge(_pieces(text)))


def _pieces(text: str) -> Iterator[str | Expression | Misfit]:
    at = 0
    while match := _OPEN.search(text, at):
        start = match.start()
        yield text[at:start]
        if match[0] == "{{{{":
            yield "{{"
            at = match.end()
            continue
        if text.startswith("{{{", start):  # an object's own brace before a reference: {"rate": {{params.rate}}}
            yield "{"
            start += 1
        expression = _EXPRESSION.match(text, start)
        if expression is None or "\n" in expression[1].strip():  # never closed: what closes it is further down
            end = _end_of_misfit(text, start)
            yield Misfit(start, end, text[start:end])
            at = end
            continue
        yield _expression(expression)
        at = expression.end()
    yield text[at:]


def _end_of_misfit(text: str, start: int) -> int:
    """Behind its `}}` where that comes on the same line and before the next `{{`, which may be a good one."""
    limit = text.find("{{", start + 2)
    limit = len(text) if limit < 0 else limit
    line = text.find("\n", start, limit)
    close = text.find("}}", start, limit if line < 0 else line)
    return close + 2 if close >= 0 else start + 2


def _expression(match: re.Match[str]) -> Expression | Misfit:
    start, end, inner = match.start(), match.end(), match[1].strip()
    root, _, rest = inner.partition(".")
    found: tuple[Root, str, str] | None = None
    if root == "params" and rest:
        found = ("params", "", rest)
    elif root == "item":
        found = ("item", "", rest) if inner == "item" or rest else None
    elif root == "run" and rest in ("id", "name", "status"):
        found = ("run", "", rest)
    elif root == "tasks":
        task, _, rest = rest.partition(".")
        kind, _, name = rest.partition(".")
        if task and kind in _OF_TASK and name:
            found = (_OF_TASK[kind], task, name)
        elif task and kind == "decision" and not name:
            found = ("decision", task, "")
    return Expression(*found, start, end, match[0]) if found else Misfit(start, end, match[0])


def _merge(pieces: Iterator[str | Expression | Misfit]) -> Iterator[str | Expression | Misfit]:
    literal = ""
    for piece in pieces:
        if isinstance(piece, str):
            literal += piece
            continue
        if literal:
            yield literal
            literal = ""
        yield piece
    if literal:
        yield literal
