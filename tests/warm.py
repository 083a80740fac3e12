"""Python processes that begin where the imports of kade2kfp have been done: forks of a process that waits for orders.

Half a second to one and a half of what a command of kade2kfp takes are imports; thousands of tests start one. `Popen` and
`run` are those of subprocess, for `python -m MODULE`, `python -c CODE` and `python FILE`. What comes of it is a process of
its own, with its own streams, environment, folder, umask, session and end, as far as a program can see but for its name in
/proc and its parent. (Its modules are not taken apart at its end, which would take longer than all the rest.) Where more
is asked for (another interpreter or locale, other files, another user), a new Python is started, as always with
KADE2KFP_TESTS=thorough.
"""

from __future__ import annotations

import array
import atexit
import functools
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

_ALWAYS_NEW = os.environ.get("KADE2KFP_TESTS") == "thorough" or not hasattr(os, "pidfd_open")
_READ_AT_THE_START = ("PYTHON", "LC_", "LANG")  # variables that a Python reads once
# Of them, what a fork can still be given; and where kade2kfp is imported from, which one of the same place has imported.
_SET_LATER = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
_TOP = str(Path(__file__).parents[1])
_PATH = os.environ.get("PYTHONPATH") or _TOP
_AT_THE_START = {name: value for name, value in os.environ.items() if name.startswith(_READ_AT_THE_START)}


class Popen(subprocess.Popen):
    """subprocess.Popen, which forks where that is the same."""

    _ends: int | None = None  # where the exit code is read, until it has been

    def _execute_child(
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, restore_signals,
        gid, gids, uid, umask, start_new_session, process_group,
    ):  # fmt: skip
        words = [] if isinstance(args, str | bytes) else [os.fsdecode(one) for one in args]
        known = dict(os.environ if env is None else env)
        plain = not (executable or preexec_fn or pass_fds or shell or gid or gids or uid) and close_fds and umask == -1
        if not (plain and restore_signals and _same_start(known) and _is_python(words)) or uid == 0 or gid == 0:
            super()._execute_child(
                args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
                p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, restore_signals,
                gid, gids, uid, umask, start_new_session, process_group,
            )  # fmt: skip
            return
        streams = [given if given != -1 else own for own, given in enumerate((p2cread, c2pwrite, errwrite))]
        mask = os.umask(0o77)
        os.umask(mask)
        order = {
            "words": words[1:],
            "env": known,
            "cwd": os.fsdecode(cwd or os.getcwd()),
            "umask": mask,
            "session": bool(start_new_session),
            "group": process_group,
        }
        start = tuple(sorted({"PYTHONPATH": _PATH, **_start_of(known)}.items()))
        self._ends, ended = os.pipe()
        try:
            self.pid = _forks(start)(order, [*streams, ended])
        finally:
            os.close(ended)
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def _internal_poll(self, *args, **more):
        if self._ends is None or self.returncode is not None:
            return super()._internal_poll(*args, **more)
        self._look(0)
        return self.returncode

    def _wait(self, timeout):
        if self._ends is None or self.returncode is not None:
            return super()._wait(timeout)
        if not self._look(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def _look(self, seconds: float | None) -> bool:
        """Whether it has ended within so many seconds."""
        waiting = select.poll()
        waiting.register(self._ends, select.POLLIN)
        if not waiting.poll(None if seconds is None else max(seconds, 0) * 1000):
            return False
        with self._waitpid_lock:
            if self.returncode is None:
                code = os.read(self._ends, 16)
                os.close(self._ends)
                assert code, "who forks has gone"
                self.returncode = int(code)
        return True


def run(
    command: Sequence[str | bytes | os.PathLike[str]],
    *,
    input: str | bytes | None = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **more: Any,
) -> subprocess.CompletedProcess[Any]:
    """subprocess.run, which forks where that is the same."""
    if input is not None:
        more["stdin"] = subprocess.PIPE
    if capture_output:
        more |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(command, **more) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def _is_python(words: Sequence[str]) -> bool:
    return len(words) > 1 and words[0] == sys.executable and (words[1] in ("-m", "-c") or not words[1].startswith("-"))


def _same_start(env: Mapping[str, str]) -> bool:
    """Whether a Python would start alike in it: with what the tests were started with, or less; modules may differ."""
    if _ALWAYS_NEW:
        return False
    asked = {one: env[one] for one in env if one.startswith(_READ_AT_THE_START) and one != "PYTHONPATH"}
    return asked.items() <= _AT_THE_START.items()


def _start_of(env: Mapping[str, str]) -> dict[str, str]:
    """What of it makes another start."""
    same = {*_SET_LATER, *(["PYTHONPATH"] if env.get("PYTHONPATH", "") in ("", _TOP, _PATH) else [])}
    return {name: env[name] for name in env if name.startswith(_READ_AT_THE_START) and name not in same}


@functools.cache
def _forks(start: tuple[tuple[str, str], ...]) -> Callable[[dict[str, Any], list[int]], int]:
    """A process that forks on order, and what to call for it. It ends with this one, for nobody holds its socket then."""
    ours, theirs = socket.socketpair()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_READ_AT_THE_START)}
    source = str(Path(__file__).with_name("warm_forks.py"))
    process = subprocess.Popen(
        [sys.executable, source, str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=kept | dict(start),
        cwd="/",
        pass_fds=(theirs.fileno(),),
    )
    theirs.close()
    alone = threading.Lock()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)

    def fork(order: dict[str, Any], files: list[int]) -> int:
        text = json.dumps(order).encode()
        with alone:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))
            ours.sendmsg([len(text).to_bytes(8, "big")], [rights])
            ours.sendall(text)
            answer = ours.recv(8)
        assert answer, "who forks has gone"
        return int.from_bytes(answer, "big")

    return fork
