"""What a submit leaves behind until it ends by itself: so one that was killed, and is repeated, finds the run it has made.

`HOME/submissions/KEY.json` is written before KFP is asked for a run. KEY tells what is submitted and where to; the nonce
in the file stands in the run's description. `KEY.NONCE.held` is locked while a submit waits for its run.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from kade2kfp.files import write_atomically

FORGOTTEN = 3600.0
"""Seconds after which nobody expects that the same command takes up where it was cut off."""

_OLD = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A submit that has asked, or is about to ask, for a run: what marks the run, and when KFP was asked (seconds since 1970)."""

    nonce: str
    name: str
    asked: float


def key_of(parts: Mapping[str, Any]) -> str:
    """What a submit is known by, of all that makes it another one."""
    return sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:40]


def begin(slug: str, name: str) -> Attempt:
    """A new attempt; without a name its run is called by the pipeline and the time, as a run on this machine is."""
    nonce = uuid.uuid4().hex
    return Attempt(nonce, name or f"{slug[:40].rstrip('-')}-{time.strftime('%Y%m%d-%H%M%S')}-{nonce[:4]}", time.time())


@contextmanager
def held(home: Path, key: str) -> Iterator[Path]:
    """The file of an attempt, for oneself until the block or the process ends; who submits the same meanwhile waits.

    Raises click.ClickException where it cannot be had.
    """
    folder = home / "submissions"
    lock = folder / f"{key}.lock"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget(folder)
        handle = _locked(lock)
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        yield folder / f"{key}.json"
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def lasting(path: Path, attempt: Attempt) -> Iterator[None]:
    """Keep an attempt while the block lasts: it is forgotten at its end, and stays where the process is killed.

    Raises click.ClickException where it cannot be kept.
    """
    mark = _mark(path, attempt)
    try:
        handle = _locked(mark)
    except OSError as error:
        raise _unwritable(path.parent, error) from None
    try:
        yield
    finally:
        found = read(path)
        if found is not None and found.nonce == attempt.nonce:  # else the same was submitted once more meanwhile
            path.unlink(missing_ok=True)
        mark.unlink(missing_ok=True)
        os.close(handle)


def lasts(path: Path, attempt: Attempt) -> bool:
    """Whether the submit of an attempt still goes on, so that it was not cut off."""
    try:
        handle = os.open(_mark(path, attempt), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def read(path: Path) -> Attempt | None:
    """The attempt of a file; None where there is none that can be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        nonce = str(value["nonce"])
        return Attempt(nonce, str(value["name"]), float(value["asked"])) if nonce.isalnum() else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write(path: Path, attempt: Attempt) -> None:
    """Keep an attempt; it is on the disk when this returns. Raises click.ClickException."""
    write_atomically(path, json.dumps(asdict(attempt)) + "\n")


def _mark(path: Path, attempt: Attempt) -> Path:
    return path.with_suffix(f".{attempt.nonce[:32]}.held")


def _unwritable(folder: Path, error: OSError) -> click.ClickException:
    reason = (error.strerror or str(error)).lower()
    return click.ClickException(f"cannot write below {folder}: {reason}\n  help: name another folder by --home")


def _locked(path: Path) -> int:
    """A handle of a lock file that is still the one at its path: who had it before has removed it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _forget(folder: Path) -> None:
    """Remove what was left long ago."""
    for path in (*folder.glob("*.json"), *folder.glob("*.held")):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _OLD:
                path.unlink()
