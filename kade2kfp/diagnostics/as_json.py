"""Diagnostics as JSON: a contract for editors (architecture.md, Diagnostics)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic, Related, Severity, Span, pointer_text
from kade2kfp.diagnostics.most import counted
from kade2kfp.diagnostics.severity import severity


def as_json(diagnostics: Iterable[Diagnostic], every: Mapping[Severity, int] | None = None) -> str:
    """One object with the diagnostics and their numbers, as text that ends in a newline. It is ASCII only.

    `every` counts those too that are not among them; `leftOut` is how many those are.
    """
    rows = list(diagnostics)
    counts = counted(rows) if every is None else every
    whole: dict[str, Any] = {
        "diagnostics": [_row(one) for one in rows],
        "errors": counts.get(Severity.ERROR, 0),
        "warnings": counts.get(Severity.WARNING, 0),
    }
    left_out = sum(counts.values()) - len(rows)
    return json.dumps(whole | ({"leftOut": left_out} if left_out else {}), indent=2) + "\n"


def _row(one: Diagnostic) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": severity(one.code).value,
        "message": one.message,
        "help": one.help,
        "file": one.file,
        **_span(one.span),
        "pointer": pointer_text(one.pointer),
        "related": [_related(related) for related in one.related],
        **({"output": list(one.output)} if one.output else {}),
    }


def _related(related: Related) -> dict[str, Any]:
    return {"message": related.message, **_span(related.span), "pointer": pointer_text(related.pointer)}


def _span(span: Span | None) -> dict[str, int | None]:
    return {
        "line": span.line if span else None,
        "column": span.column if span else None,
        "endLine": span.end_line if span else None,
        "endColumn": span.end_column if span else None,
    }
