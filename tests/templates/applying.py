"""templates/apply.py as a real process against the API of kube_api.py, and real servers for the pods to be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import EnvValue

sys.path.insert(0, str(Path(__file__).parents[1]))
import warm
from lowering.openapi import problems
from lowering.service_steps import lowered, serving, words

from .kube_api import CERTIFICATE, TOKEN, Kube
from .kube_controllers import NAMESPACE

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/"


@dataclass(frozen=True)
class Done:
    """What a process has left: its code, what it said, a line each, and its outputs."""

    code: int
    said: tuple[str, ...]
    outputs: Mapping[str, str]
    out: str = ""

    @property
    def last(self) -> str:
        return self.said[-1] if self.said else ""


@dataclass(frozen=True)
class Bench:
    """Where processes run: the API, and the folder of the service account and of outputs."""

    kube: Kube
    folder: Path

    def account(self, name: str) -> Path:
        return self.folder / "account" / name

    def start(
        self,
        step: Step,
        *,
        pack: Sequence[str] = (),
        name: str = "run",
        every: float = 0.02,
        patience: float = 20.0,
        answer: float = 15.0,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        executable: str = sys.executable,
        cwd: Path | None = None,
        **more: Any,
    ) -> subprocess.Popen[str]:
        """The process of a step; `timeout` in place of the service's own patience with its pods, `answer` with an answer."""
        python, flag, text, told, *rest = words(lowered(step), **more)
        assert (python, flag) == ("python3", "-c")
        about = json.loads(told)
        about |= {"out": str(self.out(name)), "every": every, "patience": patience}
        about |= {} if timeout is None else {"timeout": timeout}
        values = rest[: about["values"]]
        assert text.count("TIMEOUT=15.0") == 1
        text = text.replace("TIMEOUT=15.0", f"TIMEOUT={answer}").replace(ACCOUNT, f"{self.folder}/account/")
        surroundings = {
            "PATH": "/usr/bin:/bin",
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.kube.port),
        }
        # A fork (tests/warm.py) but where it is about surroundings; all that is imported is when it starts.
        kept = {key: value for key, value in os.environ.items() if key.startswith(("PYTHON", "LC_", "LANG"))}
        surroundings |= {} if env or cwd else kept
        started = subprocess.Popen if env or cwd else warm.Popen
        return started(
            [executable, "-c", text, json.dumps(about), *values, *(["--", *pack] if pack else [])],
            env={key: value for key, value in (surroundings | dict(env or {})).items() if value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=cwd,
        )

    def out(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def end(self, process: subprocess.Popen[str], name: str = "run") -> Done:
        out, said = process.communicate(timeout=60)
        assert TOKEN not in out + said
        outputs = {one.name: one.read_text(encoding="utf-8") for one in self.out(name).iterdir()}
        return Done(process.returncode, tuple(said.splitlines()), outputs, out)

    def run(self, step: Step, **more: Any) -> Done:
        return self.end(self.start(step, **more), more.get("name", "run"))


@contextmanager
def benches(folder: Path) -> Iterator[Bench]:
    """A bench with an API of its own."""
    account = folder / "account"
    account.mkdir()
    (account / "token").write_text(TOKEN + "\n")
    (account / "namespace").write_text(NAMESPACE)
    pem = CERTIFICATE.read_text()
    (account / "ca.crt").write_text(pem[pem.index("-----BEGIN CERTIFICATE") :])
    own = ("InferenceService", "Tensorboard")
    kube = Kube(lambda thing: [] if thing["kind"] in own else problems(thing))
    try:
        yield Bench(kube, folder)
    finally:
        kube.stop()


@contextmanager
def pod(status: int = 200, body: bytes = b"{}") -> Iterator[tuple[int, list[tuple[str, str, bytes]]]]:
    """A server in place of a pod's: its port, and what it was asked (path, Host, body)."""
    seen: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Host"], content))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port, seen
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench for a test."""
    with benches(tmp_path) as made:
        yield made


# --- servings

NAME = "demo-serve"
PLAIN = serving(autoscale=None, example=None)
BY_KSERVE = serving(flavor="kserve", autoscale=None, example=None)


def template(kube: Kube) -> Any:
    return kube.get("Deployment", NAME)["spec"]["template"]


def version(kube: Kube) -> str:
    return str(template(kube)["metadata"]["labels"]["kade2kfp/version"])


def versions(kube: Kube, kind: str = "Deployment") -> str:
    return str(kube.get(kind, NAME)["metadata"]["annotations"].get("kade2kfp/versions", ""))


def with_env(value: str, step: Step = PLAIN) -> Step:
    service = step.service
    assert service is not None
    server = replace(service.server, env=(EnvValue("WHICH", (value,)),))
    return replace(step, service=replace(service, server=server))


def wait_for(happened: Any) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)
