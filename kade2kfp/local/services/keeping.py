"""What a keeper does with its service: deploy, pause, resume, roll back. One event loop owns all of it.

A version's server runs under a `watch`, a task that starts it, and starts it again when it ends. A new version is first
started beside the one that answers, and takes its place when it is ready.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from kade2kfp.local.engine import GRACE
from kade2kfp.local.logs import TAIL, tail
from kade2kfp.local.services import boxed
from kade2kfp.local.services.admission import admitted, last_words
from kade2kfp.local.services.boxed import Server
from kade2kfp.local.services.folders import KEPT
from kade2kfp.local.services.service import Keeping, RefusedError, open_port, take_port, tell
from kade2kfp.local.services.version import Version

DRAIN = 30.0
"""Seconds that an old version's connections have for their end."""
_PAUSE_DRAIN = 2.0
_LONGEST_WAIT = 60.0
"""Seconds between two starts of a server that does not stay, at most."""
_SOUND = 60.0
"""Seconds after which a server that ended counts as one that had worked."""


async def deploy(
    keeping: Keeping, version: Version, wanted: int | None, *, paused: bool, log: Path | None = None
) -> None:
    """Let a new version take the place of the one that answers, when it is ready. Raises RefusedError: nothing changed.

    A viewer's is taken at once. Cancelled, the new version is ended. Its log is copied to `log` where it fails.
    """
    async with keeping.lock:
        opened = await open_port(keeping, wanted)
        keeping.doing = f"version {version.name} is being started"
        try:
            if keeping.listener is None:
                take_port(keeping, opened)
            if paused or version.about.kind == "viewer":
                keeping.state = "paused" if paused else "starting"
                await _put_down(keeping, _PAUSE_DRAIN)
                _adopt(keeping, version)
                if not paused:
                    _begin(keeping, None)
            else:
                await _roll(keeping, version, log)
            if opened is not None and keeping.port != opened[1]:
                take_port(keeping, opened)
        except BaseException:
            if opened is not None and opened[0] is not keeping.listener:
                opened[0].close()
            raise
        finally:
            keeping.doing = ""
            tell(keeping)


async def rollback(keeping: Keeping, wanted: str | None, seconds: float) -> str:
    """Let an earlier version answer again. Returns its name. Raises RefusedError."""
    names = [one.name for one in keeping.versions]
    if keeping.current not in names:
        raise RefusedError("nothing has answered yet")
    later = names[names.index(keeping.current) + 1 :]
    if wanted is None and not later:
        raise RefusedError(f"there is no version before {keeping.current}")
    name = wanted or later[0]
    if name not in names:
        raise RefusedError(f"there is no version {name}", f"it can go back to: {', '.join(later) or 'none'}")
    if name == keeping.current and keeping.server is not None:
        raise RefusedError(f"{name} answers already")
    version = next(one for one in keeping.versions if one.name == name)
    _refuse_lost(version)
    _refuse_busy(keeping)
    async with keeping.lock:
        keeping.doing = f"version {name} is being started"
        try:
            await _roll(keeping, version, patience=seconds)
        finally:
            keeping.doing = ""
            tell(keeping)
    return name


async def _roll(keeping: Keeping, version: Version, log: Path | None = None, patience: float | None = None) -> None:
    """Start a version beside the present one, and let it take over, within `patience` seconds. Raises RefusedError."""
    limit = version.ready_timeout if patience is None else max(1, min(version.ready_timeout, int(patience)))
    candidate = await _start(keeping, replace(version, ready_timeout=limit))
    alone = keeping.server is None and keeping.watch is None and keeping.state != "paused"
    if alone:
        keeping.state = "starting"
        tell(keeping)
    try:
        why = await admitted(candidate, with_example=True)
        if why is not None:
            raise RefusedError(*why, code="K726", tail=_tail(keeping, candidate))
    except BaseException:
        if alone:
            keeping.state = "stopped"
        await asyncio.shield(_end(keeping, candidate, 0))
        if log is not None:
            with suppress(OSError):
                shutil.copyfile(keeping.folder / candidate.log, log)
        raise
    _retire(keeping, DRAIN)
    _adopt(keeping, version)
    _begin(keeping, candidate)


def _adopt(keeping: Keeping, version: Version) -> None:
    """Take a version for the present one; one of its name that came from the disk lacks its secrets."""
    if version.name in [one.name for one in keeping.versions]:
        keeping.versions = tuple(version if one.name == version.name else one for one in keeping.versions)
    else:
        keeping.versions = (version, *keeping.versions)[: KEPT if version.about.kind == "serving" else 1]
    keeping.current, keeping.problem = version.name, ""


def _begin(keeping: Keeping, server: Server | None) -> None:
    """Watch the present version, whose server may run already."""
    version = keeping.version
    keeping.since = time.time()
    if server is None:
        keeping.state = "starting"
    else:
        _answers(keeping, server)
    keeping.watch = asyncio.create_task(_watch(keeping, version, server))


def _answers(keeping: Keeping, server: Server) -> None:
    keeping.server, keeping.log = server, server.log
    keeping.state, keeping.problem, keeping.since = "running", "", time.time()
    tell(keeping)


async def _watch(keeping: Keeping, version: Version, server: Server | None) -> None:
    """Have a server of a version, for ever: another one where it ends, after a pause that grows."""
    pause = 1.0
    while True:
        begun = time.monotonic()
        if server is None:
            keeping.problem = await _attempt(keeping, version)
        else:
            end = await asyncio.shield(server.ended)
            keeping.problem, keeping.server = last_words(end.why, end.tail), None
        server = keeping.server
        if server is None:
            keeping.state = "failing"
            tell(keeping)
            await _clear(keeping)
            pause = 1.0 if time.monotonic() - begun > _SOUND else pause
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_WAIT)


async def _attempt(keeping: Keeping, version: Version) -> str:
    """Start a server, which answers then; or why it does not."""
    try:
        server = await _start(keeping, version)
    except RefusedError as error:
        return str(error)
    keeping.log = server.log
    tell(keeping)
    try:
        why = await admitted(server, with_example=False)
    except BaseException:
        await asyncio.shield(_end(keeping, server, 0))
        raise
    if why is None:
        _answers(keeping, server)
        return ""
    await _end(keeping, server, 0)
    return why[0]


async def _clear(keeping: Keeping) -> None:
    for server in [one for one in keeping.servers if one.ended.done()]:
        await _end(keeping, server, 0)


async def _start(keeping: Keeping, version: Version) -> Server:
    try:
        # It asks a container engine, which may take its time.
        engine = await asyncio.to_thread(keeping.engine_of, version.engine)
        if keeping.over.is_set():
            raise RefusedError("it is being ended")
        keeping.started += 1
        server = boxed.start(engine, version, keeping.folder, keeping.started)
    except (OSError, LookupError) as error:
        raise RefusedError(f"it cannot be started: {error}", code="K726") from None
    keeping.servers.append(server)
    return server


async def _end(keeping: Keeping, server: Server, grace: float) -> None:
    await boxed.stop(server, grace)
    if server in keeping.servers:
        keeping.servers.remove(server)


def _tail(keeping: Keeping, server: Server) -> tuple[str, ...]:
    return tail(keeping.folder / server.log, TAIL)


def _retire(keeping: Keeping, seconds: float) -> asyncio.Task[None] | None:
    """Let the present server go on with what it has to do, and end it then, beside all else."""
    if keeping.watch is not None:
        keeping.watch.cancel()
        keeping.watch = None
    server, keeping.server = keeping.server, None
    if server is None:
        return None

    async def drain() -> None:
        until = time.monotonic() + seconds
        while server.backend.links and time.monotonic() < until and not server.ended.done():
            await asyncio.sleep(0.05)
        for link in tuple(server.backend.links):
            link.close()
        await _end(keeping, server, GRACE)

    task = asyncio.create_task(drain())
    keeping.retiring.add(task)
    task.add_done_callback(keeping.retiring.discard)
    return task


async def _put_down(keeping: Keeping, drain: float) -> None:
    """End the present version's server, one that is being started too."""
    watch, task = keeping.watch, _retire(keeping, drain)
    if watch is not None:
        await asyncio.wait([watch])
    if task is not None:
        await task
    for server in tuple(keeping.servers):
        await _end(keeping, server, 0)


async def pause(keeping: Keeping) -> None:
    """End its processes, and keep the port, which answers 503. Raises RefusedError."""
    _refuse_busy(keeping)
    if keeping.state == "paused":
        raise RefusedError("it is paused already")
    async with keeping.lock:
        keeping.state, keeping.problem = "paused", ""
        tell(keeping)
        await _put_down(keeping, _PAUSE_DRAIN)


async def resume(keeping: Keeping, *, at_once: bool) -> str:
    """Start it again, and wait until it is ready unless it may be told `at_once`; what is wrong, or ''.

    Raises RefusedError.
    """
    _refuse_busy(keeping)
    if not keeping.versions:
        raise RefusedError("there is nothing to start")
    if keeping.state in ("running", "starting"):
        raise RefusedError("it runs already" if keeping.state == "running" else "it is starting already")
    _refuse_lost(keeping.version)
    async with keeping.lock:
        await _put_down(keeping, 0)
        _begin(keeping, None)
        tell(keeping)
    while not at_once and _is_starting(keeping):
        await asyncio.sleep(0.05)
    return keeping.problem


def _is_starting(keeping: Keeping) -> bool:
    return keeping.state == "starting"


def _refuse_busy(keeping: Keeping) -> None:
    if keeping.doing:
        raise RefusedError(f"{keeping.doing} at this moment", "try again when that is done")


def _refuse_lost(version: Version) -> None:
    if version.lost:
        raise RefusedError(
            f"version {version.name} needs secrets or config maps, which are not kept on disk: {', '.join(version.withheld)}",
            "run the pipeline again, with --secrets FILE",
        )


async def end_all(keeping: Keeping, grace: float) -> None:
    """End everything."""
    if keeping.listener is not None:
        keeping.listener.close()
    watch = keeping.watch
    keeping.watch = keeping.server = None
    for task in [one for one in (watch, *keeping.retiring) if one is not None]:
        task.cancel()
        await asyncio.wait([task])
    for server in keeping.servers:
        for link in tuple(server.backend.links):
            link.close()
    await asyncio.gather(*(boxed.stop(server, grace) for server in tuple(keeping.servers)))
