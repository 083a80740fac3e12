"""One command of an installer in a box: packages run code of their own when they are built."""

from __future__ import annotations

import os
import select
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from kade2kfp.local import bubblewrap
from kade2kfp.local.engine import Bind
from kade2kfp.local.environments.errors import EnvironmentCancelledError, EnvironmentFailedError

TAIL = 20
"""Lines of output that are kept."""
_LONGEST = 64 * 1024
# What a hostile build may fill a log with.
_MOST = 16 * 1024 * 1024
_POLL = 100
"""Milliseconds between two looks at whether the caller has cancelled."""


def run_boxed(
    command: Sequence[str],
    binds: Sequence[Bind],
    env: Mapping[str, str],
    *,
    log: int | None,
    cancelled: threading.Event,
    masked: Callable[[str], str],
) -> tuple[int, tuple[str, ...]]:
    """Run a command in a box with the network of the machine; its exit code and last lines.

    Mounts are made in the order of `binds`; all else that the box sees is read-only. Whole lines of its output, each
    `masked`, go to the file descriptor `log`. Raises EnvironmentFailedError where no box can be made, and
    EnvironmentCancelledError; neither leaves a process behind.
    """
    bwrap = bubblewrap.bwrap_path()
    if bwrap is None or bubblewrap.works():
        raise EnvironmentFailedError(bubblewrap.works(), "packages are installed in a box of bubblewrap only")
    arguments = [*bubblewrap.ISOLATION, *bubblewrap.root_arguments()]
    for bind in binds:
        arguments += ["--ro-bind" if bind.read_only else "--bind", str(bind.source), bind.path]
    for name, value in env.items():
        arguments += ["--setenv", name, value]
    # Last, since mount points are made in the root; what is mounted on it stays as it is.
    arguments += ["--remount-ro", "/", "--chdir", "/"]
    handle = bubblewrap.arguments_file(arguments)
    try:
        process = subprocess.Popen(
            [bwrap, "--args", str(handle), "--", *command],
            pass_fds=(handle,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={},
            umask=0o022,
        )
    finally:
        os.close(handle)
    tail: deque[str] = deque(maxlen=TAIL)
    left = _MOST
    with process:
        try:
            for line in _lines(process, cancelled):
                shown = masked(line)
                if shown.strip():
                    tail.append(shown[:500])
                data = (shown + "\n").encode(errors="replace")
                if log is not None and len(data) <= left:
                    left -= len(data)
                    _write(log, data)
        except BaseException:
            bubblewrap.kill(process)
            if process.stdout is not None:
                # Its end comes when the last process of the box is gone.
                process.stdout.read()
            raise
    return process.returncode, tuple(tail)


def _lines(process: subprocess.Popen[bytes], cancelled: threading.Event) -> Iterator[str]:
    """The whole lines of a process's output: what is cut cannot be masked. Raises EnvironmentCancelledError."""
    if process.stdout is None:
        return
    output = process.stdout.fileno()
    # Not select(), which takes no descriptor above 1023.
    ready = select.poll()
    ready.register(output, select.POLLIN | select.POLLHUP)
    rest = b""
    while True:
        if cancelled.is_set():
            raise EnvironmentCancelledError
        if not ready.poll(_POLL):
            continue
        data = os.read(output, 65536)
        *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
        if not data:
            lines, rest = [rest] if rest else [], b""
        for line in lines:
            if len(line) > _LONGEST:
                yield "(a longer line than 64 KiB is left out)"
            else:
                yield line.decode(errors="replace")
        if not data:
            return
        # Kept one byte too long, so that the line's end is still told as that of a long one.
        rest = rest[: _LONGEST + 1]


def _write(log: int, data: bytes) -> None:
    while data:
        data = data[os.write(log, data) :]
