"""The script that a step's container starts with, reduced to what the step needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from kade2kfp.resources import read_text

OPERATIONS = frozenset("+svaenfwijopOPdDqrmktgVJSTU")
"""The operations of templates/step.sh."""

# What may go: in sh, spaces around these; in awk, spaces around strings, regular expressions and operators, and before
# the parenthesis of a keyword.
_SHELL = re.compile(r" ?(\|\|?|&&|;;?) ?")
_AWK = re.compile(
    r"""\s*("(?:[^"\\]|\\.)*"|/(?![ =])(?:[^/\\]|\\.)*/|[-=+<>?:;,{}&|!%*~)]+)\s*|\b(if|for|while) (?=\()"""
)


@cache
def embed(ops: frozenset[str]) -> str:
    """The text of templates/step.sh for a step that uses the operations `ops`, to be given to `sh -c`.

    Sections that none of the operations needs are left out, as are comments, blank lines and indentation: the script is
    stored in the compiled pipeline once for every step.

    Raises:
        ValueError: one of `ops` is no operation of the script.
    """
    if unknown := ops - OPERATIONS:
        raise ValueError(f"templates/step.sh has no operation {' '.join(sorted(unknown))}")
    return "\n".join(_lines("step.sh", ops)) + "\n"


def _lines(name: str, ops: frozenset[str]) -> Iterator[str]:
    used, awk = True, False
    for number, line in enumerate(map(str.strip, read_text(f"templates/{name}").splitlines()), 1):
        match line.split(" ", 1):
            case ["#:if", letters]:
                used = not ops.isdisjoint(letters)
            case ["#:unless", letters]:
                used = ops.isdisjoint(letters)
            case ["#:end"]:
                used = True
            case ["#:include", other]:
                yield from _lines(other, ops)
            case ["#:awk" | "#:sh" as language]:
                awk = language == "#:awk"
            case [word, *_] if word.startswith("#:"):
                raise ValueError(f"templates/{name}, line {number}: {line}")
            case _ if used and line and not line.startswith("#"):
                yield _AWK.sub(r"\1\2", line) if awk else _SHELL.sub(r"\1", line)
            case _:
                pass
