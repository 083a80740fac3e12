"""The artifacts that a run on a cluster left: where they are, how large, their files."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kade2kfp.cluster.kfp.objects import Object, Objects
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.local.erase import below, erase
from kade2kfp.local.state import Artifact, RunState, StepState

_METRICS = 1024 * 1024
_LONGEST = 255


def measured(artifact: Artifact, objects: Objects) -> Artifact:
    """An artifact with the number and the size of its files; `kind` says whether it is one file. Raises CannotDoError."""
    found = objects.all(artifact.stored)
    one = len(found) == 1 and not found[0].path
    return replace(
        artifact, kind="file" if one else "directory", files=len(found), size=sum(each.size for each in found)
    )


def with_metrics(state: RunState, objects: Objects) -> RunState:
    """A run with the metrics that its steps have written, also those that no step has taken. Raises CannotDoError."""
    steps = []
    for step in state.steps:
        found: dict[str, float] = {}
        for artifact in step.artifacts:
            if artifact.type == "Metrics":
                found |= _numbers(artifact.stored, objects)
        steps.append(replace(step, metrics={**found, **step.metrics}))
    return replace(state, steps=tuple(steps))


def _numbers(uri: str, objects: Objects) -> dict[str, float]:
    """The metrics of an artifact: the flat JSON object that a step writes as its file (templates/step.sh)."""
    for one in objects.all(uri)[:1]:
        text = b"".join(objects.read(one.uri)) if one.size <= _METRICS else b""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        rows = said.items() if isinstance(said, dict) else ()
        return {key: float(value) for key, value in rows if _is_number(value)}
    return {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An artifact of a step that is to lie at `target`."""

    step: StepState
    artifact: Artifact
    target: Path


def download(wanted: Sequence[Wanted], objects: Objects, *, force: bool) -> Iterator[Path]:
    """Bring artifacts here, one after the other; each target as it is done. What stands at a target is whole.

    Raises CannotDoError: one is in the way, is gone, or has files whose names lead out of its folder.
    """
    there = [one.target for one in wanted if os.path.lexists(one.target)]
    if there and not force:
        others = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise CannotDoError(f"{there[0]} is there already{others}", "--force replaces it")
    for one in wanted:
        found = objects.all(one.artifact.stored)
        if not found:
            raise CannotDoError(
                f"{one.step.task}'s {one.artifact.name} is not there: {one.artifact.stored}",
                "the step has not written it, or it was removed",
            )
        _whole(one.target, found, objects)
        yield one.target


def _whole(target: Path, found: Sequence[Object], objects: Objects) -> None:
    """Write the files beside the target, then put them there."""
    places = [(one, _inside(one)) for one in found]
    beside = target.parent / f".{target.name[:100]}.{os.getpid()}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with below(target.parent) as parent:
            try:
                for one, path in places:
                    _file(one, beside / path if path != Path() else beside, objects)
                if os.path.lexists(target):
                    erase(parent, target.name)
                beside.rename(target)
            finally:
                if os.path.lexists(beside):
                    erase(parent, beside.name)
    except (OSError, shutil.Error) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise CannotDoError(f"cannot write {target}: {reason}") from None


def _inside(one: Object) -> Path:
    """The path of an object in its artifact's folder. Raises CannotDoError where it would lead out of it."""
    parts = one.path.split("/") if one.path else []
    fit = all(part not in ("", ".", "..") and "\0" not in part and len(part.encode()) <= _LONGEST for part in parts)
    if not fit or one.path.startswith("/"):
        raise CannotDoError(f"{one.uri} is not taken: its name is none for a file", "look at what wrote it")
    return Path(*parts)


def _file(one: Object, path: Path, objects: Objects) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with open(path, "xb") as file:
        for piece in objects.read(one.uri):
            size += len(piece)
            file.write(piece)
    if size != one.size:
        raise CannotDoError(f"{one.uri} came with {size:,} bytes in place of {one.size:,}", "try again")
