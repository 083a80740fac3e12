"""predict against real servers: what is posted, what comes back, and what is said where nothing does."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import warm

from .command import environment

HERE = Path(__file__).parent
CODE = """
import sys
sys.path[:0] = [{folder!r}]
import fake_services
from fake_services import Fake, service
fake_services.main(Fake([service(state={state!r})], port={port}))
"""


class Server(BaseHTTPRequestHandler):
    asked: list[tuple[str, str, bytes]]
    status, kind, body = 200, "application/json", b'{"b": [1, 2], "a": "\xc3\xa9"}'

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, self.headers["Content-Type"], data))
        self.send_response(self.status)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(**more: Any) -> Iterator[tuple[int, list[tuple[str, str, bytes]]]]:
    handler = type("Handler", (Server,), {"asked": [], **more})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port, handler.asked
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that reads a request and then does anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                handle(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=10)


def predict(
    folder: Path, port: int, *words: str | bytes, stdin: bytes = b"", state: str = "running", task: str = "endpoint"
) -> subprocess.CompletedProcess[bytes]:
    path = folder / "program.py"
    path.write_text(CODE.format(folder=str(HERE), port=port, state=state))
    command = [sys.executable, str(path), "predict", "iris", task, *words]
    ran = warm.run(command, cwd=folder, input=stdin, env=environment(), capture_output=True, timeout=60)
    assert b"Traceback" not in ran.stderr
    assert b"\x1b" not in ran.stderr
    assert ran.returncode not in (70, 120)
    return ran


def test_the_answer_comes_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_bytes(b'\xef\xbb\xbf{"inputs":\n [1.50]}\n')
    with serving() as (port, asked):
        for words, stdin in (
            (["--json", '{"x": "é"}'], b""),
            (["--json", "@rows.json"], b""),
            (["--json", "-"], b" 1e400\n"),
        ):
            ran = predict(tmp_path, port, *words, stdin=stdin)
            assert (ran.returncode, ran.stdout, ran.stderr) == (0, Server.body, b"")
        predict(tmp_path, port, "--json", "1", "--path", "/predict_proba?top=3")
    kind = "application/json"
    assert asked == [
        ("/predict", kind, '{"x": "é"}'.encode()),
        ("/predict", kind, b'{"inputs":\n [1.50]}\n'),
        ("/predict", kind, b" 1e400\n"),
        ("/predict_proba?top=3", kind, b"1"),
    ]


def test_binary_answers_are_not_changed(tmp_path: Path) -> None:
    body = os.urandom(300_000)
    with serving(body=body, kind="image/png") as (port, _):
        assert predict(tmp_path, port, "--json", "1").stdout == body


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (Server.body, b'{\r\n  "b": [\r\n    1,\r\n    2\r\n  ],\r\n  "a": "\xc3\xa9"\r\n}\r\n'),
        (b"plain \x1b[2J\nrows", b"plain \\x1b[2J\r\nrows\r\n"),
        (b"\xff\x00", b"2 bytes of application/json: redirect them to a file\r\n"),
    ],
)
def test_on_a_terminal_it_is_laid_out_and_escaped(tmp_path: Path, body: bytes, shown: bytes) -> None:
    with serving(body=body) as (port, _):
        path = tmp_path / "program.py"
        path.write_text(CODE.format(folder=str(HERE), port=port, state="running"))
        ours, theirs = pty.openpty()
        command = [sys.executable, str(path), "predict", "iris", "endpoint", "--json", "1"]
        ran = warm.run(command, stdout=theirs, stderr=subprocess.PIPE, env=environment(), timeout=60)
        os.close(theirs)
        try:
            assert os.read(ours, 1 << 16) == shown
        finally:
            os.close(ours)
        assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, b'{"error": "no \\u001b rows"}', b'400 Bad Request\n{\n  "error": "no \\u001b rows"\n}\n'),
        (503, b"paused\x1b", b"503 Service Unavailable\npaused\\x1b\n"),
        (302, b"", b"302 Found\n"),
        (500, b"\xff", b"500 Internal Server Error\n1 bytes of application/json"),
    ],
)
def test_no_success(tmp_path: Path, status: int, body: bytes, says: bytes) -> None:
    with serving(status=status, body=body) as (port, _):
        ran = predict(tmp_path, port, "--json", "1")
    assert (ran.returncode, ran.stdout) == (3, b"")
    assert ran.stderr.startswith(b"Error: endpoint answered " + says)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ('{"a": [1, 2}', "line 1, column 12: expecting ',' delimiter\n  {\"a\": [1, 2}\n             ^\n"),
        ("", "line 1, column 1: expecting value\n"),
        ("{'a': 1}", "line 1, column 2: expecting property name enclosed in double quotes\n  {'a': 1}\n   ^\n"),
        ('["é",\x1b', 'column 6: expecting value\n  ["é",\\x1b\n       ^\n'),
        ("[1, NaN]", "NaN is no JSON: numbers are finite there"),
        ("[" * 100_000, "it is nested too deep"),
        (b"\xff", "byte 1 is no text in UTF-8"),
        ("@none.json", "cannot read none.json: no such file or directory"),
        ("@.", "cannot read .: is a directory"),
        ("@bad.json", "line 2, column 3 of bad.json: expecting value\n  1,\n    ^\n"),
        ("x" * 500, "line 1, column 1: expecting value"),
    ],
    ids=range(11),
)
def test_what_is_no_json_is_not_sent(tmp_path: Path, given: str | bytes, says: str) -> None:
    (tmp_path / "bad.json").write_text("[\n1,")
    with serving() as (port, asked):
        ran = predict(tmp_path, port, "--json", given)
    assert (ran.returncode, ran.stdout, asked) == (2, b"", [])
    assert "Error: Invalid value for --json: " in ran.stderr.decode()
    assert says in ran.stderr.decode()
    assert max(map(len, ran.stderr.decode().splitlines())) < 200


def test_wrong_usage(tmp_path: Path) -> None:
    for words in (
        ["--json", "1", "--path", "predict"],
        ["--json", "1", "--path", "/a b"],
        ["--json", "1", "--path", "/\n"],
        [],
    ):
        assert predict(tmp_path, 1, *words).returncode == 2
    ran = predict(tmp_path, 1, "--json", "1", state="paused")
    assert ran.stderr == b"Error: endpoint is paused\n  help: to start it: kade2kfp serving resume iris endpoint\n"


def test_no_answer_in_time(tmp_path: Path) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        try:
            for _ in range(50):
                time.sleep(0.1)
                connection.sendall(b"x")
        except OSError:
            return

    for handle in (trickle, lambda connection: time.sleep(3)):
        with answering(handle) as port:
            ran = predict(tmp_path, port, "--json", "1", "--timeout", "1")
        assert (ran.returncode, ran.stdout) == (124, b"")
        assert ran.stderr == b"Error: endpoint has not answered after 1 s\n"


@pytest.mark.parametrize(
    "sent",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"],
    ids=["nothing", "garbage", "half"],
)
def test_an_answer_that_is_none(tmp_path: Path, sent: bytes) -> None:
    with answering(lambda connection: connection.sendall(sent)) as port:
        ran = predict(tmp_path, port, "--json", "1")
    assert (ran.returncode, ran.stdout) == (3, b"")
    assert ran.stderr.startswith(b"Error: endpoint ended the connection")


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ran = predict(tmp_path, free.getsockname()[1], "--json", "1")
    assert (ran.returncode, json.dumps(ran.stdout.decode())) == (3, '""')
