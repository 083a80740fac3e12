"""kade2kfp as a program whose runs have what a test says, and ports that are really there."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import warm

from .command import environment, no_bug

HERE = Path(__file__).parent
CODE = """#!{python}
import sys
sys.path[:0] = [{folder!r}]
import fake_gates
from fake_gates import Fake, standing
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import *
from kade2kfp.steps.model import Port
import kade2kfp.cli.gates as shared
import kade2kfp.cli.open_command as opening
shared.wait_for.__defaults__ = ({patience},)
opening.PATIENCE = {patience}
opening._LOOK = 0.2
opening._READING = 0.5
{more}
fake_gates.main(Fake([{steps}], {files!r}, {ports!r}))
"""


def program(
    folder: Path,
    steps: str,
    *,
    files: dict[str, Any] | None = None,
    ports: dict[int, int] | None = None,
    patience: float = 10,
    more: str = "",
) -> Path:
    """kade2kfp as a program, whose runs have these steps."""
    path = folder / "kade 2%kfp"
    text = CODE.format(
        python=sys.executable,
        folder=str(HERE),
        steps=steps,
        files=files or {},
        ports=ports or {},
        patience=patience,
        more=more,
    )
    path.write_text(text)
    path.chmod(0o755)
    return path


def call(path: Path, *words: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    ran = warm.run(
        [sys.executable, path, *words],
        env=environment(**env),
        capture_output=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    no_bug(ran)
    return ran


@contextmanager
def listener(at: int = 0, *, closes: bool = False) -> Iterator[int]:
    """A port that sends back what it gets, or one that ends each connection at once, as a forwarded one nobody serves."""
    server = socket.create_server(("127.0.0.1", at))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    def echo(connection: socket.socket) -> None:
        with connection:
            while not closes and (data := connection.recv(1 << 16)):
                connection.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def unused() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@contextmanager
def started(*words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command under way, with pipes for its streams; gone after the block, however that ends."""
    pipe = subprocess.PIPE
    process = warm.Popen([sys.executable, *words], env=environment(), stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
