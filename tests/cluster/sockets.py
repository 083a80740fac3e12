"""The server's side of websockets with Kubernetes' channels: pods/exec runs a process, pods/portforward connects."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import pty
import socket
import struct
import subprocess
import termios
import threading
from collections.abc import Callable
from typing import Any, BinaryIO


def accept_key(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


class Channels:
    """A websocket that the server holds; frames go out unmasked, and have to come masked."""

    def __init__(self, came: BinaryIO, connection: socket.socket) -> None:
        self._came = came
        self._connection = connection
        self._lock = threading.Lock()

    def put(self, channel: int, data: bytes) -> None:
        self._frame(2, bytes([channel]) + data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._frame(8, struct.pack("!H", 1000))
            self._connection.shutdown(socket.SHUT_WR)

    def take(self) -> tuple[int, bytes] | None:
        """The next data by channel; None at the end."""
        while True:
            try:
                head = self._came.read(2)
                if len(head) < 2:
                    return None
                size = head[1] & 127
                if size == 126:
                    size = int.from_bytes(self._came.read(2), "big")
                elif size == 127:
                    size = int.from_bytes(self._came.read(8), "big")
                assert head[1] & 128, "a client has to mask"
                mask = self._came.read(4)
                data = self._came.read(size)
            except (OSError, ValueError):
                return None
            if len(data) < size or head[0] & 15 == 8:
                return None
            if head[0] & 15 == 2 and data:
                whole = (mask * (size // 4 + 1))[:size]
                plain = (int.from_bytes(data, "big") ^ int.from_bytes(whole, "big")).to_bytes(size, "big")
                return plain[0], plain[1:]

    def _frame(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes([128 | kind]) + (
            bytes([size])
            if size < 126
            else struct.pack("!BH", 126, size)
            if size < 65536
            else struct.pack("!BQ", 127, size)
        )
        with self._lock:
            self._connection.sendall(head + payload)


def execute(channels: Channels, command: list[str], *, tty: bool, stdin: bool, env: dict[str, str]) -> None:
    """Run a process as kubelet does; its end is a Status on channel 3."""
    if tty:
        _with_terminal(channels, command, env)
        return
    process = subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    pumps = [
        _thread(_pump, channels, 1, process.stdout),
        _thread(_pump, channels, 2, process.stderr),
    ]
    _thread(_type, channels, process)
    for pump in pumps:
        pump.join()
    with contextlib.suppress(OSError):
        channels.put(3, status(process.wait()))
    channels.close()


def carry(channels: Channels, port: int) -> None:
    """Connect to a port of the pod, which is one of this machine."""
    for channel in (0, 1):
        channels.put(channel, struct.pack("<H", port))
    try:
        target = socket.create_connection(("127.0.0.1", port))
    except OSError as error:
        said = f"error forwarding port {port} to pod x, uid : exit status 1: connect(5): {error.strerror}"
        channels.put(1, said.encode())
        channels.close()
        return
    with target:

        def back() -> None:
            with contextlib.suppress(OSError):
                while data := target.recv(1 << 15):
                    channels.put(0, data)
            channels.close()

        returning = _thread(back)
        with contextlib.suppress(OSError):
            while (came := channels.take()) is not None:
                target.sendall(came[1])
            target.shutdown(socket.SHUT_RDWR)
        returning.join()


def _with_terminal(channels: Channels, command: list[str], env: dict[str, str]) -> None:
    leader, follower = pty.openpty()
    # It is the controlling terminal, else Ctrl-C would end nothing.
    process = subprocess.Popen(
        ["setsid", "--ctty", *command], env=env, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)

    def typed() -> None:
        with contextlib.suppress(OSError):
            while (came := channels.take()) is not None:
                if came[0] == 0:
                    os.write(leader, came[1])
                elif came[0] == 4:
                    size = json.loads(came[1])
                    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", size["Height"], size["Width"], 0, 0))
        process.kill()

    _thread(typed)
    with contextlib.suppress(OSError):  # the end of a terminal is EIO
        while data := os.read(leader, 1 << 12):
            channels.put(1, data)
    with contextlib.suppress(OSError):
        channels.put(3, status(process.wait()))
    channels.close()
    process.wait()
    os.close(leader)


def _pump(channels: Channels, channel: int, source: Any) -> None:
    with contextlib.suppress(OSError), source:
        while data := os.read(source.fileno(), 1 << 15):
            channels.put(channel, data)


def _type(channels: Channels, process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError):
        while (came := channels.take()) is not None:
            if came[0] == 0 and process.stdin:
                process.stdin.write(came[1])
                process.stdin.flush()
    process.kill()


def status(code: int | None, message: str = "") -> bytes:
    """The Status object by which a command ends; no code: it could not be started."""
    if code == 0:
        return b'{"metadata":{},"status":"Success"}'
    cause: dict[str, Any] = {"reason": "InternalError", "code": 500, "message": message}
    if code is not None:
        code = 128 - code if code < 0 else code
        cause = {
            "reason": "NonZeroExitCode",
            "message": f"command terminated with non-zero exit code: exit status {code}",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }
    return json.dumps({"metadata": {}, "status": "Failure", **cause}).encode()


def _thread(target: Callable[..., None], *args: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread
