"""Text on its way through Argo and Kubernetes, both of which replace parts of what they carry.

Argo substitutes `{{...}}`, Kubernetes expands `$(VAR)` and folds `$$` (Argo: util/template; Kubernetes:
third_party/forked/golang/expansion). A command is cut into harmless pieces (steps/command.py); here is the rest.
"""

from __future__ import annotations

import re

# Between two characters that would begin something together.
_BETWEEN = re.compile(r"(?<=\{)(?=\{)|(?<=\$)(?=[$(])")
# What a YAML reader refuses (yaml.reader.Reader.NON_PRINTABLE), and half characters.
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
_ZERO_WIDTH_SPACE = "\u200b"


class CannotLowerError(Exception):
    """The plan holds something that KFP cannot carry and that the checks let through: a bug of ours, not the user's."""


def display(text: str) -> str:
    """The text for people to read: looks the same, nothing in it is substituted, and Argo and every YAML reader take it."""
    shown = "".join(
        "\ufffd" if char == "\x7f" or (char > "\uffff" and not char.isprintable()) else char for char in text
    )
    return _BETWEEN.sub(_ZERO_WIDTH_SPACE, _UNREADABLE.sub("\ufffd", shown))


def plain(text: str, what: str) -> str:
    """The very same text, for a place where it can be neither cut nor changed.

    Raises:
        CannotLowerError: Argo or Kubernetes would replace a part of it; `what` says where it stands.
    """
    if _BETWEEN.search(text):
        raise CannotLowerError(f"{what} holds '{{{{', '$(' or '$$': {text!r}")
    return text


def one_line(text: str) -> str:
    """The text fit for a YAML comment: line breaks and what a YAML reader refuses are escaped as in Python."""
    escaped = _UNREADABLE.sub(_escape, text)
    return _LINE_BREAK.sub(_escape, escaped)


def label_value(text: str) -> str:
    """The text cut to what Kubernetes takes as a label's value; the text holds only letters, digits and `-`, `_`, `.`."""
    return text[:63].strip("-_.")


def _escape(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")
