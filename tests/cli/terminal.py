"""A real terminal, as wide as one likes."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from pathlib import Path

import warm

from .command import KADE2KFP, environment


def on_a_terminal(folder: Path, *words: str, columns: int = 80, **env: str) -> str:
    """What a terminal of so many columns gets to see. COLUMNS is not set, as in a process that a shell starts."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    plain = environment(TERM="xterm")
    plain.pop("COLUMNS")
    process = warm.Popen([*KADE2KFP, *words], cwd=folder, env=plain | env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the end of a terminal whose other side is closed
        pass
    os.close(ours)
    process.wait(60)
    return shown.decode().replace("\r\n", "\n")
