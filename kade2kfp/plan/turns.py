"""The items of an iteration that are known at compile, and what the steps made for them are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from kade2kfp.document.read import Document
from kade2kfp.document.values import same
from kade2kfp.plan.names import DRIVER_END, MAX_NAME, ends_of, free, slug, unique
from kade2kfp.plan.resolve import as_text
from kade2kfp.plan.targets import iteration
from kade2kfp.tasks.condition import Condition
from kade2kfp.tasks.job import ForEach

MAX_ITEMS = 256
"""So many steps are made of one task at most."""
MAX_ITEM_NAME = 40
"""Characters of an item's name; the rest of a step's name is the task's."""
_MAX_LABEL = 80
_COLLECT_END = "-collect"


@dataclass(frozen=True, slots=True)
class Turn:
    """One item of an iteration.

    `number` counts from 0. `name` is unique in the iteration, and fit for a path and a step's name; `label` is for people.
    `steps` are the names of the steps made for the item, `choices` those of what its conditions decide, by the task's id.
    """

    number: int
    item: Any
    name: str
    label: str
    steps: Mapping[str, str]
    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sweeps:
    """The iterations over known items.

    `turns` holds the items of the iteration that a task is in, by the task's id: one tuple for all tasks of an iteration.
    `collects` are names for steps that bring the values of all items together, by the id of the task that writes them.
    """

    turns: Mapping[str, tuple[Turn, ...]]
    collects: Mapping[str, str]

    def same(self, one: str, other: str) -> bool:
        """Whether two tasks are in one iteration, or both in none."""
        return self.turns.get(one) is self.turns.get(other)


def sweeps(document: Document, names: Mapping[str, str]) -> Sweeps:
    """The iterations of a document; `names` are the steps' names by task id.

    An iteration whose items are known only at run time, or are wrong, is none here.
    """
    roots: dict[str, list[str]] = {}
    items: dict[str, list[Any]] = {}
    for id_ in names:
        found = iteration(document, document.task(id_))
        if found and (known := known_items(found[1])):
            roots.setdefault(found[0], []).append(id_)
            items[found[0]] = known
    if not roots:
        return Sweeps({}, {})
    taken = {names[task.id] + end for task in document.tasks for end in ends_of(task)}
    turns: dict[str, tuple[Turn, ...]] = {}
    collects: dict[str, str] = {}
    for root, members in roots.items():
        made = tuple(_turns(document, names, members, items[root], taken))
        turns |= dict.fromkeys(members, made)
        for id_ in members:
            collects[id_] = _named(names[id_], _COLLECT_END.strip("-"), taken, ("", DRIVER_END))
    return Sweeps(turns, collects)


def known_items(each: ForEach) -> list[Any]:
    """The items of an iteration in their order; nothing where they are not known, or checks/iterations.py refuses them."""
    if isinstance(each.items, list):
        return each.items if len(each.items) <= MAX_ITEMS else []
    if each.matrix is None or prod(len(values) for values in each.matrix.values()) > MAX_ITEMS:
        return []
    return [one for one in combinations(each.matrix) if not is_excluded(one, each.exclude or ())] if each.matrix else []


def combinations(matrix: Mapping[str, list[Any]]) -> Iterable[dict[str, Any]]:
    """All combinations of a matrix, the last key changing first."""
    return (dict(zip(matrix, values, strict=True)) for values in product(*matrix.values()))


def is_excluded(combination: Mapping[str, Any], exclude: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of the entries of `exclude` holds for the combination; an entry need not name all keys."""
    return any(
        all(key in combination and same(combination[key], value) for key, value in one.items()) for one in exclude
    )


def _turns(
    document: Document, names: Mapping[str, str], members: list[str], items: list[Any], taken: set[str]
) -> Iterable[Turn]:
    conditions = {id_: task for id_ in members if isinstance(task := document.task(id_), Condition)}
    for number, (item, name) in enumerate(zip(items, item_names(items), strict=True)):
        steps = {}
        for id_ in members:
            task = document.task(id_)
            steps[id_] = _named(names[id_], name, taken, ends_of(task) if task else ("",))
        choices = {id_: condition.choice(steps[id_]) for id_, condition in conditions.items()}
        yield Turn(number, item, name, _label(item), steps, choices)


def _named(base: str, end: str, taken: set[str], ends: tuple[str, ...]) -> str:
    """A name for a step, taken from now on."""
    name = free(f"{base[: MAX_NAME - 1 - len(end)].rstrip('-')}-{end}", taken, ends)
    taken.update(name + each for each in ends)
    return name


def item_names(items: list[Any]) -> list[str]:
    """A readable name for each item, in their order: `lr-0-1-depth-3`, `logistic-regression`.

    Keys are left out of all names where one would be too long with them. Equal names are numbered.
    """
    with_keys = [_name(item, keys=True) for item in items]
    short = with_keys if all(len(name) <= MAX_ITEM_NAME for name in with_keys) else [_name(one, False) for one in items]
    return unique(name[:MAX_ITEM_NAME].rstrip("-") or f"item-{number}" for number, name in enumerate(short, 1))


def _name(item: Any, keys: bool) -> str:
    if not isinstance(item, dict):
        return _word(item)
    # A text says what it is by itself where there is nothing else.
    keys = keys and (len(item) > 1 or not all(isinstance(value, str) for value in item.values()))
    return "-".join(word for key, value in item.items() for word in (slug(key) if keys else "", _word(value)) if word)


def _word(value: Any) -> str:
    # A slug would be the same with and without the sign.
    minus = isinstance(value, int | float) and value < 0
    return ("minus-" if minus else "") + slug(as_text(value))


def _label(item: Any) -> str:
    label = (
        ", ".join(f"{key}={as_text(value)}" for key, value in item.items()) if isinstance(item, dict) else as_text(item)
    )
    return label if len(label) <= _MAX_LABEL else label[: _MAX_LABEL - 3] + "..."
