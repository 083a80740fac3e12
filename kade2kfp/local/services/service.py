"""A service as its keeper knows it at this moment: its versions, its server, its port."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kade2kfp.local.engine import Engine
from kade2kfp.local.services.boxed import Server, free_port
from kade2kfp.local.services.folders import Record, write_record
from kade2kfp.local.services.forward import Backend, listen
from kade2kfp.local.services.version import Version
from kade2kfp.services.model import State


class RefusedError(Exception):
    """A command cannot be carried out: why, what to do, a code where it fails a step, and last lines of a log."""

    def __init__(self, message: str, help: str = "", code: str = "", tail: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.help, self.code, self.tail = help, code, tail


@dataclass(slots=True)
class Keeping:
    """The service at this moment. `engine_of` makes engines by name. `doing` says what commands must wait for."""

    folder: Path
    engine_of: Callable[[str], Engine]
    versions: tuple[Version, ...] = ()
    current: str = ""
    port: int = 0
    state: State = "stopped"
    since: float = 0.0
    problem: str = ""
    log: str = ""
    server: Server | None = None
    doing: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    watch: asyncio.Task[None] | None = None
    listener: asyncio.Server | None = None
    servers: list[Server] = field(default_factory=list)
    retiring: set[asyncio.Task[None]] = field(default_factory=set)
    started: int = 0
    waiting: int = 0
    """Commands that are being carried out."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where the keeper is to end."""
    deleted: bool = False

    @property
    def version(self) -> Version:
        """The one that answers, or ought to."""
        return next(one for one in self.versions if one.name == self.current)


def remembered(folder: Path, record: Record | None, engine_of: Callable[[str], Engine]) -> Keeping:
    """A service as its folder knows it; nothing of it runs."""
    if record is None:
        return Keeping(folder, engine_of)
    return Keeping(folder, engine_of, record.versions, record.current, record.port, log=record.log)


def told(keeping: Keeping) -> Record:
    """What is known of the service."""
    return Record(
        keeping.versions,
        keeping.current,
        keeping.port,
        keeping.state,
        keeping.since,
        keeping.problem,
        keeping.log,
    )


def tell(keeping: Keeping) -> None:
    """Write what is known of the service, where the commands look. A folder that is gone, or a full disk, stops nothing."""
    if keeping.versions:
        with suppress(OSError):
            write_record(keeping.folder, told(keeping))


async def open_port(keeping: Keeping, wanted: int | None) -> tuple[asyncio.Server, int] | None:
    """Listen on the port that is wanted, else on the one it had, else on a free one; None where it does so already.

    Raises RefusedError.
    """
    if keeping.listener is not None and wanted in (None, keeping.port):
        return None
    for port in (wanted,) if wanted else (keeping.port, *(free_port() for _ in range(3))):
        if port:
            try:
                return await listen(port, lambda: target(keeping)), port
            except OSError as error:
                why = "is in use by another program" if error.errno == errno.EADDRINUSE else f"cannot be had: {error}"
                refused = RefusedError(f"port {port} of this machine {why}", code="K727")
    raise refused


def take_port(keeping: Keeping, opened: tuple[asyncio.Server, int] | None) -> None:
    """Be reached at a port that was opened, and at no other any more."""
    if opened is not None:
        if keeping.listener is not None:
            keeping.listener.close()
        keeping.listener, keeping.port = opened


def target(keeping: Keeping) -> Backend | str:
    """The server that answers, or why none does."""
    if keeping.server is not None:
        return keeping.server.backend
    name = keeping.versions[0].about.name if keeping.versions else "it"
    match keeping.state:
        case "paused":
            return f"{name} is paused"
        case "failing":
            return f"{name} does not run: {keeping.problem}"
    return f"{name} is starting"
