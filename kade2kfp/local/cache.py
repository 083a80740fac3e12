"""What earlier runs left, kept by what it was made from, so that an unchanged step is not run again."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from kade2kfp.local.engine import Bind, Box, Empty, Files
from kade2kfp.local.folder import safe_name
from kade2kfp.local.places import IN, OUT
from kade2kfp.local.state import Artifact
from kade2kfp.local.trees import UnfitError, hand_on, measure, remove
from kade2kfp.steps.model import Step

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What a step left, and which run it was. Artifacts are stored below the entry's own folder."""

    run: str
    artifacts: tuple[Artifact, ...]
    outputs: dict[str, JsonValue]
    metrics: dict[str, float]


_ADAPTER = TypeAdapter(Entry)


def key_of(step: Step, box: Box, inputs: Mapping[str, str], served_by: str) -> str:
    """The key of a step's result: a digest of all that it is made from.

    Args:
        step: the step; it may be cached (`cache_key` is not None).
        box: its box, with all values put in. Values of secrets count too; only the digest is kept.
        inputs: the digests of its artifacts, by the names of its inputs.
        served_by: what else the result depends on: the image's digest, or the Python and its packages.
    """
    mounts = [_mount(mount) for mount in box.mounts if not mount.path.startswith((f"{IN}/", OUT))]
    parts = (
        _VERSION,
        box.image,
        box.command,
        sorted(box.env.items()),
        mounts,
        (box.user, box.group),
        sorted(inputs.items()),
        [(one.path, getattr(one, "name", "")) for one in step.outputs],
        [(one.name, one.type, one.path) for one in step.parameters],
        step.metrics,
        step.requirements,
        step.cache_key,
        served_by,
    )
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _mount(mount: Bind | Empty | Files) -> tuple[str, ...]:
    match mount:
        case Bind(source, path):
            return ("bind", str(source), path)
        case Empty(path):
            return ("empty", path)
        case Files(path, contents):
            return ("files", path, repr(sorted(contents.items())))


def take(cache: Path, key: str, step: Step, folder: Path) -> Entry | None:
    """Take a result into the run's folder; None where there is none, or it is not what it was."""
    entry = _read(cache / key)
    return _hand_on(entry, cache / key, step, folder) if entry is not None else None


def _hand_on(entry: Entry, source: Path, step: Step, folder: Path) -> Entry | None:
    taken = []
    target = folder / "artifacts" / safe_name(step.name)
    try:
        remove(target)
        for artifact in entry.artifacts:
            stored = Path("artifacts", safe_name(step.name), safe_name(artifact.name))
            hand_on(source / artifact.stored, folder / stored)
            # Files are shared with the runs, whose owner may have changed them; another run may have just replaced them.
            if measure(folder / stored).digest != artifact.digest:
                raise UnfitError(f"{artifact.path} is not what it was")
            taken.append(replace(artifact, stored=str(stored)))
    except (OSError, UnfitError):
        with suppress(OSError):
            remove(target)
        return None
    return replace(entry, artifacts=tuple(taken))


def _read(folder: Path) -> Entry | None:
    try:
        return _ADAPTER.validate_json((folder / "entry.json").read_bytes())
    except (OSError, ValidationError):
        return None


def keep(cache: Path, key: str, entry: Entry, folder: Path) -> None:
    """Keep a result under its key, in the place of an older one. Not being able to is no failure of the step's."""
    made: Path | None = None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=cache))
        kept = []
        for number, artifact in enumerate(entry.artifacts):
            hand_on(folder / artifact.stored, made / str(number))
            kept.append(replace(artifact, stored=str(number)))
        (made / "entry.json").write_bytes(_ADAPTER.dump_json(replace(entry, artifacts=tuple(kept))))
        if (cache / key).exists():
            # A folder cannot take the place of one that is not empty.
            (cache / key).rename(made / "older")
        os.rename(made, cache / key)
        made = cache / key / "older"
    except OSError:
        pass
    finally:
        if made is not None:
            with suppress(OSError):
                remove(made)
