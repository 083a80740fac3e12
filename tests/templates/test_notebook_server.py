"""A notebook that waits: a real JupyterLab behind the gate of templates/gate.sh."""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .gate_box import GateBox, Running, environment, gate
from .notebook_tools import made, notebook

# As kade2kfp/tasks/notebook.py starts it.
OPTIONS = ("--no-browser", "--ip=127.0.0.1", "--port-retries=0", "--allow-root", "--notebook-dir=/box/work")
# Neither user has a home: /root and / cannot be written.
each_surrounding = pytest.mark.parametrize(("shell", "user"), [("dash", 1000), ("busybox", 0)])


@dataclass(frozen=True)
class Server:
    """A JupyterLab that answers."""

    step: Running
    port: int
    token: str

    def ask(self, path: str, body: Any = None, method: str = "GET", token: str | None = None) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token if token is None else token}"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, None

    def logs(self) -> str:
        return "".join((self.step.folder / name).read_text(errors="replace") for name in ("out", "err"))


@contextmanager
def serving(folder: Path, home: Path, shell: str, user: int, **env: str) -> Iterator[Server]:
    """The server of a step in a box; its folders are in `folder`, the notebooks in `folder`/work."""
    for name in ("gate", "shared", "run", "work"):
        (folder / name).mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [*gate(values={"lr": None}), "e", "JUPYTER_TOKEN_FILE=/kade/run/token"]
    words += ["e", "JUPYTER_RUNTIME_DIR=/kade/run/jupyter", "e", f"JUPYTER_PORT={port}", "J", "server"]
    lab = str(made("jupyterlab", home))
    path = f"{lab}/bin:{environment(shell)['PATH']}"
    # The checkout may lie in /tmp, which the box has for itself.
    seen = ("--ro-bind", lab, lab)
    with GateBox(folder, shell, user).start(*words, "--", *OPTIONS, env={"PATH": path, **env}, more=seen) as step:
        step.opened()
        server = Server(step, port, (step.run / "token").read_text())
        step.until(lambda: answers(server), "Jupyter does not answer", within=60)
        yield server


def answers(server: Server) -> bool:
    try:
        return server.ask("/api")[0] == 200
    except OSError:
        time.sleep(0.1)
        return False


@each_surrounding
def test_a_person_works_in_it_and_nothing_is_left(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, shell: str, user: int
) -> None:
    with serving(tmp_path, tmp_path_factory.mktemp("home"), shell, user, JUPYTER_TOKEN="the image's") as server:
        assert len(server.token) == 48
        assert (server.step.run / "token").stat().st_mode & 0o777 == 0o600
        assert [server.ask("/api/contents", token=token)[0] for token in ("wrong", "", "the image's")] == [403] * 3
        assert server.ask("/api/contents")[0] == 200
        edited = {"type": "notebook", "content": json.loads(notebook(["lr = 0.5"]))}
        assert server.ask("/api/contents/look.ipynb", edited, "PUT")[0] == 201
        assert "lr = 0.5" in (tmp_path / "work/look.ipynb").read_text()
        _, kernel = server.ask("/api/kernels", {}, "POST")
        _, terminal = server.ask("/api/terminals", {}, "POST")
        assert (bool(kernel["id"]), terminal["name"]) == (True, "1")
        started = [f"kernel-{kernel['id']}.json", "/bin/jupyter-lab"]
        server.step.until(lambda: all(processes(one) for one in started), "the kernel does not run")

        # Who has opened the URL is in with the token in a query, which goes into the log.
        assert server.ask(f"/api/contents?token={server.token}", token="")[0] == 200
        server.ask(f"/api/none?token={server.token}", token="")
        assert processes(server.token) == []
        assert server.token not in server.logs()
        inside = Path("/proc", str(processes("/bin/jupyter-lab")[0]), "root")
        assert holding(server.token, inside / "tmp", inside / "kfp", inside / "box/work", inside / "box/shared") == []

        server.step.decide(values={"lr": "0.25"})
        done = server.step.end()
    assert (done.code, done.state, done.left) == (0, "resume", []), done.err
    assert [processes(one) for one in started] == [[], []]
    assert done.put == {"decision": "resume", "by": "ann", "lr": "0.25"}
    assert "lr = 0.5" in (tmp_path / "work/look.ipynb").read_text()


def test_it_ends_with_the_pod(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path, tmp_path_factory.mktemp("home"), "bash-posix", 1000) as server:
        server.ask("/api/kernels", {}, "POST")
        begun = time.monotonic()
        server.step.order("step TERM")
        done = server.step.end()
    assert (done.code, done.state, done.left) == (143, "terminated", []), done.err
    assert time.monotonic() - begun < 12


def test_an_image_without_jupyter_is_told_before_the_gate_opens(tmp_path: Path) -> None:
    for name in ("gate", "shared", "run"):
        (tmp_path / name).mkdir()
    words = [*gate(), "e", "JUPYTER_TOKEN_FILE=/kade/run/token", "J", "server"]
    with GateBox(tmp_path, "dash", 1000).start(*words, "--", *OPTIONS) as step:
        done = step.end()
    assert (done.code, done.state, done.left) == (64, "", [])
    assert done.own[0].startswith("the image has no jupyter-lab and no jupyter-notebook: ")


def processes(mark: str) -> list[int]:
    """The processes of this machine whose command line or environment holds it."""
    found = []
    for name in os.listdir("/proc"):
        for part in ("cmdline", "environ") if name.isdigit() and int(name) != os.getpid() else ():
            try:
                if mark.encode() in Path("/proc", name, part).read_bytes():
                    found.append(int(name))
            except OSError:
                continue
    return sorted(set(found))


def holding(mark: str, *folders: Path) -> list[str]:
    """The files below these folders that hold it."""
    files = [Path(at, name) for folder in folders for at, _, names in os.walk(folder) for name in names]
    return [str(file) for file in files if file.is_file() and mark.encode() in file.read_bytes()]
