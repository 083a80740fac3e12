"""A command in a step with this terminal."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.execute import RESIZE, STATUS, STDERR, STDIN, STDOUT, exit_code, start
from kade2kfp.cluster.frames import Stream

_LOOK = 0.5  # seconds between two looks at the terminal's size


def shell(cluster: Cluster, pod: str, command: Sequence[str]) -> int:
    """Run a command with this terminal, in its raw mode; the command's exit code.

    Without a terminal at standard input the command gets no input: v4 of the protocol cannot tell it the end of it.
    Raises CannotDoError.
    """
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    wanted = [("stdout", "true"), *([("stdin", "true"), ("tty", "true")] if terminal else [("stderr", "true")])]
    stream = start(cluster, pod, command, wanted)
    try:
        if not terminal:
            return exit_code(_follow(stream, None), pod)
        with _raw(sys.stdin.fileno()):
            status = _follow(stream, sys.stdin.fileno())
        return exit_code(status, pod)
    finally:
        stream.close()


def _follow(stream: Stream, typed: int | None) -> bytes:
    """Carry what is typed and what is written, to the end; the Status object that came."""
    status = b""
    size: tuple[int, int] | None = None
    while True:
        for channel, data in stream.turn():
            if channel in (STDOUT, STDERR):
                _write(1 if channel == STDOUT else 2, data)
            elif channel == STATUS:
                status += data
        if status or stream.closed:
            return status
        if typed is not None and (now := tuple(os.get_terminal_size(typed))) != size:
            size = (now[0], now[1])
            stream.put(RESIZE, json.dumps({"Width": size[0], "Height": size[1]}).encode())
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLIN | (select.POLLOUT if stream.waiting else 0))
        if typed is not None:
            poll.register(typed, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(_LOOK * 1000)}
        if typed is not None and typed in ready:
            keys = os.read(typed, 1 << 12)
            if not keys:  # the terminal is gone; the end of the connection ends the command
                return status
            stream.put(STDIN, keys)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """The terminal hands on each key as it is, Ctrl-C too."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
