"""The scanner between values: commas, keys, colons and closing brackets."""

from __future__ import annotations

import re

from kade2kfp.source import mend, tokens
from kade2kfp.source.cursor import Cursor, Frame, StopError
from kade2kfp.source.mistakes import shown
from kade2kfp.source.values import string


def advance(cursor: Cursor, frame: Frame) -> bool:
    """Go on to the next item's value, its key being read; or false, one comma or a closing bracket further."""
    before = cursor.pos
    cursor.skip()
    pos, char = cursor.pos, cursor.next()
    if not char:
        cursor.unclosed()
    if char in "}]":
        _close(cursor, frame, char)
        return False
    if char == ",":
        if frame.started and frame.comma < 0:
            frame.comma = pos
        else:
            cursor.note("K003", "a comma too many", "leave it out", pos, pos + 1, cursor.around())
        cursor.pos += 1
        return False
    if frame.started and frame.comma < 0:
        _missing_comma(cursor, frame, before)
    if frame.is_list:
        frame.key = len(frame.value)
    else:
        key(cursor, frame)
        _colon(cursor, frame)
    return True


def _close(cursor: Cursor, frame: Frame, char: str) -> None:
    pos, start = cursor.pos, frame.place.start
    opening, closing = frame.brackets[0], frame.brackets[1]
    if char != closing:
        cursor.stop(
            f"`{opening}` is closed by `{char}`",
            f"a `{closing}` is missing before it, or it is one too many",
            pos,
            pos + 1,
            at=cursor.around(),
            related=(f"the `{opening}`", start, start + 1),
        )
    if frame.comma >= 0:
        message = f"a comma before the closing `{closing}`"
        cursor.note(
            "K003", message, "leave it out: JSON allows none there", frame.comma, frame.comma + 1, cursor.around()
        )
    cursor.frames.pop()
    cursor.pos = frame.place.end = pos + 1


def _missing_comma(cursor: Cursor, frame: Frame, before: int) -> None:
    """Something follows an item without a comma; `before` is where the item ends."""
    text, pos = cursor.text, cursor.pos
    in_text = text[before - 1] == '"'
    if frame.is_list:
        is_item = text[pos] in '"{[' or bool(tokens.SIMPLE.match(text, pos) or tokens.NUMBER.match(text, pos))
    else:
        match = tokens.QUOTED.match(text, pos) or tokens.WORD.match(text, pos)
        is_item = match is not None and bool(tokens.KEY_END.match(text, match.end()))
    if not is_item or (in_text and pos == before):
        cursor.unexpected(_INNER_QUOTE if in_text else f"expected `,` or `{frame.brackets[1]}`")
    cursor.note("K003", "a comma is missing", "put one behind this item", before, before, cursor.around())


_INNER_QUOTE = 'expected a comma or a closing bracket; a `"` inside a text is written \\"'


def key(cursor: Cursor, frame: Frame) -> None:
    """Read a member's key, and note its place."""
    text, pos = cursor.text, cursor.pos
    odd = tokens.ODD_QUOTED.match(text, pos) or tokens.WORD.match(text, pos)
    if cursor.next() == '"':
        found = string(cursor, tokens.KEY_END)
    elif odd and tokens.KEY_END.match(text, odd.end()):
        inner = odd.re is tokens.ODD_QUOTED
        found = odd[0][1:-1] if inner else odd[0]
        wrong = mend.QUOTES if inner else mend.Wrong("K003", f"the key {shown(found)} has no quotes", _QUOTE_KEYS)
        cursor.note(wrong.code, wrong.message, wrong.help, pos, odd.end(), cursor.around())
        cursor.pos = cursor.places.ends[pos] = odd.end()
    elif text.startswith("{{", pos - 1) and (reference := _UNQUOTED.match(text, pos - 1)):
        help_ = f'put it in double quotes: "{reference[0]}"'
        cursor.stop("a reference without quotes", help_, pos - 1, reference.end(), at=cursor.around())
    else:
        cursor.unexpected("expected a key in double quotes")
    keys = frame.place.keys
    frame.key = found
    # Two different halves of surrogate pairs are both read as U+FFFD.
    if found in keys and not ("\ufffd" in found and _HALF.search(text, pos, cursor.pos)):
        first = frame.first_keys.setdefault(found, keys[found])
        message = f"the key {shown(found)} is there twice"
        related = ("the first one", *cursor.places.token(first))
        cursor.note("K004", message, _DUPLICATE, pos, cursor.pos, on_key=True, related=related)
    keys[found] = pos


_UNQUOTED = re.compile(r"\{\{ *[\w.-]{1,200} *\}\}")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_QUOTE_KEYS = "put keys in double quotes"
_DUPLICATE = "JSON readers differ in which one they take: leave one out, or rename it"


def _colon(cursor: Cursor, frame: Frame) -> None:
    """Pass the colon between a key and its value."""
    end = cursor.pos
    cursor.skip()
    char, pos = cursor.next(), cursor.pos
    if char == ":":
        cursor.pos += 1
    elif char == "=":
        cursor.note("K003", "`=` in place of a colon", "write `:`", pos, pos + 1)
        cursor.pos += 1
    elif char in ("{", "[") or tokens.SIMPLE.match(cursor.text, pos):
        cursor.note("K003", f"a colon is missing behind {shown(str(frame.key))}", "write `:`", end, end)
    elif char in (",", "}"):
        cursor.note("K003", f"{shown(str(frame.key))} has no value", "write `:` and a value behind it", end, end)
        raise StopError
    else:
        cursor.unexpected(f"expected `:` behind the key {shown(str(frame.key))}")
    cursor.skip()
