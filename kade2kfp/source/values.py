"""The scanner's values: texts, numbers, words, and what is written in their place."""

from __future__ import annotations

import re
from typing import Any

from kade2kfp.source import mend, tokens
from kade2kfp.source.cursor import Cursor, Frame, StopError
from kade2kfp.source.limits import MAX_DEPTH
from kade2kfp.source.mistakes import shown
from kade2kfp.source.model import Object
from kade2kfp.source.places import Kid, Place

_LITERALS = {"true": True, "false": False, "null": None}
_LINE_BREAK = re.compile(r"[\r\n]")
_REST_OF_LINE = re.compile(r"[^\r\n]*+")


def value(cursor: Cursor, pos: int) -> tuple[Any, Kid]:
    """The value that begins at an offset, and its place. An object or array is only opened."""
    match = tokens.SIMPLE.match(cursor.text, pos)
    if match:
        cursor.pos = match.end()
        kind = match.lastindex
        return (match[1] if kind == 1 else int(match[2]) if kind == 2 else _LITERALS[match[3]]), pos
    cursor.pos = pos
    char = cursor.next()
    if char in ("{", "["):
        return _open(cursor, char)
    cursor.skip()
    if cursor.pos > pos:  # a comment stood here
        return value(cursor, cursor.pos)
    return _odd(cursor, char), pos


def _open(cursor: Cursor, char: str) -> tuple[Any, Place]:
    if len(cursor.frames) >= MAX_DEPTH:
        message = f"more than {MAX_DEPTH} objects and arrays inside each other"
        cursor.note("K007", message, "a pipeline document is flat: it needs fewer than ten", cursor.pos, cursor.pos + 1)
        raise StopError
    place = Place(cursor.pos)
    found: Object | list[Any] = [] if char == "[" else Object()
    if isinstance(found, Object):
        found.pointer = cursor.at()
    cursor.frames.append(Frame(found, place))
    cursor.pos += 1
    return found, place


def _odd(cursor: Cursor, char: str) -> Any:
    """What is not plain: a text with escapes, a long number, or a mistake."""
    text, pos = cursor.text, cursor.pos
    if char == '"':
        return string(cursor, tokens.LITERAL_END)
    if number := tokens.NUMBER.match(text, pos):
        cursor.pos = number.end()
        found, wrong = mend.number(number[1], number[2])
        if wrong:
            cursor.note(wrong.code, wrong.message, wrong.help, pos, cursor.pos)
        return found
    if char in (",", "}") and cursor.frames:
        cursor.note("K003", f"{shown(str(cursor.frames[-1].key))} has no value", _NO_VALUE, pos, pos + 1)
        cursor.torn = True
        return None
    if quoted := tokens.ODD_QUOTED.match(text, pos):
        return _meant(cursor, quoted, quoted[0][1:-1], mend.QUOTES)
    if (word := tokens.WORD.match(text, pos)) and word[0].isprintable():
        if word.end() == len(text) and cursor.frames:  # cut off in the middle of it
            cursor.unclosed()
        return _meant(cursor, word, *mend.word(word[0]))
    return cursor.unexpected("expected a value: a text in double quotes, a number, true, false, null, `{` or `[`")


_NO_VALUE = "write one behind the colon, or `null`"


def _meant(cursor: Cursor, match: re.Match[str], meant: object, wrong: mend.Wrong) -> object:
    """Take what was meant, where it ends as a value does; else there is more to it, which nobody can tell."""
    cursor.note(wrong.code, wrong.message, wrong.help, *match.span())
    if not tokens.LITERAL_END.match(cursor.text, match.end()):
        raise StopError
    cursor.pos = cursor.places.ends[match.start()] = match.end()
    return meant


def string(cursor: Cursor, end: re.Pattern[str]) -> str:
    """The text in double quotes that begins here; `end` is what may follow it."""
    text, pos = cursor.text, cursor.pos
    match = tokens.QUOTED.match(text, pos)
    if match is None or (_LINE_BREAK.search(text, pos, match.end()) and not end.match(text, match.end())):
        return _unclosed(cursor, is_value=end is tokens.LITERAL_END)
    cursor.pos = match.end()
    found, mistakes = mend.decoded(match[0][1:-1])
    for wrong in mistakes:
        on_key = end is tokens.KEY_END
        at = cursor.around() if on_key else None
        cursor.note(wrong.code, wrong.message, wrong.help, pos + wrong.start, pos + wrong.end, at)
    return found


def _unclosed(cursor: Cursor, *, is_value: bool) -> str:
    """A text whose closing quote is missing: it was meant to end with its line, before the comma."""
    pos = cursor.pos
    line = _REST_OF_LINE.match(cursor.text, pos + 1)
    found = line[0].rstrip() if line else ""
    space = tokens.SPACE.match(cursor.text, pos + 1 + len(found))
    is_last = space is not None and space.end() == len(cursor.text)
    cursor.note("K003", "this text is not closed", 'put a `"` at its end', pos, pos + 1 + len(found))
    found = found.removesuffix(",").rstrip()
    if not is_value or is_last or "\\" in found or found.endswith(("}", "]")):
        raise StopError
    cursor.pos = cursor.places.ends[pos] = pos + 1 + len(found)
    return found
