"""Diagnostics as JSON: a contract for editors (architecture.md, Diagnostics)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic, Related, Span, pointer_text
from kade2kfp.diagnostics.severity import errors, severity, warnings


def as_json(diagnostics: Iterable[Diagnostic]) -> str:
    """One object with the diagnostics and their numbers, as text that ends in a newline. It is ASCII only."""
    rows = list(diagnostics)
    whole = {"diagnostics": [_row(one) for one in rows], "errors": errors(rows), "warnings": warnings(rows)}
    return json.dumps(whole, indent=2) + "\n"


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
