"""Text of the document is untrusted wherever it is shown."""

from __future__ import annotations

import unicodedata

# Characters that change how what follows is shown: direction marks and the like.
_HIDDEN = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff")


def terminal(text: str) -> str:
    r"""Text that no terminal acts upon: control characters and the like as `\x1b`, `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    code = ord(char)
    if char in _HIDDEN or unicodedata.category(char) in ("Cc", "Cs", "Cn", "Co"):
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    return char


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
