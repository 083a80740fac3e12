"""A Python template as the small text that goes into a pod: `python3 -c TEXT ARGS...`."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator
from functools import cache

from kade2kfp.resources import read_text

# From Python 3.12 (3.14) on, the tokens inside an f-string (t-string) are listed one by one.
_PARTED = {
    getattr(tokenize, f"{letter}STRING_{end}"): step
    for letter in "FT"
    for end, step in (("START", 1), ("END", -1))
    if hasattr(tokenize, f"{letter}STRING_{end}")
}
_UNSEEN = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING)
_Piece = tuple[int, str, bool]  # type of token, text, whether space stands before it


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

    Raises:
        SyntaxError, tokenize.TokenError: It is no Python.
    """
    lines: list[str] = []
    filled = [True]  # for each open block, whether a statement of it has been written
    statement: list[_Piece] = []
    for kind, text, spaced in _pieces(source):
        if kind == tokenize.INDENT:
            filled.append(False)
        elif kind == tokenize.DEDENT:
            if not filled.pop():
                lines.append(" " * len(filled) + "pass")
        elif kind != tokenize.NEWLINE:
            statement.append((kind, text, spaced))
        else:
            if any(piece[0] != tokenize.STRING for piece in statement):  # else a docstring
                filled[-1] = True
                lines.append(" " * (len(filled) - 1) + _joined(statement))
            statement = []
    return "\n".join(lines) + "\n"


def _pieces(source: str) -> Iterator[_Piece]:
    """The tokens that count; an f-string is one piece, as it is written."""
    lines = list(io.StringIO(source))  # split as tokenize does: not at form feeds
    depth, begin, before = 0, (0, 0), (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        step = _PARTED.get(token.type, 0)
        if step == 1 and depth == 0:
            begin = token.start
        depth += step
        if depth or token.type in _UNSEEN or token.type == tokenize.ENDMARKER:
            continue
        start = begin if step else token.start
        kind = tokenize.OP if step else token.type
        yield kind, _between(lines, start, token.end) if step else token.string, start != before
        before = token.end


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The source from one position up to another."""
    (first, left), (last, right) = start, end
    if first == last:
        return lines[first - 1][left:right]
    return lines[first - 1][left:] + "".join(lines[first : last - 1]) + lines[last - 1][:right]


def _joined(statement: list[_Piece]) -> str:
    """One statement on one line; a space only where one stood and two tokens could become one without it."""
    text = ""
    for _, piece, spaced in statement:
        if (spaced and text and _glues(text[-1], piece[0])) or (text[-1:], piece[0]) == ("{", "{"):
            text += " "
        text += piece
    return text


def _glues(left: str, right: str) -> bool:
    """Whether two characters beside each other may belong to one token."""
    if left in "()[],;" or right in "()[],;":
        return False
    return _is_word(left) == _is_word(right)


def _is_word(char: str) -> bool:
    return char.isalnum() or char in "_.\"'" or not char.isascii()
