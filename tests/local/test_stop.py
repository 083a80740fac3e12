"""stop, on runs of this machine: with real runners."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from running import alive, call, document, job, run, start
from sample import sample_run

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.local import stop
from kade2kfp.local.folder import hold

HOLDER = """
import fcntl, os, sys, time
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


def test_a_run_is_stopped_as_by_ctrl_c(home: Path) -> None:
    path = document(home, [job("long", "echo begun; sleep 300.5"), job("last", "echo bye")], onExit="last")
    started = start(home, "run", str(path))
    started.wait_for("runs/*/logs/long/1.log")
    asked = call(home, "stop", "last")
    assert (asked.code, "--yes stops it without" in asked.err) == (2, True)
    assert started.process.poll() is None
    done = call(home, "stop", "last", "--yes")
    assert (done.code, "is told to stop" in done.err, "has stopped" in done.err) == (0, True, True)
    assert started.process.wait(20) == 130
    started.process.communicate()
    assert done.statuses() == {"long": "cancelled", "last": "succeeded"}
    assert done.state.status == "cancelled"
    assert not alive("sleep 300.5")
    again = call(home, "stop", "last", "--yes")
    assert (again.code, "does not run: cancelled" in again.err) == (0, True)


def test_a_run_that_has_ended_is_not_stopped(home: Path) -> None:
    assert run(home, [job("a", "true")]).code == 0
    done = call(home, "stop", "last", "--yes")
    assert (done.code, "does not run: succeeded" in done.err) == (0, True)


def test_an_exit_task_that_takes_its_time(home: Path) -> None:
    path = document(home, [job("long", "sleep 300.6"), job("last", "sleep 8")], onExit="last")
    started = start(home, "run", str(path))
    started.wait_for("runs/*/logs/long/1.log")
    late = call(home, "stop", "last", "--yes", "--timeout", "1")
    assert (late.code, "its exit task may take its time" in late.err) == (124, True)
    assert started.process.wait(40) == 130
    started.process.communicate()


def test_no_run_of_that_name(tmp_path: Path) -> None:
    assert call(tmp_path, "stop", "nothing", "--yes").code == 1


def test_only_who_holds_the_run_is_meant(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    other = tmp_path / "other"
    with hold(folder):
        assert stop._holders(folder / "lock") == [os.getpid()]
    assert stop._holders(folder / "lock") == []
    assert stop.interrupt(folder) is False
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(other)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert stop._holders(folder / "lock") == []
        assert stop._holders(other) == [holder.pid]
    finally:
        holder.kill()
        holder.communicate()


def test_a_holder_that_cannot_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = sample_run(tmp_path)
    monkeypatch.setattr(stop, "_LOCKS", tmp_path / "none")
    with hold(folder), pytest.raises(CannotDoError, match="in no process that can be seen"):
        stop.interrupt(folder)


def test_waiting_until_it_is_left(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    began = time.monotonic()
    with hold(folder):
        assert stop.wait_until_left(folder, 0.3) is False
    assert time.monotonic() - began < 3
    assert stop.wait_until_left(folder, 5) is True
