"""Removing files and folders, whatever a step left in them: links, modes without rights, folders in folders without end."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def erase(parent: int, name: str) -> int:
    """Remove a file, or a folder with all in it, of the folder with the descriptor `parent`; the bytes that this freed.

    Folders inside are first brought to the top, so that none is too deep to reach, or takes a descriptor a level.
    Raises OSError with the first thing that could not be removed, after the rest is.
    """
    status = os.lstat(name, dir_fd=parent)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=parent)
        return _freed(status)
    own(name, status, parent)
    problems, freed = list[OSError](), 0
    with _at(parent, name) as top:
        folders, numbers = ["."], (f"{uuid.uuid4().hex}.{number}" for number in itertools.count())
        while folders:
            folder = folders.pop()
            with collected(problems), _at(top, folder) as handle:
                for child in os.listdir(handle):
                    with collected(problems):
                        status = os.lstat(child, dir_fd=handle)
                        if not stat.S_ISDIR(status.st_mode):
                            os.unlink(child, dir_fd=handle)
                            freed += _freed(status)
                            continue
                        own(child, status, handle)
                        risen = next(numbers)
                        os.rename(child, risen, src_dir_fd=handle, dst_dir_fd=top)
                        folders.append(risen)
            if folder != ".":
                with collected(problems):
                    os.rmdir(folder, dir_fd=top)
    with collected(problems):
        os.rmdir(name, dir_fd=parent)
    if problems:
        raise problems[0]
    return freed


def size_of(path: Path) -> int:
    """Bytes of the files in a folder, or of one file, that have no other name. What cannot be read counts nothing."""
    total, todo = 0, [path]
    while todo:
        one = todo.pop()
        with suppress(OSError):
            status = os.lstat(one)
            if stat.S_ISDIR(status.st_mode):
                todo += [one / name for name in os.listdir(one)]
            else:
                total += _freed(status)
    return total


def _freed(status: os.stat_result) -> int:
    return status.st_size if status.st_nlink == 1 else 0


def own(name: str | Path, status: os.stat_result, parent: int | None = None) -> None:
    """Make sure that a folder can be read, emptied and moved. Raises OSError."""
    if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o700 == 0o700:
        return
    try:
        os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)
    except (ValueError, NotImplementedError):  # a link took its place meanwhile
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(name)) from None


@contextmanager
def _at(parent: int, name: str) -> Iterator[int]:
    """A folder's descriptor; a link is none. Raises OSError."""
    handle = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def below(root: Path, names: Sequence[str] = ()) -> Iterator[int]:
    """The descriptor of a folder below one of the home's own, which alone may be a link. Raises OSError."""
    with ExitStack() as stack:
        handle = os.open(root, _FOLDER)
        stack.callback(os.close, handle)
        for name in names:
            handle = stack.enter_context(_at(handle, name))
        yield handle


@contextmanager
def collected(problems: list[OSError], where: Path | None = None) -> Iterator[None]:
    """Go on after what cannot be removed; `where` is what the error shall name. What is gone already is no problem."""
    try:
        yield
    except FileNotFoundError:
        return
    except OSError as error:
        problems.append(OSError(error.errno, error.strerror, str(where)) if where else error)
