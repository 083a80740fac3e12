"""The port of a service: TCP connections are forwarded to the server that answers at the moment."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

_PIECE = 64 * 1024
_LINGER = 2.0
_HALF_OPEN = 60.0
_MOST_UNREAD = 1024 * 1024
_REQUEST = re.compile(rb"[A-Z]{3,10} [^ \r\n]+ HTTP/1\.[01]\r\n")


@dataclass(slots=True, eq=False)
class Backend:
    """A server at a port of the loopback, and the connections that are forwarded to it."""

    port: int
    links: set[Link] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Link:
    """A client's connection. `answered`: the last that was said, the server has said."""

    client: asyncio.StreamWriter
    backend: Backend
    server: asyncio.StreamWriter
    answered: bool = False
    limit: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """End it: in order between an answer and the next request, else at once."""
        for one in (self.client, self.server):
            if self.answered:
                one.close()
            else:
                _cut(one)


Target = Callable[[], Backend | str]
"""The server that answers now, or a sentence that says why there is none."""


async def listen(port: int, target: Target) -> asyncio.Server:
    """Listen on a port of the loopback, 0 for any free one. Raises OSError."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve(reader, writer, target)
        except (OSError, EOFError):
            _cut(writer)
        finally:
            writer.close()

    return await asyncio.start_server(accept, "127.0.0.1", port, limit=_PIECE, backlog=512)


async def _serve(reader: asyncio.StreamReader, client: asyncio.StreamWriter, target: Target) -> None:
    first = target()
    if isinstance(first, str):
        await _refuse(reader, client, first)
        return
    try:
        answers, server = await _connect(first)
    except OSError:
        await _refuse(reader, client, "it does not answer at this moment")
        return
    link = Link(client, first, server)
    first.links.add(link)
    back = asyncio.ensure_future(_back(answers, link))
    try:
        while data := await reader.read(_PIECE):
            now = target()
            # Who keeps a connection open comes to the new server with the next request, not only with the next connection.
            # What begins like one while an answer was the last to be sent is one: nobody sends several without waiting.
            if link.answered and isinstance(now, Backend) and now is not link.backend and _REQUEST.match(data):
                answers, server = await _connect(now)
                await _end(back)
                link.server.close()
                link.backend.links.discard(link)
                link.backend, link.server = now, server
                now.links.add(link)
                back = asyncio.ensure_future(_back(answers, link))
            link.answered = False
            try:
                link.server.write(data)
                await link.server.drain()
            except OSError:
                # It reads no more, and may have said why.
                await back
                await _discard(reader)
                return
        # The client has said all, and may still wait for the answer.
        with suppress(OSError):
            link.server.write_eof()
        await back
    except BaseException:
        _cut(link.server)
        _cut(client)
        raise
    finally:
        if link.limit is not None:
            link.limit.cancel()
        await _end(back)
        link.server.close()
        link.backend.links.discard(link)


async def _back(answers: asyncio.StreamReader, link: Link) -> None:
    """Forward what the server says until it has said all."""
    try:
        while data := await answers.read(_PIECE):
            link.client.write(data)
            await link.client.drain()
            link.answered = True
        link.client.write_eof()
        # Not every client closes what was closed.
        link.limit = asyncio.get_running_loop().call_later(_HALF_OPEN, _cut, link.client)
    except OSError:
        _cut(link.client)
        _cut(link.server)


def _cut(connection: asyncio.StreamWriter) -> None:
    """End a connection so that the other side sees that something is missing: an orderly end may be that of an answer."""
    with suppress(OSError, AttributeError):  # the socket is closed already
        linger = struct.pack("ii", 1, 0)
        connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.transport.abort()


async def _connect(backend: Backend) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", backend.port, limit=_PIECE)


async def _end(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, OSError):
        await task


async def _refuse(reader: asyncio.StreamReader, client: asyncio.StreamWriter, why: str) -> None:
    """Answer a request with 503 and a text."""
    with suppress(TimeoutError, asyncio.LimitOverrunError, EOFError):
        async with asyncio.timeout(_LINGER):
            await reader.readuntil(b"\r\n\r\n")
    body = f"{why}\n".encode(errors="replace")
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: 1\r\nRefresh: 2\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    client.write(head.encode() + body)
    await client.drain()
    client.write_eof()
    await _discard(reader)


async def _discard(reader: asyncio.StreamReader) -> None:
    """Read on for a moment: closing with a part of the request unread takes the answer from the client (RFC 9112, 9.6)."""
    unread = 0
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(_LINGER):
            while unread < _MOST_UNREAD and (data := await reader.read(_PIECE)):
                unread += len(data)
