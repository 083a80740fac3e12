"""The standard streams, which may be closed, full or left by whoever reads them: none of that is a bug of ours."""

from __future__ import annotations

import os
import sys
from typing import TextIO, cast

import click

GONE = 141
"""The exit code where the reader of standard output has gone: what a shell shows of a process that SIGPIPE ended."""


def prepare() -> None:
    """Make sure that all three are there, so that no file that is opened later takes the place of one."""
    if sys.stdin is None:
        sys.stdin = _opened(0, os.O_RDONLY, "r")
    if sys.stdout is None:  # cannot be written to, as it was
        sys.stdout = _opened(1, os.O_RDONLY, "w")
    if sys.stderr is None:
        sys.stderr = _opened(2, os.O_WRONLY, "w")


def _opened(number: int, flags: int, mode: str) -> TextIO:
    _to_nowhere(number, flags)
    return cast(TextIO, open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))


def _to_nowhere(number: int, flags: int = os.O_WRONLY) -> None:
    nowhere = os.open(os.devnull, flags)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)


def out(text: str) -> None:
    """Write text to standard output, in UTF-8 whatever the locale is.

    Raises click.exceptions.Exit where its reader has gone, click.ClickException where it cannot be written to.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    except OSError as error:
        raise lost(error) from None


def lost(error: OSError) -> click.exceptions.Exit | click.ClickException:
    """What to raise where standard output failed; nothing more is written to it."""
    _to_nowhere(1)
    if isinstance(error, BrokenPipeError):
        return click.exceptions.Exit(GONE)
    return click.ClickException(f"cannot write to standard output: {(error.strerror or str(error)).lower()}")


def say(text: str) -> None:
    """Write a line to standard error, if it can be written to: the exit code tells the rest."""
    try:
        click.echo(text, err=True)
        sys.stderr.flush()
    except OSError:
        _to_nowhere(2)
