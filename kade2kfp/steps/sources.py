"""Where a value comes from. A text of the document with references in it is a tuple of pieces: str or Source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Type = Literal["string", "integer", "number", "boolean", "array", "object"]


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the pipeline, known when a run is submitted."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Output:
    """A value that a step writes: a declared output, a metric, a typed-in value or a decision.

    `name` is the step's output in the backend's words: `NAME`, `metric-KEY`, `value-KEY` or `decision`.
    """

    step: str
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Item:
    """The item of the iteration that is under way, or one key of it."""

    key: str | None
    type: Type


@dataclass(frozen=True, slots=True)
class Constant:
    """A text of the document that is handed over beside the command, in which it would stand as well.

    So the commands of many steps are one text: KFP keeps equal containers once
    (backend/src/v2/compiler/argocompiler/argo.go, hashComponentContainer), and a step costs 1 KiB instead of 5.
    """

    name: str
    value: str
    type: Type = "string"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What is known of the run itself: its id, its name, and in the exit task its status."""

    field: Literal["id", "name", "status"]
    type: Type = "string"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The one output that exists, of steps in opposite branches."""

    of: tuple[Output, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Collect:
    """The outputs of all items of an iteration, as an array in item order."""

    of: Output
    type: Type = "array"


@dataclass(frozen=True, slots=True)
class Arrived:
    """Where the artifact of one of the step's own inputs has arrived: a path, of a file or a folder.

    As `uri` it is where the object store has it; a local run has no such place, and the text is empty.
    """

    input: str
    what: Literal["path", "uri"] = "path"


Source = Param | Output | Item | Constant | RunInfo | OneOf | Collect
Text = tuple[str | Source | Arrived, ...]
"""Literal pieces, sources and places, to be written one after the other. `()` is the empty text."""


def literal(text: Text) -> str | None:
    """The text if nothing of it is known only at run time, else None."""
    return "".join(part for part in text if isinstance(part, str)) if not any_source(text) else None


def any_source(text: Text) -> bool:
    """Whether some piece is known only at run time."""
    return any(not isinstance(part, str) for part in text)


def sources(texts: Iterable[Text]) -> Iterator[Source]:
    """All sources of all texts, in order, repeated ones too."""
    for text in texts:
        for part in text:
            if not isinstance(part, str | Arrived):
                yield part
