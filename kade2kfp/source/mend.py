"""What people write where JSON asks for something else: what is wrong with it, and what it was meant to be."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from kade2kfp.source.limits import MAX_DIGITS, MAX_INTEGER, UNUSABLE_NUMBER
from kade2kfp.source.mistakes import shown
from kade2kfp.source.tokens import CONTROL, ESCAPE

_LITERALS = {"true": True, "false": False, "null": None, "none": None, "nil": None, "undefined": None}
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_NUMERIC = re.compile(
    r"[+-]?(?:0[xXoObB][0-9a-fA-F_]++|(?=[._]*+[0-9])[0-9_]*+(?:\.[0-9_]*+)?+(?:[eE][+-]?[0-9_]*+)?+)"
)
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WRITTEN = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f"}
_NAMES = {"\n": "a line break", "\r": "a line break", "\t": "a tab", "\0": "a NUL character"}


class Wrong(NamedTuple):
    """A mistake within a token; start and end count from the token's first character."""

    code: str
    message: str
    help: str
    start: int = 0
    end: int = 0


QUOTES = Wrong("K003", "a text in quotes that are not JSON's", 'use double quotes: "')


def word(text: str) -> tuple[object, Wrong]:
    """The value that a run of characters without quotes was meant to be. It is none of JSON's own."""
    if _NOT_FINITE.fullmatch(text):
        help_ = "JSON has no NaN and no Infinity: leave the field out, or write a large number"
        return UNUSABLE_NUMBER, Wrong("K005", f"{shown(text)} is not a number in JSON", help_)
    if text.lower() in _LITERALS:
        value = _LITERALS[text.lower()]
        right = {True: "true", False: "false", None: "null"}[value]
        return value, Wrong("K003", f"{shown(text)} is not a word of JSON", f"write `{right}`")
    if _NUMERIC.fullmatch(text):
        help_ = "write it in decimal, without `+`, leading zeros or `_`, and with digits on both sides of a dot"
        return UNUSABLE_NUMBER, Wrong("K003", f"{shown(text)} is not a number as JSON writes it", help_)
    return text, Wrong("K003", f"{shown(text)} has no quotes", "put texts in double quotes")


def number(whole: str, rest: str) -> tuple[int | float, Wrong | None]:
    """A number's value: an integer where it has neither a fraction nor an exponent."""
    if rest:
        value = float(whole + rest)
        if not math.isinf(value):
            return value, None
        return UNUSABLE_NUMBER, Wrong("K005", f"{shown(whole + rest)} is too large for a number", _DOUBLE)
    digits = len(whole.lstrip("-"))
    if digits < MAX_DIGITS or (digits == MAX_DIGITS and abs(int(whole)) <= MAX_INTEGER):
        return int(whole), None
    return UNUSABLE_NUMBER, Wrong("K009", f"an integer of {digits:,} digits is too large for a number", _DIGITS)


_DOUBLE = "a number is at most 1.79e308, since Kubeflow Pipelines carries doubles; put it in quotes if it is a text"
_DIGITS = (
    "an integer has at most 309 digits, since Kubeflow Pipelines carries doubles; put it in quotes if it is a text"
)


def decoded(raw: str) -> tuple[str, list[Wrong]]:
    """The text between its quotes, and what is wrong with it: of each kind of mistake the first.

    Half of a surrogate pair is read as U+FFFD, since no byte sequence can hold it; a backslash that begins no escape
    stands for itself.
    """
    wrong: dict[str, Wrong] = {}

    def escape(match: re.Match[str]) -> str:
        high, low, code, letter = match.groups()
        if letter:
            return _ESCAPES[letter]
        if high:
            return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
        if code and not 0xD800 <= int(code, 16) <= 0xDFFF:
            return chr(int(code, 16))
        at, end = match.span()
        if code:
            help_ = "a character beyond U+FFFF is written as a pair, such as \\ud83d\\ude00, or as itself in UTF-8"
            wrong.setdefault("K006", Wrong("K006", f"`{match[0]}` is half of a surrogate pair", help_, at + 1, end + 1))
            return "\ufffd"
        shape = raw[at : at + 2]
        help_ = 'a backslash is written \\\\; what may follow one is " \\ / b f n r t, or u with four hex digits'
        wrong.setdefault(
            "K003", Wrong("K003", f"{shown(shape)} is no escape in JSON", help_, at + 1, at + 1 + len(shape))
        )
        return "\\"

    text = ESCAPE.sub(escape, raw)
    control = CONTROL.search(raw)
    if control:
        char, at = control[0], control.start() + 1
        name = _NAMES.get(char, f"the control character U+{ord(char):04X}")
        written = _WRITTEN.get(char, f"\\u{ord(char):04x}")
        width = 2 if raw[at - 1 : at + 1] == "\r\n" else 1
        wrong["control"] = Wrong("K006", f"{name} inside a text", f"write it as {written}", at, at + width)
    return text, list(wrong.values())


def not_json(text: str) -> str:
    """What a text is that does not begin as JSON does, as a help."""
    head = text[:200].lstrip()
    if head[:1] == "<":
        return "this looks like HTML or XML: a web page in place of the document?"
    if re.match(r"---|[\w$-]+:(?:\s|$)", head):
        return "this looks like YAML; a pipeline document is JSON"
    return "a pipeline document is a JSON object: it begins with `{`"
