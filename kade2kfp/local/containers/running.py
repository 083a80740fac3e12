"""A container that has been started: waiting for it, ending it, and giving its files back to the caller."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kade2kfp.local.containers.client import Client
from kade2kfp.local.containers.options import bind_option
from kade2kfp.local.engine import Bind, Box, Empty, Running

NOT_STARTED = 125
"""The code of a container that could not be started, or that the engine lost; its log has the engine's own words.
126 and 127 mean that its command cannot be invoked, or is not there (docker-run(1), exit status)."""
_SIGNAL_SECONDS = 5.0
_HAND_BACK_SECONDS = 600.0
_HAND_BACK = 'find "$@" ! -type l ! -user "${0%:*}" -exec chmod a+rwX {} +; chown -hR "$0" "$@"'


@dataclass(frozen=True, slots=True)
class Container:
    """A container by its name, the box that it is, and the options that any container of its run has.

    `rootless`: root of a container is the caller.
    """

    client: Client
    name: str
    box: Box
    rootless: bool
    options: tuple[str, ...]


def running(container: Container, client: subprocess.Popen[bytes], free: Callable[[], None]) -> Running:
    """The container whose output `client` brings; `free` is called by `close`."""

    def wait(seconds: float | None) -> int | None:
        try:
            client.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return _exit_code(container, client.returncode)

    def kill() -> None:
        _signal(container, client, "KILL")
        if client.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                client.wait(_SIGNAL_SECONDS)
        if client.poll() is None:
            container.client.remove(container.name)
            client.kill()

    def close() -> None:
        if client.poll() is None:
            kill()
        client.wait()
        free()

    return Running(wait, lambda: _signal(container, client, "TERM"), kill, close, lambda: container.name)


def hand_back(container: Container) -> None:
    """Give what the container left in the box's folders to the caller, where it belongs to others.

    Only root of a container can do that for an ordinary user, so it takes a container, of the same image: that one is
    there. In an image without sh and chown the files stay as they are. All may then write to what was handed back, since
    the next step's user may be another one; the rights of the caller's own files stay. Root needs none of this.
    """
    folders = [path for path in _folders(container.box) if os.geteuid() != 0 and _has_foreign(path)]
    if not folders:
        return
    paths = [f"/{number}" for number in range(len(folders))]
    owner = "0:0" if container.rootless else f"{os.geteuid()}:{os.getegid()}"
    with suppress(OSError):
        container.client.call(
            "run",
            "--rm",
            "--pull=never",
            "--network=none",
            "--user=0:0",
            *container.options,
            *(f"--cap-add={one}" for one in ("CHOWN", "FOWNER", "DAC_OVERRIDE")),
            *(bind_option(folder, path) for folder, path in zip(folders, paths, strict=True)),
            "--entrypoint=sh",
            "--",
            container.box.image,
            "-c",
            _HAND_BACK,
            owner,
            *paths,
            seconds=_HAND_BACK_SECONDS,
        )


def _exit_code(container: Container, said: int) -> int:
    """The container's exit code, from the engine: the client has codes of its own."""
    try:
        told = container.client.said(
            "container", "inspect", "--format={{.State.Status}} {{.State.ExitCode}}", container.name
        )
    except OSError:
        told = ""
    status, _, code = told.partition(" ")
    match status:
        case "exited" | "stopped" | "stopping" | "dead" | "removing":
            return int(code)
        case "created" | "configured" | "initialized":
            return _why_not_started(container, int(code))
        case "":
            return said if said >= 0 else 128 - said
        case _:
            # The client is gone and the container is not: nobody takes its output any more.
            container.client.remove(container.name)
            return NOT_STARTED


def _why_not_started(container: Container, code: int) -> int:
    """The code for a container that was made and never ran; docker keeps it as the container's own."""
    if code in (126, 127):
        return code
    # Podman has them for `run` alone, by these words (libpod/define/errors.go). `init` does all but start it.
    try:
        words = container.client.call("init", container.name).stderr
    except OSError:
        words = ""
    if "attempted to invoke a command that was not found" in words:
        return 127
    return 126 if "OCI permission denied" in words else NOT_STARTED


def _signal(container: Container, client: subprocess.Popen[bytes], name: str) -> None:
    """Send a signal to the container. One that is not yet running takes none, so this tries until it is, or has ended."""
    deadline = time.monotonic() + _SIGNAL_SECONDS
    while client.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            if container.client.call("kill", f"--signal={name}", container.name).returncode == 0:
                return
        time.sleep(0.1)


def _folders(box: Box) -> list[Path]:
    """The folders of this machine that the box could write to."""
    found = []
    for number, mount in enumerate(box.mounts):
        match mount:
            case Bind(source, _, False):
                found.append(source)
            case Empty(_, False):
                found.append(box.scratch / f"empty-{number}")
    return found


def _has_foreign(folder: Path) -> bool:
    """Whether something in a folder, or the folder, belongs to another user or cannot be looked at."""
    unread: list[OSError] = []
    mine = os.geteuid()
    for here, folders, files in os.walk(folder, onerror=unread.append):
        for path in (here, *(os.path.join(here, name) for name in (*folders, *files))):
            try:
                if os.lstat(path).st_uid != mine:
                    return True
            except OSError:
                return True
    return bool(unread)
