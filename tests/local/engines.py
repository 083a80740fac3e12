"""Real engines for tests, apart from those of the user: podman with a store of its own, docker with a daemon of its own."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kade2kfp.local.containers import Containers
from kade2kfp.local.engine import Box

IMAGE = "localhost/kade2kfp-test:1"
USER_IMAGE = "localhost/kade2kfp-test-user:1"
BARE_IMAGE = "localhost/kade2kfp-test-bare:1"
_APPLETS = (
    "sh base64 cat chmod chown cp echo env expr find grep head hostname id kill ln ls mkdir mktemp mv printf readlink rm rmdir"
    " sleep stat test touch tr true wc"
)
# A machine with both versions of cgroups at once serves neither crun nor docker: they get a view of version 2 alone.
_CGROUP = "if [ -d /sys/fs/cgroup/unified ]; then mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi"


@contextmanager
def podman() -> Iterator[dict[str, str] | str]:
    """The variables with which `podman` is one of its own, with images; or why there is none."""
    real = shutil.which("podman")
    if real is None:
        yield "podman is not installed"
        return
    with _folder() as home:
        limit = "1024:1024"
        (home / "containers.conf").write_text(
            f"""[containers]
cgroups = "disabled"
netns = "none"
default_ulimits = ["nofile={limit}", "nproc={limit}"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "{home}/tmp"
"""
        )
        (home / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{home}/root"\nrunroot = "{home}/run"\n'
        )
        if os.geteuid() == 0:
            _script(home / "bin/podman", f'exec unshare -m sh -c \'{_CGROUP}; exec {real} "$@"\' podman "$@"')
        env = {
            "PATH": f"{home}/bin:{os.environ['PATH']}",
            "CONTAINERS_CONF": str(home / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
        }
        yield _images("podman", env) or env


@contextmanager
def docker() -> Iterator[dict[str, str] | str]:
    """The variables with which `docker` has a daemon: one that is made, or the user's where none can be made."""
    if shutil.which("docker") is None:
        yield "docker is not installed"
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        env = {"PATH": os.environ["PATH"]}
        yield _images("docker", env) or env
        _call("docker", env, "rmi", "--force", IMAGE, USER_IMAGE, BARE_IMAGE)
        return
    with _folder() as home, open(home / "log", "wb") as log:
        socket = home / "socket"
        daemon = [
            "dockerd",
            f"--host=unix://{socket}",
            f"--data-root={home}/data",
            f"--exec-root={home}/exec",
            f"--pidfile={home}/pid",
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--storage-driver=vfs",
            "--exec-opt=native.cgroupdriver=cgroupfs",
        ]
        command = ["unshare", "-m", "sh", "-c", f'{_CGROUP}; exec "$@"', "sh", *daemon]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            env = {"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{socket}"}
            until = time.monotonic() + 20
            while not socket.exists() and process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            problem = _images("docker", env)
            if not problem:
                socket.chmod(0o666)
            yield problem or env
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def _folder() -> Iterator[Path]:
    # Not below pytest's folders: the path of a socket has at most 107 characters.
    home = Path(tempfile.mkdtemp(prefix="kade2kfp-engine-"))
    home.chmod(0o755)
    (home / "bin").mkdir()
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _call(engine: str, env: dict[str, str], *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [engine, *arguments], env=os.environ | env, input=data, capture_output=True, timeout=60, check=False
    )


def _images(engine: str, env: dict[str, str]) -> str:
    """Make the images, and try one; '' or why that does not work here."""
    busybox = shutil.which("busybox")
    if busybox is None:
        return "busybox is not installed, of which the image is made"
    try:
        data = _root(busybox)
        for image, change in ((IMAGE, "ENV FROM_IMAGE=yes"), (USER_IMAGE, "USER 1234:1234")):
            done = _call(engine, env, "import", f"--change={change}", "-", image, data=data)
            if done.returncode:
                return f"{engine} cannot import an image here: {done.stderr.decode(errors='replace')[-300:]}"
        _call(engine, env, "import", "-", BARE_IMAGE, data=_root(busybox, applets="cat touch"))
        done = _call(engine, env, "run", "--rm", IMAGE, "true")
    except subprocess.TimeoutExpired:
        return f"{engine} does not answer here"
    return (
        f"{engine} cannot run a container here: {done.stderr.decode(errors='replace')[-300:]}"
        if done.returncode
        else ""
    )


def _root(busybox: str, applets: str = _APPLETS) -> bytes:
    """A root folder as tar: busybox, what it is linked with, and a place for temporary files."""
    linked = subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stdout
    libraries = {word for word in linked.split() if word.startswith("/")}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        # Folders come first: docker makes those that are only implied without the right to enter them.
        parents = {f"bin/{name}" for name in applets.split()} | {path.lstrip("/") for path in libraries}
        folders = {str(one) for path in parents for one in Path(path).parents if str(one) != "."}
        for name, mode in (
            *((one, 0o755) for one in sorted(folders)),
            ("tmp", 0o1777),
            ("root", 0o700),
            ("etc", 0o755),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, mode
            tar.addfile(member)
        for path in (busybox, *sorted(libraries)):
            with open(os.path.realpath(path), "rb") as file:
                member = tarfile.TarInfo("bin/busybox" if path == busybox else path.lstrip("/"))
                member.size, member.mode = os.stat(file.fileno()).st_size, 0o755
                tar.addfile(member, file)
        for name in applets.split():
            member = tarfile.TarInfo(f"bin/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(member)
        passwd = b"root:x:0:0::/root:/bin/sh\n"
        member = tarfile.TarInfo("etc/passwd")
        member.size, member.mode = len(passwd), 0o644
        tar.addfile(member, io.BytesIO(passwd))
    return data.getvalue()


def box(tmp_path: Path, *command: str, **changes: object) -> Box:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return replace(Box("step", IMAGE, command, {}, (), scratch), **changes)


def run(engine: Containers, wanted: Box, seconds: float = 30) -> tuple[int | None, str]:
    """The exit code and the log."""
    with tempfile.TemporaryFile() as log:
        running = engine.start(wanted, log.fileno())
        try:
            code = running.wait(seconds)
        finally:
            running.close()
        log.seek(0)
        return code, log.read().decode(errors="replace")


def script(tmp_path: Path, text: str, **changes: object) -> Box:
    return box(tmp_path, "sh", "-c", text, **changes)
