"""What every pass returns instead of raising: a diagnostic, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

STDIN = "<stdin>"
"""What diagnostics call standard input."""
Pointer = tuple[str | int, ...]
"""The way to a value of the document: `("tasks", 2, "env", 0, "name")`."""


class Severity(StrEnum):
    """How much a diagnostic matters: only an error stops a compile (a warning too with --werror)."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file: lines and columns from 1, columns in characters, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that belongs to a diagnostic, such as the first of two equal ids."""

    message: str
    pointer: Pointer
    span: Span | None = None
    on_key: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong with a document, and what to do about it.

    A check gives `pointer`, and where it can be narrower `on_key` (the key rather than the value) or `within`
    (a part of a string value, start and end in characters of the decoded string); `diagnostics.locate` adds `span`.
    `output` are lines of a log that tell more.
    """

    code: str
    message: str
    pointer: Pointer = ()
    help: str = ""
    related: tuple[Related, ...] = ()
    on_key: bool = False
    within: tuple[int, int] | None = None
    span: Span | None = None
    file: str = ""
    output: tuple[str, ...] = ()


def pointer_text(pointer: Pointer) -> str:
    """A pointer as JSON Pointer text (RFC 6901): `/tasks/2/env/0/name`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in pointer)
