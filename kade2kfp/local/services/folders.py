"""Where services lie, what is written there, and who has one: a keeper holds its folder's lock while it lives."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kade2kfp.local.folder import is_held, locked
from kade2kfp.local.services.version import Version, stored, version_of
from kade2kfp.local.trees import remove
from kade2kfp.services.model import State

FILE = "service.json"
KEPT = 5
"""Versions that are known, the one that answers among them."""
_DOOMED = ".gone-"
_GLANCE = 0.3
"""Seconds for which who only looks whether a service is kept may hold its lock."""


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """What is known of a service: its versions, the newest first, which of them is (or ought to be) answering, its port.

    `since` is when that one began, in seconds since 1970; `log` is the path of its box's log below the folder.
    """

    versions: tuple[Version, ...]
    current: str
    port: int = 0
    state: State = "stopped"
    since: float = 0.0
    problem: str = ""
    log: str = ""

    @property
    def version(self) -> Version:
        """The one that answers, or ought to."""
        return next((one for one in self.versions if one.name == self.current), self.versions[0])


def servings(home: Path) -> Path:
    """Where servings lie, each in a folder of its name."""
    return home / "services"


def label(folder: Path) -> str:
    """What the containers of a service are labelled with, and nobody else's."""
    return f"service-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"


def make_folder(folder: Path) -> None:
    """Make a service's folder, which is for its owner alone: who can reach its socket can have it run anything."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def write_record(folder: Path, record: Record) -> None:
    """Replace what is known of a service. No secrets are in it, but what the document says is. Raises OSError."""
    fields = {
        "versions": [stored(one) for one in record.versions],
        "current": record.current,
        "port": record.port,
        "state": record.state,
        "since": record.since,
        "problem": record.problem,
        "log": record.log,
    }
    new = folder / f"{FILE}.{uuid.uuid4().hex[:8]}"
    try:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(fields, file)
        os.replace(new, folder / FILE)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def read_record(folder: Path) -> Record | None:
    """What is known of a service; None where nothing is, or it cannot be read."""
    try:
        fields: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        versions = tuple(map(version_of, fields.pop("versions")))
        return Record(versions, **fields) if versions else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def present(folder: Path) -> Record | None:
    """What is known of a service at this moment: where nobody keeps it, it is `stopped`, whatever it was."""
    kept = is_kept(folder)
    record = read_record(folder)
    if record is None or kept:
        return record
    return Record(record.versions, record.current, record.port, "stopped", record.since, record.problem, record.log)


def lock(folder: Path) -> int | None:
    """The descriptor that holds a service for this process, or None where another has it. Raises OSError."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + _GLANCE
        while not locked(handle, fcntl.LOCK_EX):
            if time.monotonic() > until:
                os.close(handle)
                return None
            time.sleep(0.01)
        # The folder may have been removed meanwhile, and made anew.
        if (folder / "lock").exists() and os.path.samestat(os.fstat(handle), os.stat(folder / "lock")):
            return handle
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def is_kept(folder: Path) -> bool:
    """Whether a keeper has the service at this moment."""
    return is_held(folder)


def drop(folder: Path) -> None:
    """Remove a service's folder, whose lock the caller holds; it is gone at once, or not at all. Raises OSError."""
    os.rename(folder, folder.with_name(f"{_DOOMED}{uuid.uuid4().hex[:8]}"))
    # With what others have left that were killed over this.
    for gone in folder.parent.glob(f"{_DOOMED}*"):
        remove(gone)


def folders_in(place: Path) -> list[Path]:
    """The folders of services at a place."""
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return []
    return [place / name for name in names if (place / name / FILE).is_file() and not name.startswith(_DOOMED)]


@contextmanager
def control(folder: Path) -> Iterator[str]:
    """A path to the service's socket. By the folder's descriptor: the path of a socket has at most 107 characters."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/control"
    finally:
        os.close(handle)
