"""How texts and times are written on a run's page. What comes out is HTML: escaped, and harmless wherever it stands."""

from __future__ import annotations

import html
import json
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


def utc(seconds: float) -> str:
    """A point in time: `2026-03-01 12:03:07 UTC`."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):  # a state file that was written by hand
        return "unknown"


def counted(many: int, word: str) -> str:
    """`1 task`, `3 tasks`."""
    return f"{many:,} {word}{'' if many == 1 else 's'}"
