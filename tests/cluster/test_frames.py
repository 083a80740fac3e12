from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from kade2kfp.cluster.frames import Stream
from kade2kfp.diagnostics.cannot import CannotDoError


@pytest.fixture
def ends() -> Iterator[tuple[Stream, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Stream(SimpleNamespace(sock=ours)), theirs


def frame(kind: int, payload: bytes, *, last: bool = True) -> bytes:
    size = len(payload)
    head = (
        bytes([size])
        if size < 126
        else struct.pack("!BH", 126, size)
        if size < 65536
        else struct.pack("!BQ", 127, size)
    )
    return bytes([kind | 128 * last]) + head + payload


def test_frames_that_come_byte_by_byte(ends: tuple[Stream, socket.socket]) -> None:
    stream, theirs = ends
    came = []
    for byte in frame(2, b"\x01one") + frame(2, b"\x02" + b"x" * 200) + frame(8, b""):
        theirs.send(bytes([byte]))
        came += stream.turn()
    assert came == [(1, b"one"), (2, b"x" * 200)]
    assert stream.closed


def test_frames_that_come_at_once_and_in_parts(ends: tuple[Stream, socket.socket]) -> None:
    stream, theirs = ends
    large = b"y" * 70_000
    theirs.sendall(
        frame(2, b"\x01a", last=False) + frame(9, b"ping") + frame(0, b"b") + frame(2, b"\x01") + frame(2, b"")
    )
    assert stream.turn() == [(1, b"ab"), (1, b"")]
    stream.turn()
    assert theirs.recv(100)[:2] == bytes([128 | 10, 128 | 4])  # a ping has its pong
    theirs.sendall(frame(2, b"\x01" + large))
    assert stream.turn() == [(1, large)]


def test_what_came_before_the_end_is_not_lost(ends: tuple[Stream, socket.socket]) -> None:
    stream, theirs = ends
    theirs.sendall(frame(2, b"\x01last"))
    theirs.close()
    assert stream.turn() == [(1, b"last")]
    assert stream.closed


@pytest.mark.parametrize("sent", [b"\x82\x81\x00\x00\x00\x00x", b"\x82\x7f" + b"\x7f" * 8], ids=["masked", "huge"])
def test_what_is_no_frame(ends: tuple[Stream, socket.socket], sent: bytes) -> None:
    stream, theirs = ends
    theirs.sendall(sent)
    with pytest.raises(CannotDoError, match="no frame of a websocket"):
        stream.turn()


def test_sending_does_not_wait_for_who_does_not_read(ends: tuple[Stream, socket.socket]) -> None:
    stream, theirs = ends
    stream.put(0, b"z" * (8 << 20))
    stream.turn()
    assert stream.waiting > 0
    got = 0
    while stream.waiting:
        got += len(theirs.recv(1 << 20))
        stream.turn()
    assert got > 0
