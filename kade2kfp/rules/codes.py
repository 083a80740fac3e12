"""The codes that `select` and `ignore` may name: those of warnings and notes, and beginnings of them."""

from __future__ import annotations

from functools import cache

from kade2kfp.diagnostics.severity import NOTES, WARNINGS
from kade2kfp.document.suggest import closest


def problem(text: str) -> tuple[str, str]:
    """Why a text is no code, nor the beginning of codes, of which some can be left out; and what to write instead.

    Both are empty where it is one.
    """
    shown = text if len(text) <= 40 else text[:37] + "..."
    if text and any(code.startswith(text) for code in WARNINGS | NOTES):
        return "", ""
    if text in _known():
        return f"`{shown}` is an error, and errors are always shown", "name warnings and notes only"
    if text and any(code.startswith(text) for code in _known()):
        return f"`{shown}` stands for errors alone, and errors are always shown", "name warnings and notes only"
    meant = text.strip().upper() if text.strip().upper() in WARNINGS | NOTES else closest(text, WARNINGS | NOTES)
    help_ = f"did you mean `{meant}`?" if meant else "write a code such as `K206`, or its beginning such as `K2`"
    return f"`{shown}` is not a code", help_


@cache
def _known() -> frozenset[str]:
    """All codes, for messages."""
    from kade2kfp.diagnostics.pages import all_codes  # only what is wrong pays for it

    return frozenset(all_codes())
