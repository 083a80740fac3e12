"""What a document's text refers to, also where something in it is wrong: for warnings that something is not used.

A misspelt reference or arrow is said once, where it stands. That what it meant is now not used is no second mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.foreign import bare, foreign
from kade2kfp.document.read import Document
from kade2kfp.document.references import Expression, Misfit, parse
from kade2kfp.document.suggest import closest
from kade2kfp.document.values import strings

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Mentions:
    """Names of parameters and ids of tasks that the text mentions; None where it mentions something unknown, which may
    be any of them.
    """

    parameters: frozenset[str] | None
    tasks: frozenset[str] | None


def mentions(document: Document) -> Mentions:
    """All that the raw document mentions: in references, in what looks like one, and at the ends of arrows."""
    root = document.source.root
    fields = root if isinstance(root, dict) else {}
    parameters: set[str] = set()
    tasks: set[str] = set()
    known_parameters = {one.name for one in document.parameters} | document.damaged["parameters"]
    known_tasks = {one.id for one in document.tasks} | document.damaged["tasks"]
    if "tasks" in document.nameless:
        return Mentions(None, None)
    for holder, piece in _pieces(fields):
        if isinstance(piece, Misfit):
            words = set(_WORD.findall(piece.text))
            parameters |= words & known_parameters
            tasks |= words & known_tasks
        elif piece.root == "params":
            parameters.add(piece.name)
        elif piece.task:
            tasks |= {piece.task, holder}
    for text in (text for torn in document.torn for text in strings(_at(fields, torn))):
        whole = bare(text, known_parameters, known_tasks)
        for one in (whole,) if whole else foreign(text, known_parameters, known_tasks):
            root, _, name = one.meant.partition(".")
            (parameters if root == "params" else tasks).add(name.partition(".")[0])
    for arrow in _list(fields.get("arrows")):
        ends = (arrow.get("fromTask"), arrow.get("toTask")) if isinstance(arrow, dict) else (None, None)
        if not all(isinstance(end, str) for end in ends):
            return Mentions(_meant(parameters, known_parameters), None)
        tasks |= {str(end) for end in ends}
    meant = None if "arrows" in document.nameless else _meant(tasks - {""}, known_tasks)
    return Mentions(_meant(parameters, known_parameters), meant)


def _meant(mentioned: Iterable[str], known: set[str]) -> frozenset[str] | None:
    """The known names that are mentioned or were meant; None if for one of them nobody can tell."""
    found: set[str] = set()
    for name in mentioned:
        meant = name if name in known else closest(name, known)
        if meant is None:
            return None
        found.add(meant)
    return frozenset(found)


def _pieces(fields: dict[str, Any]) -> Iterator[tuple[str, Expression | Misfit]]:
    """Every reference and misfit, with the id of the task that it stands in."""
    for key, value in fields.items():
        for element in _list(value) if key == "tasks" else [value]:
            id_ = element.get("id") if key == "tasks" and isinstance(element, dict) else None
            for text in strings(element) if key != "parameters" else ():
                if "{{" in text:
                    for piece in parse(text):
                        if not isinstance(piece, str):
                            yield id_ if isinstance(id_, str) else "", piece


def _at(value: Any, pointer: Pointer) -> Any:
    """What stands there in the raw document; None where nothing does."""
    for part in pointer:
        match value:
            case dict():
                value = value.get(part)
            case list() if isinstance(part, int) and part < len(value):
                value = value[part]
            case _:
                return None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
