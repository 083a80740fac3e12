"""The first process of a gated step's container, as Argo's is on a cluster: starts the step, and tells what it leaves.

Orders come by stdin: first a line of JSON with `command`, `env`, `beside` (a process that somebody else started in the
container; may be empty) and the descriptors `out` and `err`; then lines like `step TERM` or `group TERM`. The end of
stdin is the end of the container. Afterwards one line of JSON goes to stdout.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

LEFT_AFTER = 1.0  # seconds that the kernel has to end what was killed


def launcher(order, pipe):
    """KFP's launcher: the step's parent. A signal that was meant for all others must not end it."""
    step = subprocess.Popen(
        order["command"],
        env=order["env"],
        stdin=subprocess.DEVNULL,
        stdout=order["out"],
        stderr=order["err"],
        cwd="/",
        start_new_session=True,
    )
    os.write(pipe, b"%d\n" % step.pid)
    os.write(pipe, b"%d\n" % step.wait())


def obey(step):
    """Sends the signals that stdin orders."""
    for line in sys.stdin:
        to, name = line.split()
        number = getattr(signal, f"SIG{name}")
        with contextlib.suppress(ProcessLookupError):
            (os.kill if to == "step" else os.killpg)(step, number)
    os._exit(1)


def left():
    """The processes of the container but this one: name of the program and state."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    stat = file.read()
            except OSError:
                continue
            found.append(stat[stat.index("(") : stat.rindex(")") + 3])
    return found


def reap(wanted):
    """Ends with the child `wanted`, or, when that is None, once there are no children that have ended."""
    while True:
        try:
            pid, _ = os.waitpid(-1, 0 if wanted else os.WNOHANG)
        except ChildProcessError:
            return
        if pid in (0, wanted):
            return


def main():
    """Does all of the above."""
    order = json.loads(sys.stdin.readline())
    if order["beside"]:
        subprocess.Popen(order["beside"], stdin=subprocess.DEVNULL, stdout=order["err"], stderr=order["err"])
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        launcher(order, write)
        os._exit(0)
    os.close(write)
    os.close(order["out"])
    os.close(order["err"])
    with open(read, encoding="ascii") as pipe:
        threading.Thread(target=obey, args=(int(pipe.readline()),), daemon=True).start()
        reap(child)
        until = time.monotonic() + LEFT_AFTER
        reap(None)
        while left() and time.monotonic() < until:
            time.sleep(0.01)
            reap(None)
        remaining = left()
        # Nothing, where the launcher was killed: only it and this process have the other end.
        code = pipe.readline()
    print(json.dumps({"code": int(code) if code else None, "left": remaining}), flush=True)
    os._exit(0)


main()
