"""open: real ports, the browser, and what the step wrote, which may be anything."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .reaching import call, listener, program, started, unused

TOKEN = "0123456789abcdef" * 3


@contextmanager
def jupyter() -> Iterator[int]:
    """A server that answers as Jupyter does without a token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api" else 403)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_notebook_has_its_address_with_its_token(tmp_path: Path) -> None:
    with jupyter() as port:
        path = program(
            tmp_path,
            "standing('edit', type='notebook', port=8888, ports=(Port(6006, 'tb'), Port(8888)))",
            files={"/kade/run/token": ["", TOKEN + "\n"]},
            ports={8888: port, 6006: port},
        )
        ran = call(path, "open", "last", "edit")
        assert ran.returncode == 0
        assert ran.stdout.decode().splitlines() == [
            f"http://127.0.0.1:{port}/?token={TOKEN}",
            f"6006  tb  127.0.0.1:{port}",
        ]
        assert ran.stderr == b"waiting for the token of edit, up to 10 s\n"
        ran = call(path, "open", "last")  # the only one that waits
        assert ran.returncode == 0
        ran = call(path, "open", "last", "edit", "--port", "6006")
        assert ran.stdout == f"6006  tb  127.0.0.1:{port}\n".encode()


def test_the_browser_gets_there_and_no_list_of_processes_has_the_token(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\ntr "\\0" " " </proc/$$/cmdline >"$0.argv"\np=${1#file://}; cat "$p" >"$0.page"\n'
                       'stat -c %a "${p%/*}" >"$0.mode"; echo "$p" >"$0.path"\n')  # fmt: skip
    browser.chmod(0o755)
    with jupyter() as port:
        path = program(
            tmp_path,
            "standing('edit', port=8888)",
            files={"/kade/run/token": TOKEN},
            ports={8888: port},
        )
        ran = call(path, "open", "last", "edit", BROWSER=f"{browser} %s")
        assert ran.returncode == 0
        assert f'url=http://127.0.0.1:{port}/?token={TOKEN}"' in Path(f"{browser}.page").read_text()
        assert TOKEN not in Path(f"{browser}.argv").read_text()
        assert Path(f"{browser}.mode").read_text() == "700\n"
        assert not Path(Path(f"{browser}.path").read_text().strip()).exists()
        Path(f"{browser}.page").unlink()
        assert call(path, "open", "last", "edit", "--no-browser", BROWSER=f"{browser} %s").returncode == 0
        assert not Path(f"{browser}.page").exists()
        ran = call(path, "open", "last", "edit", BROWSER="/nowhere/browser %s")
        assert ran.returncode == 0
        assert ran.stderr == b"no browser could be started: open the address yourself\n"


@pytest.mark.parametrize("token", ["a b", "x" * 300, "\x1b[2J", '"><script>', "\udcff"])
def test_a_token_that_is_none_opens_nothing(tmp_path: Path, token: str) -> None:
    with jupyter() as port:
        path = program(tmp_path, "standing('edit', port=8888)", files={"/kade/run/token": token}, ports={8888: port})
        ran = call(path, "open", "last", "edit", BROWSER="false")
        assert (ran.returncode, ran.stdout) == (1, b"")
        assert b"what edit has in /kade/run/token is no token" in ran.stderr


def test_what_does_not_begin_is_too_late(tmp_path: Path) -> None:
    with jupyter() as port, listener(closes=True) as closing, listener() as echo:
        none = unused()
        steps = "standing('edit', port=8888), standing('two', ports=(Port(1), Port(2, 'web'), Port(3, 'https-ui')))"
        ports = {8888: port, 1: none, 2: closing}
        path = program(tmp_path, steps, ports=ports | {3: none}, patience=1)
        ran = call(path, "open", "last", "edit")
        assert (ran.returncode, ran.stdout) == (124, b"")
        assert b"Error: the notebook of edit has no token after 1 s" in ran.stderr
        ran = call(path, "open", "last", "two")
        assert (ran.returncode, ran.stdout) == (124, b"")
        assert b"waiting for port 1 of two, up to 1 s\n" in ran.stderr
        assert b"Error: nothing answers at port 1 and 2 and 3 of two after 1 s\n" in ran.stderr
        assert b"help: its log may say why: kade2kfp logs iris-1 two\n" in ran.stderr
        path = program(tmp_path, steps, ports=ports | {3: echo}, patience=1)
        ran = call(path, "open", "last", "two")
        assert ran.returncode == 0
        assert b"nothing answers yet at port 1 of two\nnothing answers yet at port 2 of two\n" in ran.stderr
        assert ran.stdout.decode().splitlines()[2] == f"3  https-ui  https://127.0.0.1:{echo}/"


def test_a_task_without_ports(tmp_path: Path) -> None:
    with listener() as port:
        path = program(tmp_path, "standing()", ports={5000: port})
        ran = call(path, "open", "last", "train")
        assert (ran.returncode, ran.stdout) == (1, b"")
        assert ran.stderr.startswith(b"Error: the task train declares no ports\n  help: `--port N` reaches any")
        assert (
            call(path, "open", "last", "train", "--port", "5000").stdout
            == f"5000  -  http://127.0.0.1:{port}/\n".encode()
        )
        assert call(path, "open", "last", "train", "--port", "0").returncode == 2
        assert call(path, "open", "last", "train", "--stdio").returncode == 2


ENDS = """
look = Fake.find
count = []
def find(self, *words, **how):
    count.append(1)
    if len(count) > 3: raise CannotDoError("it has ended\\x1b")
    return look(self, *words, **how)
Fake.find = find
"""


def test_on_a_cluster_it_stays_until_interrupted_or_the_step_ends(tmp_path: Path) -> None:
    with listener() as port:
        for more in ("", ENDS):
            path = program(tmp_path, "standing(ports=(Port(80),))", ports={80: port}, more=more)
            with started(path, "open", "iris-1", "train", "-n", "team") as process:
                assert process.stdout is not None
                assert process.stderr is not None
                assert process.stdout.readline() == f"80  -  http://127.0.0.1:{port}/\n".encode()
                assert process.stderr.readline() == b"Ctrl-C ends it\n"
                if not more:
                    time.sleep(0.5)
                    assert process.poll() is None
                    process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=30)
                assert process.returncode == 0
                assert said == (b"train cannot be reached any more: it has ended\\x1b\n" if more else b"\n")


@pytest.mark.parametrize("late", [False, True])
def test_standard_streams_are_carried_whole(tmp_path: Path, late: bool) -> None:
    """Both ways at once, more than any pipe holds; the end of either side is heard; nothing else is written."""
    sent = os.urandom(3 << 20)
    port = unused()
    path = program(tmp_path, "standing()", ports={22: port})
    with ExitStack() as stack:
        if not late:
            stack.enter_context(listener(port))
        process = stack.enter_context(started(path, "open", "last", "train", "--stdio", "--port", "22"))
        if late:
            assert process.stderr is not None
            assert process.stderr.readline() == b"waiting for port 22 of train, up to 10 s\n"
            stack.enter_context(listener(port))
        came, said = process.communicate(sent, timeout=60)
    assert (process.returncode, said) == (0, b"")
    assert came == sent


def test_the_other_end_may_go_first(tmp_path: Path) -> None:
    """As when sshd ends a session: standard input stays open, and nobody types any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = program(tmp_path, "standing()", ports={22: server.getsockname()[1]})
        with started(path, "open", "last", "train", "--stdio", "--port", "22") as process:
            with server.accept()[0] as connection:
                connection.sendall(b"SSH-2.0-x\r\n")
            assert process.wait(30) == 0
            assert process.stdout is not None
            assert process.stdout.read() == b"SSH-2.0-x\r\n"
