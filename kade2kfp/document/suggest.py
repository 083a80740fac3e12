"""Suggestions for words that are not known."""

from __future__ import annotations

import re
from collections.abc import Iterable


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known word that was probably meant, or None. Case, `-`, `_` and zeros before a number count little; `cutoff` 1 takes no other word."""
    import difflib  # only documents with mistakes pay for it

    def plain(text: str) -> str:
        text = text.replace("-", "").replace("_", "").casefold()
        return re.sub(r"(?<!\d)0+(?=\d)", "", text)

    by_plain = {plain(candidate): candidate for candidate in sorted(known, reverse=True)}
    found = difflib.get_close_matches(plain(word[:100]), by_plain, n=1, cutoff=cutoff)
    return by_plain[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], *, noun: str = "") -> str:
    """A help text: the closest known word, else all of them if they are few."""
    words = sorted(set(known))
    if match := closest(word, words):
        return f"did you mean `{match}`?"
    if not words:
        return f"there are no {noun}" if noun else ""
    if len(words) <= 12:
        return f"known {noun or 'are'}: " + ", ".join(f"`{name}`" for name in words)
    return ""
