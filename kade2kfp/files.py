"""Files are replaced atomically: a reader sees the old content or the new, never half."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import click


def write_atomically(path: Path, text: str) -> None:
    """Write a text file as `replace_file` does. Raises click.ClickException with what is wrong."""
    try:
        replace_file(path, text)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None


def replace_file(path: Path, text: str) -> None:
    """Write a text file in UTF-8; a link is followed, the mode of an existing file stays.

    Raises OSError: no such folder, no permission, no space.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # all links were followed, so it leads to itself
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    mode = target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask()
    if target.exists() and not target.is_file():  # a device or a pipe: nothing to replace
        target.write_text(text, encoding="utf-8")
        return
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:  # an interrupt, too, leaves nothing beside the file
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
