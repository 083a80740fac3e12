"""Files are replaced atomically: a reader sees the old content or the new, never half."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import click


def write_atomically(path: Path, text: str) -> None:
    """Write a text file as `replace_file` does. Raises click.ClickException with what is wrong."""
    try:
        replace_file(path, text)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None


def replace_file(path: Path, text: str) -> None:
    """Write a text file in UTF-8; a link is followed; mode and owner of an existing file stay, as far as we may give it away.

    It is another file then: a hard link keeps the old one.

    Raises OSError: no such folder, no permission, no space.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # all links were followed, so it leads to itself
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    old = target.stat() if target.exists() else None
    mode = old.st_mode & 0o7777 if old is not None else 0o666 & ~_umask()
    if old is not None and not target.is_file():  # a device or a pipe: nothing to replace
        target.write_text(text, encoding="utf-8")
        return
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            if old is not None:
                _give(file.fileno(), old)
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:  # an interrupt, too, leaves nothing beside the file
        Path(temporary).unlink(missing_ok=True)
        raise


def _give(handle: int, old: os.stat_result) -> None:
    """Let a file have the owner and group of another; an ordinary user may give it to a group of his own at most."""
    new = os.fstat(handle)
    if new.st_gid != old.st_gid:
        with suppress(OSError):
            os.fchown(handle, -1, old.st_gid)
    if new.st_uid != old.st_uid:
        with suppress(OSError):
            os.fchown(handle, old.st_uid, -1)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
