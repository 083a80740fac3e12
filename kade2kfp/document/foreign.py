"""References in the syntax of other tools: `${params.NAME}`, `$(params.NAME)`, `{params.NAME}`, `${{ params.NAME }}`.

They are text like any other, so only those are found that name what the document declares.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

from kade2kfp.document.references import Expression, parse

_NAMED = r"((?:params|tasks)\.[A-Za-z0-9][\w.-]*)"
# A `$` or a backslash before it is how shells are told that the text is meant: \${{params.price}}.
_WRITTEN = re.compile(
    rf"(?<![\\$])\$\{{\{{\s*{_NAMED}\s*\}}\}}|(?<![\\$])\$\{{\s*{_NAMED}\s*\}}|(?<![\\$])\$\(\s*{_NAMED}\s*\)"
    rf"|(?<![\\${{])\{{\s*{_NAMED}\s*\}}"
)
_OWN = re.compile(r"\{\{[^{}]*\}\}")
_VARIABLE = re.compile(r"\b(?:params|tasks)\b")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A declared name in another tool's syntax: where it stands (start and end in characters) and what was meant."""

    text: str
    start: int
    end: int
    meant: str
    """Without braces: `params.NAME`, `tasks.ID.outputs.NAME`."""


def foreign(text: str, parameters: Container[str], tasks: Container[str]) -> Iterator[Foreign]:
    """What is written so in a text, each name once; `parameters` and `tasks` are the declared ones.

    A program with a variable `params` of its own, as Python's f"{params.rate}" has, means that one.
    """
    if "params." not in text and "tasks." not in text:
        return
    found = [match for match in _WRITTEN.finditer(text) if _is_declared(_name(match), parameters, tasks)]
    if not found or _VARIABLE.search(_OWN.sub("", _WRITTEN.sub("", text))):
        found = [match for match in found if match[0].startswith("${{")]  # the reference in it is put in anyway
    told: set[str] = set()
    for match in found:
        name = _name(match)
        if name not in told:
            told.add(name)
            yield Foreign(match[0], match.start(), match.end(), _meant(name))


def bare(text: str, parameters: Container[str], tasks: Container[str]) -> Foreign | None:
    """The whole text as a reference without braces: `params.NAME`."""
    if text.startswith(("params.", "tasks.")) and _is_declared(text, parameters, tasks):
        return Foreign(text, 0, len(text), _meant(text))
    return None


def _name(match: re.Match[str]) -> str:
    return str(match[match.lastindex or 0])


def _is_declared(name: str, parameters: Container[str], tasks: Container[str]) -> bool:
    root, _, rest = name.partition(".")
    if root == "params":
        return rest in parameters
    task, _, rest = rest.partition(".")
    return task in tasks and bool(rest)


def _meant(name: str) -> str:
    pieces = parse("{{" + name + "}}")
    known = len(pieces) == 1 and isinstance(pieces[0], Expression)
    return name if known else f"tasks.{name.split('.')[1]}.outputs.NAME"
