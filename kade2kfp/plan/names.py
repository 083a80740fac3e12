"""Names that KFP, Argo and Kubernetes accept, from the names that people see."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Set

from kade2kfp.document.pipeline import Envelope
from kade2kfp.document.shared import Task
from kade2kfp.tasks.condition import CHOICE_END, PASS_END
from kade2kfp.tasks.job import LOOP_ENDS, ForEach
from kade2kfp.tasks.load_data import IMPORT_END

DRIVER_END = "-driver"
"""KFP has a task NAME-driver of its own for each (backend/src/v2/compiler/argocompiler/dag.go), and Argo wants them unique."""
MAX_NAME = 50
"""Characters of a step's name. Argo's pod names and KFP's executor names add to it, within Kubernetes' 63 of a label."""


def slug(text: str) -> str:
    """Lower-case letters, digits and single hyphens; may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def step_slug(text: str) -> str:
    """A step's name before it is made unique: begins with a letter, at most MAX_NAME characters."""
    name = slug(text)
    if not name or not name[0].isalpha():
        name = f"t-{name}".rstrip("-")
    return name[:MAX_NAME].rstrip("-")


def unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names, numbered from the second on where they are equal: `train`, `train-2`."""
    used, result = set(taken), []
    for name in names:
        candidate = free(name, used)
        used.add(candidate)
        result.append(candidate)
    return result


def free(name: str, taken: Set[str], ends: tuple[str, ...] = ("",)) -> str:
    """The name, with a number if it must be, so that it is free with each of the ends."""
    candidate, number = name, 1
    while any(candidate + end in taken for end in ends):
        number += 1
        end = f"-{number}"
        candidate = name[: MAX_NAME - len(end)].rstrip("-") + end
    return candidate


def step_names(tasks: Iterable[Task]) -> dict[str, str]:
    """The name of each task's step in KFP, by the task's id (the first of equal ids counts)."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for task in tasks:
        if task.id not in names:
            ends = ends_of(task)
            names[task.id] = free(step_slug(slug(task.name or "") or task.id), taken, ends)
            taken.update(names[task.id] + end for end in ends)
    return names


def ends_of(task: Task) -> tuple[str, ...]:
    """What stands behind the name of a task's step in the names that the step takes up."""
    ends: tuple[str, ...] = ("", IMPORT_END) if getattr(task, "scheme", "") == "store" else ("",)
    if task.type == "condition":
        asks = (CHOICE_END,) if getattr(task, "approval", None) else ()
        ends += (*asks, *(end + PASS_END for end in (*asks, "")))
    each: ForEach | None = getattr(task, "for_each", None)
    ends += LOOP_ENDS if each and isinstance(each.items, str) else ()
    return ends + tuple(end + DRIVER_END for end in ends)


def pipeline_slug(pipeline: Envelope) -> str:
    """The pipeline's name in KFP: `slug`, else from `name`; a name without any letter or digit gets digits of its hash."""
    if pipeline.slug:
        return pipeline.slug
    name = slug(pipeline.name)
    if not name:
        digest = int(hashlib.sha256(pipeline.name.encode("utf-8", "surrogatepass")).hexdigest(), 16)
        return f"pipeline-{digest % 10**8:08d}"
    if not name[0].isalpha():
        name = f"p-{name}"
    return name[:63].rstrip("-")
