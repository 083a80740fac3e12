"""Which diagnostics a team wants to see."""

from __future__ import annotations

from collections.abc import Iterable

from kade2kfp.diagnostics.model import Diagnostic, Severity
from kade2kfp.diagnostics.severity import severity
from kade2kfp.rules.model import Rules


def kept(diagnostics: Iterable[Diagnostic], rules: Rules) -> tuple[Diagnostic, ...]:
    """The diagnostics without the warnings and notes that are ignored or not selected. Errors are always kept."""
    return tuple(one for one in diagnostics if severity(one.code) is Severity.ERROR or _wanted(one.code, rules))


def _wanted(code: str, rules: Rules) -> bool:
    return not code.startswith(rules.ignore) and (not rules.select or code.startswith(rules.select))
