"""Which diagnostics a team wants to see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kade2kfp.diagnostics.model import Diagnostic, Severity
from kade2kfp.diagnostics.severity import severity
from kade2kfp.rules.model import Rules


def kept(diagnostics: Iterable[Diagnostic], rules: Rules) -> tuple[Diagnostic, ...]:
    """The diagnostics without the warnings and notes that are ignored or not selected. Errors are always kept."""
    return tuple(one for one in diagnostics if severity(one.code) is Severity.ERROR or _wanted(one.code, rules))


def without_doubles(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics without those that another one makes needless.

    K206 is, where K251 says of the same image that it is not pinned; K314, where an error says that such a text cannot
    stand there: that one is given K314's help, which tells what was meant.
    """
    told = {one.pointer for one in found if one.code == "K251"}
    wrong = {one.pointer for one in found if one.code in _NOT_SUCH_A_TEXT}
    helps = {one.pointer: one.help for one in found if one.code == "K314" and one.pointer in wrong}
    return [
        replace(one, help=helps[one.pointer]) if one.code in _NOT_SUCH_A_TEXT and one.pointer in helps else one
        for one in found
        if not (one.code == "K206" and one.pointer in told) and not (one.code == "K314" and one.pointer in helps)
    ]


_NOT_SUCH_A_TEXT = frozenset(("K205", "K221", "K222", "K224", "K311", "K313", "K502", "K503"))


def _wanted(code: str, rules: Rules) -> bool:
    return not code.startswith(rules.ignore) and (not rules.select or code.startswith(rules.select))
