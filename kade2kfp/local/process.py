"""The process engine: a box is a process of this machine in namespaces of its own, made by bubblewrap.

The step sees a root folder of its own on disk, the system's folders read-only, its mounts, and nothing else of the
machine. No capability is left, as in KFP's pods; the network is the machine's.
"""

from __future__ import annotations

import json
import math
import os
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from kade2kfp.local.bubblewrap import ISOLATION, arguments_file, binds_descriptors, children, kill, root_arguments
from kade2kfp.local.engine import Bind, Box, CannotStartError, Empty, Files, Running
from kade2kfp.local.environments import python_mounts
from kade2kfp.local.inside import LinkError, opened

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DAY = 86400.0
_STARTS = 30.0
"""Seconds that bwrap may take to make a box, on a busy machine."""
_PASSING = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class ProcessEngine:
    """bubblewrap, at `bwrap`."""

    bwrap: str
    name: str = "process"
    uses_images: bool = False

    def of_run(self, run_id: str) -> ProcessEngine:
        """Itself: its boxes end with the runner."""
        return self

    def clean(self) -> None:
        """Nothing is left of a box (bubblewrap's --die-with-parent)."""

    def start(self, box: Box, output: int) -> Running:
        """Start a box (Engine.start). Raises CannotStartError."""
        with ExitStack() as stack:
            try:
                return _start(self.bwrap, box, output, stack)
            except OSError as error:
                what = error.filename or self.bwrap
                raise CannotStartError(f"cannot start it: {what}: {(error.strerror or str(error)).lower()}") from None
            except LinkError as error:
                raise CannotStartError(f"cannot start it: {error}", "what is mounted must be there itself") from None
            except ValueError:
                # A zero would also end an argument of bwrap's, and begin another one.
                raise CannotStartError(
                    "cannot start it: a value in its command or environment holds a zero byte or half a character"
                ) from None

    def image_digest(self, image: str) -> str:
        """Nothing: the image is only a label."""
        return ""


def _start(bwrap: str, box: Box, output: int, stack: ExitStack) -> Running:
    files: list[int] = []

    def keep(handle: int) -> int:
        """A descriptor for bwrap to inherit, closed here when it has started."""
        stack.callback(os.close, handle)
        files.append(handle)
        return handle

    options = keep(arguments_file(list(_arguments(box, _root(box), bwrap, keep))))
    status, write = os.pipe()
    stack.callback(os.close, write)
    try:
        process = subprocess.Popen(
            [bwrap, "--args", str(options), "--json-status-fd", str(write), "--", *box.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={},
            pass_fds=(*files, write),
            start_new_session=True,
        )
    except BaseException:
        os.close(status)
        raise
    handle = os.pidfd_open(process.pid)

    def wait(seconds: float | None) -> int | None:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        until = math.inf if seconds is None else time.monotonic() + seconds
        # poll(2) takes no more than 24 days.
        while not poll.poll(min(max(0.0, until - time.monotonic()), _DAY) * 1000):
            if time.monotonic() >= until:
                return None
        code = process.wait()
        return code if code >= 0 else 128 - code

    def close() -> None:
        for one in (handle, status):
            with suppress(OSError):
                os.close(one)

    init = _first_process(status)
    return Running(wait, _terminator(init), partial(kill, process), close, partial(_number, init))


def _first_process(status: int) -> Callable[[], int]:
    """What tells the number of the box's first process, which bwrap says when it has made it."""

    @cache
    def init() -> int:
        told = b""
        while b"\n" not in told:  # bwrap writes the line in parts (bubblewrap.c, dump_info and namespace_ids_write)
            if not select.select([status], [], [], _STARTS)[0] or not (part := os.read(status, 4096)):
                raise ProcessLookupError
            told += part
        pid: int = json.loads(told.split(b"\n")[0])["child-pid"]
        return pid

    return init


def _number(init: Callable[[], int]) -> str:
    with suppress(OSError, ValueError, KeyError):
        return str(init())
    return ""


def _terminator(init: Callable[[], int]) -> Callable[[], None]:
    """What sends TERM to the command: not to bwrap, which would take the command along at once."""

    def terminate() -> None:
        with suppress(OSError, ValueError, KeyError):
            first = Path("/proc", str(init()))
            until = time.monotonic() + 1
            # bwrap's own first process may have yet to start the command, or be gone.
            while not (found := children(init())) and first.exists() and time.monotonic() < until:
                time.sleep(0.01)
            for child in found:
                os.kill(child, signal.SIGTERM)

    return terminate


def _root(box: Box) -> Path:
    """The folder that becomes the box's root: on disk, since what a step writes may be larger than memory."""
    root = box.scratch / "root"
    for folder, mode in (("", 0o755), ("root", 0o700), ("tmp", 0o1777), ("var/tmp", 0o1777), ("home", 0o755)):
        path = root / folder
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    return root


def _unnamed(user: int, group: int) -> bytes:
    """A line for /etc/passwd where this machine does not know the user, as an image made for it would: sshd needs one."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return f"user-{user}:x:{user}:{group}::/root:/bin/sh\n".encode()
    return b""


def _memory(content: bytes) -> int:
    """A file in memory with a content."""
    handle = os.memfd_create("kade2kfp")
    with open(os.dup(handle), "wb") as file:
        file.write(content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def _arguments(box: Box, root: Path, bwrap: str, keep: Callable[[int], int]) -> Iterator[str]:
    user = box.user if box.user is not None else 0
    group = box.group if box.group is not None else (user if user else 0)
    yield from ("--unshare-user", "--disable-userns", "--uid", str(user), "--gid", str(group))
    yield from (*ISOLATION, "--hostname", box.hostname[:64])
    yield from ("--bind", str(root), "/")
    yield from root_arguments()
    if line := _unnamed(user, group):
        known = Path("/etc/passwd").read_bytes()
        yield from ("--perms", "0644", "--ro-bind-data", str(keep(_memory(known + line))), "/etc/passwd")
    for one in python_mounts():
        yield from ("--ro-bind", str(one.source), one.path)
    if box.python:
        yield from ("--ro-bind", str(box.python), str(box.python))
    if box.limits.accelerators:
        for device in _accelerators():
            yield from ("--dev-bind", device, device)
    for number, mount in enumerate(box.mounts):
        yield from _mount(mount, number, box.scratch, bwrap, keep)
    yield from ("--chdir", "/")
    for name, value in _environment(box).items():
        yield from ("--setenv", name, value)


def _mount(
    mount: Bind | Empty | Files,
    number: int,
    scratch: Path,
    bwrap: str,
    keep: Callable[[int], int],
) -> Iterator[str]:
    match mount:
        case Bind(source, path, read_only, exact):
            word = "--ro-bind" if read_only else "--bind"
            handle = keep(opened(source)) if exact else None
            # By descriptor no step can put something else in its place any more. bwrap closes it (an open folder of the
            # machine would be a way out of the box); before 0.11 it takes paths only.
            by_descriptor = handle is not None and binds_descriptors(bwrap)
            yield from (f"{word}-fd", str(handle), path) if by_descriptor else (word, str(source), path)
        case Empty(path, in_memory, size):
            if in_memory:
                yield from ("--size", str(size)) if size else ()
                yield from ("--perms", "1777", "--tmpfs", path)
            else:
                folder = scratch / f"empty-{number}"
                folder.mkdir()
                folder.chmod(0o777)
                yield from ("--bind", str(folder), path)
        case Files(path, contents):
            yield from ("--perms", "0755", "--tmpfs", path)
            for name, content in contents.items():
                yield from ("--perms", "0444", "--file", str(keep(_memory(content))), f"{path}/{name}")
            yield from ("--remount-ro", path)


def _environment(box: Box) -> dict[str, str]:
    """The variables of the box: what an image would bring, how this machine reaches the network, then the step's own."""
    env = {"HOME": "/root", "PATH": _PATH, "LANG": "C.UTF-8", "HOSTNAME": box.hostname, "PYTHONUNBUFFERED": "1"}
    for name in _PASSING:
        for spelled in (name, name.upper()):
            if spelled in os.environ:
                env[spelled] = os.environ[spelled]
    env |= box.env
    if box.python:
        env["PATH"] = f"{box.python}/bin:{env['PATH']}"
    return env


def _accelerators() -> list[str]:
    """The machine's devices for computing."""
    found = sorted(str(path) for path in Path("/dev").glob("nvidia*"))
    return found + [path for path in ("/dev/kfd", "/dev/dri") if Path(path).exists()]
