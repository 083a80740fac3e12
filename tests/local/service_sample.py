"""Services of a tiny real server, and runs of steps that leave them running: what the tests of services share."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.local.boxes import Ground
from kade2kfp.local.choose import choose
from kade2kfp.local.engine import Engine
from kade2kfp.local.folder import hold, new_run
from kade2kfp.local.order import waiting
from kade2kfp.local.runner import Cancel, Inbox, Orders, run_all
from kade2kfp.local.secrets import NO_OBJECTS, Objects
from kade2kfp.local.services import local_services
from kade2kfp.local.services.folders import folders_in, is_kept
from kade2kfp.local.services.here import LocalServices
from kade2kfp.local.state import RunState, StepState, to_json
from kade2kfp.services.model import ServiceView
from kade2kfp.steps.model import Example, Plan, Service, Step
from kade2kfp.steps.parts import EnvFrom, EnvValue

SERVER = r"""
import json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
version, does = os.environ["KADE2KFP_VERSION"], os.environ.get("DOES", "")
begun = time.monotonic()
print("begins", version, flush=True)
if does == "exits":
    print("no model.pkl", flush=True)
    sys.exit(3)
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def say(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        if self.path == "/readyz":
            ready = does != "never" and time.monotonic() - begun > float(os.environ.get("AFTER", "0"))
            self.say(200 if ready else 503, "ready" if ready else "not yet")
        elif self.path == "/crash":
            os._exit(9)
        elif self.path == "/env":
            self.say(200, dict(os.environ))
        else:
            self.say(200, {"version": version, "mark": os.environ.get("MARK", "")})
    def do_POST(self):
        length, size = int(self.headers["Content-Length"]), 0
        while size < length:
            piece = self.rfile.read(min(65536, length - size))
            if not piece:
                return
            size += len(piece)
        time.sleep(float(os.environ.get("SLOW", "0")))
        if does == "bad-example":
            self.say(500, {"error": "no such column" + os.environ.get("PASSWORD", "")})
        else:
            self.say(200, {"version": version, "size": size})
    def log_message(self, *_): pass
server = ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
server.daemon_threads = True
server.serve_forever()
"""


@dataclass(frozen=True)
class Done:
    """A run that has ended."""

    state: RunState
    folder: Path

    def step(self, name: str = "endpoint") -> StepState:
        return self.state.step(name)


def engine() -> Engine:
    found = choose("process")
    assert not isinstance(found, Diagnostic), found
    return found


def server_step(name: str, env: Mapping[str, str], **more: Any) -> Step:
    given = tuple(EnvValue(key, (value,)) for key, value in env.items())
    fields = {"image": ("python:3.11",), "command": (("python3",), ("-c",), (SERVER,))} | more
    own: tuple[EnvFrom, ...] = fields.pop("variables", ())
    return Step(name, name, name, env=(*given, *own), **fields)


def serving(name: str = "endpoint", env: Mapping[str, str] | None = None, **more: Any) -> Step:
    """A step with a serving; `more` are fields of the service, `step` and `server` those of the steps."""
    server = server_step(name, env or {}, **more.pop("server", {}))
    fields = {"port": 3000, "ready": "/readyz", "ready_timeout": 20, "example": Example("/predict", '{"inputs": [1]}')}
    service = Service("serving", f"flow-{name}", server, **(fields | more.pop("service", {})))
    return Step(name, name, name, ("python:3.11",), (), type="serving", service=service, **more)


def viewer(name: str = "board", env: Mapping[str, str] | None = None, **more: Any) -> Step:
    server = server_step(name, env or {}, **more.pop("server", {}))
    service = Service("viewer", f"flow-{name}", server, **({"port": 6006} | more.pop("service", {})))
    return Step(name, name, name, ("python:3.11",), (), type="viewer", service=service, **more)


def job(name: str, script: str, **more: Any) -> Step:
    return Step(name, name, name, ("python:3.11",), (("sh",), ("-c",), (script,)), **more)


@dataclass
class Going:
    """A run that goes on in a thread."""

    folder: Path
    inbox: Inbox
    thread: threading.Thread
    states: list[RunState] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def until(self, what: Any, seconds: float = 30) -> RunState:
        end = time.monotonic() + seconds
        while not (self.states and what(self.states[-1])):
            assert time.monotonic() < end, self.states[-1:]
            assert not self.errors, self.errors
            time.sleep(0.02)
        return self.states[-1]

    def cancel(self) -> None:
        self.inbox.put(Cancel())

    def ended(self, seconds: float = 60) -> Done:
        self.thread.join(seconds)
        assert not self.thread.is_alive(), self.states[-1]
        assert not self.errors, self.errors
        return Done(self.states[-1], self.folder)


def begin(home: Path, *steps: Step, objects: Objects = NO_OBJECTS, slug: str = "flow", jobs: int = 2) -> Going:
    """Begin a run of steps, as `kade2kfp run` does."""
    plan = Plan(slug, slug, nodes=steps)
    folder, id_ = new_run(home, slug)
    state = RunState(
        id_,
        folder.name,
        slug,
        slug,
        "flow.json",
        "running",
        time.time(),
        "process",
        {},
        tuple(waiting(one, plan) for one in steps),
    )
    (folder / "lock").touch()
    (folder / "state.json").write_text(to_json(state))
    ground = Ground(plan, folder, home / "volumes", objects)
    going = Going(folder, SimpleQueue(), threading.Thread())

    def live() -> None:
        try:
            with hold(folder):
                run_all(state, ground, Orders(engine(), home, jobs), going.inbox, going.states.append)
        except BaseException as error:
            going.errors.append(error)

    going.thread = threading.Thread(target=live)
    going.thread.start()
    return going


def carried_out(home: Path, *steps: Step, **more: Any) -> Done:
    return begin(home, *steps, **more).ended()


def services(home: Path) -> LocalServices:
    return local_services(home)


def the_serving(home: Path, task: str = "endpoint") -> ServiceView:
    return services(home).find("serving", "flow", task)


def get(port: int, path: str = "/", timeout: float = 10) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body[:1] in (b"{", b'"') else body.decode()
    finally:
        connection.close()


def version_at(port: int) -> str:
    status, body = get(port)
    assert status == 200, body
    found: str = body["version"]
    return found


@dataclass
class Asking:
    """Clients that send requests all the while: what they got, and what failed."""

    versions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextlib.contextmanager
def asking(port: int) -> Iterator[Asking]:
    """Two clients send requests while the block lasts, one by a connection each, one by a connection that it keeps."""
    found, over = Asking(), threading.Event()

    def ask(keeps: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not over.is_set():
            try:
                connection.request("POST", "/predict", b"x" * 1000)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    found.versions.append(json.loads(body)["version"])
                else:
                    found.failures.append(f"{answer.status} {body!r}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                found.failures.append(repr(error))
                connection.close()
            if not keeps:
                connection.close()
            time.sleep(0.002)
        connection.close()

    threads = [threading.Thread(target=ask, args=(keeps,)) for keeps in (True, False)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        over.set()
        for thread in threads:
            thread.join()


def end_servings(home: Path) -> None:
    """End all servings of a home."""
    for view in services(home).all("serving"):
        services(home).delete(view)
    for folder in folders_in(home / "services"):
        assert not is_kept(folder)


def processes(mark: str | Path) -> list[int]:
    """The processes whose command line, variables or mounts hold a mark: of a box the folder that it stands on."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                known = (entry / name for name in ("cmdline", "environ", "mountinfo"))
                if any(str(mark).encode() in one.read_bytes() for one in known):
                    found.append(int(entry.name))
    return found


def gone(mark: str | Path, seconds: float = 15) -> None:
    """Wait until no process has the mark."""
    until = time.monotonic() + seconds
    while left := processes(mark):
        assert time.monotonic() < until, [Path(f"/proc/{one}/cmdline").read_bytes() for one in left]
        time.sleep(0.05)
