"""The process that tests/warm.py forks: imports kade2kfp, then makes a process of each order that comes.

Its argument is the number of a socket. An order is eight bytes of length, with four files (standard streams, and where
the exit code is written), and so many bytes of JSON; the answer is the process id, in eight bytes.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import socket
import sys
import tempfile
import threading
import time
import types
from typing import Any


def prepare() -> None:
    """Imports all of kade2kfp, and what it imports when it is called."""
    import kade2kfp

    for found in pkgutil.walk_packages(kade2kfp.__path__, "kade2kfp."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()  # what is shared with all forks is left alone by the collector


def serve(number: int) -> dict[str, Any] | None:
    """Orders, one after the other; comes back with one in the new process, and with None when no more can come."""
    orders = socket.socket(fileno=number)
    waiting = select.poll()
    waiting.register(number, select.POLLIN)
    running: dict[int, tuple[int, int]] = {}  # by the file of a process, its id and where its end is written
    while True:
        for ready, _ in waiting.poll():
            if ready != number:
                pid, ended = running.pop(ready)
                waiting.unregister(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(BrokenPipeError):
                    os.write(ended, str(code).encode())
                os.close(ended)
                os.close(ready)
                continue
            length, files, _, _ = socket.recv_fds(orders, 8, 4)
            if not length:
                return None
            order = json.loads(receive(orders, int.from_bytes(length, "big")))
            pid = os.fork()
            if not pid:
                orders.detach()
                take(files[:3])
                return order
            for one in files[:3]:
                os.close(one)
            process = os.pidfd_open(pid)
            running[process] = (pid, files[3])
            waiting.register(process, select.POLLIN)
            orders.sendall(pid.to_bytes(8, "big"))


def receive(orders: socket.socket, length: int) -> bytes:
    """So many bytes."""
    text = b""
    while len(text) < length:
        text += orders.recv(length - len(text))
    return text


def take(files: list[int]) -> None:
    """The three standard streams, and no other file."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                os.close(int(name))


def stream(old: io.TextIOWrapper, number: int, unbuffered: bool) -> io.TextIOWrapper:
    """What Python makes of a standard stream when it starts (create_stdio in pylifecycle.c)."""
    direct = unbuffered and number > 0
    raw = io.FileIO(number, "w" if number else "r", closefd=False)
    raw.name = f"<{('stdin', 'stdout', 'stderr')[number]}>"
    buffered = io.BufferedWriter if number else io.BufferedReader
    buffer = raw if direct else buffered(raw)
    made = io.TextIOWrapper(
        buffer,
        encoding=old.encoding,
        errors=old.errors,
        newline="\n" if number else None,
        line_buffering=not direct and (number == 2 or raw.isatty()),
        write_through=direct,
    )
    made.mode = "w" if number else "r"
    return made


def become(order: dict[str, Any]) -> None:
    """What a new Python with these words would do."""
    if order["session"]:
        os.setsid()
    if order["group"] not in (None, -1):
        os.setpgid(0, order["group"])
    os.umask(order["umask"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    tempfile.tempdir = None
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = stream(sys.stdin, 0, unbuffered)
    sys.stdout = sys.__stdout__ = stream(sys.stdout, 1, unbuffered)
    sys.stderr = sys.__stderr__ = stream(sys.stderr, 2, unbuffered)
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    how, *words = order["words"]
    if how == "-m":
        sys.path[0] = os.getcwd()
        sys.argv = ["-m", *words[1:]]
        runpy._run_module_as_main(words[0])
    elif how == "-c":
        sys.path[0] = ""
        sys.argv = ["-c", *words[1:]]
        exec(compile(words[0], "<string>", "exec"), main.__dict__)
    else:
        sys.path[0] = os.path.dirname(os.path.realpath(how))
        sys.argv = [how, *words]
        main.__file__ = how
        with open(how, "rb") as file:
            program = compile(file.read(), how, "exec")
        exec(program, main.__dict__)


def leave(code: int) -> None:
    """The end of a Python but for its last part, which takes all modules apart: in a fork that copies all their memory.

    Comes back where that part may have something to say, of streams that cannot be written or are no more.
    """
    threading._shutdown()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return
    os._exit(code & 0xFF)


def main() -> None:
    """A process of each order; in it, what was ordered."""
    prepare()
    if (order := serve(int(sys.argv[1]))) is None:
        return
    try:
        become(order)
    except SystemExit as end:
        if isinstance(end.code, int | None):
            leave(end.code or 0)
        raise
    leave(0)


if __name__ == "__main__":
    main()
