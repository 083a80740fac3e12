"""The process that keeps one service: `python -m kade2kfp.local.services.keeper FOLDER`.

On its standard input it is told what it needs to begin, as JSON; on its standard output it says when it listens, or why it
does not. After that it takes commands at the socket `control` of the folder: a line of JSON each, answered by a line. Who
closes the connection before the answer to `deploy` has come takes the command back.

A serving's keeper leaves whoever started it. A viewer's ends when the pipe that it was given does, and so with whoever
holds the other end, however that ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.local.choose import choose
from kade2kfp.local.engine import Engine
from kade2kfp.local.services.folders import control, drop, label, lock, read_record
from kade2kfp.local.services.keeping import deploy, end_all, pause, resume, rollback
from kade2kfp.local.services.service import Keeping, RefusedError, open_port, remembered, take_port, tell
from kade2kfp.local.services.version import version_of
from kade2kfp.local.trees import remove

BUSY = "busy"
_LONGEST = 64 * 1024 * 1024
_FILES = 8192
_VIEWERS_GRACE = 1.5
_SERVINGS_GRACE = 10.0
_LAST_WORDS = 3.0
"""Seconds for the answers to commands that were being carried out."""
_REVOCABLE = ("deploy", "rollback")


def main() -> None:
    """Keep the service in the folder that is the argument, until it is deleted or its pipe ends."""
    folder = Path(sys.argv[1])
    begin: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    held = None
    with suppress(FileNotFoundError):  # it is being deleted
        held = lock(folder)
    if held is None:
        _say({"error": BUSY})
        return
    os.chdir("/")
    # It is to go on when its parent has ended, and to be waited for by nobody.
    if begin["pipe"] is None and os.fork():
        os._exit(0)
    _log_to(folder)
    _more_files()
    code = asyncio.run(_keep(folder, begin))
    # Threads may still wait for a container engine.
    sys.stderr.flush()
    os._exit(code)


def _say(words: dict[str, Any]) -> None:
    with suppress(OSError):
        os.write(1, json.dumps(words).encode() + b"\n")


def _log_to(folder: Path) -> None:
    """Standard error into the keeper's log, which begins anew each time, and nothing to read."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.dup2(log, 2)
    os.close(log)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)


def _more_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _keep(folder: Path, begin: dict[str, Any]) -> int:
    """Keep the service; the exit code."""

    @cache
    def engine_of(name: str) -> Engine:
        found = choose(name)
        if isinstance(found, Diagnostic):
            raise LookupError(found.message)
        engine = found.of_run(label(folder))
        engine.clean()
        return engine

    service = remembered(folder, read_record(folder), engine_of)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.over.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with suppress(OSError):
        remove(folder / "boxes")
    try:
        with control(folder) as socket:
            with suppress(FileNotFoundError):
                os.unlink(socket)
            server = await asyncio.start_unix_server(
                lambda reader, writer: _take(service, reader, writer), socket, limit=_LONGEST
            )
    except OSError as error:
        _say({"error": f"it cannot be kept: {error}"})
        return 1
    if begin["pipe"] is not None:
        _end_with(begin["pipe"], service.over)
    _say({"pid": os.getpid()})
    os.dup2(0, 1)
    await service.over.wait()
    server.close()
    forget = service.deleted or not service.versions
    viewer = bool(service.versions) and service.version.about.kind == "viewer"
    await end_all(service, _VIEWERS_GRACE if viewer else _SERVINGS_GRACE)
    service.state = "stopped"
    tell(service)
    until = loop.time() + _LAST_WORDS
    while service.waiting and loop.time() < until:
        await asyncio.sleep(0.01)
    if forget:
        with suppress(OSError):
            drop(folder)
    return 0


def _end_with(pipe: int, over: asyncio.Event) -> None:
    """End when the other end of a pipe is closed."""
    os.set_inheritable(pipe, False)
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(pipe, 1):
            loop.remove_reader(pipe)
            over.set()

    loop.add_reader(pipe, readable)


async def _take(service: Keeping, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take a command from a connection, and answer it."""
    service.waiting += 1
    last = False
    try:
        command = json.loads(await reader.readuntil(b"\n"))
        work = asyncio.ensure_future(_carried_out(service, command))
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
        last = command["do"] != "status"
        if command["do"] in _REVOCABLE and not work.done():
            work.cancel()
        answer = await work
        gone.cancel()
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    except (OSError, EOFError, ValueError, LookupError, asyncio.LimitOverrunError, asyncio.CancelledError):
        pass
    finally:
        writer.close()
        service.waiting -= 1
        # What neither runs nor is paused needs no keeper.
        if service.deleted or (last and service.state == "stopped" and not service.waiting):
            service.over.set()


async def _carried_out(service: Keeping, command: dict[str, Any]) -> dict[str, Any]:
    """Carry out a command; its answer."""
    try:
        match command["do"]:
            case "deploy":
                version = version_of(command["version"])
                log = Path(command["log"]) if command["log"] else None
                await deploy(service, version, command["wanted"], paused=command["paused"], log=log)
            case "pause":
                await pause(service)
            case "resume":
                take_port(service, await open_port(service, service.port if command["same_port"] else None))
                problem = await resume(service, at_once=command["at_once"])
                return _now(service) | {"problem": problem}
            case "rollback":
                await rollback(service, command["version"], command["seconds"])
            case "delete":
                service.deleted = True
            case "status":
                pass
    except RefusedError as error:
        # What was being started ended then, whatever that looks like.
        why = "it was deleted or ended meanwhile" if service.over.is_set() else str(error)
        return {"error": why, "help": error.help, "code": error.code, "tail": error.tail} | _now(service)
    return _now(service)


def _now(service: Keeping) -> dict[str, Any]:
    """What a keeper says of its service: `answers` is the version that does, or empty."""
    return {
        "state": service.state,
        "port": service.port,
        "version": service.current,
        "problem": service.problem,
        "answers": service.current if service.server is not None else "",
    }


if __name__ == "__main__":
    main()
