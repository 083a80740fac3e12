"""runs, logs and artifacts, on runs made by hand."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import warm
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parent))
from sample import START, sample_run

from kade2kfp.cli.artifacts_command import command as artifacts
from kade2kfp.cli.logs_command import command as logs
from kade2kfp.cli.runs import local_time
from kade2kfp.cli.runs_command import command as runs
from kade2kfp.local.folder import hold, read_run
from kade2kfp.local.logs.reading import Lines, pieces, start_of_tail
from kade2kfp.local.state import Attempt, RunState, StepState, to_json

MAIN = "import sys, kade2kfp.cli as cli; cli._COMMANDS[sys.argv[1]] = ''; cli.main()"


def call(command: object, home: Path, *args: str) -> Result:
    return CliRunner().invoke(command, [*args, "--home", str(home)])


def state_of(folder: Path) -> RunState:
    state = read_run(folder).state
    assert state is not None
    return state


def store(folder: Path, state: RunState) -> None:
    """As the runner does it: a reader sees the old state or the new one."""
    (folder / "state.new").write_text(to_json(state))
    (folder / "state.new").replace(folder / "state.json")


# --- texts


def test_a_time_that_is_none_is_no_traceback() -> None:
    assert {local_time(one) for one in (float("nan"), float("inf"), 1e300)} == {"?"}


# --- runs


def test_no_runs_are_told_kindly(tmp_path: Path) -> None:
    none = call(runs, tmp_path / "absent")
    assert (none.exit_code, none.stdout) == (0, "")
    assert "kade2kfp run" in none.stderr
    assert call(runs, tmp_path / "absent", "--output", "json").stdout == "[]\n"


def test_the_list_has_the_newest_first(tmp_path: Path) -> None:
    old = sample_run(tmp_path, started=START - 100, ended=START - 90)
    new = sample_run(tmp_path, pipeline="evil\x1b[2J", ended=START + 7650)
    rows = call(runs, tmp_path).stdout.splitlines()
    assert rows[0].split() == ["RUN", "PIPELINE", "STATE", "TASKS", "STARTED", "TOOK"]
    assert rows[1].split()[:4] == [new.name, "evil\\x1b[2J", "failed", "1/3"]
    assert rows[1].endswith(f"{local_time(START)}  2h07m")
    assert rows[2].startswith(old.name)
    assert rows[2].endswith("10s")
    limited = call(runs, tmp_path, "--limit", "1")
    assert len(limited.stdout.splitlines()) == 2
    assert "1 more" in limited.stderr
    assert len(call(runs, tmp_path, "--limit", "0").stdout.splitlines()) == 3


def test_a_pipeline_that_has_no_runs_gets_a_suggestion(tmp_path: Path) -> None:
    sample_run(tmp_path)
    assert len(call(runs, tmp_path, "--pipeline", "flow").stdout.splitlines()) == 2
    wrong = call(runs, tmp_path, "--pipeline", "flwo")
    assert wrong.exit_code == 0
    assert "did you mean `flow`?" in wrong.stderr


def test_running_and_interrupted_differ_by_who_holds_them(tmp_path: Path) -> None:
    folder = sample_run(tmp_path, status="running", ended=None)
    with hold(folder):
        assert " running " in call(runs, tmp_path).stdout
    said = call(runs, tmp_path).stdout
    assert " interrupted " in said
    assert said.splitlines()[1].endswith(" 5.0s")  # up to the last thing that is known of it
    assert said.splitlines()[2] == f"  to finish it: kade2kfp rerun {folder.name} --home {tmp_path}"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', "\x00\xff", '{"id": "\x1b[31m"}'])
def test_an_unreadable_state_is_a_row(tmp_path: Path, text: str) -> None:
    good = sample_run(tmp_path)
    bad = sample_run(tmp_path, "bad")
    (bad / "state.json").write_text(text)
    listed = call(runs, tmp_path)
    assert listed.exit_code == 0
    assert good.name in listed.stdout
    row = next(row for row in listed.stdout.splitlines() if row.startswith(bad.name))
    assert row.split()[1:3] == ["?", "unreadable"]
    assert "\x1b" not in listed.stdout
    found = json.loads(call(runs, tmp_path, "--output", "json").stdout)[1]
    assert (found["name"], found["status"], found["tasks"]) == (bad.name, None, None)
    assert found["problem"]
    for command in (logs, artifacts):
        refused = call(command, tmp_path, bad.name)
        assert refused.exit_code == 1
        assert "cannot read" in refused.stderr


def test_the_json_is_a_contract(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    state = state_of(folder)
    assert json.loads(call(runs, tmp_path, "--output", "json").stdout) == [
        {
            "name": folder.name,
            "id": state.id,
            "pipeline": "flow",
            "slug": "flow",
            "document": "flow.json",
            "status": "failed",
            "engine": "process",
            "started": START,
            "ended": START + 5,
            "tasks": {"done": 1, "total": 3},
            "path": str(folder),
            "problem": None,
        }
    ]


def test_a_home_that_is_a_file_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for command, args in ((runs, ()), (runs, ("prune", "--all")), (logs, ("last",)), (artifacts, ("last",))):
        refused = CliRunner().invoke(command, [*args, "--home", str(tmp_path / "file")])
        assert refused.exit_code == 1, refused.output
        assert "not a directory" in refused.stderr


# --- logs


def test_a_log_goes_out_byte_for_byte(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    odd = b"\xff\xfe\x00 a\r b\r\n\x1b[31mred\n no end"
    (folder / "logs/train/1.log").write_bytes(odd)
    assert call(logs, tmp_path, "last", "train").stdout_bytes == odd


def test_the_logs_of_all_say_who_wrote_each_line(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    (folder / "logs/train/1.log").write_bytes(b"epoch 1\n\nno rows")
    expected = "make   | made\ntrain  | epoch 1\ntrain  | \ntrain  | no rows\n"
    assert call(logs, tmp_path, "last").stdout == expected


@pytest.mark.parametrize("wanted", ["make", "make-data", "Make data"])
def test_a_task_by_id_name_or_display_name(tmp_path: Path, wanted: str) -> None:
    sample_run(tmp_path)
    assert call(logs, tmp_path, "last", wanted).stdout == "made\n"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["last", "trian"], 1, "did you mean `train`?"),
        (["nosuch"], 1, "there is no run 'nosuch'"),
        (["last", "train", "--attempt", "2"], 1, "no attempt 2: train had 1 attempt\n"),
        (["last", "train", "--attempt", "0"], 2, "--attempt"),
        (["last", "--attempt", "1", "--all-attempts"], 2, "exclude each other"),
        (["last", "--tail", "-1"], 2, "--tail"),
        (["last", "report"], 0, "report has no log: it is skipped (train failed)"),
        ([], 2, "RUN"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, args: list[str], code: int, words: str) -> None:
    sample_run(tmp_path)
    told = call(logs, tmp_path, *args)
    assert (told.exit_code, told.stdout) == (code, "")
    assert words in told.stderr


def test_a_log_that_is_gone_is_told_and_the_others_shown(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    (folder / "logs/make-data/1.log").unlink()
    told = call(logs, tmp_path, "last")
    assert told.exit_code == 0
    assert "the log of make, attempt 1, is gone" in told.stderr
    assert told.stdout.startswith("train  | epoch 1\n")


def second_attempt(folder: Path) -> RunState:
    state = state_of(folder)
    train = state.step("train")
    again = Attempt(2, "logs/train/2.log", START + 4, START + 5, 0)
    (folder / "logs/train/2.log").write_text("second\n")
    return state.with_step(replace(train, attempts=(*train.attempts, again)))


def test_attempts(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    store(folder, second_attempt(folder))
    assert call(logs, tmp_path, "last", "train").stdout == "second\n"
    assert call(logs, tmp_path, "last", "train", "--attempt", "1").stdout == "epoch 1\nno rows\n"
    every = call(logs, tmp_path, "last", "train", "--all-attempts")
    assert every.stdout == "epoch 1\nno rows\nsecond\n"
    assert every.stderr == "==> train, attempt 1 <==\n==> train, attempt 2 <==\n"
    assert call(logs, tmp_path, "last").stdout == "make   | made\ntrain/2 | second\n"
    assert call(logs, tmp_path, "last", "--attempt", "2").stdout == "train/2 | second\n"


def test_a_task_with_several_steps_shows_them_by_name(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    state = state_of(folder)
    store(folder, replace(state, steps=tuple(replace(step, task="sweep") for step in state.steps)))
    assert call(logs, tmp_path, "last", "sweep").stdout.startswith("make-data | made\ntrain     | epoch 1\n")


@pytest.mark.parametrize(
    ("content", "lines", "tail"),
    [
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"a\n\n\n", 2, b"\n\n"),
        (b"a\n", 5, b"a\n"),
        (b"\n", 1, b"\n"),
        (b"", 3, b""),
        (b"a\nb\n", 0, b""),
        (b"x" * 200_000 + b"\n" + b"y" * 150_000 + b"\n", 1, b"y" * 150_000 + b"\n"),
        (b"1234567\n" * 30_000, 20_000, b"1234567\n" * 20_000),
    ],
)
def test_tail(tmp_path: Path, content: bytes, lines: int, tail: bytes) -> None:
    log = tmp_path / "log"
    log.write_bytes(content)
    assert b"".join(pieces(log, start_of_tail(log, lines))) == tail


HUGE = 256 * 1024**2


def test_a_huge_log_takes_little_memory(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    with open(folder / "logs/train/1.log", "wb") as file:  # one long line, then a short one
        file.seek(HUGE)
        file.write(b"\nlast\n")
    measured = "import resource, sys; sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))"
    script = f"import atexit\natexit.register(lambda: exec({measured!r}))\n{MAIN}"
    command = [sys.executable, "-c", script, "logs", "last", "train", "--home", str(tmp_path)]
    tail = subprocess.run([*command, "--tail", "1"], capture_output=True, timeout=60, check=True)
    assert tail.stdout == b"last\n"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as whole:
        assert whole.stdout is not None
        assert whole.stderr is not None
        count = 0
        while data := whole.stdout.read(1 << 20):
            count += len(data)
        memory = int(whole.stderr.read())
    assert count == HUGE + 6
    assert memory < int(tail.stderr) + 20_000  # KiB


def test_a_long_line_is_not_held_back_nor_broken() -> None:
    lines = Lines(b"a | ", escaped=False)
    parts = [lines.feed(b"x" * 50_000) for _ in range(5)] + [lines.feed(b"\nnext\n"), lines.end()]
    assert len(parts[1]) > 90_000
    assert b"".join(parts) == b"a | " + b"x" * 250_000 + b"\na | next\n"


def on_terminal(home: Path, *args: str) -> bytes:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", MAIN, "logs", *args, "--home", str(home)]
    process = warm.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # so a terminal ends
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return shown.replace(b"\r\n", b"\n")


def test_a_terminal_acts_on_nothing_in_a_log(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    (folder / "logs/train/1.log").write_bytes(b"\x1b[2Ja\tb\xff\n 10%\r 50%\r100%\r\ncrlf\r\n\xe2\x80\xae!\xc3\xa4 end")
    expected = "\\x1b[2Ja\tb\\xff\n100%\ncrlf\n\\u202e!ä end\n".encode()
    assert on_terminal(tmp_path, "last", "train") == expected
    assert b"train  | 100%\ntrain  | crlf\n" in on_terminal(tmp_path, "last")


def test_a_reader_that_goes_is_no_error_of_ours(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    (folder / "logs/train/1.log").write_bytes(b"x\n" * 1_000_000)
    command = [sys.executable, "-c", MAIN, "logs", "last", "train", "--home", str(tmp_path)]
    process = warm.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(2)
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


# --- logs --follow

BARE = {"started": None, "ended": None, "attempts": (), "outputs": {}, "metrics": {}, "artifacts": (), "failure": None}


def begin(step: StepState, number: int = 1) -> StepState:
    attempt = Attempt(number, f"logs/{step.name}/{number}.log", START)
    return replace(step, status="running", started=START, attempts=(*step.attempts, attempt))


def finish(step: StepState) -> StepState:
    *before, last = step.attempts
    return replace(step, status="succeeded", ended=START + 9, attempts=(*before, replace(last, ended=START + 9)))


@contextmanager
def following(home: Path, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", MAIN, "logs", "last", "-f", *args, "--home", str(home)]
    process = warm.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watch = threading.Timer(60, process.kill)
    watch.start()
    try:
        yield process
    finally:
        watch.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def begun(home: Path) -> tuple[Path, RunState]:
    """A run whose first step runs."""
    folder = sample_run(home)
    state = state_of(folder)
    steps = tuple(replace(step, status="waiting", note="", **BARE) for step in state.steps)
    state = replace(state, status="running", ended=None, steps=steps)
    state = state.with_step(begin(state.steps[0]))
    store(folder, state)
    return folder, state


def append(folder: Path, log: str, text: bytes) -> None:
    (folder / "logs" / log).parent.mkdir(exist_ok=True)
    with open(folder / "logs" / log, "ab") as file:
        file.write(text)


def test_following_sees_new_lines_steps_and_attempts_and_ends_with_the_run(tmp_path: Path) -> None:
    folder, state = begun(tmp_path)
    with hold(folder), following(tmp_path) as process:
        assert line(process) == b"make   | made\n"
        append(folder, "make-data/1.log", b"half")
        time.sleep(0.3)
        append(folder, "make-data/1.log", b" a line\n")
        assert line(process) == b"make   | half a line\n"
        (folder / "logs/train/1.log").unlink()
        state = state.with_step(finish(state.steps[0])).with_step(begin(state.steps[1]))
        store(folder, state)  # its log is there a moment later
        time.sleep(0.3)
        append(folder, "train/1.log", b"first\n")
        assert line(process) == b"train  | first\n"
        state = state.with_step(begin(state.steps[1], 2))
        append(folder, "train/2.log", b"second\n")
        store(folder, state)
        assert line(process) == b"train/2 | second\n"
        append(folder, "train/2.log", b"no end")
        store(folder, replace(state.with_step(finish(state.steps[1])), status="succeeded", ended=START + 9))
        rest, told = process.communicate(timeout=60)
        assert (rest, told, process.returncode) == (b"train/2 | no end\n", b"", 0)


def test_following_a_task_ends_with_the_task(tmp_path: Path) -> None:
    folder, state = begun(tmp_path)
    append(folder, "make-data/1.log", b"more\n")
    with hold(folder), following(tmp_path, "make", "--tail", "1") as process:
        assert line(process) == b"more\n"
        append(folder, "make-data/1.log", b"\xff\rraw")
        store(folder, state.with_step(finish(state.steps[0])))
        assert process.communicate(timeout=60) == (b"\xff\rraw", b"")
        assert process.returncode == 0


def test_following_ends_where_the_runner_dies(tmp_path: Path) -> None:
    folder, _ = begun(tmp_path)
    with following(tmp_path) as process:
        rest, told = process.communicate(timeout=60)
    assert rest == b"make   | made\n"
    assert told.decode() == (
        f"nothing carries the run {folder.name} on any more: `kade2kfp rerun {folder.name}` finishes it\n"
    )
    assert process.returncode == 3


def test_a_log_that_is_cut_back_while_it_is_followed_goes_on(tmp_path: Path) -> None:
    folder, state = begun(tmp_path)
    append(folder, "make-data/1.log", b"much\n" * 100)
    with hold(folder), following(tmp_path, "make") as process:
        for _ in range(101):
            line(process)
        (folder / "logs/make-data/1.log").write_bytes(b"made\n400 bytes left out\nthe end\n")
        store(folder, state.with_step(finish(state.steps[0])))
        rest, told = process.communicate(timeout=60)
    assert rest.endswith(b"400 bytes left out\nthe end\n")
    assert told == b"the log of make was too long, not all of it is here\n"


def test_following_is_interrupted_quietly(tmp_path: Path) -> None:
    folder, _ = begun(tmp_path)
    with hold(folder), following(tmp_path) as process:
        line(process)
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=60)
        assert (rest, told.strip()) == (b"", b"kade2kfp: interrupted")
        assert process.returncode == 130


# --- artifacts


def test_artifacts_are_listed_with_their_place(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    rows = call(artifacts, tmp_path, "last").stdout.splitlines()
    assert rows[0].split() == ["TASK", "NAME", "TYPE", "KIND", "FILES", "SIZE", "PATH"]
    path = folder / "artifacts/make-data/out"
    assert rows[1].split() == ["make", "out", "Dataset", "directory", "1", "2", "B", str(path)]
    assert json.loads(call(artifacts, tmp_path, "last", "make", "--output", "json").stdout) == [
        {
            "task": "make",
            "step": "make-data",
            "name": "out",
            "type": "Dataset",
            "kind": "directory",
            "files": 1,
            "size": 2,
            "digest": "ab" * 32,
            "document_path": "/out",
            "path": str(path),
            "exists": True,
        }
    ]
    none = call(artifacts, tmp_path, "last", "train")
    assert (none.exit_code, none.stdout, none.stderr) == (0, "", "train left no artifacts\n")


def test_copies_keep_links_and_refuse_to_overwrite(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    (folder / "artifacts/make-data/out/link").symlink_to("/etc/passwd")
    to = tmp_path / "to"
    done = call(artifacts, tmp_path, "last", "--copy-to", str(to))
    assert (done.exit_code, done.stdout) == (0, f"{to}/make/out\n")
    assert (to / "make/out/a.txt").read_text() == "1\n"
    assert (to / "make/out/link").is_symlink()
    (to / "make/out/mine").write_text("x")
    refused = call(artifacts, tmp_path, "last", "--copy-to", str(to))
    assert refused.exit_code == 1
    assert "--force replaces it" in refused.stderr
    assert (to / "make/out/mine").exists()
    assert call(artifacts, tmp_path, "last", "--copy-to", str(to), "--force").exit_code == 0
    assert sorted(os.listdir(to / "make/out")) == ["a.txt", "link"]
    assert os.listdir(to / "make") == ["out"]


def test_force_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    sample_run(tmp_path)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    (tmp_path / "to/make").mkdir(parents=True)
    (tmp_path / "to/make/out").symlink_to(tmp_path / "precious")
    assert call(artifacts, tmp_path, "last", "--copy-to", str(tmp_path / "to"), "--force").exit_code == 0
    assert os.listdir(tmp_path / "precious") == ["file"]
    assert (tmp_path / "to/make/out/a.txt").exists()


def with_artifact(folder: Path, **changes: str) -> None:
    state = state_of(folder)
    make = state.steps[0]
    store(folder, state.with_step(replace(make, artifacts=(replace(make.artifacts[0], **changes),))))


def test_a_file_is_copied_as_a_file_and_no_name_leaves_the_folder(tmp_path: Path) -> None:
    folder = sample_run(tmp_path / "home")
    with_artifact(folder, name="../../up", kind="file", stored="artifacts/make-data/out/a.txt")
    done = call(artifacts, tmp_path / "home", "last", "--copy-to", str(tmp_path / "to"))
    assert done.exit_code == 0
    assert (tmp_path / "to/make/..-..-up").read_text() == "1\n"
    assert sorted(os.listdir(tmp_path)) == ["home", "to"]


@pytest.mark.parametrize("stored", ["/etc/passwd", "../other/file", "artifacts/../../x"])
def test_an_artifact_that_lies_elsewhere_is_refused(tmp_path: Path, stored: str) -> None:
    with_artifact(sample_run(tmp_path), stored=stored)
    refused = call(artifacts, tmp_path, "last", "--copy-to", str(tmp_path / "to"))
    assert refused.exit_code == 1
    assert "is not in the run's folder" in refused.stderr
    assert not (tmp_path / "to").exists()


def test_an_artifact_that_is_gone_is_told_before_anything_is_copied(tmp_path: Path) -> None:
    with_artifact(sample_run(tmp_path), stored="artifacts/make-data/none")
    assert call(artifacts, tmp_path, "last").stdout.endswith("/none (gone)\n")
    refused = call(artifacts, tmp_path, "last", "--copy-to", str(tmp_path / "to"))
    assert refused.exit_code == 1
    assert "make's out is gone" in refused.stderr
    assert not (tmp_path / "to").exists()


def test_what_cannot_be_copied_leaves_nothing_half(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    os.mkfifo(folder / "artifacts/make-data/out/pipe")
    refused = call(artifacts, tmp_path, "last", "--copy-to", str(tmp_path / "to"))
    assert refused.exit_code == 1
    assert "named pipe" in refused.stderr
    assert os.listdir(tmp_path / "to/make") == []
    (tmp_path / "file").touch()
    refused = call(artifacts, tmp_path, "last", "--copy-to", str(tmp_path / "file"))
    assert refused.exit_code == 1
    assert "cannot copy" in refused.stderr


@pytest.mark.parametrize("args", [["--force"], ["--copy-to", ""]])
def test_wrong_usage_of_artifacts(tmp_path: Path, args: list[str]) -> None:
    sample_run(tmp_path)
    assert call(artifacts, tmp_path, "last", *args).exit_code == 2
