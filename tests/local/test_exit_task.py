"""The exit task of a run on this machine: after all else, whatever happened, and again when the run is gone on with."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from faults import ended, gone, start_impatient
from running import Started, call, document, job, run, start, then

CLAIM = [{"id": "v", "claimName": "v"}]
MOUNT = [{"id": "v", "mountPath": "/v"}]
EXIT: dict[str, Any] = {"volumes": CLAIM, "onExit": "tell"}


def _job(id_: str, script: str, **more: Any) -> dict[str, Any]:
    return job(id_, script, volumes=MOUNT, **more)


TELL = _job("tell", "echo {{run.status}} >> /v/told")


def _told(home: Path) -> list[str]:
    path = home / "volumes/v/told"
    return path.read_text().split() if path.exists() else []


def _waiting(home: Path, mark: str, *, deaf: bool = False, grace: float = 9) -> Started:
    """A run one of whose steps waits; another waits for that one."""
    wait = f"{'trap : TERM; ' if deaf else ''}touch /v/began; while :; do sleep 60.{mark}; done"
    path = document(home, [_job("a", wait), _job("b", "true"), TELL], [then("a", "b")], **EXIT)
    started = start_impatient(home, grace, "run", str(path))
    started.wait_for("volumes/v/began")
    return started


def test_a_cancelled_run_still_runs_it(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    done = _waiting(home, mark).end()
    assert done.code == 130
    assert done.statuses() == {"a": "cancelled", "b": "skipped", "tell": "succeeded"}
    assert (done.state.status, done.state.outcome, done.state.note) == (
        "cancelled",
        "cancelled",
        "the run was cancelled",
    )
    assert _told(home) == ["cancelled"]
    assert gone(mark)


def test_who_asks_twice_does_not_wait_for_it(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    started = _waiting(home, mark, deaf=True, grace=60)
    started.process.send_signal(2)
    started.process.send_signal(15)
    done = ended(started)
    assert done.code == 130
    assert done.statuses() == {"a": "cancelled", "b": "skipped", "tell": "skipped"}
    assert done.step("tell").note == "the run was cancelled twice"
    assert _told(home) == []
    assert gone(mark)


def test_after_who_does_not_listen_it_runs_too(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    done = _waiting(home, mark, deaf=True, grace=0.5).end()
    assert done.statuses() == {"a": "cancelled", "b": "skipped", "tell": "succeeded"}
    assert _told(home) == ["cancelled"]
    assert gone(mark)


def test_it_can_be_ended_itself(home: Path) -> None:
    mark = str(uuid.uuid4().int)
    path = document(home, [_job("a", "true"), _job("tell", f"touch /v/began; sleep 60.{mark}")], **EXIT)
    started = start(home, "run", str(path))
    started.wait_for("volumes/v/began")
    done = started.end()
    assert done.code == 130
    assert (done.state.status, done.state.outcome) == ("cancelled", "succeeded")
    assert done.state.note == "the exit task tell was cancelled"
    assert gone(mark)


def test_after_the_pipelines_timeout_it_has_its_own_time(home: Path) -> None:
    tell = _job("tell", "sleep 2; echo {{run.status}} >> /v/told", timeout="1m")
    done = run(home, [_job("a", "sleep 60"), tell], None, **EXIT, timeout="1s")
    assert done.code == 3
    assert done.statuses() == {"a": "cancelled", "tell": "succeeded"}
    assert done.state.note == "the pipeline's timeout of 1 s was over"
    assert _told(home) == ["failed"]


def test_nothing_runs_beside_it_or_after(home: Path) -> None:
    tasks = [TELL, *(_job(f"s{number}", "sleep 0.2; echo s >> /v/told") for number in range(4)), _job("bad", "exit 3")]
    done = run(home, tasks, None, "--jobs", "2", **EXIT)
    assert _told(home) == [*"ssss", "failed"]
    others = [step.ended for step in done.state.steps if step.name != "tell"]
    assert done.step("tell").started > max(others)


def test_it_runs_again_when_the_run_is_gone_on_with(home: Path) -> None:
    tasks = [_job("a", "echo a >> /v/told"), _job("b", "[ -e /v/mended ]"), TELL]
    done = run(home, tasks, [then("a", "b")], **EXIT)
    assert done.statuses() == {"a": "succeeded", "b": "failed", "tell": "succeeded"}
    (home / "volumes/v/mended").touch()
    done = call(home, "rerun", "last", "--failed")
    assert done.code == 0, done.err
    assert done.state.status == done.state.outcome == "succeeded"
    assert _told(home) == ["a", "failed", "succeeded"]


def test_it_alone_runs_again_where_it_alone_has_failed(home: Path) -> None:
    tasks = [_job("a", "echo a >> /v/told"), _job("tell", "echo {{run.status}} >> /v/told; [ -e /v/mended ]")]
    done = run(home, tasks, None, **EXIT)
    assert done.code == 3
    assert (done.state.status, done.state.outcome) == ("failed", "succeeded")
    assert "failed: the exit task tell failed" in done.err
    (home / "volumes/v/mended").touch()
    done = call(home, "rerun", "last", "--failed")
    assert (done.code, done.state.status, done.state.note) == (0, "succeeded", "")
    assert _told(home) == ["a", "succeeded", "succeeded"]


def test_a_part_of_the_pipeline(home: Path) -> None:
    tasks = [_job("a", "true"), _job("b", "true"), _job("beside", "true"), TELL]
    arrows = [then("a", "b")]
    assert run(home, tasks, arrows, **EXIT).code == 0
    only = run(home, tasks, arrows, "--only", "b", **EXIT)
    assert only.statuses() == {"a": "reused", "b": "succeeded", "beside": "skipped", "tell": "skipped"}
    onwards = run(home, tasks, arrows, "--from", "b", **EXIT)
    assert onwards.statuses() == {"a": "reused", "b": "succeeded", "beside": "skipped", "tell": "succeeded"}
    assert _told(home) == ["succeeded", "succeeded"]
