"""Stopping a run of this machine from another process: what carries it out is told what Ctrl-C would tell it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.local.folder import is_held

_LOCKS = Path("/proc/locks")
_PAUSE = 0.1


def interrupt(folder: Path) -> bool:
    """Send the process that carries out the run in `folder` SIGINT; False where there is none any more.

    Raises CannotDoError where it cannot be found, or is another user's.
    """
    for pid in _holders(folder / "lock"):
        try:
            # By a descriptor, so that no other process is meant that has got the number since.
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        except OSError as error:
            raise CannotDoError(
                f"the run's process {pid} cannot be reached: {(error.strerror or str(error)).lower()}"
            ) from None
        try:
            if pid not in _holders(folder / "lock"):
                continue
            signal.pidfd_send_signal(handle, signal.SIGINT)
            return True
        except ProcessLookupError:
            continue
        except PermissionError:
            raise CannotDoError(
                f"the run is carried out by another user's process {pid}", "who started it can stop it"
            ) from None
        finally:
            os.close(handle)
    if is_held(folder):
        raise CannotDoError(
            "what carries out the run is in no process that can be seen from here",
            "press Ctrl-C where it was started; it may be in a container",
        )
    return False


def wait_until_left(folder: Path, seconds: float) -> bool:
    """Whether nobody carries out the run any more, once so long has passed or before."""
    until = time.monotonic() + seconds
    while is_held(folder):
        if time.monotonic() >= until:
            return False
        time.sleep(_PAUSE)
    return True


def _holders(lock: Path) -> list[int]:
    """The processes that hold a lock for themselves: by the kernel's list (proc_locks(5)), and only those that have the
    file open, for the list's number of the file system is another one where one lies over another.
    """
    try:
        inode = lock.stat().st_ino
        rows = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    found = []
    for row in rows:
        words = row.split()
        if len(words) < 8 or words[1:4] != ["FLOCK", "ADVISORY", "WRITE"]:
            continue
        pid, place = words[4], words[5].split(":")
        if place[-1] == str(inode) and pid.isdecimal() and int(pid) > 1 and _has_open(int(pid), lock):
            found.append(int(pid))
    return found


def _has_open(pid: int, path: Path) -> bool:
    try:
        handles = list(os.scandir(f"/proc/{pid}/fd"))
    except PermissionError:
        return True  # another user's: the signal will tell
    except OSError:
        return False
    for one in handles:
        try:
            if os.path.samestat(os.stat(one.path), os.stat(path)):
                return True
        except OSError:
            continue
    return False
