"""A real HTTP server whose routes misbehave on purpose, and load_data.py as a process."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import warm

from kade2kfp.steps.python_text import embed_python

TEMPLATE = Path(__file__).parents[2] / "templates" / "load_data.py"
# Decompresses frames of raw blocks (RFC 8878, 3.1.1), which is all that the tests make.
STAND_IN = f"""#!{sys.executable}
import sys
data = open(sys.argv[-1], "rb").read()
while data:
    if data[:5] != bytes.fromhex("28b52ffda0"):
        sys.exit(1)
    data, last = data[9:], 0
    while not last:
        head = int.from_bytes(data[:3], "little")
        block, last = data[3 : 3 + (head >> 3)], head & 1
        if len(data) < 3 or len(block) < head >> 3:
            sys.exit(1)
        sys.stdout.buffer.write(block)
        data = data[3 + len(block) :]
"""


def stand_in() -> str:
    """A folder with a program `zstd`, for machines that have none."""
    folder = Path(tempfile.mkdtemp(prefix="zstd-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "zstd").write_text(STAND_IN)
    (folder / "zstd").chmod(0o755)
    return str(folder)


ZSTD = stand_in()
ENVIRONMENT = {"PATH": f"/usr/local/bin:/usr/bin:/bin:{ZSTD}", "LC_ALL": "C.UTF-8"}  # no proxies, no home
# What the tests' own Python has read at its start: a fork of it can only have the same.
START = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
QUICK = ("--backoff", "0.01", "--timeout", "2")


class Handler(BaseHTTPRequestHandler):
    """Hands each request to its route."""

    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.seen.append((self.path, dict(self.headers.items())))
        self.server.routes[self.path.split("?")[0]](self)

    def give(self, body: bytes, status: int = 200, promise: int | None = None, **headers: str) -> None:
        """Answer; `promise` is a Content-Length other than the true one, -1 for none."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if promise != -1:
            self.send_header("Content-Length", str(len(body) if promise is None else promise))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the tests' output clean."""


class Site(ThreadingHTTPServer):
    """One origin: its routes, and what it has been asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, Callable[[Handler], None]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def serve(self, path: str, body: bytes, **headers: str) -> str:
        """A route that behaves."""
        self.routes[path] = lambda handler: handler.give(body, **headers)
        return self.url + path

    def route(self, path: str) -> Callable[[Callable[[Handler], None]], str]:
        """Decorate a route that does not; the name becomes its URL."""

        def add(function: Callable[[Handler], None]) -> str:
            self.routes[path] = function
            return self.url + path

        return add

    def handle_error(self, *args: object) -> None:
        """A client that goes away is what is tested."""


@contextmanager
def running() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        site.server_close()
        thread.join()


@dataclass(frozen=True)
class Result:
    code: int
    log: str
    lines: list[str] = field(default_factory=list)


def command(*args: str, as_file: bool = False) -> list[str]:
    head = [str(TEMPLATE)] if as_file else ["-c", embed_python("load_data.py")]
    return [sys.executable, *head, *args]


def load_data(*args: object, as_file: bool = False, env: dict[str, str] | None = None) -> Result:
    """Run it as pods do, or as a file; whatever happens, it speaks as it has promised.

    As pods do is a fork (tests/warm.py): it imports all that it needs when it starts, which as a file it does truly.
    """
    line = command(*QUICK, *map(str, args), as_file=as_file)
    if as_file:
        ran = subprocess.run(line, capture_output=True, text=True, timeout=50, env={**ENVIRONMENT, **(env or {})})
    else:
        own = {**START, "PATH": ENVIRONMENT["PATH"], **(env or {})}
        ran = warm.run(line, capture_output=True, text=True, timeout=50, env=own)
    lines = ran.stderr.splitlines()
    assert ran.stdout == ""
    assert all(text.startswith("kade2kfp: ") for text in lines), ran.stderr
    assert lines, "it says nothing"
    assert ran.returncode in (0, 64, 65, 69), ran.stderr
    return Result(ran.returncode, ran.stderr, lines)


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """What lies in a folder: bytes of files, None for folders, the text of links."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = str(path.readlink()) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
    return found
