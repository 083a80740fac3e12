"""A Python template as the small text that goes into a pod: `python3 -c TEXT ARGS...`."""

from __future__ import annotations

import re
from functools import cache

from kade2kfp.resources import read_text

# Of Python's tokens only those are told apart that matter here. `tokenize` would do it too, at the price of half a
# `validate`, and differently under each Python.
_PIECE = re.compile(
    r"""
    (?P<text>[rRbBuU]{0,2}(?:
        '''(?:[^'\\]|\\.|'(?!''))*'''
        |\"\"\"(?:[^"\\]|\\.|"(?!""))*\"\"\"
        |'(?:[^'\\\n]|\\.)*'
        |"(?:[^"\\\n]|\\.)*"
    ))
    |(?P<space>(?:[ \t\f]|\\\r?\n)+)
    |(?P<end>\r?\n)
    |(?P<note>\#[^\n]*)
    |(?P<bracket>[()\[\]{}])
    |(?P<code>[^\s'"\#()\[\]{}\\]+)
    """,
    re.VERBOSE | re.DOTALL,
)


@cache
def embed_python(name: str) -> str:
    """The text of templates/NAME without comments, docstrings, blank lines and unneeded space.

    It runs as the template does, but for `__doc__` and line numbers. It is made of the tokens as they are
    written, so it is the same under every Python that compiles; `ast.unparse` changes with the version.

    Raises:
        FileNotFoundError: There is no such template.
    """
    return shrink(read_text(f"templates/{name}"))


def shrink(source: str) -> str:
    """Drop from a Python source what does not change how it runs.

    Quotes of the same kind inside an f-string (Python 3.12, PEP 701) are not understood.

    Raises:
        SyntaxError: It is no Python.
    """
    lines: list[str] = []
    blocks = [(0, True)]  # for each open block its column, and whether a statement of it has been written
    statement, only_text, spaced, depth, indent = "", True, False, 0, ""
    at = 0
    for match in _PIECE.finditer(source + "\n"):
        kind, piece = match.lastgroup, match[0]
        if match.start() != at:
            break
        at = match.end()
        if kind == "end" and depth == 0:
            if statement:
                column = _column(indent)
                while column < blocks[-1][0]:
                    _close(blocks, lines)
                if column > blocks[-1][0]:
                    blocks.append((column, False))
                if not only_text:  # else a docstring
                    blocks[-1] = (blocks[-1][0], True)
                    lines.append(" " * (len(blocks) - 1) + statement)
            statement, only_text, spaced, indent = "", True, False, ""
        elif kind in ("space", "end", "note"):
            spaced = True
            if not statement and kind == "space":
                indent = piece
        else:
            depth += (piece in "([{") - (piece in ")]}") if kind == "bracket" else 0
            only_text = only_text and kind == "text"
            if (spaced and statement and _glues(statement[-1], piece[0])) or (statement[-1:], piece[0]) == ("{", "{"):
                statement += " "
            statement += piece
            spaced = False
    if at <= len(source) or depth:
        raise SyntaxError(f"not Python, from character {at} on")
    while len(blocks) > 1:
        _close(blocks, lines)
    return "\n".join(lines) + "\n"


def _close(blocks: list[tuple[int, bool]], lines: list[str]) -> None:
    """Close the innermost block; one that only had a docstring passes."""
    _, filled = blocks.pop()
    if not filled:
        lines.append(" " * len(blocks) + "pass")


def _column(indent: str) -> int:
    """The column that an indentation leads to, with Python's tab stops; a form feed begins anew."""
    return len(indent.rpartition("\f")[2].expandtabs(8))


def _glues(left: str, right: str) -> bool:
    """Whether two characters beside each other may belong to one token."""
    if left in "()[],;" or right in "()[],;":
        return False
    return _is_word(left) == _is_word(right)


def _is_word(char: str) -> bool:
    return char.isalnum() or char in "_.\"'" or not char.isascii()
