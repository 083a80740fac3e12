"""Runs of a cluster, watched: what is shown, how it ends, and how often KFP is asked meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
import warm
from kfp_server import Kfp, serve
from kfp_server.fixtures import kfp
from kfp_server.made import many_tasks
from kfp_server.proxy import between

from kade2kfp.cli import following
from kade2kfp.cluster.kfp.client import kfp_of
from kade2kfp.cluster.kfp.pace import LEAST, MOST, Pace, Turns
from kade2kfp.diagnostics.cannot import CannotDoError

from .argo import document, job
from .flows import FLOW, start
from .side import quick

__all__ = ["kfp"]
LATER = document([job("a", "sleep 1; echo a"), job("b", "echo b")], [{"fromTask": "a", "toTask": "b"}])
LONG = document([job("a", "sleep 60")])


@pytest.fixture
def still(plain: Path) -> Iterator[Kfp]:
    with serve(execute=False) as made:
        yield made


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten looks in the time of one, for what is not about how often KFP is asked."""
    pause = following._sleep
    monkeypatch.setattr(following, "_sleep", lambda seconds, until: pause(seconds / 10, until))


def watch(url: str, run: str, timeout: float | None = None, how: Callable[..., int] = following.follow) -> int:
    with kfp_of(quick(url)) as one:
        return how(one, run, timeout)


# --- what is shown, and how it ends


@pytest.mark.usefixtures("hurried")
def test_a_run_is_followed_to_its_end(kfp: Kfp, plain: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = start(kfp, FLOW, well="yes")
    assert watch(kfp.url, run) == 0
    out, err = capfd.readouterr()
    rows = [row[9:] for row in err.splitlines()]
    assert any(row.startswith("make: succeeded in") for row in rows)
    assert any(row.startswith("bad: not-taken") for row in rows)
    assert any(row.startswith("each-1: succeeded") for row in rows)
    assert "make: acc=0.5, loss" not in out  # what nobody takes KFP does not tell
    assert "make: rows=7, acc=0.5" in out
    assert f"kade2kfp show {run} --endpoint {kfp.url}" in err


@pytest.mark.usefixtures("hurried")
def test_a_run_that_fails(kfp: Kfp, plain: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = start(kfp, FLOW)
    assert watch(kfp.url, run, how=following.wait) == 3
    err = capfd.readouterr().err
    assert "boom: the command failed; its log says why\n  | one\n  | two\n" in err
    assert f"kade2kfp logs {run} boom --endpoint {kfp.url}" in err
    assert f"kade2kfp rerun {run} --failed --endpoint {kfp.url}" in err
    assert "started" not in err  # `wait` shows the end only


def test_the_time_is_over_and_the_run_goes_on(kfp: Kfp, plain: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = start(kfp, LONG)
    began = time.monotonic()
    assert watch(kfp.url, run, 1.5) == 124
    assert time.monotonic() - began < 15
    assert f"has not ended after 1.5s, and goes on; to stop it: kade2kfp stop {run}" in capfd.readouterr().err
    assert not kfp.asked(":terminate")


def test_ctrl_c_leaves_the_run_and_says_how_to_stop_it(kfp: Kfp, plain: Path) -> None:
    run = start(kfp, LONG)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-m", "kade2kfp", "rerun", run, "--follow", "--endpoint", kfp.url]
    process = warm.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    new = ""
    for line in process.stderr:
        if "a: started" in line or "a: KFP's driver" in line:
            new = next(one for one in kfp.runs if one != run)
            process.send_signal(signal.SIGINT)
            break
    rest = process.stderr.read()
    assert process.wait(20) == 130
    assert f"the run goes on; to see it: kade2kfp show {new}" in rest
    assert f"to stop it: kade2kfp stop {new} --endpoint {kfp.url}" in rest
    assert kfp.run(new).state == "RUNNING"


@pytest.mark.usefixtures("hurried")
def test_a_gate_says_what_to_type(kfp: Kfp, plain: Path, capfd: pytest.CaptureFixture[str]) -> None:
    gate: dict[str, Any] = {"id": "ask", "type": "container", "image": "busybox:1.36", "command": ["sleep", "60"]}
    values = [{"name": "lr", "type": "number", "minimum": 0}]
    gate["gate"] = {"timeout": "1h", "message": "is it good?", "values": values}
    run = start(kfp, document([gate]))
    ended = threading.Thread(target=lambda: watch(kfp.url, run, 30))
    ended.start()
    said = ""
    until = time.monotonic() + 25
    while "to go on:" not in said and time.monotonic() < until:
        time.sleep(0.2)
        said += capfd.readouterr().err
    kfp.terminate(kfp.run(run))
    ended.join(30)
    assert "ask: waits for a person: is it good?" in said
    assert f"to go on: kade2kfp resume {run} ask --set lr=" in said
    assert "--namespace kubeflow" in said


# --- a bad network


@pytest.mark.usefixtures("hurried")
def test_a_kfp_that_is_gone_for_a_while_is_waited_for(kfp: Kfp, plain: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = start(kfp, LATER)
    with between(kfp.url) as proxy:
        proxy.breaks("cut before", "/v1beta1/runs/", at=2, times=5)
        proxy.breaks("status", "/v1beta1/runs/", at=3, times=2, status=503)
        assert watch(proxy.url, run, 60) == 0
    err = capfd.readouterr().err
    assert err.count("the run goes on, and so does looking for it") == 1
    assert "answers again" in err


@pytest.mark.parametrize(("status", "words"), [(401, "does not accept who you are"), (403, "you may not")])
@pytest.mark.usefixtures("hurried")
def test_who_may_not_look_any_more_is_told_so(
    still: Kfp, status: int, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    run = still.made_runs(1, many_tasks(1), "RUNNING")[0]
    with between(still.url) as proxy:
        proxy.breaks("status", "/v1beta1/runs/", at=2, times=99, status=status, body=b'{"error": "no"}')
        with pytest.raises(CannotDoError, match=words):
            watch(proxy.url, run.id, 20)
    assert "nobody has stopped the run; to see it: kade2kfp show" in capfd.readouterr().err


@pytest.mark.usefixtures("hurried")
def test_patience_ends(still: Kfp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_PATIENCE", 0.0)
    run = still.made_runs(1, many_tasks(1), "RUNNING")[0]
    with between(still.url) as proxy, kfp_of(quick(proxy.url)) as one:
        proxy.breaks("cut before", "/v1beta1/runs/", at=2, times=999)
        seen = following.looks(one, run.id, time.monotonic() + 60, patience=0.0)
        next(seen)
        with pytest.raises(CannotDoError, match=r"the connection to .* broke"):
            list(seen)


# --- how often KFP is asked


def test_a_run_of_300_tasks_is_followed_by_a_request_a_second_at_most(
    still: Kfp, capfd: pytest.CaptureFixture[str]
) -> None:
    run = still.made_runs(1, many_tasks(300), "RUNNING")[0]
    before, sent = len(still.requests), still.bytes_sent

    def go_on() -> None:
        for done in range(0, 301, 60):
            still.pretend(run, done=done, running=min(20, 300 - done))
            time.sleep(0.7)

    worker = threading.Thread(target=go_on)
    worker.start()
    began = time.monotonic()
    assert watch(still.url, run.id, 60) == 0
    took = time.monotonic() - began
    worker.join()
    asked = len(still.requests) - before
    looks = len(still.asked("/v1beta1/runs/"))
    assert looks >= 2
    assert still.most("/v1beta1/runs/", 1.0) <= 2  # the last look is followed by one with values
    assert asked <= took + 6
    cost = (still.bytes_sent - sent) / max(1, looks)
    print(f"{looks} looks in {took:.1f} s, {cost / 1024:.0f} KiB each")
    err = capfd.readouterr().err
    assert "task-299: succeeded" in err


def test_nothing_happens_and_kfp_is_asked_ever_less() -> None:
    pace = Pace()
    waits = [pace.after(changed=False, took=0.01, size=1000) for _ in range(12)]
    assert waits[0] == LEAST * 1.5
    assert waits == sorted(waits)
    assert waits[-1] == MOST
    assert pace.after(changed=True, took=0.01, size=1000) == LEAST


def test_large_and_slow_answers_are_asked_for_less_often() -> None:
    assert Pace().after(changed=True, took=0.1, size=5 * 1024 * 1024) == 5.0
    assert Pace().after(changed=True, took=4.0, size=1) == 12.0
    assert Pace().after(changed=True, took=900.0, size=1) == 30.0


def test_requests_for_many_logs_keep_apart() -> None:
    turns = Turns(0.05)
    began = time.monotonic()
    for _ in range(5):
        turns.wait()
    assert time.monotonic() - began >= 0.2


@pytest.mark.usefixtures("hurried")
def test_steps_that_have_not_changed_stay_the_same_objects(still: Kfp) -> None:
    run = still.made_runs(1, many_tasks(5), "RUNNING")[0]
    still.pretend(run, done=1, running=1)
    with kfp_of(quick(still.url)) as one:
        seen = following.looks(one, run.id, time.monotonic() + 20)
        first, second = next(seen).state, next(seen).state
    assert all(old is new for old, new in zip(first.steps, second.steps, strict=True))


def test_a_kfp_that_says_nothing_does_not_hold_up_the_time_limit(still: Kfp, capfd: pytest.CaptureFixture[str]) -> None:
    run = still.made_runs(1, many_tasks(2), "RUNNING")[0]
    with between(still.url) as proxy:
        proxy.breaks("hang", run.id, at=3, times=99, seconds=60.0)
        began = time.monotonic()
        assert watch(proxy.url, run.id, timeout=3.0) == 124
        assert time.monotonic() - began < 20
    assert "the run has not ended after 3.0s, and goes on" in capfd.readouterr().err
