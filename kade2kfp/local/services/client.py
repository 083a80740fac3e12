"""Talking to the keeper of a service: starting one, and giving it commands."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kade2kfp
from kade2kfp.local.services.folders import control, make_folder

_START_SECONDS = 60.0
_LOOK = 0.2
_TRIES = 3


class KeeperError(Exception):
    """A keeper could not do what it was told: why, what to do, a code where it fails a step, last lines of a log."""

    def __init__(
        self, message: str, help: str = "", code: str = "", tail: tuple[str, ...] = (), answers: str = ""
    ) -> None:
        super().__init__(message)
        self.help, self.code, self.tail, self.answers = help, code, tail, answers


class NoKeeperError(Exception):
    """Nobody keeps the service, or its keeper ended before it answered."""


class TakenBackError(Exception):
    """The command was taken back, since somebody wanted that."""


@dataclass(frozen=True, slots=True)
class Now:
    """What a keeper says of its service; `answers` is the version that does, or empty."""

    state: str
    port: int
    version: str
    problem: str
    answers: str


def ask(folder: Path, command: dict[str, Any], *, cancelled: threading.Event | None = None) -> Now:
    """Give the keeper of a folder a command, and wait for the answer.

    Raises KeeperError where it cannot carry it out, NoKeeperError, and TakenBackError once `cancelled` is set.
    """
    try:
        with control(folder) as path, socket.socket(socket.AF_UNIX) as one:
            one.connect(path)
            one.sendall(json.dumps(command).encode() + b"\n")
            answer = _answer(one, cancelled)
    except (OSError, ValueError):
        raise NoKeeperError from None
    now = Now(*(answer[name] for name in ("state", "port", "version", "problem", "answers")))
    if "error" in answer:
        raise KeeperError(answer["error"], answer["help"], answer["code"], tuple(answer["tail"]), now.answers)
    return now


def _answer(one: socket.socket, cancelled: threading.Event | None) -> dict[str, Any]:
    data = b""
    one.settimeout(_LOOK)
    while not data.endswith(b"\n"):
        if cancelled is not None and cancelled.is_set():
            raise TakenBackError
        with suppress(TimeoutError):
            piece = one.recv(65536)
            if not piece:
                raise NoKeeperError
            data += piece
    found: dict[str, Any] = json.loads(data)
    return found


def start_keeper(folder: Path, pipe: int | None) -> subprocess.Popen[bytes] | None:
    """Start a keeper for a folder, which is made; it takes commands when this returns. None where there is one already.

    With a `pipe`, the end to read of one, the keeper is the caller's child and ends when the other end is closed; else it
    leaves the caller. Raises KeeperError, OSError.
    """
    make_folder(folder)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kade2kfp.local.services.keeper", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=_environment(),
        pass_fds=() if pipe is None else (pipe,),
        start_new_session=True,
    )
    timer = threading.Timer(_START_SECONDS, process.kill)
    timer.start()
    try:
        said = _said(process, {"pipe": pipe})
    finally:
        timer.cancel()
    if "pid" in said and pipe is not None:
        return process
    process.wait()
    if said.get("error") == "busy":
        return None
    if "pid" not in said:
        raise KeeperError(str(said["error"]), code="K726")
    return process


def _said(process: subprocess.Popen[bytes], begin: dict[str, Any]) -> dict[str, Any]:
    """The one line that a keeper says to what it is told at its beginning."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("a keeper is started with pipes")
    with suppress(OSError), process.stdin:
        process.stdin.write(json.dumps(begin).encode())
    with process.stdout, process.stderr:
        line = process.stdout.readline()
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError:
            last = process.stderr.read().decode(errors="replace").strip().splitlines()
            return {"error": f"its keeper cannot be started: {last[-1] if last else 'it does not say why'}"}
    return said


def _environment() -> dict[str, str]:
    """The variables of a keeper: the caller's, and where this package is, which may be run from a checkout."""
    env = dict(os.environ)
    root = str(Path(kade2kfp.__file__).resolve().parents[1])
    if root not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        env["PYTHONPATH"] = os.pathsep.join([*filter(None, [env.get("PYTHONPATH")]), root])
    return env


def kept(folder: Path, pipe: int | None, seconds: float = 30.0) -> subprocess.Popen[bytes] | None:
    """Have a keeper for a folder: the one there is, else a new one, which is returned if it is a child.

    Raises KeeperError, OSError.
    """
    until = time.monotonic() + seconds
    while True:
        with suppress(NoKeeperError, FileNotFoundError):
            ask(folder, {"do": "status"})
            return None
        started = start_keeper(folder, pipe)
        if started is not None:
            return started
        if time.monotonic() > until:
            raise KeeperError("its keeper does not answer", f"its log: {folder / 'log'}", "K726")
        time.sleep(0.05)


def ask_kept(folder: Path, command: dict[str, Any], *, cancelled: threading.Event | None = None) -> Now:
    """Give a command to the keeper of a serving; one is started where there is none.

    Raises KeeperError, TakenBackError, OSError.
    """
    for _ in range(_TRIES):
        kept(folder, None)
        try:
            return ask(folder, command, cancelled=cancelled)
        except NoKeeperError:
            continue  # it was about to end, since there was nothing to keep
    raise KeeperError("its keeper ended before it could answer", f"its log: {folder / 'log'}", "K726")
