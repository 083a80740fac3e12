"""Whether a new server may answer: it is ready in time, and knows the answer to the example."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from kade2kfp.local.logs.masking import masked, masks_of
from kade2kfp.local.services import probe
from kade2kfp.local.services.boxed import Server
from kade2kfp.local.services.version import Version

_POLL = 0.15
_OURS = "kade2kfp: "


async def admitted(server: Server, *, with_example: bool) -> tuple[str, str] | None:
    """None when a server is ready and answers the example, else why not and what to do."""
    version = server.version
    checks = asyncio.ensure_future(_checked(server, with_example=with_example))
    try:
        either: list[asyncio.Future[Any]] = [checks, server.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if server.ended.done():
            end = server.ended.result()
            return last_words(end.why, end.tail), end.help
        why = await checks
        if why:
            return _masked(why, version), ""
    finally:
        checks.cancel()
    return None


async def _checked(server: Server, *, with_example: bool) -> str:
    version, port = server.version, server.backend.port
    until = time.monotonic() + version.ready_timeout
    while why := await _not_ready(port, version.ready):
        if time.monotonic() >= until:
            return f"it was not ready within {version.ready_timeout} s: {why}"
        await asyncio.sleep(min(_POLL, max(0.0, until - time.monotonic())))
    if version.example is None or not with_example:
        return ""
    answer = await probe.post(port, version.example.path, version.example.body)
    if 200 <= answer.status < 300:
        return ""
    what = answer.problem or f"{answer.status} {' '.join(answer.body.decode(errors='replace').split())[:300]}".rstrip()
    return f"the example, posted to {version.example.path}, got: {what}"


async def _not_ready(port: int, path: str) -> str:
    if not path:
        return "" if await probe.is_open(port) else "its port is not open"
    answer = await probe.get(port, path)
    return "" if answer.status == 200 else f"GET {path} got {answer.problem or f'status {answer.status}'}"


def last_words(why: str, tail: tuple[str, ...]) -> str:
    """Why a server has ended, with its log's last line; what step.sh says of the exit code is said already."""
    said = [line.removeprefix(_OURS) for line in tail if not line.startswith(f"{_OURS}the command ")]
    return f"{why}: {said[-1]}" if said else why


def _masked(text: str, version: Version) -> str:
    data, _ = masked(masks_of(version.masks), text.encode(errors="replace"), last=True)
    return "".join(char if char.isprintable() else "?" for char in data.decode(errors="replace"))
