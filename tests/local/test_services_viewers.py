"""Viewers beside runs of `kade2kfp run`, which they change in nothing."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.local.secrets import Objects
from kade2kfp.local.services import view_again
from kade2kfp.services.model import ServiceView
from kade2kfp.steps.parts import ArtifactInput, ArtifactOutput, EnvFrom

from .running import Ran, Started, call, document, run, start
from .running import job as document_job
from .service_sample import begin, carried_out, get, gone, job, processes, server_step, services, viewer

VOLUMES = [{"id": "nas", "claimName": "team"}]
# A tool that shows a folder; $TOOL is in its variables so that a test can tell its processes.
TOOL = ["sh", "-c", 'exec python3 -m http.server --bind "$HOST" --directory /logs "$PORT"']


@pytest.fixture(autouse=True)
def _nothing_is_left(home: Path) -> Iterator[None]:
    yield
    for one in _STARTED:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()
    _STARTED.clear()
    gone(home)


_STARTED: list[Started] = []


def board(**more: Any) -> dict[str, Any]:
    return {"id": "board", "type": "viewer", "logPath": "/logs", "command": TOOL, **more}


def over_volume(from_task: str, path: str = "/logs") -> dict[str, Any]:
    return {"fromTask": from_task, "fromPath": path, "toTask": "board", "toPath": "/logs", "volume": "nas"}


def began(home: Path, tasks: list[dict[str, Any]], arrows: Any = None, *options: str, **more: Any) -> Started:
    started = start(home, "run", str(document(home, tasks, arrows, **more)), *options)
    _STARTED.append(started)
    return started


def ended(started: Started) -> Ran:
    out, err = started.process.communicate(timeout=60)
    return Ran(started.process.returncode, out.decode(), err.decode(), started.home)


def the_viewer(home: Path, state: str = "running", seconds: float = 30) -> ServiceView:
    """The viewer of the newest run, when it has come to a state."""
    until = time.monotonic() + seconds
    while True:
        try:
            view = services(home).find("viewer", "last", "board")
            if view.state == state:
                return view
        except CannotDoError as error:
            view = error
        assert time.monotonic() < until, view
        time.sleep(0.05)


def waits_for(path: str) -> str:
    return f"until test -e {path}; do sleep 0.05; done"


def let_go(home: Path) -> None:
    (home / "volumes/team/go").touch()


def test_what_a_running_task_still_writes_is_seen_and_pausing_changes_nothing(home: Path) -> None:
    train = document_job(
        "train",
        f"echo 1 >/logs/scalars; {waits_for('/nas/go')}; echo 3 >>/logs/scalars; mkdir -p /out; cp /logs/scalars /out",
        volumes=[{"id": "nas", "mountPath": "/nas"}],
    )
    use = document_job("use", "cat /in/scalars")
    arrows = [over_volume("train"), {"fromTask": "train", "fromPath": "/out", "toTask": "use", "toPath": "/in"}]
    started = began(home, [train, use, board()], arrows, "--jobs", "1", volumes=VOLUMES)
    view = the_viewer(home)
    assert (view.kind, view.task, view.name, view.version) == ("viewer", "board", "flow-board", "")
    until = time.monotonic() + 20
    while get(view.port, "/scalars")[1] != "1\n":
        assert time.monotonic() < until
        time.sleep(0.05)
    (written,) = home.glob("volumes/team/pipeline/flow/*/**/scalars")
    written.write_text("1\n2\n")
    assert get(view.port, "/scalars")[1] == "1\n2\n"
    assert services(home).pause(view) == f"'board' is paused; {view.url} answers 503 until it is resumed"
    assert get(view.port) == (503, "flow-board is paused\n")
    assert services(home).resume(the_viewer(home, "paused")) == "'board' is starting"
    view = the_viewer(home)
    shown = call(home, "show", "last", "board")
    assert f"note        {view.url}" in shown.out.splitlines()
    services(home).pause(view)
    let_go(home)
    done = ended(started)
    assert done.code == 0, done.err
    assert done.statuses() == {"train": "succeeded", "use": "succeeded", "board": "succeeded"}
    assert done.log("use") == "1\n2\n3\n"
    assert done.step("board").outputs == {}
    assert done.step("board").note == f"it ended with the run: kade2kfp viewer open {done.state.name} board"


def test_a_viewer_cannot_write_to_what_it_shows(home: Path) -> None:
    tool = ["sh", "-c", f"touch /logs/x 2>/logs/y || echo read-only; {waits_for('/nowhere')}"]
    script = f"echo 1 >/logs/n; {waits_for('/nas/go')}"
    train = document_job("train", script, volumes=[{"id": "nas", "mountPath": "/nas"}])
    started = began(home, [train, board(command=tool)], [over_volume("train")], volumes=VOLUMES)
    started.wait_for("runs/*/services/board/logs/*")
    view = services(home).find("viewer", "last", "board")
    until = time.monotonic() + 20
    while "read-only" not in (lines := services(home).log(view, 10)):
        assert time.monotonic() < until, lines
        time.sleep(0.05)
    let_go(home)
    assert ended(started).code == 0


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["no-such-tool"], "no-such-tool"),
        (
            ["sh", "-c", "echo cannot open the display; exit 4"],
            "its server exited with code 4: cannot open the display",
        ),
        (["sh", "-c", "kill -SEGV $$"], "its server ended by signal 11"),
    ],
)
def test_a_viewer_that_fails_fails_nothing(home: Path, command: list[str], why: str) -> None:
    step = viewer(server={"command": tuple((word,) for word in command)})
    going = begin(home, step, job("work", "sleep 2"))
    state = going.until(lambda state: state.step("board").outputs.get("problem"))
    problem = state.step("board").outputs["problem"]
    assert why in str(problem)
    assert state.step("board").note == f"no viewer: {problem}"
    view = the_viewer(home, "failing")
    assert view.problem == problem
    assert get(view.port)[0] == 503
    done = going.ended()
    assert done.state.status == "succeeded"
    assert done.step("board").outputs == {"problem": problem}


def test_a_port_that_is_in_use_is_the_viewer_s_problem_alone(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(home, [document_job("work", "sleep 2"), board(port=port)])
    assert done.code == 0, done.err
    assert done.step("board").outputs["problem"] == f"port {port} of this machine is in use by another program"


def test_a_viewer_whose_packages_cannot_be_had_is_its_own_problem(home: Path) -> None:
    missing = board(packagesToInstall=["kade2kfp-no-such-package @ file:///nowhere/x-1-py3-none-any.whl"])
    done = run(home, [document_job("work", "sleep 3"), missing])
    assert done.code == 0, done.err
    assert done.step("board").outputs["url"] == ""
    assert done.step("board").outputs["problem"] or "the run was over before it was ready" in done.step("board").note


def test_the_run_does_not_wait_for_a_tool_that_hangs_nor_for_one_that_does_not_end(home: Path) -> None:
    tool = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    begun = time.monotonic()
    done = run(home, [document_job("work", "true"), board(command=tool)])
    assert done.code == 0, done.err
    assert done.statuses() == {"work": "succeeded", "board": "succeeded"}
    assert time.monotonic() - begun < 25
    gone(home)


def test_a_paused_viewer_has_a_port_and_no_process(home: Path) -> None:
    work = document_job("work", waits_for("/nas/go"), volumes=[{"id": "nas", "mountPath": "/nas"}])
    started = began(home, [work, board(paused=True)], volumes=VOLUMES)
    view = the_viewer(home, "paused")
    assert not list(Path(view.handle).glob("boxes/*"))
    assert get(view.port)[0] == 503
    services(home).resume(view)
    view = the_viewer(home)
    assert get(view.port)[0] == 200
    assert services(home).delete(view) == "'board' is deleted"
    with pytest.raises(CannotDoError, match="the viewer of 'board' has been deleted"):
        services(home).find("viewer", "last", "board")
    let_go(home)
    assert ended(started).code == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_run_however_that_ends(home: Path, number: int) -> None:
    work = document_job("work", "sleep 600")
    started = began(home, [work, board()], [over_volume("work")], volumes=VOLUMES)
    view = the_viewer(home)
    if number == signal.SIGKILL:
        started.process.kill()
        started.process.communicate()
    else:
        assert started.end(number).code == 130
    gone(home)
    stopped = services(home).find("viewer", "last", "board")
    assert (stopped.state, stopped.url) == ("stopped", "")
    with pytest.raises(CannotDoError, match="'board' has ended with its run") as error:
        services(home).resume(stopped)
    assert error.value.help == f"`kade2kfp viewer open {view.run} board` starts it again"
    with pytest.raises(CannotDoError, match="'board' is stopped"), services(home).reach(stopped):
        pass
    assert processes(home) == []


def test_a_run_that_goes_on_has_its_viewer_again(home: Path) -> None:
    work = document_job("work", waits_for("/nas/go"), volumes=[{"id": "nas", "mountPath": "/nas"}])
    started = began(home, [work, board()], volumes=VOLUMES)
    first = the_viewer(home)
    started.process.kill()
    started.process.communicate()
    gone(home)
    again = start(home, "rerun", first.run)
    _STARTED.append(again)
    view = the_viewer(home)
    assert (view.run, get(view.port)[0]) == (first.run, 200)
    let_go(home)
    assert ended(again).code == 0


def test_a_viewer_of_a_run_that_is_over_is_opened_once_more(home: Path) -> None:
    # So short that the viewer was hardly there, or not at all.
    train = document_job("train", "echo 0.5 >/logs/loss")
    done = run(home, [train, board()], [over_volume("train")], volumes=VOLUMES)
    assert done.code == 0, done.err
    view = services(home).find("viewer", done.state.name, "board")
    assert view.state == "stopped"
    with view_again(home, view) as port:
        until = time.monotonic() + 20
        while get(port, "/loss") != (200, "0.5\n"):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert the_viewer(home).port == port
        with pytest.raises(CannotDoError, match="'board' is kept already"), view_again(home, view):
            pass
    gone(home)
    assert services(home).find("viewer", "last", "board").state == "stopped"


def test_opened_once_more_it_ends_with_the_command(home: Path) -> None:
    done = run(home, [document_job("work", "true"), board()])
    started = start(home, "viewer", "open", done.state.name, "board", "--no-browser")
    _STARTED.append(started)
    the_viewer(home)
    started.process.kill()
    started.process.communicate()
    gone(home)


def test_runs_with_viewers_are_removed(home: Path) -> None:
    tasks = [document_job("work", "true"), board()]
    done = run(home, tasks)
    folder = done.folder
    assert (folder / "services/board/service.json").exists()
    (folder / "services/board").chmod(0o500)
    pruned = call(home, "runs", "prune", "--keep", "0", "--yes")
    assert pruned.code == 0, pruned.err
    assert not folder.exists()


def test_it_shows_artifacts_too_and_needs_no_place_among_those_that_work(home: Path) -> None:
    make = job("make", "mkdir /o; echo 7 >/o/n; sleep 0.2", outputs=(ArtifactOutput("o", "/o", "directory"),))
    slow = job("slow", "sleep 3")
    server = server_step(
        "board",
        {},
        command=tuple((word,) for word in TOOL),
        inputs=(ArtifactInput("in", "make", "o", "/logs", "directory"),),
    )
    step = viewer()
    assert step.service is not None
    shows = replace(
        step,
        inputs=(ArtifactInput("in", "make", "o", "", "directory"),),
        service=replace(step.service, server=server),
    )
    going = begin(home, make, slow, shows, jobs=1)
    view = the_viewer(home)
    assert going.states[-1].step("slow").status == "running"
    assert get(view.port, "/n")[1] == "7\n"
    done = going.ended()
    assert done.state.status == "succeeded"


def test_the_secrets_of_a_viewer_are_gone_with_its_run(home: Path) -> None:
    objects = Objects({"db": {"password": b"pa55-w0rd"}}, {})
    step = viewer(server={"variables": (EnvFrom("PASSWORD", "secret", ("db",), "password"),)})
    going = begin(home, step, job("work", "sleep 3"), objects=objects)
    variables = get(the_viewer(home).port, "/env")[1]
    assert variables["PASSWORD"] == "pa55-w0rd"
    assert "/environments/" in variables["PATH"] or "/test-environments/" in variables["PATH"]
    done = going.ended()
    assert done.step("board").outputs == {}
    assert "pa55-w0rd" not in (done.folder / "services/board/service.json").read_text()
    view = services(home).find("viewer", "last", "board")
    with pytest.raises(CannotDoError, match="not kept on disk: PASSWORD"), view_again(home, view):
        pass


def test_what_is_said_of_viewers_that_are_none(home: Path) -> None:
    done = carried_out(home, viewer(), job("work", "true"))
    wrong = {
        "work": ("'work' is no viewer, but of type job", ""),
        "baord": (f"the run {done.state.name} has no viewer 'baord'", "did you mean `board`?"),
    }
    for task, (text, help_) in wrong.items():
        with pytest.raises(CannotDoError) as error:
            services(home).find("viewer", "last", task)
        assert (str(error.value), error.value.help) == (text, help_)
    with pytest.raises(CannotDoError, match="there is no run 'nope'"):
        services(home).find("viewer", "nope", "board")
    assert [one.task for one in services(home).all("viewer", "last")] == ["board"]
