"""The port of a service, by itself: what clients and servers do to it that is not polite, or much."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from kade2kfp.local.services.forward import Backend, Target, listen
from kade2kfp.local.services.probe import get, is_open, post

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def run(what: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(what, 60))


@contextlib.asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[Backend]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            await handler(reader, writer)
        writer.close()

    made = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield Backend(made.sockets[0].getsockname()[1])
    made.close()


@contextlib.asynccontextmanager
async def port_of(target: Target) -> AsyncIterator[int]:
    made = await listen(0, target)
    yield made.sockets[0].getsockname()[1]
    made.close()


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def no_links(backend: Backend) -> None:
    for _ in range(500):
        if not backend.links:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(backend.links)


def answering(text: str) -> Handler:
    """A server that answers each request of a connection with a text, for ever."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
            await writer.drain()

    return handle


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    return (await reader.readexactly(length)).decode()


def test_who_says_all_and_then_waits_gets_the_answer_and_it_is_whole() -> None:
    size = 40_000_000

    async def count_then_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 0
        while data := await reader.read(1 << 16):
            count += len(data)
        writer.write(str(count).encode() + b"\n" + b"y" * size)
        await writer.drain()

    async def main() -> None:
        async with server(count_then_answer) as backend, port_of(lambda: backend) as port:
            reader, writer = await connect(port)
            for _ in range(size // 1_000_000):
                writer.write(b"x" * 1_000_000)
                await writer.drain()
            writer.write_eof()
            assert await reader.readline() == b"%d\n" % size
            assert len(await reader.read()) == size
            writer.close()
            await no_links(backend)

    run(main())


def test_a_server_that_closes_first_still_hears_the_client() -> None:
    async def main() -> None:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def answer_then_listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            writer.write_eof()
            heard.set_result(await reader.read())

        async with server(answer_then_listen) as backend, port_of(lambda: backend) as port:
            reader, writer = await connect(port)
            assert await reader.read() == b"hello"
            writer.write(b"and good bye")
            writer.close()
            await no_links(backend)
            assert await heard == b"and good bye"

    run(main())


def test_thousands_of_requests_one_after_the_other_and_many_at_once_leave_nothing() -> None:
    async def main() -> None:
        async with server(answering("ok")) as backend, port_of(lambda: backend) as port:
            for _ in range(700):
                reader, writer = await connect(port)
                assert await asked(reader, writer) == "ok"
                writer.close()
            reader, writer = await connect(port)
            for _ in range(1500):
                assert await asked(reader, writer) == "ok"
            writer.close()
            many = [await connect(port) for _ in range(150)]
            assert await asyncio.gather(*(asked(*one) for one in many)) == ["ok"] * 150
            for _, one in many:
                one.transport.abort()
            await no_links(backend)

    run(main())


def test_who_keeps_a_connection_comes_to_the_new_server_with_the_next_request() -> None:
    async def main() -> None:
        async with server(answering("old")) as old, server(answering("new")) as new:
            now = [old]
            async with port_of(lambda: now[0]) as port:
                reader, writer = await connect(port)
                assert await asked(reader, writer) == "old"
                now[0] = new
                assert await asked(reader, writer) == "new"
                assert (len(old.links), len(new.links)) == (0, 1)
                now[0] = old
                assert await asked(reader, writer) == "old"
                writer.close()
                await no_links(old)
                await no_links(new)

    run(main())


def test_what_is_no_new_request_stays_where_it_is() -> None:
    """A body that follows `100 Continue`, and what a web socket says."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(b"old:" + data)

    async def main() -> None:
        async with server(talk) as old, server(answering("new")) as new:
            now = [old]
            async with port_of(lambda: now[0]) as port:
                reader, writer = await connect(port)
                writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n")
                await reader.readuntil(b"\r\n\r\n")
                now[0] = new
                for said in (b'{"inputs": 1}', b"\x81\x85abcd", b"GET"):
                    writer.write(said)
                    assert await reader.readexactly(4 + len(said)) == b"old:" + said
                # What is not answered yet is not moved either.
                writer.transport.abort()
                await no_links(old)

    run(main())


@pytest.mark.parametrize("body", [b"", b"x" * 3_000_000])
def test_where_nothing_answers_there_is_a_clean_503(body: bytes) -> None:
    async def main() -> None:
        async with port_of(lambda: "it is paused") as port:
            reader, writer = await connect(port)
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert answer.endswith(b"\r\n\r\nit is paused\n")
            writer.close()

    run(main())


def test_a_server_that_is_gone_is_a_clean_503_and_one_that_cuts_is_a_cut() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.05)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async def main() -> None:
        async with server(cut) as backend:
            dead = Backend(backend.port)
            async with port_of(lambda: backend) as port:
                reader, writer = await connect(port)
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                writer.close()
                await no_links(backend)
        async with port_of(lambda: dead) as port:
            reader, writer = await connect(port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
            writer.close()

    run(main())


def test_a_client_that_goes_away_is_not_waited_for() -> None:
    async def main() -> None:
        over = asyncio.Event()

        async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            with contextlib.suppress(OSError):
                while True:
                    writer.write(b"x" * 100_000)
                    await writer.drain()
            over.set()

        async with server(never) as backend, port_of(lambda: backend) as port:
            reader, writer = await connect(port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.read(1000)
            writer.transport.abort()
            await over.wait()
            await no_links(backend)

    run(main())


def test_what_a_probe_says_of_servers_that_are_none() -> None:
    async def junk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"\x00\xff" * 5000)
            await writer.drain()

    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)

    async def keeps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 500 Oh\r\n\r\nno such column")
        await reader.read()

    async def main() -> None:
        async with server(junk) as one, server(closes) as two, server(keeps) as three, server(answering("{}")) as four:
            assert (await get(one.port, "/readyz")).problem == "something that is no HTTP"
            assert (await get(two.port, "/readyz")).problem == "it closed the connection"
            said = await post(three.port, "/predict", "{}")
            assert (said.status, said.body) == (500, b"no such column")
            assert (await get(four.port, "/a b\r\nX: y")).status == 200
            assert await is_open(four.port)
        assert not await is_open(four.port)
        assert (await get(four.port, "/")).problem

    run(main())
