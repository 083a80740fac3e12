"""The pass that says where each setting of a task comes from: itself, a task before it, the defaults.

Along arrows that carry paths, a job, container or notebook takes from the one before it what it does not say itself:
from the nearest that says it; where two nearest disagree, from none (document.md, Arrows).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.base import Model
from kade2kfp.document.pipeline import Defaults
from kade2kfp.document.read import Document
from kade2kfp.document.shared import CommandTask, EnvVar, Task, TaskVolume

T = TypeVar("T")
INHERITED = ("image", "node_selector", "tolerations", "image_pull_secrets", "working_dir")
_MERGED = ("env", "volumes")
DEFAULTED = (
    "image",
    "resources",
    "node_selector",
    "tolerations",
    "image_pull_secrets",
    "image_pull_policy",
    "security_context",
    "retry",
    "timeout",
    "cache",
)


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value, where it stands in the document, and whose it is: a task's id, or `defaults`."""

    value: T
    at: Pointer
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a task goes by. `disputed` holds for a field the tasks that disagree about it."""

    fields: Mapping[str, Setting[Any]]
    env: tuple[Setting[EnvVar], ...]
    volumes: tuple[Setting[TaskVolume], ...]
    labels: tuple[Setting[tuple[str, str]], ...]
    annotations: tuple[Setting[tuple[str, str]], ...]
    disputed: Mapping[str, tuple[str, ...]]

    def get(self, field: str) -> Any:
        """A field's value, or None."""
        setting = self.fields.get(field)
        return setting.value if setting else None


def inherit(document: Document) -> dict[str, Settings]:
    """The settings of every task, by id (the first of equal ids counts)."""
    tasks = {task.id: task for task in reversed(document.tasks)}
    before = _before(document, tasks)
    said = {
        field for task in tasks.values() for field in (*INHERITED, *_MERGED) if getattr(task, field, None) is not None
    }
    return {
        id_: _settings(document, task, list(_levels(id_, before, tasks)) if _asks(task, said) else [])
        for id_, task in tasks.items()
    }


def _asks(task: Task, said: Iterable[str]) -> bool:
    """Whether something that some task says could come to this one: if not, nobody looks through all before it."""
    return any(field in _MERGED or getattr(task, field, None) is None for field in said)


def _before(document: Document, tasks: Mapping[str, Task]) -> dict[str, list[str]]:
    """The tasks that a task takes settings from directly."""
    before: dict[str, list[str]] = {}
    for arrow in document.arrows:
        giver, taker = tasks.get(arrow.from_task), tasks.get(arrow.to_task)
        carries = arrow.from_path is not None and arrow.to_path is not None
        if (
            carries
            and arrow.inherit
            and isinstance(giver, CommandTask)
            and isinstance(taker, CommandTask)
            and taker.inherit
        ):
            row = before.setdefault(taker.id, [])
            if giver.id not in row:
                row.append(giver.id)
    return before


def _levels(id_: str, before: Mapping[str, list[str]], tasks: Mapping[str, Task]) -> Iterator[list[Task]]:
    """The tasks before a task, by distance."""
    seen, level = {id_}, [id_]
    while level := [one for here in level for one in before.get(here, ()) if one not in seen]:
        level = list(dict.fromkeys(level))
        seen.update(level)
        yield [tasks[one] for one in level]


def _settings(document: Document, task: Task, levels: list[list[Task]]) -> Settings:
    fields: dict[str, Setting[Any]] = {}
    disputed: dict[str, tuple[str, ...]] = {}
    defaults = document.defaults
    for field in dict.fromkeys((*INHERITED, *DEFAULTED, "node_affinity")):
        if field not in type(task).model_fields:
            continue
        setting = _own(task, field, task.id)
        if setting is None and field in INHERITED:
            setting, quarrel = _nearest(levels, partial(_own_of, field))
            if quarrel:
                disputed[field] = quarrel
        if setting is None and field in DEFAULTED and (field != "image" or isinstance(task, CommandTask)):
            setting = _own(defaults, field, "defaults")
        if setting is not None:
            fields[field] = setting
    env, env_quarrels = _merged(task, levels, defaults.env or (), defaults, "env", lambda one: one.name, _plain)
    volumes, volume_quarrels = _merged(task, levels, (), defaults, "volumes", lambda one: one.mount_path, _shareable)
    disputed |= env_quarrels | volume_quarrels
    return Settings(
        fields,
        env,
        volumes,
        _pairs(task, defaults, "labels"),
        _pairs(task, defaults, "annotations"),
        disputed,
    )


def _own(model: Model, field: str, origin: str) -> Setting[Any] | None:
    value = getattr(model, field, None)
    return None if value is None else Setting(value, model.place(field), origin)


def _own_of(field: str, task: Task) -> Setting[Any] | None:
    setting = _own(task, field, task.id)
    return None if setting is None or _of_item(setting.value) else setting


def _nearest(
    levels: list[list[Task]], say: Callable[[Task], Setting[T] | None]
) -> tuple[Setting[T] | None, tuple[str, ...]]:
    for level in levels:
        said = [setting for one in level if (setting := say(one)) is not None]
        if said:
            if all(setting.value == said[0].value for setting in said):
                return said[0], ()
            return None, tuple(setting.origin for setting in said)
    return None, ()


def _plain(variable: EnvVar) -> bool:
    """Secrets never go from task to task."""
    return variable.value_from is None and not _of_item(variable)


def _shareable(volume: TaskVolume) -> bool:
    return volume.secret is None and not _of_item(volume)


def _of_item(value: object) -> bool:
    """Whether a text in the value refers to an item, which is known only in its own iteration."""
    if isinstance(value, str):
        return "{{item" in value.replace(" ", "")
    if isinstance(value, Model):
        return any(_of_item(getattr(value, field)) for field in type(value).model_fields)
    if isinstance(value, dict):
        return any(_of_item(one) for one in value.values())
    return isinstance(value, list) and any(_of_item(one) for one in value)


def _merged(
    task: Task,
    levels: list[list[Task]],
    default: Any,
    defaults: Defaults,
    field: str,
    key: Callable[[Any], str],
    shareable: Callable[[Any], bool],
) -> tuple[tuple[Setting[Any], ...], dict[str, tuple[str, ...]]]:
    """Own elements first, then what tasks before add, then what the defaults add; by name or mount path."""
    own = [Setting(one, one.at, task.id) for one in getattr(task, field) or ()]
    result, quarrels = list(own), {}
    taken = {key(setting.value) for setting in own}
    given = (one for level in levels for before in level for one in getattr(before, field) or ())
    for name in dict.fromkeys(key(one) for one in given if key(one) not in taken and shareable(one)):
        setting, quarrel = _nearest(levels, partial(_element, field, name, key, shareable))
        if setting:
            taken.add(name)
            result.append(setting)
        elif quarrel:
            quarrels[f"{field} {name}"] = quarrel
    result += [Setting(one, one.at, "defaults") for one in default if key(one) not in taken]
    return tuple(result), quarrels


def _element(
    field: str, name: str, key: Callable[[Any], str], shareable: Callable[[Any], bool], task: Task
) -> Setting[Any] | None:
    for one in getattr(task, field) or ():
        if key(one) == name and shareable(one):
            return Setting(one, one.at, task.id)
    return None


def _pairs(task: Task, defaults: Defaults, field: str) -> tuple[Setting[tuple[str, str]], ...]:
    own: dict[str, str] = getattr(task, field) or {}
    result = [Setting((name, value), task.place(field, name), task.id) for name, value in own.items()]
    for name, value in (getattr(defaults, field) or {}).items():
        if name not in own:
            result.append(Setting((name, value), defaults.place(field, name), "defaults"))
    return tuple(result)
