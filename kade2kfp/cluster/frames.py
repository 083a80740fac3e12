"""A websocket with Kubernetes' channels that never blocks: each frame's first byte names its channel.

kubernetes.stream makes the connection (TLS, proxies, tokens), but its own loops wait for frames that TLS has taken from the
socket already, and block on sending while the other side waits for us to read.
"""

from __future__ import annotations

import selectors
import ssl
from typing import Any

from kade2kfp.cluster.errors import RefusedError

_TAKE = 1 << 18  # bytes that are read at a time
_MOST = 1 << 24  # bytes of a frame: Kubernetes sends 32 KiB at the most
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING = 0, 1, 2, 8, 9


class Stream:
    """A connection by channels. `closed`: nothing more will come; frames that came before are still to be taken."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self._socket = websocket.sock
        self._socket.setblocking(False)
        self._came = bytearray()
        self._begun = bytearray()
        self._leaving = bytearray()
        self.closed = False

    def fileno(self) -> int:
        """The socket's descriptor, to wait for."""
        number: int = self._socket.fileno()
        return number

    @property
    def waiting(self) -> int:
        """Bytes that still have to be sent."""
        return len(self._leaving)

    def put(self, channel: int, data: bytes) -> None:
        """Send data, by this and the next calls of `turn`."""
        self._frame(_BINARY, bytes([channel]) + data)

    def turn(self, *, receive: bool = True) -> list[tuple[int, bytes]]:
        """Send and read as much as goes without waiting; what came, by channel, in order. Raises RefusedError."""
        self._send()
        if receive:
            self._receive()
        found = []
        while (frame := _first(self._came)) is not None:
            last, kind, payload = frame
            if kind == _CLOSE:
                self.closed = True
            elif kind == _PING:
                self._frame(_PING + 1, payload)
            elif kind in (_CONTINUED, _TEXT, _BINARY):
                self._begun += payload
                if last and self._begun:
                    found.append((self._begun[0], bytes(self._begun[1:])))
                if last:
                    self._begun.clear()
        return found

    def wait(self, seconds: float) -> None:
        """Wait until there is something to read, or room for what is to be sent, at most so long."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno(), selectors.EVENT_READ | (selectors.EVENT_WRITE if self._leaving else 0))
            selector.select(max(0.0, seconds))

    def close(self) -> None:
        """End the connection at once."""
        self.closed = True
        self._socket.close()

    def _frame(self, kind: int, payload: bytes) -> None:
        from websocket import ABNF

        self._leaving += ABNF.create_frame(payload, kind).format()

    def _send(self) -> None:
        try:
            while self._leaving and not self.closed:
                del self._leaving[: self._socket.send(self._leaving[:_TAKE])]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self.closed = True

    def _receive(self) -> None:
        taken = 0
        try:
            while not self.closed and taken < _TAKE:
                data = self._socket.recv(_TAKE)
                if not data:
                    self.closed = True
                self._came += data
                taken += len(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self.closed = True


def _first(came: bytearray) -> tuple[bool, int, bytes] | None:
    """Take the first whole frame (RFC 6455, 5.2) off what came: whether it is the last of its message, kind, payload."""
    if len(came) < 2:
        return None
    size, start = came[1] & 127, 2
    if size >= 126:
        start = 4 if size == 126 else 10
        if len(came) < start:
            return None
        size = int.from_bytes(came[2:start])
    if came[1] & 128 or size > _MOST:
        raise RefusedError("the cluster sent what is no frame of a websocket", "is a proxy in between?")
    if len(came) < start + size:
        return None
    frame = bool(came[0] & 128), came[0] & 15, bytes(came[start : start + size])
    del came[: start + size]
    return frame
