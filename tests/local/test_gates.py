"""Steps that wait for a person, in real runs decided by the real commands."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .running import Ran, Started, alive, arrow, call, document, job, start, then

pytestmark = pytest.mark.skipif(shutil.which("nsenter") is None, reason="needs util-linux")


def gate(id_: str = "review", **more: Any) -> dict[str, Any]:
    fields = {"timeout": "1h"} | more.pop("gate", {})
    return {"id": id_, "type": "container", "gate": fields, **more}


def asked(*values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"values": list(values), **more}


NUMBER = {"name": "lr", "type": "number", "minimum": 0, "maximum": 1, "description": "the learning rate"}
TEXT = {"name": "note", "type": "string", "default": "none"}


_STARTED: list[Started] = []


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    for one in _STARTED:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()
    _STARTED.clear()


def begin(home: Path, tasks: list[dict[str, Any]], arrows: Any = None, *options: str, **more: Any) -> Started:
    """A run that has come to its gate."""
    started = start(home, "run", str(document(home, tasks, arrows, **more)), *options)
    _STARTED.append(started)
    started.wait_for("runs/*/gates/*.json", 60)
    return started


def ended(started: Started) -> Ran:
    out, err = started.process.communicate(timeout=60)
    return Ran(started.process.returncode, out.decode(), err.decode(), started.home)


def listed(home: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call(home, "gates", "--output", "json").out)
    return found


def test_a_value_that_is_typed_on_resume_reaches_the_next_step_with_its_type(home: Path) -> None:
    script = "mkdir -p /out; echo edited >/out/code.py; sleep 600"
    use = job(
        "use",
        'printf "%s|%s|%s" "$1" "$2" "$3"; cat /in/code.py',
        args=["{{tasks.review.values.lr}}", "{{tasks.review.values.note}}", "{{tasks.review.decision}}"],
    )
    review = gate(script=script, gate=asked(NUMBER, TEXT, message="{{params.who}}, is it good?"))
    parameters = [{"name": "who", "type": "string", "default": "Ada"}]
    run = begin(home, [review, use], [arrow("review", "/out", "use", "/in")], parameters=parameters)
    (waiting,) = listed(home)
    assert (waiting["task"], waiting["message"]) == ("review", "Ada, is it good?")
    note = 'it\'s "fine"\nand $HOME is *'
    resumed = call(home, "resume", "last", "review", "--set", "lr=0.25", "--set", f"note={note}")
    assert (resumed.code, resumed.out) == (0, "'review' is resumed\n"), resumed.err
    done = ended(run)
    assert done.code == 0, done.err
    assert done.log("use") == f"0.25|{note}|resumeedited\n"
    assert done.step("review").outputs["value-lr"] == 0.25
    assert done.step("review").outputs["by"]
    assert listed(home) == []


def test_what_cannot_be_typed_is_told_and_changes_nothing(home: Path) -> None:
    run = begin(home, [gate(gate=asked(NUMBER, TEXT)), job("other", "true")], [then("review", "other")])
    before = sorted(str(path) for path in home.glob("runs/*/gates/**/*"))
    wrong = {
        ("resume", "last", "review"): (2, "`lr` is missing (number, at least 0, at most 1, required)"),
        ("resume", "last", "review", "--set", "lr=fast"): (2, "'fast' is not JSON, and `lr` is of type number"),
        ("resume", "last", "review", "--set", "lr=2"): (2, "2 is more than the maximum 1"),
        ("resume", "last", "review", "--set", "rl=0.1"): (2, "there is no value `rl`"),
        ("resume", "last", "review", "--set", "lr=0.1", "--set", "note={{x}}"): (2, "which Kubeflow and Argo"),
        ("resume", "last", "reviw", "--set", "lr=0.1"): (1, "did you mean `review`?"),
        ("resume", "nowhere", "review"): (1, "there is no run 'nowhere'"),
        ("resume", "last", "other"): (1, "'other' has not started yet"),
    }
    for arguments, (code, text) in wrong.items():
        done = call(home, *arguments)
        assert done.code == code, (arguments, done.err)
        assert text in done.err.replace("\n", " ").replace("  ", " "), (arguments, done.err)
    assert sorted(str(path) for path in home.glob("runs/*/gates/**/*")) == before
    assert run.end().code == 130


def test_who_rejects_fails_the_run_and_who_comes_later_is_told(home: Path) -> None:
    run = begin(home, [gate(), job("after", "true")], [then("review", "after")])
    assert call(home, "reject", "last", "review", "--reason", "too slow: 3 s").code == 0
    done = ended(run)
    assert done.code == 3
    assert done.statuses() == {"review": "failed", "after": "skipped"}
    failure = done.step("review").failure
    assert failure is not None
    assert failure.code == "K716"
    assert failure.message.startswith("rejected by ")
    assert failure.message.endswith(": too slow: 3 s")
    assert "K716" in done.err
    for verb in ("resume", "reject"):
        again = call(home, verb, "last", "review")
        assert again.code == 1
        assert "'review' has ended: rejected by " in again.err


def test_resumed_twice(home: Path) -> None:
    run = begin(home, [gate(script="trap '' TERM; sleep 600"), job("long", "sleep 30")])
    first = call(home, "resume", "last", "review", "--timeout", "0")
    second = call(home, "resume", "last", "review")
    assert (first.code, second.code) == (0, 1)
    assert "'review' is resumed; after 0 s what ran in it has not ended yet" in first.out
    assert "'review' has been decided: resumed by " in second.err
    run.end()


def test_of_several_who_decide_at_once_one_does(home: Path) -> None:
    run = begin(home, [gate(gate=asked(TEXT, onReject="route"))])
    words = [["resume", "--set", "note=a"], ["resume", "--set", "note=b"], ["reject"]]
    started = [start(home, verb, "last", "review", *more) for verb, *more in words]
    codes = [one.process.wait(60) for one in started]
    for one in started:
        one.process.communicate()
    assert sorted(codes) == [0, 1, 1]
    done = ended(run)
    assert done.code == 0, done.err
    verdict, *more = words[codes.index(0)]
    outputs = done.step("review").outputs
    assert outputs["decision"] == verdict
    assert outputs["value-note"] == (more[-1].removeprefix("note=") if more else "none")


def test_a_rejection_that_routes_goes_on_with_what_is_there(home: Path) -> None:
    review = gate(
        command=["sleep", "600"],
        outputs=[
            {"name": "rows", "type": "integer", "path": "/rows"},
            {"name": "word", "type": "string", "path": "/w"},
        ],
        gate={"onReject": "route"},
    )
    use = job(
        "use",
        'ls /in; printf "%s %s [%s]" "$1" "$2" "$3"',
        args=["{{tasks.review.decision}}", "{{tasks.review.outputs.rows}}", "{{tasks.review.outputs.word}}"],
    )
    run = begin(home, [review, use], [arrow("review", "/out", "use", "/in")])
    assert call(home, "reject", "last", "review").code == 0
    done = ended(run)
    assert done.code == 0, done.err
    assert done.log("use") == "reject 0 []"


@pytest.mark.parametrize(
    ("fields", "script", "code", "outputs"),
    [
        ({"timeout": "1s", "onTimeout": "resume", "values": [TEXT]}, "sleep 60", 0, ("resume", "timeout")),
        ({"onExit": "advance"}, "true", 0, ("resume", "exit")),
    ],
)
def test_a_gate_that_nobody_decides(
    home: Path, fields: dict[str, Any], script: str, code: int, outputs: tuple[str, str]
) -> None:
    done = call(home, "run", str(document(home, [gate(script=script, gate=fields)])))
    assert done.code == code, done.err
    assert (done.step("review").outputs["decision"], done.step("review").outputs["by"]) == outputs


@pytest.mark.parametrize(
    ("fields", "script", "failure", "text"),
    [
        ({"timeout": "1s"}, "sleep 60", "K716", "rejected by timeout"),
        ({"onExit": "fail"}, "true", "K716", "the command ended by itself while a person was waited for"),
        ({"onExit": "advance"}, "exit 3", "K710", "the command exited with code 3"),
        ({}, "exit 64", "K714", "the command ended by itself with code 64"),
    ],
)
def test_a_gate_that_fails_by_itself(home: Path, fields: dict[str, Any], script: str, failure: str, text: str) -> None:
    done = call(home, "run", str(document(home, [gate(script=script, gate=fields)])))
    assert done.code == 3
    found = done.step("review").failure
    assert found is not None
    assert found.code == failure
    assert text in found.message


def test_who_waits_takes_nobody_s_place(home: Path) -> None:
    tasks = [gate("one"), gate("two"), *(job(f"job{number}", "true") for number in range(3))]
    run = begin(home, tasks, None, "--jobs", "1")
    until = time.monotonic() + 30
    while len(listed(home)) < 2 or len(list(home.glob("runs/*/logs/job*/1.log"))) < 3:
        assert time.monotonic() < until
        time.sleep(0.2)
    told = call(home, "resume", "last")
    assert told.code == 1
    assert "2 tasks of the run" in told.err
    assert call(home, "resume", "last", "one").code == 0
    assert call(home, "resume", "last").code == 0
    assert ended(run).code == 0


def test_a_runner_that_is_killed_leaves_nothing_that_waits_and_its_decision_does_not_count_again(home: Path) -> None:
    mark = f"sleep 6{os.getpid()}"
    run = begin(home, [gate(script=mark)])
    name = listed(home)[0]["run"]
    run.process.send_signal(signal.SIGKILL)
    run.process.communicate()
    until = time.monotonic() + 10
    while alive(mark):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert listed(home) == []
    told = call(home, "resume", name, "review")
    assert told.code == 1
    assert "is not running any more: it is interrupted" in told.err
    # As if it had been decided in the last moment.
    folder = home / "runs" / name / "gates" / "review"
    pod = json.loads((folder.parent / "review.json").read_text())["pod"]
    (folder / "..data").mkdir()
    (folder / "..data" / "decision").write_text(f"resume {pod}\n")
    again = start(home, "rerun", name)
    until = time.monotonic() + 30
    while not listed(home):
        assert again.process.poll() is None, again.process.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)
    assert call(home, "resume", name, "review").code == 0
    assert ended(again).code == 0


def test_a_task_with_the_volume_may_decide_and_that_is_not_verified(home: Path) -> None:
    volumes = [{"id": "nas", "claimName": "my-claim"}]
    mount = [{"id": "nas", "mountPath": "/nas"}]
    write = (
        "until ls /nas/pipeline/flow/*/.gates/review; do sleep 0.1; done\n"
        "cd /nas/pipeline/flow/*/.gates/review && echo mallory >by\n"
        'echo "resume $POD" >.d && mv .d decision'
    )
    run = begin(home, [gate(volumes=mount)], volumes=volumes)
    (waiting,) = home.glob("runs/*/gates/review.json")
    pod = json.loads(waiting.read_text())["pod"]
    (shared,) = (home / "volumes" / "my-claim").glob("pipeline/flow/*/.gates/review")
    assert run.process.poll() is None
    subprocess.run(
        ["sh", "-ec", write.replace("/nas", str(home / "volumes/my-claim"))], env={**os.environ, "POD": pod}, check=True
    )
    assert (shared / "decision").exists()
    done = ended(run)
    assert done.code == 0, done.err
    assert done.step("review").outputs["by"] == "mallory (unverified)"


def test_a_step_sees_only_its_own_decision_and_cannot_write_it(home: Path) -> None:
    script = "ls /kade/gate; touch /kade/gate/x 2>&1 || echo no; ls /kade/run; sleep 600"
    run = begin(home, [gate("one", script=script), gate("two")])
    until = time.monotonic() + 20
    while len(listed(home)) < 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    for id_ in ("one", "two"):
        assert call(home, "resume", "last", id_).code == 0
    log = ended(run).log("one")
    assert "no\n" in log
    assert "two" not in log


def test_a_container_is_entered_by_ssh_and_what_is_changed_there_goes_on(home: Path, tmp_path: Path) -> None:
    if not Path("/usr/sbin/sshd").exists() or shutil.which("ssh") is None:
        pytest.fail("openssh is missing: scripts/packages.sh --install")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    secrets = tmp_path / "secrets.yaml"
    secrets.write_text(json.dumps({"secrets": {"keys": {"mine": Path(f"{key}.pub").read_text()}}}))
    secrets.chmod(0o600)
    work = gate(
        "work",
        securityContext={"runAsUser": 4242},
        env=[{"name": "LR", "value": "0.5"}],
        ssh={"authorizedKeysFrom": {"secretKeyRef": {"name": "keys", "key": "mine"}}},
    )
    tasks = [work, job("use", "cat /in/x")]
    run = begin(home, tasks, [arrow("work", "/work/out", "use", "/in")], "--secrets", str(secrets))
    printed = call(home, "ssh", "last", "work")
    assert printed.code == 0, printed.err
    command = printed.out.replace("ssh ", f"ssh -i {key} -o BatchMode=yes ", 1).rstrip("\n")
    script = "echo $LR; id -u; mkdir -p /work/out; echo by-ssh >/work/out/x"
    env = {**os.environ, "KADE2KFP_HOME": str(home)}
    done = subprocess.run(
        f"{command} {shlex.quote(script)}", shell=True, capture_output=True, env=env, timeout=60, check=False
    )
    assert done.stdout == b"0.5\n4242\n", done.stderr
    stranger = command.replace(str(key), str(tmp_path / "no-such-key"))
    refused = subprocess.run(f"{stranger} true", shell=True, capture_output=True, env=env, timeout=60, check=False)
    assert refused.returncode == 255
    assert b"Permission denied (publickey)" in refused.stderr
    assert call(home, "resume", "last", "work").code == 0
    ran = ended(run)
    assert ran.code == 0, ran.err
    assert ran.log("use") == "by-ssh\n"


def test_a_container_of_root_is_entered_by_a_shell_of_its_own(home: Path) -> None:
    work = gate("work", ssh={"authorizedKeysFrom": {"secretKeyRef": {"name": "keys", "key": "mine"}}})
    secrets = home / "secrets.yaml"
    home.mkdir(exist_ok=True)
    secrets.write_text("secrets: {keys: {mine: ssh-ed25519 AAAA}}")
    secrets.chmod(0o600)
    run = begin(home, [work, job("use", "cat /in/x")], [arrow("work", "/out", "use", "/in")], "--secrets", str(secrets))
    done = call(home, "ssh", "last", "work", "--exec", "--", "sh", "-c", "hostname; echo hand >/out/x; exit 7")
    assert done.code == 7, done.err
    assert done.out == "local-work\n"
    assert "sshd cannot serve as root" in done.err
    assert call(home, "resume", "last", "work").code == 0
    assert ended(run).log("use") == "hand\n"
