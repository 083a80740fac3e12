"""Reaching what steps may have laid out, without following a link of theirs: part by part, by descriptors."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LinkError(Exception):
    """A link, or something that is no folder, stands on the way; the text names it."""


@contextmanager
def folder_inside(top: Path, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """The descriptor of the folder at `parts` below `top`, which is trusted itself.

    With `make`, missing ones are made, open to every user as kubelet's umask has it in Argo's pods.
    Raises LinkError, OSError.
    """
    handle = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        here = top
        for part in parts:
            here = here / part
            try:
                inner = _step(handle, part, make=make)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise LinkError(f"{here} is a link or no folder") from None
                raise
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _step(handle: int, part: str, *, make: bool) -> int:
    if part in ("", ".", "..") or "/" in part:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part)
    if make:
        try:
            os.mkdir(part, dir_fd=handle)
            made = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
            try:
                os.fchmod(made, 0o777)
            finally:
                os.close(made)
        except FileExistsError:
            pass
    return os.open(part, _FOLDER, dir_fd=handle)


def read_inside(top: Path, parts: Sequence[str], most: int) -> bytes:
    """The content of the regular file at `parts` below `top`, of at most `most` bytes. Raises LinkError, OSError."""
    *folders, name = parts
    with folder_inside(top, folders) as folder:
        try:
            # Not to wait for the other end of a pipe.
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise LinkError(f"{name} is a link") from None
            raise
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise LinkError(f"{name} is no file")
            content = file.read(most + 1)
    if len(content) > most:
        raise LinkError(f"{name} has more than {most:,} bytes")
    return content


def opened(path: Path) -> int:
    """A descriptor of a file or folder for mounting, which is exactly what the path names, with no link on its way.

    The path is absolute. Raises LinkError, OSError.
    """
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    mode = os.fstat(handle).st_mode
    if os.readlink(f"/proc/self/fd/{handle}") != str(path) or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        os.close(handle)
        raise LinkError(f"{path} is a link, or leads through one")
    return handle
