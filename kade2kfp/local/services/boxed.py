"""A server in its box: started, watched, its log written, ended."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kade2kfp.local.engine import CannotStartError, Engine, Running
from kade2kfp.local.logs import pump
from kade2kfp.local.services.forward import Backend
from kade2kfp.local.services.version import Version
from kade2kfp.local.trees import remove

LOG_LIMIT = 10 * 1024 * 1024
"""Bytes of a box's log."""
_LOGS = 6
"""How many logs are kept."""
_LOWEST = 20_000


@dataclass(frozen=True, slots=True)
class End:
    """How a box ended: its exit code, None where it could not be started, and why; its last lines."""

    code: int | None
    why: str
    help: str = ""
    tail: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Server:
    """A box with a version's server. `ended` is done when it has; `log` is its log's path below the service's folder."""

    version: Version
    backend: Backend
    log: str
    scratch: Path
    ended: asyncio.Future[End]
    running: Running | None = None
    doomed: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


def start(engine: Engine, version: Version, folder: Path, number: int) -> Server:
    """Start the box of a version, the service's so many-th, on a port that is free. Raises OSError."""
    port = free_port()
    log = f"logs/{version.name}-{number}.log"
    (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    _leave_newest(folder / "logs")
    scratch = folder / "boxes" / str(number)
    scratch.mkdir(parents=True)
    env = {**version.box.env, "HOST": "127.0.0.1", "PORT": str(port), "KADE2KFP_VERSION": version.name}
    box = replace(version.box, env=env, scratch=scratch)
    loop = asyncio.get_running_loop()
    server = Server(version, Backend(port), log, scratch, loop.create_future())

    def ended(end: End) -> None:
        with suppress(RuntimeError):  # the keeper has ended meanwhile
            loop.call_soon_threadsafe(_set, server.ended, end)

    def live() -> None:
        read, write = os.pipe()
        try:
            running = engine.start(box, write)
        except CannotStartError as error:
            os.close(read)
            ended(End(None, str(error), error.help))
            return
        except BaseException as error:
            os.close(read)
            ended(End(None, f"it cannot be started: {error}"))
            raise
        finally:
            os.close(write)
        with server.lock:
            server.running = running
        if server.doomed.is_set():
            running.kill()
        last: list[tuple[str, ...]] = []
        writer = threading.Thread(
            target=lambda: last.append(pump(read, folder / log, version.masks, limit=LOG_LIMIT).tail), daemon=True
        )
        writer.start()
        code = running.wait(None)
        writer.join()
        with server.lock:
            server.running = None
            running.close()
        os.close(read)
        ended(End(code, _why(code or 0), tail=last[0] if last else ()))

    # bubblewrap's boxes end with the thread that started them: this one stays until then.
    threading.Thread(target=live, daemon=True, name=f"box-{number}").start()
    return server


def _set(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)


def _why(code: int) -> str:
    return f"its server ended by signal {code - 128}" if code > 128 else f"its server exited with code {code}"


async def stop(server: Server, grace: float) -> None:
    """End a box, by force after `grace` seconds, and remove what it wrote."""
    if grace and not server.ended.done():
        await asyncio.to_thread(_call, server, lambda running: running.terminate())
        await asyncio.wait([server.ended], timeout=grace)
    server.doomed.set()
    if not server.ended.done():
        await asyncio.to_thread(_call, server, lambda running: running.kill())
        await asyncio.wait([server.ended], timeout=30)
    with suppress(OSError):
        await asyncio.to_thread(remove, server.scratch)


def _call(server: Server, what: Callable[[Running], None]) -> None:
    with server.lock:
        if server.running is not None:
            what(server.running)


def free_port() -> int:
    """A port of the loopback that is free, below those that connections get, so that none takes it until a server has."""
    try:
        least = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        least = 32_768
    for _ in range(100):
        port = _LOWEST + secrets.randbelow(least - _LOWEST) if least > _LOWEST + 1000 else 0
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            found: int = one.getsockname()[1]
            return found
    raise OSError("no port of the loopback is free")


def _leave_newest(logs: Path) -> None:
    with suppress(OSError):
        found = sorted(logs.iterdir(), key=lambda one: one.stat().st_mtime)
        for one in found[: -_LOGS + 1]:
            one.unlink()
