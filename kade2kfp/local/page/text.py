"""How texts, times and numbers are written on a run's page. What comes out is HTML: escaped, and harmless wherever it stands."""

from __future__ import annotations

import html
import json
import math
import re
import time

from kade2kfp.diagnostics.escape import terminal, width
from kade2kfp.steps.sources import Json

NONE = '<span class="none">&ndash;</span>'
_LINE = 400
# What programs write to colour a terminal (ECMA-48 control sequences, and xterm's titles).
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


def cut(text: str, most: int) -> str:
    """A text's beginning, with … where there is more."""
    return text if len(text) <= most else text[: most - 1] + "…"


def plain(text: str, most: int = 160) -> str:
    """A text of the document for an element or an attribute in double quotes; hidden characters are shown as escapes."""
    return html.escape(terminal(cut(text, most)))


def name(text: str, most: int = 160) -> str:
    """A text of the document by itself: its direction does not change what stands beside it."""
    return f"<bdi>{plain(text, most)}</bdi>"


def columns(text: str, most: int) -> str:
    """As `plain`, at most so many columns wide, for drawings, where nothing wraps."""
    shown, taken = "", 0
    text = terminal(cut(text, 4 * most))
    for number, char in enumerate(text):
        taken += width(char)
        if taken > most or (taken == most and number + 1 < len(text)):
            return html.escape(shown) + "…"
        shown += char
    return html.escape(shown)


def log_line(line: str) -> str:
    """A log's line as a terminal would have it in the end, without its colours."""
    rest = _SEQUENCE.sub("", line).rstrip("\r\n")
    return plain(rest.rpartition("\r")[2].expandtabs(8), _LINE)


def value(given: Json, most: int = 200) -> str:
    """A parameter or an output: text as it is, else JSON."""
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    more = f' <span class="dim">({len(text):,} characters)</span>' if len(text) > most else ""
    return f"<code>{name(text, most)}</code>{more}" if text else '<span class="dim">empty</span>'


def number(given: float) -> str:
    """A metric, to six digits."""
    return f"{given:.6g}"


def took(seconds: float) -> str:
    """A duration: `0.35 s`, `3.2 s`, `4 min 05 s`, `3 h 02 min`, `2 d 04 h`."""
    if not math.isfinite(seconds):
        return "unknown"
    seconds = max(0.0, seconds)
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def utc(seconds: float) -> str:
    """A point in time: `2026-03-01 12:03:07 UTC`."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):  # a state file that was written by hand
        return "unknown"


def size(count: int) -> str:
    """Bytes: `2 B`, `3.4 KiB`."""
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"


def counted(many: int, word: str) -> str:
    """`1 task`, `3 tasks`."""
    return f"{many:,} {word}{'' if many == 1 else 's'}"
