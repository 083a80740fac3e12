"""Files and folders that a run keeps: made fit as KFP's upload makes them, measured, and handed on without copying."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kade2kfp.local.erase import below, erase


@dataclass(frozen=True, slots=True)
class Measure:
    """How many files, how many bytes, and a digest of names and contents (SHA-256, hexadecimal)."""

    files: int
    size: int
    digest: str


class UnfitError(Exception):
    """Something in a tree cannot be kept; the text says what."""


def settle(path: Path) -> None:
    """Do to what a step left what storing it on the cluster does: empty folders vanish, modes become plain.

    (KFP: backend/src/v2/objectstore/object_store.go, UploadBlob and DownloadBlob.) Links are gone already, by
    templates/local_finish.sh. Folders may lie in each other as deep as a path is long, so nothing here calls itself.
    Raises UnfitError, OSError.
    """
    folders, todo = [], [path]
    while todo:
        one = todo.pop()
        mode = one.lstat().st_mode
        if stat.S_ISDIR(mode):
            one.chmod(0o755)
            folders.append(one)
            todo += [one / name for name in sorted(os.listdir(one), reverse=True)]
        elif stat.S_ISREG(mode):
            one.chmod(0o644)
        else:
            raise _unfit(path, one)
    for folder in reversed(folders):  # inner ones first
        with suppress(OSError):  # not empty
            folder.rmdir()


def measure(path: Path) -> Measure:
    """The measure of a file or folder; of nothing, where nothing is there. Raises UnfitError, OSError."""
    digest, files, size = hashlib.sha256(), 0, 0
    for name, file in _files(path):
        digest.update(name + b"\0")
        with open(file, "rb") as source:
            digest.update(hashlib.file_digest(source, "sha256").digest())
            size += os.fstat(source.fileno()).st_size
        files += 1
    return Measure(files, size, digest.hexdigest())


def _files(path: Path) -> Iterator[tuple[bytes, Path]]:
    """The files of a tree with their names in it, in one order on every machine."""
    todo = [(b"", path)] if os.path.lexists(path) else []
    while todo:
        name, one = todo.pop()
        mode = one.lstat().st_mode
        if stat.S_ISDIR(mode):
            entries = sorted(os.listdir(one), key=os.fsencode, reverse=True)
            todo += [((name + b"/" if name else b"") + os.fsencode(entry), one / entry) for entry in entries]
        elif stat.S_ISREG(mode):
            yield name, one
        else:
            raise _unfit(path, one)


def _unfit(path: Path, one: Path) -> UnfitError:
    return UnfitError(f"{'it' if one == path else one.relative_to(path)} is neither a file nor a folder")


def hand_on(source: Path, target: Path) -> None:
    """Put a tree at a second place. Where the file system can, files are one on disk (hard links), else copied.

    What is at `target` already is an error. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    todo = [(source, target)]
    while todo:
        here, there = todo.pop()
        if here.is_symlink() or not here.is_dir():
            _link_or_copy(here, there)
            continue
        there.mkdir()
        todo += [(here / name, there / name) for name in os.listdir(here)]


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, too many links, or not allowed here
        shutil.copy2(source, target, follow_symlinks=False)


def remove(path: Path) -> None:
    """Remove a tree, whatever a step left in it; links are not followed. Nothing there is fine. Raises OSError."""
    with suppress(FileNotFoundError), below(path.parent) as folder:
        erase(folder, path.name)
