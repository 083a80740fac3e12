"""A proxy in front of a server, which breaks what goes through it, where it is told to."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

What = Literal["cut before", "cut after", "half", "garbage", "html", "empty", "slow", "hang", "status"]
_HTML = b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in</body></html>"
_BY_HAND = ("transfer-encoding", "content-length", "connection", "date", "server")


@dataclass
class Fault:
    """What is done to requests. It is done to those whose `METHOD /path?query` has `match` (a regular expression), from
    the `at`-th such request on (1 is the first), `times` times.

    `cut before`: the connection ends, the server never hears of the request. `cut after`: the server has done it, the
    answer is lost. `half`: half of the answer's body arrives. `garbage`: what is no HTTP. `html`: a page, with `status`
    200 unless another is said. `empty`: the answer's status and no body. `slow`: `seconds` before it goes on. `hang`:
    no answer for `seconds`, then the end. `status`: that status, with `headers` such as Retry-After, and `body`.
    """

    what: What
    match: str = ""
    at: int = 1
    times: int = 1
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.2
    seen: int = 0


@dataclass(frozen=True)
class Passed:
    """A request that came: when (time.monotonic()), what was asked, whether the server got it, what was answered (0: cut),
    and what was broken."""

    at: float
    asked: str
    reached: bool
    status: int
    broken: str


class Proxy(ThreadingHTTPServer):
    """The proxy; `faults` may be changed at any time, `passed` are all requests."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.faults: list[Fault] = []
        self.passed: list[Passed] = []
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away from what is broken: that is no news."""

    def fault(self, asked: str) -> Fault | None:
        with self.lock:
            for one in self.faults:
                if not re.search(one.match, asked):
                    continue
                one.seen += 1
                if one.at <= one.seen < one.at + one.times:
                    return one
        return None

    def breaks(self, what: What, match: str = "", **more: Any) -> Fault:
        """Add a fault."""
        made = Fault(what, match, **more)
        self.faults.append(made)
        return made


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        """All methods are served alike."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        at, asked = time.monotonic(), f"{self.command} {self.path}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.fault(asked)
        what = fault.what if fault else ""
        if fault and what in ("slow", "hang"):
            self.server.stopped.wait(fault.seconds)
        reached, status = False, 0
        headers: list[tuple[str, str]] = []
        content = b""
        if fault and what in ("html", "status"):
            status, headers, content = self._instead(fault)
        elif what not in ("cut before", "garbage", "hang"):
            try:
                status, headers, content = self._forward(body)
                reached = True
            except (OSError, http.client.HTTPException):
                what = what or "no server"
        status = 0 if what == "cut after" else status
        self.server.passed.append(Passed(at, asked, reached, status, what))
        if what == "garbage":
            self.wfile.write(b"\x16\x03\x01 this is no HTTP \xff\xfe\r\n\r\n")
            self._cut(reset=False)
        elif not status:
            self._cut()
        else:
            self._send(status, headers, b"" if what == "empty" else content, half=what == "half")

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        target = self.server.target
        assert target.hostname is not None
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        headers = {
            key: value for key, value in self.headers.items() if key.lower() not in ("connection", "content-length")
        }
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, [one for one in answer.getheaders() if one[0].lower() not in _BY_HAND], content

    def _instead(self, fault: Fault) -> tuple[int, list[tuple[str, str]], bytes]:
        """An answer of the proxy's own."""
        html = fault.what == "html"
        kind = {"Content-Type": "text/html" if html else "text/plain"}
        status = fault.status if html or fault.status != 200 else 500
        return status, [*{**kind, **fault.headers}.items()], fault.body or (_HTML if html else b"")

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes, *, half: bool) -> None:
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.wfile.flush()
            self._cut(reset=False)

    def _cut(self, *, reset: bool = True) -> None:
        """End the connection, by a reset or as if all were well."""
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def between(target: str) -> Iterator[Proxy]:
    """A proxy to a server's URL, at `.url`, until the block ends."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.stopped.set()
        proxy.shutdown()
        proxy.server_close()
