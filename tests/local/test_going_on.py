"""Runs that are interrupted, cancelled or failed, and going on with them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.local.folder import read_run

sys.path.insert(0, str(Path(__file__).parent))
from faults import ended, gone, start_impatient
from running import Started, alive, arrow, call, document, job, run, start, then

COUNT = [{"id": "count", "claimName": "count"}]
MOUNT = [{"id": "count", "mountPath": "/count"}]


def _counted(id_: str, script: str, **more: Any) -> dict[str, Any]:
    """A step that counts its starts on a claim that all runs share."""
    return job(id_, f"echo x >> /count/{id_}; {script}", **{"volumes": MOUNT, **more})


def _starts(home: Path) -> dict[str, int]:
    return {
        path.name: path.read_text().count("x") for path in sorted((home / "volumes/count").iterdir()) if path.is_file()
    }


def _three(mark: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Three steps, the second of which waits, deaf to TERM, until it is let go."""
    wait = f"[ -e /count/go/on ] || {{ trap '' TERM; sleep 60.{mark}; sleep 60.{mark}; }}; cat /in/a > /out/b"
    tasks = [
        _counted("first", "echo 1 > /out/a"),
        _counted("second", wait),
        _counted("third", "cat /in/b"),
        _counted("beside", "true"),
    ]
    return tasks, [
        arrow("first", "/out", "second", "/in"),
        arrow("second", "/out", "third", "/in"),
        then("first", "beside"),
    ]


def test_a_killed_runner_takes_its_steps_along_and_is_gone_on_with(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    path = document(home, *_three(mark), volumes=COUNT)
    started = start(home, "run", str(path), "--jobs", "2")
    started.wait_for("volumes/count/second")
    started.wait_for("volumes/count/beside")
    while not alive(mark):
        time.sleep(0.01)
    while '"name": "beside"' not in (state := _state(home)) or json.loads(state)["steps"][3]["status"] != "succeeded":
        time.sleep(0.01)
    started.process.kill()
    assert ended(started).code == -9
    assert gone(mark, 1)
    listed = call(home, "runs")
    assert "interrupted" in listed.out
    path.unlink()
    (home / "volumes/count/go").mkdir()
    (home / "volumes/count/go/on").touch()
    again = call(home, "rerun", "last")
    assert again.code == 0, again.err
    assert _starts(home) == {"beside": 1, "first": 1, "second": 2, "third": 1}
    assert again.log("third") == "1\n"
    assert len(list((home / "runs").iterdir())) == 1
    assert [one.number for one in again.step("second").attempts] == [1, 2]
    assert "succeeded" in call(home, "runs").out
    assert not list((again.folder / "scratch").iterdir())


def _ready(home: Path, started: Started, step: str) -> None:
    """Until a step has said so: its traps are set by then."""
    started.wait_for(f"runs/*/logs/{step}/1.log")
    (log,) = home.glob(f"runs/*/logs/{step}/1.log")
    while "ready" not in log.read_text():
        assert started.process.poll() is None
        time.sleep(0.01)


def _state(home: Path) -> str:
    (folder,) = (home / "runs").iterdir()
    return (folder / "state.json").read_text()


def test_a_log_of_an_attempt_that_the_state_does_not_know(home: Path) -> None:
    path = document(home, [job("a", "echo new; exit 1")])
    assert call(home, "run", str(path)).code == 3
    (folder,) = (home / "runs").iterdir()
    (folder / "logs/a/2.log").write_text("of a runner that was killed\n")
    again = call(home, "rerun", "last", "--failed")
    assert again.log("a", 1) == "new\n"
    assert "cannot be written" not in again.err


def test_killing_the_runner_at_any_moment_leaves_a_readable_run(home: Path) -> None:
    tasks = [job(f"s{number}", "true", cache=False) for number in range(60)]
    path = document(home, tasks)
    seen = set()
    for delay in (0.0, 0.03, 0.08, 0.15, 0.25):
        before = set((home / "runs").iterdir()) if (home / "runs").exists() else set()
        started = start(home, "run", str(path), "--jobs", "4")
        while not [one for one in set((home / "runs").glob("*")) - before if (one / "state.json").exists()]:
            assert started.process.poll() is None
        # The delays are spread over the run; the assertion holds for any of them.
        time.sleep(delay)
        started.process.kill()
        started.process.communicate()
        (folder,) = set((home / "runs").iterdir()) - before
        found = read_run(folder)
        assert found.state is not None, found.problem
        seen.add(found.state.status)
    assert "interrupted" in seen
    assert call(home, "runs").code == 0


def test_what_failed_runs_again_and_what_follows(home: Path) -> None:
    fails = "[ -e /count/go/on ] || exit 3; echo fine > /out/a"
    tasks = [
        _counted("before", "true"),
        _counted("fails", fails, outputs=[{"name": "n", "type": "string", "path": "/out2/n"}])
        | {
            "script": "mkdir -p /out2; echo x >> /count/fails; echo n > /out2/n; echo fine > /out/a; [ -e /count/go/on ]"
        },
        _counted("skipped", "cat /in/a"),
        _counted("sibling", "true"),
    ]
    arrows = [then("before", "fails"), arrow("fails", "/out", "skipped", "/in"), then("before", "sibling")]
    first = run(home, tasks, arrows, volumes=COUNT)
    assert first.code == 3
    assert first.statuses() == {"before": "succeeded", "fails": "failed", "skipped": "skipped", "sibling": "succeeded"}
    still = call(home, "rerun", "last", "--failed")
    assert still.code == 3
    assert _starts(home) == {"before": 1, "fails": 2, "sibling": 1}
    (home / "volumes/count/go").mkdir()
    (home / "volumes/count/go/on").touch()
    again = call(home, "rerun", "last", "--failed")
    assert again.code == 0, again.err
    assert _starts(home) == {"before": 1, "fails": 3, "sibling": 1, "skipped": 1}
    assert set(again.statuses().values()) == {"succeeded"}
    assert [one.exit_code for one in again.step("fails").attempts] == [1, 1, 0]
    refused = call(home, "rerun", "last", "--failed")
    assert refused.code == 1
    assert "have succeeded" in refused.err
    anew = call(home, "rerun", "last")
    assert anew.code == 0
    assert len(list((home / "runs").iterdir())) == 2
    assert _starts(home) == {"before": 2, "fails": 4, "sibling": 2, "skipped": 2}


def test_a_step_that_left_half_of_its_outputs_runs_again(home: Path) -> None:
    script = "echo 1 > /a/x; [ ! -e /count/go ] || echo 2 > /b/x; mkdir -p /b; [ -e /b/x ] || mkfifo /b/f"
    tasks = [job("make", script, volumes=MOUNT), job("use", "cat /in/x /in2/x")]
    arrows = [arrow("make", "/a", "use", "/in"), arrow("make", "/b", "use", "/in2")]
    assert run(home, tasks, arrows, volumes=COUNT).code == 3
    (folder,) = (home / "runs").iterdir()
    # As a runner leaves it that was killed while it moved them.
    (folder / "artifacts/make/a/old").mkdir(parents=True)
    (folder / "artifacts/make/a/old/x").write_text("old")
    (home / "volumes/count/go").touch()
    again = call(home, "rerun", "last", "--failed")
    assert again.code == 0, again.err
    assert again.log("use") == "1\n2\n"
    assert not list(folder.rglob("old"))


def test_a_running_one_is_not_gone_on_with(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    started = start(home, "run", str(document(home, [job("a", f"sleep 60.{mark}")])))
    started.wait_for("runs/*/logs/a/1.log")
    for option in ([], ["--failed"]):
        refused = call(home, "rerun", "last", *option)
        assert refused.code == 1
        assert "is running" in refused.err
    assert started.end().code == 130
    assert gone(mark)


def test_secrets_are_asked_for_again(home: Path, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("secrets: {a: {b: very-secret-word}}")
    (tmp_path / "s.yaml").chmod(0o600)
    task = job(
        "use",
        '[ "$PW" = very-secret-word ] && [ -e /count/go ]',
        env=[{"name": "PW", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
        volumes=MOUNT,
    )
    assert run(home, [task], None, "--secrets", str(tmp_path / "s.yaml"), volumes=COUNT).code == 3
    (home / "volumes/count/go").touch()
    without = call(home, "rerun", "last", "--failed")
    assert without.code == 1
    assert "error[K724]" in without.err
    again = call(home, "rerun", "last", "--failed", "--secrets", str(tmp_path / "s.yaml"))
    assert again.code == 0, again.err


def test_the_documents_files_may_be_gone(home: Path) -> None:
    folder = home / "documents"
    folder.mkdir()
    (folder / "main.txt").write_text("first\n")
    files = [{"path": "/app/main.txt", "source": "main.txt"}]
    task = job("a", "cat /app/main.txt; [ -e /count/go ]", files=files, volumes=MOUNT)
    path = document(folder, [task], volumes=COUNT)
    assert call(home, "run", str(path)).code == 3
    (folder / "main.txt").write_text("second\n")
    path.write_text("{")
    assert call(home, "rerun", "last", "--failed").log("a").startswith("first\n")
    shutil.rmtree(folder)
    (home / "volumes/count/go").touch()
    again = call(home, "rerun", "last", "--failed")
    assert again.code == 0, again.err
    assert again.log("a") == "first\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_is_cancelled(home: Path, number: int) -> None:
    mark = str(uuid.uuid4().int)
    polite = f"trap 'echo bye; exit 0' TERM; echo ready; sleep 60.{mark} & wait"
    tasks = [job("polite", polite), job("done", "true"), job("other", f"sleep 60.{mark}"), job("later", "true")]
    started = start(home, "run", str(document(home, tasks, [then("polite", "later")])), "--jobs", "3")
    started.wait_for("runs/*/logs/polite/1.log")
    started.wait_for("runs/*/logs/other/1.log")
    (log,) = home.glob("runs/*/logs/polite/1.log")
    (state,) = home.glob("runs/*/state.json")
    while log.read_text() != "ready\n" or len(alive(mark)) < 2 or _status(state, "done") != "succeeded":
        time.sleep(0.01)
    done = started.end(number)
    assert done.code == 130
    assert gone(mark)
    assert done.statuses()["other"] == "cancelled"
    assert done.statuses()["done"] == "succeeded"
    assert done.statuses()["later"] == "skipped"
    assert done.state.status == "cancelled"
    assert log.read_text() == "ready\nbye\n"
    assert "kade2kfp rerun" in done.err
    assert "error[" not in done.err


def _status(state: Path, name: str) -> str:
    found = read_run(state.parent).state
    return found.step(name).status if found else ""


def test_who_does_not_listen_is_ended_after_a_while(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    path = document(home, [job("deaf", f"trap '' TERM; echo ready; while :; do sleep 60.{mark}; done")])
    started = start_impatient(home, 0.5, "run", str(path))
    _ready(home, started, "deaf")
    began = time.monotonic()
    done = started.end()
    assert 0.5 <= time.monotonic() - began < 8
    assert done.code == 130
    assert done.statuses() == {"deaf": "cancelled"}
    assert gone(mark)


def test_a_second_wish_ends_all_at_once(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    path = document(home, [job("deaf", f"trap 'echo heard' TERM; echo ready; while :; do sleep 60.{mark}; done")])
    started = start(home, "run", str(path))
    _ready(home, started, "deaf")
    began = time.monotonic()
    started.process.send_signal(signal.SIGINT)
    time.sleep(0.2)  # signals that come together are one
    done = started.end()
    assert time.monotonic() - began < 8  # a step has ten seconds to end after the first
    assert done.code == 130
    assert done.state.status == "cancelled"
    assert gone(mark)


def test_a_wish_to_end_during_a_wait_for_the_next_attempt(home: Path) -> None:
    task = job("a", "echo ready; exit 1", retry={"limit": 3, "on": "pod", "backoff": "60s"})
    started = start(home, "run", str(document(home, [task])))
    _ready(home, started, "a")
    began = time.monotonic()
    done = started.end()
    assert time.monotonic() - began < 30
    assert done.code == 130
    assert done.statuses() == {"a": "cancelled"}
    assert len(done.step("a").attempts) == 1


def test_from_and_only_take_the_rest_from_an_earlier_run(home: Path) -> None:
    tasks = [
        _counted("make", "echo made-$1 > /out/a; echo on-volume > /w/v", args=["{{params.p}}"])
        | {"volumes": [*MOUNT, {"id": "made", "mountPath": "/w"}]},
        _counted("use", "cat /in/a /w/v; echo used > /out/b")
        | {"volumes": [*MOUNT, {"id": "made", "mountPath": "/w"}]},
        _counted("last", "cat /in/b"),
        _counted("aside", "true"),
    ]
    arrows = [arrow("make", "/out", "use", "/in"), arrow("use", "/out", "last", "/in")]
    more: dict[str, Any] = {
        "volumes": [*COUNT, {"id": "made", "create": {"size": "1Gi"}}],
        "parameters": [{"name": "p", "type": "string", "default": "p"}],
    }
    early = run(home, tasks, arrows, "--from", "use", **more)
    assert early.code == 1
    assert "no earlier run" in early.err
    assert not (home / "runs").exists() or not list((home / "runs").iterdir())
    first = run(home, tasks, arrows, **more)
    assert first.code == 0, first.err
    base = first.state.name
    part = run(home, tasks, arrows, "--from", "use", **more)
    assert part.code == 0, part.err
    assert part.statuses() == {"make": "reused", "use": "succeeded", "last": "succeeded", "aside": "skipped"}
    assert part.log("use") == "made-p\non-volume\n"
    assert _starts(home) == {"aside": 1, "last": 2, "make": 1, "use": 2}
    alone = run(home, tasks, arrows, "--only", "last", **more)
    assert alone.statuses() == {"make": "reused", "use": "reused", "last": "succeeded", "aside": "skipped"}
    assert alone.log("last") == "used\n"
    assert run(home, tasks, arrows, "--set", "p=q", **more).code == 0
    based = run(home, tasks, arrows, "--only", "use", "--base", base, **more)
    assert based.log("use") == "made-p\non-volume\n"
    unknown = run(home, tasks, arrows, "--only", "uses", **more)
    assert unknown.code == 2
    assert "did you mean `use`?" in unknown.err
    nowhere = run(home, tasks, arrows, "--only", "use", "--base", "none", **more)
    assert nowhere.code == 1
    assert "there is no run 'none'" in nowhere.err
    shutil.rmtree(first.home / "runs" / base)
    assert call(home, "artifacts", "last").code == 0


def test_a_base_that_has_not_done_it(home: Path) -> None:
    tasks = [job("make", "[ -n '$X' ] && exit 1"), job("use", "true")]
    failing = run(home, tasks, [then("make", "use")])
    assert failing.code == 3
    for options in ([], ["--base", "last"]):
        refused = run(home, tasks, [then("make", "use")], "--only", "use", *options)
        assert refused.code == 1
        assert "make" in refused.err
        assert "Traceback" not in refused.err
    assert "--from and --only exclude" in run(home, tasks, None, "--only", "use", "--from", "make").err
    assert run(home, tasks, None, "--base", "last").code == 2


def test_the_end_of_a_run_that_was_done_when_it_was_cancelled(home: Path) -> None:
    """The wish may come after the last step: nothing is left to be gone on with."""
    from queue import SimpleQueue

    from kade2kfp.local.boxes import Ground
    from kade2kfp.local.process import ProcessEngine
    from kade2kfp.local.runner import Cancel, Inbox, Orders, run_all
    from kade2kfp.local.secrets import NO_OBJECTS
    from kade2kfp.local.state import RunState, StepState
    from kade2kfp.steps.model import Plan

    inbox: Inbox = SimpleQueue()
    inbox.put(Cancel())
    state = RunState(
        "i", "n", "p", "s", "d", "running", 1.0, "process", {}, (StepState("a", "a", "a", "job", "reused"),)
    )
    (home / "run").mkdir()
    ground = Ground(Plan("p", "p"), home / "run", home / "volumes", NO_OBJECTS)
    assert run_all(state, ground, Orders(ProcessEngine("bwrap"), home, 1), inbox, lambda _: None).status == "succeeded"
    assert os.listdir(home / "run") == os.listdir(home / "run")
