"""The thorough way: a text of any kind, read with every mistake and every place.

It keeps a stack of its own, so that no nesting is too deep for Python. After a mistake whose meaning is plain (a comma
too many, a comment, `True`) it reads on as if it were right; after any other it stops, and there is no value.
"""

from __future__ import annotations

from dataclasses import dataclass

from kade2kfp.source import mend, tokens
from kade2kfp.source.cursor import Cursor, StopError
from kade2kfp.source.items import advance
from kade2kfp.source.mistakes import Mistakes
from kade2kfp.source.model import MISSING, Object
from kade2kfp.source.places import Place, Places
from kade2kfp.source.values import value


@dataclass(frozen=True, slots=True)
class Scan:
    """The value of a text (MISSING where it could not be read to its end), its mistakes and its places."""

    root: object
    mistakes: Mistakes
    places: Places


def scan(text: str) -> Scan:
    """Read a text. It takes time in proportion to the text's length, whatever that holds."""
    cursor = Cursor(text, Places(text))
    root: object = MISSING
    try:
        root = _whole(cursor)
    except StopError:
        return Scan(MISSING, cursor.mistakes, cursor.places)
    return Scan(MISSING if cursor.torn else root, cursor.mistakes, cursor.places)


def _whole(cursor: Cursor) -> object:
    """One value, with nothing behind it."""
    cursor.skip()
    start = cursor.pos
    if not cursor.next():
        message = "the file holds nothing but comments" if cursor.mistakes.found else "the file is empty"
        cursor.mistakes = Mistakes()
        cursor.note("K001", message, "write a pipeline document into it: a JSON object", 0, 0)
        raise StopError
    if not _begins(cursor):
        word = tokens.WORD.match(cursor.text, start)
        end = word.end() if word else start + 1
        cursor.stop("this is not JSON", mend.not_json(cursor.text[start : start + 200]), start, end)
    root, cursor.places.root = value(cursor, start)
    _items(cursor)
    cursor.skip()
    if cursor.next():
        _after(cursor, root)
    if not isinstance(root, Object) and (isinstance(root, list) or not cursor.mistakes.found):
        message = f"a pipeline document is an object, this is {_kind(root)}"
        is_alone = isinstance(root, list) and len(root) == 1 and isinstance(root[0], Object)
        help_ = "take the object out of its `[` and `]`" if is_alone else "it begins with `{` and ends with `}`"
        place = cursor.places.root
        end = start + 1 if isinstance(place, Place) else cursor.places.token(start)[1]
        cursor.note("K010", message, help_, start, end)
    return root


def _begins(cursor: Cursor) -> bool:
    """Whether a JSON value begins here, or what could stand for one."""
    if cursor.next() in '{["':
        return True
    word = tokens.WORD.match(cursor.text, cursor.pos)
    if word is None or not tokens.LITERAL_END.match(cursor.text, word.end()):
        return False
    return bool(tokens.SIMPLE.match(word[0]) or tokens.NUMBER.match(word[0])) or mend.word(word[0])[0] != word[0]


def _items(cursor: Cursor) -> None:
    """All items of the root, and theirs, until it is closed. Plain ones take one expression for all before the value."""
    text, frames = cursor.text, cursor.frames
    member, element = tokens.MEMBER.match, tokens.ELEMENT.match
    while frames:
        frame = frames[-1]
        holder, place = frame.value, frame.place
        is_list = frame.is_list
        match = (element if is_list else member)(text, cursor.pos)
        plain = match is not None and frame.comma < 0 and (match[1] is not None) is frame.started
        if match is not None and plain and is_list:
            frame.key = len(holder)
            cursor.pos = match.end()
        elif match is not None and plain and match[2] not in place.keys:
            frame.key = match[2]
            place.keys[match[2]] = match.start(2) - 1
            cursor.pos = match.end()
        elif not advance(cursor, frame):
            continue
        frame.started, frame.comma = True, -1
        found, kid = value(cursor, cursor.pos)
        if is_list:
            holder.append(found)
            place.elements.append(kid)
        else:
            holder[frame.key] = found
            place.members[str(frame.key)] = kid


def _after(cursor: Cursor, root: object) -> None:
    """Something follows the document's end."""
    pos, char = cursor.pos, cursor.next()
    word = tokens.WORD.match(cursor.text, pos)
    end = word.end() if word else pos + 1
    if isinstance(root, str) and char == ":":
        cursor.stop("a member without an object around it", "put the whole between `{` and `}`", pos, end)
    message = f"`{char}` closes nothing" if char in "}]" else "text after the end of the document"
    cursor.note("K003", message, "a file holds one document: leave out what follows it", pos, end, ())
    if not isinstance(root, Object):
        raise StopError


def _kind(root: object) -> str:
    if isinstance(root, str):
        return "a text"
    if isinstance(root, list):
        return "an array"
    return "null" if root is None else "true or false" if isinstance(root, bool) else "a number"
