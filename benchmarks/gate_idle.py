"""What a gate costs while nobody decides, on each shell, against the least that could wait: `while sleep 1`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kade2kfp.local import bubblewrap
from kade2kfp.steps.script import embed

SHELLS = {
    "dash": ("dash",),
    "busybox": ("busybox", "sh"),
    "bash": ("bash",),
    "bash --posix": ("bash", "--posix"),
}
LOOP = "_t=$1; while [ $_t -gt 0 ]; do sleep 1; _t=$((_t-1)); done"
# The box's command, since bubblewrap does not gather what its processes have used.
METER = """
import os, sys
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
print(status, usage.ru_utime + usage.ru_stime)
"""
ENV = {"PATH": "/usr/bin:/bin", "KFP_POD_UID": "5b1f4c1e-7d0c-4f0a-9a3e-0d5c1b2a3f44"}


@dataclass(frozen=True)
class Idle:
    """One shell's: seconds of CPU an hour and MiB, of the gate and of the loop."""

    shell: str
    cpu: tuple[float, float]
    memory: tuple[float, float]


def idle(seconds: int) -> Iterator[Idle]:
    """Measures all shells at once, which takes so many seconds and two more; shells that are not here are left out.

    What a start costs goes away: it is the difference between a long and a short wait. Each is in a PID namespace of its
    own, for a gate ends all other processes when it ends; the cost of bubblewrap goes away with that of the start.
    """
    started = {}
    for shell in (name for name, words in SHELLS.items() if shutil.which(words[0])):
        for what in ("gate", "loop"):
            for wait in (2, seconds + 2):
                started[shell, what, wait] = start(shell, what, wait)
    time.sleep(1.5)
    memory = {key: pss(process.pid) / 1024 for key, process in started.items()}
    cpu = {}
    for key, process in started.items():
        status, used = process.communicate()[0].split() or ("", "0")
        if status != "0":
            sys.exit(f"{' '.join(map(str, key))} has failed")
        cpu[key] = float(used)
    for shell in dict.fromkeys(shell for shell, _, _ in started):
        gate, loop = (
            (cpu[shell, what, seconds + 2] - cpu[shell, what, 2]) * 3600 / seconds for what in ("gate", "loop")
        )
        yield Idle(shell, (gate, loop), (memory[shell, "gate", seconds + 2], memory[shell, "loop", seconds + 2]))


def start(shell: str, what: str, wait: int) -> subprocess.Popen[str]:
    """A box in which a gate, or the loop, waits for so many seconds."""
    script, words = (embed(frozenset("g")), ["g", f"idle {wait} resume wait fail csl", "--"])
    if what == "loop":
        script, words = LOOP, [str(wait)]
    bwrap = bubblewrap.bwrap_path()
    if bwrap is None:
        sys.exit("there is no bubblewrap")
    box = [bwrap, *bubblewrap.root_arguments(), "--dir", "/kade/run", "--unshare-user", "--unshare-pid"]
    # The interpreter itself, not that of an environment, which may lie anywhere.
    box += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    meter = [os.path.realpath(sys.executable), "-I", "-S", "-c", METER, *SHELLS[shell], "-c", script, "step", *words]
    command = [*box, "--die-with-parent", *meter]
    return subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def pss(pid: int) -> int:
    """KiB of what METER has started in the box of this process, each page shared out among all that have it."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(name)] = int(Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    # bubblewrap, its first process in the box, METER, the shell, what that has started.
    generation, total = [pid], 0
    for depth in range(6):
        for one in generation if depth > 2 else ():
            try:
                lines = Path("/proc", str(one), "smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        generation = [child for child, parent in parents.items() if parent in generation]
    return total
