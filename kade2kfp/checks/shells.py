"""Commands that a shell reads, and those that none does: there operators and variables arrive as they stand."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

# What people add to, as in PATH=$PATH:/opt/bin, which would leave the step without its programs.
USUAL = frozenset(["PATH", "HOME", "PWD", "USER", "LD_LIBRARY_PATH", "PYTHONPATH"])
_SHELLS = frozenset(["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "pwsh"])
_OPERATORS = frozenset(["&&", "||", "|", ";", ">", ">>", "<", "2>&1", "&"])
_SEPARATORS = frozenset(["|", ";", ">", "<", "&"])
_EXEC = frozenset(["-exec", "-execdir", "-ok", "-okdir"])
_VARIABLE = re.compile(r"(?<!\$)\$(?:\((\w+)\)|\{(\w+)\}|(\w+))")


def is_read(command: Sequence[str], args: Sequence[str] = ()) -> bool:
    """Whether a shell reads what a command says: its program is one, or it starts one: `env bash -c`, `tini -- sh -c`."""
    words = [*command, *args]
    shells = [i for i, word in enumerate(words) if word.rpartition("/")[2] in _SHELLS]
    return any(i == 0 or re.match("-[a-zA-Z]*c", "".join(words[i + 1 : i + 2]), re.IGNORECASE) for i in shells)


def variable_in(text: str, names: Container[str]) -> str:
    """The first of these variables that stands in a text as a shell or Kubernetes would replace it: `$NAME`; or ""."""
    return next((match[0] for match in _VARIABLE.finditer(text) if match[match.lastindex or 0] in names), "")


def operator_in(words: Sequence[str]) -> int | None:
    """Where the first word is that only a shell would understand; not what ends find's -exec, nor the value of an option."""
    for i, word in enumerate(words):
        value = word in _SEPARATORS and i > 0 and words[i - 1].startswith("-")
        if word in _OPERATORS and not value and not (word == ";" and _EXEC.intersection(words[:i])):
            return i
    return None
