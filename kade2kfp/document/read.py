"""JSON with positions to the typed document, with every mistake of shape found at once.

Each parameter, volume, task and arrow is read on its own. What is wrong in one is left out of it, so that the checks of
meaning can say all that can be known about the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.base import Model, fields_by_alias
from kade2kfp.document.pipeline import API_VERSION, Arrow, Defaults, Envelope, Parameter, Volume
from kade2kfp.document.shape import diagnostics, missing, misspelt, pruned
from kade2kfp.document.shared import File, Gate, Retry, Task, TaskVolume
from kade2kfp.document.suggest import closest, did_you_mean
from kade2kfp.document.types import kind_of
from kade2kfp.document.versions import OLDER_VERSIONS
from kade2kfp.source import Object, Source

M = TypeVar("M", bound=Model)

_PARTS: dict[str, type[Model]] = {
    "the pipeline": Envelope,
    "an arrow": Arrow,
    "a volume of the pipeline": Volume,
    "a mount": TaskVolume,
    "a gate": Gate,
    "a retry": Retry,
    "a file": File,
}
_DIGITS = "0123456789"
# What stands for a required field that is missing or wrong, so that the rest of its task can be checked.
_STAND_INS: dict[str, object] = {
    "url": "https://stand-in.example/data",
    "path": "/stand-in/path",
    "logPath": "/stand-in/log",
    "metric": "stand-in",
    "framework": "sklearn",
}


@dataclass(frozen=True)
class Document:
    """A document that was read. `damaged` holds the ids and names of what could not be read, by kind."""

    source: Source
    pipeline: Envelope
    defaults: Defaults
    parameters: tuple[Parameter, ...]
    volumes: tuple[Volume, ...]
    tasks: tuple[Task, ...]
    arrows: tuple[Arrow, ...]
    damaged: Mapping[str, frozenset[str]]
    assumed: frozenset[Pointer]
    torn: frozenset[Pointer] = frozenset()
    """Where something had a wrong shape and was left out."""
    nameless: frozenset[str] = frozenset()
    """Kinds (tasks, parameters, volumes, arrows) of which something is there whose name could not be read."""

    def may_have(self, kind: str, name: str) -> bool:
        """Whether something of that kind and name is there, though it could not be read, or may be."""
        copied = kind == "tasks" and name in self._of_copies
        return name in self.damaged[kind] or kind in self.nameless or copied

    @property
    def owners(self) -> tuple[Task | Defaults, ...]:
        """All that may say a pod's settings: the tasks, and the defaults."""
        return (*self.tasks, self.defaults)

    @property
    def arrows_are_whole(self) -> bool:
        """Whether every arrow could be read, leads from a task that is there to another, and has a branch where one belongs."""
        known = {task.id for task in self.tasks} | self.damaged["tasks"]
        whole = not self.is_torn(("arrows",)) and not {"tasks", "arrows"} & self.nameless
        conditions = {task.id for task in self.tasks if task.type == "condition"} | self.damaged["tasks"]
        return whole and all(
            {arrow.from_task, arrow.to_task} <= known
            and (
                arrow.from_task in self.damaged["tasks"]
                or (arrow.from_task in conditions) == (arrow.branch is not None)
            )
            for arrow in self.arrows
        )

    def is_torn(self, *places: Pointer) -> bool:
        """Whether something at or below one of the places was left out."""
        return any(place in self._above_torn for place in places)

    def task(self, id_: str) -> Task | None:
        """The first task of that id."""
        return self._by_id.get(id_)

    @cached_property
    def _above_torn(self) -> frozenset[Pointer]:
        """What was left out, and all that it lies in: thousands of tasks ask for it, each of which may be torn."""
        return frozenset(torn[:length] for torn in self.torn for length in range(len(torn) + 1))

    @cached_property
    def _of_copies(self) -> frozenset[str]:
        """Ids that only arrows know, where as many tasks are copies whose id was not changed (K200): those were meant.

        An id that looks like a known one is misspelt, but for another number: `train-2` beside two `train-1`.
        """
        ids = [task.id for task in self.tasks]
        ends = {end for arrow in self.arrows for end in (arrow.from_task, arrow.to_task)}
        unknown = ends - {*ids} - self.damaged["tasks"]
        misspelt = {id_ for id_ in unknown if (near := closest(id_, ids)) and near.strip(_DIGITS) != id_.strip(_DIGITS)}
        return frozenset(unknown - misspelt if len(unknown) <= len(ids) - len({*ids}) else ())

    @cached_property
    def _by_id(self) -> Mapping[str, Task]:
        return {task.id: task for task in reversed(self.tasks)}


@dataclass(slots=True)
class _Reader:
    """What one reading gathers."""

    owners: Mapping[str, frozenset[str]]
    found: list[Diagnostic]
    damaged: dict[str, set[str]]
    assumed: set[Pointer]
    meant: set[Pointer]

    def read(
        self, model: type[M], value: Any, at: Pointer, *, stand_ins: Mapping[str, object] | None = None
    ) -> M | None:
        """The value as a model, mended where it is wrong; None where it cannot be."""
        if not isinstance(value, dict):
            self.found.append(Diagnostic("K102", f"expected an object, found {kind_of(value)}", at))
            return None
        for attempt in range(12):
            try:
                return model.model_validate(value)
            except ValidationError as error:
                if attempt == 0:
                    self.found += diagnostics(error, model, at, self.owners, value)
                    self.meant |= {(*at, *loc) for loc in misspelt(error.errors(include_url=False), model)}
                wrong = [one for one in error.errors(include_url=False) if not _can_stand_in(one, stand_ins)]
                missing = [
                    str(one["loc"][0]) for one in error.errors(include_url=False) if _can_stand_in(one, stand_ins)
                ]
                mended = pruned(value, list(wrong))
                if mended is None:
                    return None
                for field in missing:
                    mended[field] = (stand_ins or {})[field]
                    self.assumed.add((*at, field))
                value = mended
        return None

    def list_of(self, kind: str, model: type[M], values: Iterable[Any], name: str) -> tuple[M, ...]:
        """The elements of a list of the envelope that could be read."""
        read = []
        for i, value in enumerate(values):
            element = self.read(model, value, (kind, i))
            if element is not None:
                read.append(element)
            elif isinstance(value, dict) and isinstance(value.get(name), str):
                self.damaged[kind].add(value[name])
        return tuple(read)


def _can_stand_in(error: Any, stand_ins: Mapping[str, object] | None) -> bool:
    return (
        bool(stand_ins)
        and error["type"] == "missing"
        and len(error["loc"]) == 1
        and error["loc"][0] in (stand_ins or {})
    )


def read(source: Source, task_types: Iterable[type[Task]]) -> tuple[Document | None, list[Diagnostic]]:
    """The document that a source holds, and all that is wrong with its shape.

    Returns no document only where the source has no object at its top, or one of an older version: of that nothing else is said.
    """
    types = {_type_name(model): model for model in task_types}
    if not isinstance(source.root, Object):
        return None, []
    reader = _Reader(
        _owners(types), [], {kind: set() for kind in ("tasks", "parameters", "volumes", "arrows")}, set(), set()
    )
    root = source.root
    version = root.get("apiVersion")
    if isinstance(version, str) and version in OLDER_VERSIONS:
        help_ = f"`kade2kfp upgrade FILE` writes the document anew as `{API_VERSION}`"
        return None, [Diagnostic("K110", f"the version `{version}` is an older one", ("apiVersion",), help_)]
    stand_ins = {"apiVersion": API_VERSION, "name": "pipeline", "tasks": []}
    envelope = reader.read(Envelope, root, (), stand_ins=stand_ins)
    if envelope is None:
        envelope = Envelope.model_validate(Object(stand_ins))
    defaults = reader.read(Defaults, envelope.defaults, ("defaults",)) if envelope.defaults is not None else None
    read_document = Document(
        source=source,
        pipeline=envelope,
        defaults=defaults or Defaults(),
        parameters=reader.list_of("parameters", Parameter, envelope.parameters, "name"),
        volumes=reader.list_of("volumes", Volume, envelope.volumes, "id"),
        tasks=tuple(_tasks(reader, envelope.tasks, types)),
        arrows=reader.list_of("arrows", Arrow, envelope.arrows, "id"),
        damaged={kind: frozenset(names) for kind, names in reader.damaged.items()},
        assumed=frozenset(reader.assumed),
        torn=frozenset(diagnostic.pointer for diagnostic in reader.found) | reader.meant,
    )
    nameless = _nameless(root, read_document.torn) if reader.found else frozenset()
    return replace(read_document, nameless=nameless), reader.found


def _nameless(root: Object, torn: frozenset[Pointer]) -> frozenset[str]:
    """The kinds of which some name is lost, with its object, its list, or a misspelt field."""
    names = {"tasks": "id", "parameters": "name", "volumes": "id", "arrows": None}
    unknown = [str(place[0]) for place in torn if len(place) == 1 and place[0] not in fields_by_alias(Envelope)]
    found = {kind for kind in names if (kind,) in torn or any(closest(word, [kind]) for word in unknown)}
    for kind, name in names.items():
        given = root.get(kind)
        for i, one in enumerate(given if isinstance(given, list) and name else ()):
            if not isinstance(one, dict) or not isinstance(one.get(name), str) or (kind, i, name) in torn:
                found.add(kind)
    return frozenset(found)


def _tasks(reader: _Reader, values: Iterable[Any], types: Mapping[str, type[Task]]) -> Iterable[Task]:
    for i, value in enumerate(values):
        at: Pointer = ("tasks", i)
        if not isinstance(value, Object):
            reader.found.append(Diagnostic("K102", f"expected a task, found {kind_of(value)}", at))
            continue
        name = _type(reader, value, at, types)
        id_ = value.get("id")
        task = None
        model = types[name] if name else None
        if model is not None:
            stand_ins = {name: text for name, text in _STAND_INS.items() if name in fields_by_alias(model)}
            stand_ins["id"] = f"stand-in-{i}"
            task = reader.read(model, _of_type(value, name, value), at, stand_ins=stand_ins)
        else:  # what all tasks have is right or wrong whatever its type is
            reader.read(Task, _of_type(value, "", fields_by_alias(Task)), at)
        if task is not None:
            yield task
        if isinstance(id_, str) and (task is None or task.id != id_):
            reader.damaged["tasks"].add(id_)


def _type(reader: _Reader, value: Object, at: Pointer, types: Mapping[str, type[Task]]) -> str:
    """The type of a task; where it is misspelt, the one that was meant beyond doubt, else none."""
    name = value.get("type")
    if name is None:
        help_ = "it is one of " + ", ".join(f"`{one}`" for one in types)
        reader.found.append(missing("type", value, at, help_))
        return ""
    if not isinstance(name, str):
        reader.found.append(Diagnostic("K102", f"expected a text, found {kind_of(name)}", (*at, "type")))
        return ""
    if name in types:
        return name
    shown = name if len(name) <= 60 else name[:57] + "..."
    help_ = did_you_mean(name, types, noun="types")
    reader.found.append(Diagnostic("K103", f"`{shown}` is not a type of task", (*at, "type"), help=help_))
    return closest(name, types, cutoff=0.8) or ""


def _of_type(value: Object, name: str, fields: Iterable[str]) -> Object:
    """A task as it is where it has that type; else a copy with that type, and with these fields alone."""
    if name and value.get("type") == name:
        return value
    copy = Object({field: one for field, one in value.items() if field in fields} | {"type": name})
    copy.pointer = value.pointer
    return copy


def _type_name(model: type[Task]) -> str:
    return str(get_args(model.model_fields["type"].annotation)[0])


def _owners(types: Mapping[str, type[Task]]) -> dict[str, frozenset[str]]:
    """Which types of task, and which other objects, have a field that not all tasks have."""
    owners: dict[str, set[str]] = {}
    for name, model in types.items():
        for field in set(fields_by_alias(model)) - set(fields_by_alias(Task)):
            owners.setdefault(field, set()).add(name)
    for noun, part in _PARTS.items():
        for field in set(fields_by_alias(part)) - set(fields_by_alias(Task)):
            owners.setdefault(field, set()).add(noun)
    return {field: frozenset(names) for field, names in owners.items()}
