"""ssh: what is printed gets through a real sshd; what the step wrote may be anything."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .command import environment
from .reaching import call, program, unused


def test_the_step_may_be_entered_without_ssh(tmp_path: Path) -> None:
    path = program(
        tmp_path, "standing(), standing('b', ssh=22)", files={"/kade/run/shell": "exec the image has no \x1b sshd"}
    )
    ran = call(path, "ssh", "last", "train", "--home", str(tmp_path))
    assert ran.returncode == 0
    assert ran.stdout.decode() == f"kade2kfp ssh iris-1 train --exec --home {shlex.quote(str(tmp_path))}\n"
    assert ran.stderr == b"not by ssh: the document asks for no sshd in train\n"
    ran = call(path, "ssh", "last", "b", "--", "ls", "-l", "a b")
    assert ran.stdout == b"kade2kfp ssh iris-1 b --exec -- ls -l 'a b'\n"
    assert ran.stderr == b"not by ssh: the image has no \\x1b sshd\n"
    ran = call(path, "ssh", "last", "b", "--exec", "--", "sh", "-c", 'printf "<%s>" "$@"; exit 7', "-", "a b", "$HOME")
    assert (ran.returncode, ran.stdout) == (7, b"<a b><$HOME>")
    ran = subprocess.run(
        [path, "ssh", "last", "b", "--exec"], input=b"echo $((6 * 7))", env=environment(), capture_output=True
    )
    assert (ran.returncode, ran.stdout) == (0, b"42\n")


@pytest.mark.parametrize("said", ["ssh -oProxyCommand=x 22", "ssh a;b 22", "ssh a\nb 22", "ssh 22", "", "ssh ada 22 x"])
def test_what_the_step_says_is_no_option_of_ssh(tmp_path: Path, said: str) -> None:
    path = program(tmp_path, "standing(ssh=22)", files={"/kade/run/shell": said}, patience=0)
    ran = call(path, "ssh", "last", "train")
    assert (ran.returncode, ran.stdout) == (0, b"kade2kfp ssh iris-1 train --exec\n")
    assert ran.stderr.startswith(b"not by ssh: ")


def test_ssh_is_called_with_what_is_printed(tmp_path: Path) -> None:
    """A step's key of another kind than ours, or of none, is not pinned; the exit code is ssh's own."""
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nprintf "%s\\0" ssh "$@"; kill -TERM $$\n')
    fake.chmod(0o755)
    files = {"/kade/run/shell": "ssh ada 2222", "/kade/run/ssh/key.pub": "ssh-rsa AAAA\nx"}
    path = program(tmp_path, "standing(ssh=2222)", files=files)
    printed = call(path, "ssh", "last", "train", "--", "echo", "a b")
    there = f"{fake.parent}:{os.environ['PATH']}"
    ran = call(path, "ssh", "last", "train", "--exec", "--", "echo", "a b", PATH=there)
    assert ran.returncode == 128 + signal.SIGTERM
    words = ran.stdout.decode().split("\0")[:-1]
    assert shlex.split(printed.stdout.decode()) == words
    assert words[-2:] == ["ada@kade2kfp", "echo 'a b'"]
    assert not any(word.startswith("KnownHosts") for word in words)
    ran = call(path, "ssh", "last", "train", "--exec", PATH=str(tmp_path))
    assert ran.returncode == 1
    assert b"there is no ssh on this machine" in ran.stderr


@contextmanager
def sshd(folder: Path) -> Iterator[int]:
    """An sshd as a step has it, for the key `folder`/mine; its own is `folder`/host."""
    program = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    if program is None or shutil.which("ssh") is None:
        pytest.skip("no OpenSSH here")
    own_run = []
    if os.geteuid() == 0 and not os.path.isdir("/run/sshd"):  # as root it wants that folder
        own_run = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"', "-"]
    for name in ("host", "mine"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "mine.pub", folder / "authorized")
    port = unused()
    options = (
        f"Port={port}", "ListenAddress=127.0.0.1", f"HostKey={folder}/host", f"AuthorizedKeysFile={folder}/authorized",
        "PidFile=none", "StrictModes=no", "UsePAM=no", "PasswordAuthentication=no",
    )  # fmt: skip
    words = [*own_run, program, "-D", "-e", "-f", "/dev/null", *(word for one in options for word in ("-o", one))]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        while not answers(port):
            if process.poll() is not None:
                pytest.skip("sshd cannot run here")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    with socket.socket() as made:
        return made.connect_ex(("127.0.0.1", port)) == 0


def test_the_printed_command_gets_through_a_real_sshd(tmp_path: Path) -> None:
    """With a program, a run and a task whose names need quotes; its host key is the one that the step told."""
    with sshd(tmp_path) as port:
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        key = (tmp_path / "host.pub").read_text()
        steps = "standing('a b', run='100%h \\'x\\'', ssh=2222)"
        files = {"/kade/run/shell": f"ssh {user} {port}\n", "/kade/run/ssh/key.pub": key}
        path = program(tmp_path, steps, files=files, ports={2222: port})
        typed = call(path, "ssh", "last", "a b", "--", "printf", "<%s>", "a  b", "$HOME").stdout.decode()
        assert typed.startswith("ssh -o ")
        # Only what is this test's own: the key, and no file of whoever runs it.
        mine = f"ssh -F none -i {tmp_path}/mine -o IdentitiesOnly=yes -o BatchMode=yes -o IdentityAgent=none "
        ran = subprocess.run(
            ["sh", "-c", mine + typed.removeprefix("ssh ")], env=environment(), capture_output=True, timeout=60
        )
        assert (ran.returncode, ran.stdout) == (0, b"<a  b><$HOME>"), ran.stderr
        assert b"Permanently added" not in ran.stderr  # it knew the key
        # Somebody else at the port: refused.
        other = (tmp_path / "mine.pub").read_text()
        path = program(tmp_path, steps, files=files | {"/kade/run/ssh/key.pub": other}, ports={2222: port})
        typed = call(path, "ssh", "last", "a b", "--", "true").stdout.decode()
        ran = subprocess.run(
            ["sh", "-c", mine + typed.removeprefix("ssh ")], env=environment(), capture_output=True, timeout=60
        )
        assert ran.returncode == 255
        assert b"HOST IDENTIFICATION HAS CHANGED" in ran.stderr
