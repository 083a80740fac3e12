"""kade2kfp open."""

from __future__ import annotations

import html
import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import click

from kade2kfp.cli.gates import PATIENCE, TooLateError, Where, task_argument, the_step, wait_for, where_options
from kade2kfp.cli.runs import run_argument, table
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.gates.model import TOKEN_FILE, Gates, Standing
from kade2kfp.steps.parts import Port

_EXAMPLES = """\b
Examples:
  kade2kfp open last edit
  kade2kfp open last train --port 6006
"""
_LOOK = 15.0
"""Seconds between two looks at whether a step on a cluster still runs."""
_READING = 5.0
"""Seconds that a browser has to read the page that leads it on."""


@click.command("open", epilog=_EXAMPLES)
@run_argument
@task_argument
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="That port of the task; else all it has.")
@click.option("--no-browser", is_flag=True, help="Print a notebook's address, and open no browser.")
@click.option("--stdio", is_flag=True, help="Carry standard input and output to --port.\n\nFor ssh's ProxyCommand.")
@where_options
def command(run: str, task: str | None, port: int | None, no_browser: bool, stdio: bool, where: Where) -> None:
    """Reach a task that runs: its notebook, in the browser, or its ports.

    On a cluster its ports are carried to this machine until Ctrl-C. The address of a notebook holds its token.
    """
    if stdio and port is None:
        raise click.UsageError("--stdio carries to one port: name it by --port.")
    gates = where.gates()
    standing = the_step(gates, run, task, gate=False)
    settle = 1.0 if where.on_cluster else 0.2
    if stdio and port is not None:
        with gates.forward(standing, port) as here:
            connection = wait_for(_named(standing, port), lambda: _dial(here, settle))
            if connection is None:
                raise _too_late(standing, [port], where)
            with connection:
                _carry(connection)
        return
    ports = _wanted(standing, port)
    with ExitStack() as stack:
        found = {one: stack.enter_context(gates.forward(standing, one.number)) for one in ports}
        until = time.monotonic() + PATIENCE
        late = [one for one, here in found.items() if not _begun(standing, one, here, settle, until)]
        if len(late) == len(ports):
            raise _too_late(standing, [one.number for one in late], where)
        for one in late:
            say(f"nothing answers yet at {terminal(_named(standing, one.number))}")
        url = _show(gates, standing, found, until)
        if url and not no_browser:
            stack.enter_context(_browsed(url, lasting=where.on_cluster))
        if where.on_cluster:
            _stay(gates, standing)


def _wanted(standing: Standing, port: int | None) -> Sequence[Port]:
    """The ports that are meant, a notebook's own first. Raises CannotDoError where there is none."""
    known = {one.number: one for one in standing.ports}
    own = [standing.port] if standing.port else []
    numbers = [port] if port is not None else list(dict.fromkeys([*own, *known]))
    if not numbers:
        raise CannotDoError(
            f"the task {standing.task} declares no ports", "`--port N` reaches any; `kade2kfp ssh` gets a shell"
        )
    return [known.get(number, Port(number)) for number in numbers]


def _named(standing: Standing, port: int) -> str:
    return f"port {port} of {standing.task}"


def _begun(standing: Standing, port: Port, here: int, settle: float, until: float) -> bool:
    """Whether something answers at a port, or begins to until that time."""

    def look() -> bool | None:
        if port.number == standing.port:
            return _speaks_http(here) or None
        connection = _dial(here, settle)
        if connection is not None:
            connection.close()
        return True if connection is not None else None

    return bool(wait_for(_named(standing, port.number), look, max(0.0, until - time.monotonic())))


def _speaks_http(port: int) -> bool:
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api")  # of Jupyter's, without a token
        connection.getresponse()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True


def _dial(port: int, settle: float) -> socket.socket | None:
    """A connection that stands; None where there is none.

    A forwarded port takes any connection, and ends it where nobody listens: that is heard within `settle` seconds.
    """
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    except OSError:
        return None
    connection.settimeout(settle)
    try:
        stands = bool(connection.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        stands = True
    except OSError:
        stands = False
    if not stands:
        connection.close()
        return None
    connection.settimeout(None)
    return connection


def _too_late(standing: Standing, ports: Sequence[int], where: Where) -> TooLateError:
    numbers = " and ".join(str(port) for port in ports)
    text = f"nothing answers at port {numbers} of {standing.task} after {PATIENCE:.0f} s"
    log = (
        ""
        if where.on_cluster
        else f"\n  help: its log may say why: {where.command('logs', standing.run, standing.task)}"
    )
    return TooLateError(text + log)


def _show(gates: Gates, standing: Standing, found: Mapping[Port, int], until: float) -> str:
    """Print a notebook's address, which is returned, and each other port with where it is. Raises CannotDoError."""
    url = ""
    rows = []
    for port, here in found.items():
        if port.number == standing.port:
            url = f"http://127.0.0.1:{here}/?token={_token(gates, standing, until)}"
            out(url + "\n")
        else:
            web = not port.name or port.name.startswith("http")
            scheme = "https" if port.name.startswith("https") else "http"
            rows.append(
                (str(port.number), port.name or "-", f"{scheme}://127.0.0.1:{here}/" if web else f"127.0.0.1:{here}")
            )
    if rows:
        out("".join(row + "\n" for row in table(rows)))
    return url


def _token(gates: Gates, standing: Standing, until: float) -> str:
    def look() -> bytes | None:
        return (gates.read(standing, TOKEN_FILE) or b"").strip() or None

    found = wait_for(f"the token of {standing.task}", look, max(0.0, until - time.monotonic()))
    if found is None:
        raise TooLateError(f"the notebook of {standing.task} has no token after {PATIENCE:.0f} s")
    if not re.fullmatch(rb"[0-9A-Za-z_-]{1,200}", found):  # the step may have written anything there
        raise CannotDoError(
            f"what {standing.task} has in {TOKEN_FILE} is no token", "its command must leave that file alone"
        )
    return found.decode()


@contextmanager
def _browsed(url: str, *, lasting: bool) -> Iterator[None]:
    """The address in the user's browser, where there is a display.

    It goes by a page that only the user can read: what a browser is called with, everybody sees in the list of processes.
    `lasting`: the block goes on for long, so that nobody has to wait until the browser has read the page.
    """
    if sys.platform == "linux" and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))):
        yield
        return
    import webbrowser
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="kade2kfp-") as folder:
        page = Path(folder, "open.html")
        page.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(url)}">\n', encoding="utf-8"
        )
        opened = webbrowser.open(page.as_uri())
        if not opened:
            say("no browser could be started: open the address yourself")
        yield
        if opened and not lasting:
            time.sleep(_READING)


def _stay(gates: Gates, standing: Standing) -> None:
    """Wait until Ctrl-C, or until the step has ended."""
    try:
        say("Ctrl-C ends it")
        while True:
            time.sleep(_LOOK)
            try:
                now = gates.find(standing.run, standing.step, gate=False)
            except CannotDoError as error:
                if _passes(error):
                    continue
                say(terminal(f"{standing.task} cannot be reached any more: {error}"))
                return
            if now.pod != standing.pod:
                say(f"{terminal(standing.task)} has been started anew")
                return
    except KeyboardInterrupt:
        say("")


def _passes(error: CannotDoError) -> bool:
    """Whether the cluster, rather than the step, is not there at the moment."""
    from kade2kfp.cluster.errors import RefusedError

    return isinstance(error, RefusedError)


def _carry(connection: socket.socket) -> None:
    """Carry standard input to a connection, and what comes back to standard output, until the other side ends."""
    import threading

    threading.Thread(target=_send, args=(connection,), daemon=True).start()
    with suppress(OSError):  # either side may go at any time
        while data := connection.recv(1 << 16):
            while data:
                data = data[os.write(1, data) :]


def _send(connection: socket.socket) -> None:
    with suppress(OSError):
        while data := os.read(0, 1 << 16):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
