"""Text of the document is untrusted wherever it is shown."""

from __future__ import annotations

import unicodedata

# Format characters change how what follows is shown, or hide in it. These are text: the joiners of scripts and emoji, the
# soft hyphen, and signs that stand before numbers.
_TEXT = frozenset(
    "\u200c\u200d\u00ad\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
_ESCAPED = ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")
_LONG = 2000
_JOINER = "\u200d"
_AS_EMOJI = "\ufe0f"


def terminal(text: str) -> str:
    r"""Text that no terminal acts upon: control characters and the like as `\x1b`, `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def brief(text: str) -> str:
    """The text as `terminal` has it; of a very long one, the field of a megabyte say, the beginning and the end."""
    return terminal(text if len(text) <= _LONG else f"{text[: _LONG - 500]} ... {text[-500:]}")


def _shown(char: str) -> str:
    code = ord(char)
    if unicodedata.category(char) in _ESCAPED and char not in _TEXT:
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    return char


def width(text: str) -> int:
    """Columns that a text takes on a terminal, as those count that know emoji: a joined one is as wide as its first."""
    if text.isascii():
        return len(text)
    columns, before, joined = 0, "", False
    for char in text:
        taken = 0 if joined and before == _JOINER else _columns(char)
        if 0x1F3FB <= ord(char) <= 0x1F3FF and joined:  # the colour of the hand before it
            taken = 0
        elif char == _AS_EMOJI and before and unicodedata.category(before) == "So" and _columns(before) == 1:
            taken = 1
        joined = taken == 2 or (joined and taken == 0) or char == _AS_EMOJI
        columns, before = columns + taken, char
    return columns


def _columns(char: str) -> int:
    code, category = ord(char), unicodedata.category(char)
    if category in ("Mn", "Me") or char in "\u200c\u200d" or 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF:
        return 0  # vowels and ends of Hangul are part of the syllable before them
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
