"""How wide texts are in fonts that nobody knows beforehand: rather too wide than too narrow. Lengths are in CSS pixels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from kade2kfp.diagnostics.escape import terminal

Measure = Callable[[str], float]
_DIGEST = re.compile(r"@sha256:([0-9a-f]{7})[0-9a-f]{57}\b")
_JOINER = "\u200d"
_LONGEST = 400
"""Characters of a text that are looked at; no box shows more."""
# Widths in em of DejaVu Sans Bold, which is wider than what browsers take for sans-serif elsewhere.
_EM = {
    char: em
    for em, chars in {
        0.37: " ijlI|'",
        0.42: ".,:;/\\-",
        0.5: "()[]ft`_",
        0.54: 'r"!*^',
        0.66: "cszxJ?",
        0.72: "aekvy$EFLT{}0123456789",
        0.78: "bdghnopquABCKPSRVXYZ",
        0.88: "+<>=~#&DGHNUOQ",
        1.05: "wmM@%",
        1.11: "W",
    }.items()
    for char in chars
}
_OTHER = 1.1
_LIGHT = 0.9
"""Of a text in regular weight, against one in bold."""
_MONO = 0.615
"""The advance of a monospaced font: Courier 0.6, Menlo and DejaVu 0.602, Consolas 0.55."""


def bold(size: float) -> Measure:
    """Widths of bold text of that size."""
    return lambda text: size * sum(_em(char, _EM.get(char)) for char in text)


def regular(size: float) -> Measure:
    """Widths of text of that size in regular weight."""
    return lambda text: _LIGHT * bold(size)(text)


def mono(size: float) -> Measure:
    """Widths of monospaced text of that size."""
    return lambda text: size * sum(_em(char, _MONO if char.isascii() or char in "→…·×" else None) for char in text)


def _em(char: str, known: float | None) -> float:
    if known is not None:
        return known
    if unicodedata.combining(char) or char == _JOINER:
        return 0.0
    # Emoji are wide, and so are the ligatures for whole phrases in Arabic Presentation Forms.
    return 1.35 if ord(char) > 0xFFFF or "\ufb50" <= char <= "\ufdff" else _OTHER


def one_line(text: str) -> str:
    """A text without line ends, and with escapes in place of what is not shown: the beginning, where it is very long."""
    kept = text if len(text) <= _LONGEST else text[: _LONGEST // 2] + "…" + text[-_LONGEST // 2 :]
    return terminal(re.sub(r"[\t\r\n ]+", " ", kept).strip())


def short_digest(text: str) -> str:
    """A text with the beginnings of digests in it: beside a whole one there is no room for the image's name."""
    return _DIGEST.sub(r"@\1…", text)


def ended(text: str, most: float, measure: Measure) -> str:
    """The text, or its beginning and … where it is wider."""
    if measure(text) <= most:
        return text
    end = len(text)
    while end and measure(text[:end] + "…") > most:
        end = _before(text, end - 1)
    return text[:end].rstrip() + "…"


def middled(text: str, most: float, measure: Measure) -> str:
    """The text, or its beginning, … and its end where it is wider: of paths and images the end says most.

    Whole parts of a path are left out where that does.
    """
    if measure(text) <= most:
        return text
    scheme, between, rest = text.rpartition("://")
    first, *parts = rest.split("/")
    for head in (f"{scheme}{between}{first}/…", "…"):
        for number in range(1, len(parts)):
            short = "/".join([head, *parts[number:]])
            if measure(short) <= most:
                return short
    # Of an image it is the name and the tag: what stands before says less than the middle of these.
    head, text = ("…/", parts[-1]) if len(parts) > 1 and parts[-1] else ("", text)
    for left_out in range(0 if head else 2, len(text)):
        kept = len(text) - left_out
        begin = _before(text, kept * 2 // 5)
        end = _before(text, len(text) - kept + begin)
        short = head + (text[:begin] + "…" + text[end:] if left_out else text)
        if measure(short) <= most:
            return short
    return "…"


def wrapped(text: str, most: float, measure: Measure, rows: int) -> list[str]:
    """The text in at most so many lines, broken between words where that can be; the last ends with … if there is more."""
    lines: list[str] = []
    while text and len(lines) < rows - 1 and measure(text) > most:
        fits = 1
        while measure(text[: fits + 1]) <= most:
            fits += 1
        between = (text.rfind(" ", 0, fits + 1), max(text.rfind(sign, 0, fits) + 1 for sign in "-_./:"))
        # A word that leaves most of the line empty is broken, and what is one character but longer than a line.
        at = next((end for end in between if end > fits // 4), _before(text, fits) or fits)
        lines.append(text[:at].rstrip())
        text = text[at:].lstrip()
    return [*lines, ended(text, most, measure)] if text else lines or [""]


def _before(text: str, at: int) -> int:
    """The nearest place up to there that parts no character from its accents, and no emoji that is made of some."""
    while 0 < at < len(text) and (text[at - 1] == _JOINER or text[at] == _JOINER or _follows(text[at])):
        at -= 1
    return max(0, at)


def _follows(char: str) -> bool:
    return unicodedata.category(char).startswith("M") or "\U0001f3fb" <= char <= "\U0001f3ff"  # tones of skin
