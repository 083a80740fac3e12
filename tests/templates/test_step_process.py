"""How a step ends: exit codes, signals, retries, and TERM from Kubernetes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .step_script import each_shell, environment, program, start, step


@each_shell
@pytest.mark.parametrize("code", [1, 2, 3, 64, 65, 126, 127, 128, 193, 255])
def test_the_commands_exit_code_is_logged_and_kept(shell: str, code: int) -> None:
    done = step(shell, "e", "A=b", "--", "sh", "-c", f"exit {code}")
    assert (done.code, done.err) == (code, f"kade2kfp: the command exited with code {code}\n")


@each_shell
@pytest.mark.parametrize("number", [1, 6, 9, 11, 13, 15])
def test_a_signal_that_killed_the_command_is_logged(shell: str, number: int) -> None:
    done = step(shell, "n", "/tmp", "--", "sh", "-c", f"kill -{number} $$; sleep 1")
    assert (done.code, done.err) == (128 + number, f"kade2kfp: the command was killed by signal {number}\n")


@each_shell
def test_a_command_that_is_missing(shell: str) -> None:
    done = step(shell, "e", "A=b", "--", "no-such-program")
    assert (done.code, done.own) == (127, ["the command exited with code 127"])
    done = step(shell, "n", "/tmp", "--", "/etc/passwd")
    assert (done.code, done.own) == (126, ["the command exited with code 126"])


@each_shell
def test_success_says_nothing(shell: str) -> None:
    done = step(shell, "n", "/tmp", "t", "3 1 1 1", "--", "true")
    assert (done.code, done.out, done.err) == (0, b"", "")


def count(folder: Path, success_at: int) -> tuple[str, ...]:
    """A command that says which attempt it is, and succeeds at one of them."""
    script = f'echo x >>"$0"; n=`wc -l <"$0"`; echo attempt $n; [ $n -ge {success_at} ] || exit 7'
    return ("sh", "-c", script, f"{folder}/count")


@each_shell
def test_a_retry_that_succeeds(shell: str, tmp_path: Path) -> None:
    done = step(shell, "t", "5 0 1 0", "--", *count(tmp_path, 3))
    assert (done.code, done.out) == (0, b"attempt 1\nattempt 2\nattempt 3\n")
    assert done.own == [
        "the command exited with code 7",
        "trying again in 0 s, attempts left: 5",
        "the command exited with code 7",
        "trying again in 0 s, attempts left: 4",
    ]


@each_shell
@pytest.mark.parametrize("limit", [0, 1, 11])
def test_retries_come_to_an_end(shell: str, limit: int, tmp_path: Path) -> None:
    done = step(shell, "t", f"{limit} 0 2 0", "--", *count(tmp_path, 99))
    assert (done.code, len(done.out.splitlines())) == (7, limit + 1)
    assert done.own[-1] == "the command exited with code 7"


@each_shell
@pytest.mark.parametrize(
    ("spec", "waits"),
    [
        ("5 10 2 3600", [10, 20, 40, 80, 160]),
        ("5 10 2 50", [10, 20, 40, 50, 50]),
        ("4 100 1 30", [30, 30, 30, 30]),
        ("5 1 1.5 3600", [1, 2, 2, 3, 5]),
        ("3 10 1.25 3600", [10, 13, 16]),
        ("3 100 0.5 3600", [100, 50, 25]),
        ("3 08 1.050 3600", [8, 8, 9]),
        ("3 5000000 10000000 30000000", [5000000, 30000000, 30000000]),
    ],
)
def test_the_wait_grows_by_the_factor_up_to_the_maximum(
    shell: str, spec: str, waits: list[int], tmp_path: Path
) -> None:
    # Only the waiting itself is left out.
    (tmp_path / "sleep").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "sleep").chmod(0o755)
    path = f"{tmp_path}:{environment(shell)['PATH']}"
    done = step(shell, "t", spec, "--", "false", env={"PATH": path})
    assert [line for line in done.own if "again" in line] == [
        f"trying again in {wait} s, attempts left: {len(waits) - n}" for n, wait in enumerate(waits)
    ]


@each_shell
def test_the_wait_is_a_real_one(shell: str, tmp_path: Path) -> None:
    begin = time.monotonic()
    step(shell, "t", "1 1 1 1", "--", "false")
    assert 1 <= time.monotonic() - begin < 5


@each_shell
def test_each_attempt_finds_its_outputs_empty_and_its_files_whole(shell: str, tmp_path: Path) -> None:
    t = str(tmp_path)
    words = ("+", f"{t}/k/o", "o", f"{t}/o", "+", f"{t}/k/p", "p", f"{t}/p", "d", f"{t}/d", "D", f"{t}/D")
    words += ("+", f"string\nr\n{t}/k/r", "r", f"{t}/r", "+", f"m\nu\n{t}/k/m", "m", f"{t}/m", "n", f"{t}/n")
    words += ("+", "b25lCg==", "f", f"{t}/f", "w", f"{t}/w", "t", "2 0 1 0")
    script = f"""
        pwd; cat {t}/f; ls -A {t}/o {t}/d; ls {t}/p {t}/D {t}/r {t}/m 2>/dev/null
        rm -rf {t}/w {t}/n; echo changed >{t}/f
        mkdir {t}/o/.x {t}/p {t}/m; touch {t}/d/..y {t}/D {t}/r
        echo x >>{t}/count; [ `wc -l <{t}/count` = 3 ] || exit 1
        rm -r {t}/m {t}/p; echo "{{}}" >{t}/m; echo >{t}/p"""
    done = step(shell, *words, "--", "sh", "-c", script)
    assert done.code == 0, done.err
    assert (
        done.out.decode() == f"{t}/w\none\n{t}/d:\n\n{t}/o:\n" * 3
        or done.out.decode() == f"{t}/w\none\n{t}/o:\n\n{t}/d:\n" * 3
    )


@each_shell
def test_an_output_that_was_not_written_is_not_tried_again(shell: str, tmp_path: Path) -> None:
    done = step(shell, "D", f"{tmp_path}/x", "t", "3 0 1 0", "--", "echo", "ran")
    assert (done.code, done.out) == (65, b"ran\n")


@contextmanager
def running(shell: str, *words: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A step in a session of its own, of which nothing is left afterwards."""
    process = subprocess.Popen(
        start(shell, *words),
        env=environment(shell, env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for pid in session(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.communicate()


def session(leader: int) -> list[int]:
    """The processes of a session that are alive."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                state, _, _, sid = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[:4]
            except (OSError, ValueError):
                continue
            if int(sid) == leader and state != "Z":
                found.append(int(entry))
    return found


def stopped(process: subprocess.Popen[str], by: signal.Signals = signal.SIGTERM) -> None:
    """Sends the signal; 143 and nothing left, without waiting for anything: all that there is to wait for takes a minute.

    KFP gives 0.75 s, which is much; but how long a few processes take on a busy machine says nothing.
    """
    process.send_signal(by)
    assert process.wait(10) == 143
    until = time.monotonic() + 10
    while session(process.pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert session(process.pid) == []


@each_shell
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_passed_on_at_once(shell: str, by: signal.Signals) -> None:
    with running(shell, "e", "A=b", "t", "3 0 1 0", "--", "sh", "-c", "echo ready; exec sleep 60") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        stopped(process, by)
        assert process.stdout.read() == ""
        assert process.stderr is not None
        assert process.stderr.read() == ""


@each_shell
def test_the_command_may_tidy_up(shell: str) -> None:
    script = 'trap "echo tidied; kill %1; exit 0" TERM; sleep 60 & echo ready; wait'
    with running(shell, "n", "/tmp", "--", program("bash"), "-c", f"set -m; {script}") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        stopped(process)
        assert process.stdout.read() == "tidied\n"


@each_shell
@pytest.mark.parametrize("signals", [1, 2])
def test_the_step_ends_after_its_command(shell: str, signals: int, tmp_path: Path) -> None:
    script = f'trap "sleep 0.3; echo >{tmp_path}/tidied; exit" TERM; echo ready; while :; do sleep 0.05; done'
    with running(shell, "n", "/tmp", "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        assert process.wait(10) == 143
        assert (tmp_path / "tidied").exists()


@each_shell
def test_the_wait_for_the_next_attempt_ends_at_once(shell: str) -> None:
    with running(shell, "t", "3 60 1 60", "--", "false") as process:
        assert process.stderr is not None
        process.stderr.readline()
        assert "trying again in 60 s" in process.stderr.readline()
        time.sleep(0.1)
        stopped(process)


@each_shell
def test_pip_ends_at_once(shell: str, tmp_path: Path) -> None:
    fake = f"#!/bin/sh\ncase $* in *install*) echo >{tmp_path}/ready; exec sleep 60;; esac\n"
    (tmp_path / "python3").write_text(fake)
    (tmp_path / "python3").chmod(0o755)
    path = f"{tmp_path}:{environment(shell)['PATH']}"
    with running(shell, "q", "numpy", "--", "true", env={"PATH": path}) as process:
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        stopped(process)
