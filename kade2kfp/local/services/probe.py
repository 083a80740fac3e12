"""Asking a new server whether it is ready, and for its answer to an example."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

_SECONDS = 5.0
_EXAMPLE_SECONDS = 120.0
"""The first answer may take long: a model is loaded for it."""
_MOST = 2000
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: the status, 0 where it was no HTTP; the first bytes of the body; why nothing came, or empty."""

    status: int
    body: bytes = b""
    problem: str = ""


async def is_open(port: int) -> bool:
    """Whether something listens on a port of the loopback."""
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


async def get(port: int, path: str) -> Answer:
    """Ask for a path."""
    return await _ask(
        port, f"GET {_quoted(path)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode(), _SECONDS
    )


async def post(port: int, path: str, body: str) -> Answer:
    """Post JSON text."""
    data = body.encode()
    head = (
        f"POST {_quoted(path)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nAccept: */*\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    return await _ask(port, head.encode() + data, _EXAMPLE_SECONDS)


def _quoted(path: str) -> str:
    """A path as a request has it, whatever is in it."""
    return quote(path, safe="/%?=&:@!$'()*+,;~-._[]")


async def _ask(port: int, request: bytes, seconds: float) -> Answer:
    try:
        async with asyncio.timeout(seconds):
            return await _answer(port, request)
    except TimeoutError:
        return Answer(0, problem=f"no answer within {seconds:.0f} s")
    except OSError as error:
        return Answer(0, problem=(error.strerror or "the connection was lost").lower())


async def _answer(port: int, request: bytes) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        # One that answers before it has read all may close: what it said counts.
        with suppress(ConnectionError):
            await writer.drain()
        head = b""
        while b"\r\n\r\n" not in head and len(head) < 64 * 1024 and (data := await reader.read(4096)):
            head += data
        found = _STATUS.match(head)
        if found is None:
            return Answer(0, problem="something that is no HTTP" if head else "it closed the connection")
        status, body = int(found[1]), head.partition(b"\r\n\r\n")[2]
        # Of a failure, what it says. Some do not close, whatever they were asked.
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(0.5):
                while status >= 300 and len(body) < _MOST and (data := await reader.read(_MOST)):
                    body += data
        return Answer(status, body[:_MOST])
    finally:
        writer.transport.abort()
