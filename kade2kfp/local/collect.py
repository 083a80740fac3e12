"""What a step has left: its artifacts are moved to the run's folder, its values and metrics are read."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kade2kfp.local.boxes import covering
from kade2kfp.local.engine import Box
from kade2kfp.local.folder import safe_name
from kade2kfp.local.inside import LinkError, read_inside
from kade2kfp.local.places import output_names, parameter_names
from kade2kfp.local.state import Artifact
from kade2kfp.local.text import text_value
from kade2kfp.local.trees import UnfitError, hand_on, measure, remove, settle
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import ArtifactOutput
from kade2kfp.steps.sources import Json, Type

_MOST_DEEP = 100
"""Lists in lists. State files are read by pydantic, which gives up at 200."""
_TOO_DEEP = f"nested more than {_MOST_DEEP} deep"


@dataclass(frozen=True, slots=True)
class Left:
    """What a step has left."""

    artifacts: tuple[Artifact, ...]
    outputs: dict[str, Json]
    metrics: dict[str, float]


MOST = 16 * 1024 * 1024
"""Bytes that an output parameter or the metrics may have."""


class NotLeftError(Exception):
    """The step did not leave what it declares, or what cannot be kept; the text says what."""


def collect(step: Step, box: Box, folder: Path) -> Left:
    """Take what a step has left in its box, which has ended, into the run's folder.

    Raises:
        NotLeftError: something is missing or cannot be kept.
        OSError: the disk is full, or the like.
    """
    # What an earlier start of this run left half done.
    remove(folder / "artifacts" / safe_name(step.name))
    out = box.scratch / "out"
    types = {one.name: one.type for one in step.parameters}
    outputs: dict[str, Json] = {}
    for number, name in enumerate(parameter_names(step)):
        try:
            outputs[name] = _value(read_inside(out, ("values", str(number)), MOST), types.get(name, "number"))
        except FileNotFoundError:
            raise NotLeftError(f"output {name} was not written") from None
        except ValueError as error:
            raise NotLeftError(f"output {name}: {error}") from None
    # Who rejects need not have left anything (templates/gate.sh), and on a cluster that is no error either.
    lenient = step.gate is not None and outputs.get("decision") == "reject"
    there = bool(step.metrics) and not (lenient and not (out / "0" / "data").exists())
    metrics = _metrics(out) if there else {}
    return Left(tuple(_artifacts(step, box, folder, lenient)), outputs, metrics)


def _value(data: bytes, type_: Type) -> Json:
    """The value that a step wrote. Raises ValueError with the reason where KFP could not carry it."""
    try:
        value = text_value(data.decode(), type_)
        _check(value)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not of type {type_}: {error.msg.lower()} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return value


def _check(value: Json, depth: int = 0) -> None:
    if depth > _MOST_DEEP:
        raise ValueError(_TOO_DEEP)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number in JSON")
    if isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            _check(one, depth + 1)


def _whole(text: str) -> str:
    """A text in which half a character is replaced, as Go reads it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _metrics(out: Path) -> dict[str, float]:
    try:
        found = json.loads(read_inside(out, ("0", "data"), MOST))
        return {_whole(key): float(value) for key, value in found.items() if math.isfinite(value)}
    except (OSError, ValueError, LinkError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        raise NotLeftError(f"metrics: {error}") from None


def _artifacts(step: Step, box: Box, folder: Path, lenient: bool) -> Iterator[Artifact]:
    names, moved = output_names(step), dict[Path, Path]()
    found = [ArtifactOutput("metrics", step.metrics.path, "file", "Metrics")] if step.metrics else []
    found += [one for one in step.outputs if isinstance(one, ArtifactOutput)]
    for output in found:
        number = names.index(output.name)
        if not (lenient and output.kind == "file" and not _written(output, box, number)):
            yield _kept(output, box, number, step, folder, moved)


def _written(output: ArtifactOutput, box: Box, number: int) -> bool:
    place = box.scratch / "out" / str(number) / "data"
    return (on_this_machine(PurePosixPath(output.path), box) if place.is_symlink() else place).exists()


def _kept(output: ArtifactOutput, box: Box, number: int, step: Step, folder: Path, moved: dict[Path, Path]) -> Artifact:
    stored = Path("artifacts", safe_name(step.name), safe_name(output.name))
    target, place = folder / stored, box.scratch / "out" / str(number) / "data"
    if any(one.is_symlink() or not one.is_dir() for one in (place.parent.parent, place.parent)):
        raise NotLeftError(f"{output.path} cannot be kept: the folder for it is gone")
    source = on_this_machine(PurePosixPath(output.path), box) if place.is_symlink() else place
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source in moved:
            hand_on(moved[source], target)
        else:
            settle(source)
            if source.exists():
                source.rename(target)
            else:
                target.mkdir()  # only empty folders were in it, which do not arrive on a cluster either
            moved[source] = target
        size = measure(target)
    except FileNotFoundError:
        raise NotLeftError(f"there is nothing at {output.path}") from None
    except UnfitError as error:
        raise NotLeftError(f"{output.path} cannot be kept: {error}") from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise NotLeftError(f"{output.path} cannot be kept: its folders lie too deep in each other") from None
    return Artifact(output.name, output.path, output.kind, output.type, str(stored), size.files, size.size, size.digest)


def on_this_machine(path: PurePosixPath, box: Box) -> Path:
    """Where a path of the box lies on this machine: in an empty folder's place, else in the box's root.

    No link of the step's is followed: templates/local_finish.sh leaves only paths without any. Raises NotLeftError.
    """
    number = covering(str(path), box.mounts)
    here = box.scratch / ("root" if number is None else f"empty-{number}")
    for part in path.relative_to("/" if number is None else box.mounts[number].path).parts:
        if here.is_symlink():
            raise NotLeftError(f"{path} leads through a link")
        here = here / part
    return here
