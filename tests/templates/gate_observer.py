"""The first process of a gated step's container, as Argo's is on a cluster: starts the step, and tells what it leaves.

Orders come by stdin: first a line with a dictionary, as Python writes it, of `command`, `env`, `beside` (a process that
somebody else started in the container; may be empty) and the descriptors `out` and `err`; then lines like `step TERM` or
`group TERM`. The end of stdin is the end of the container. Afterwards such a line goes to stdout.

It imports next to nothing, for it is started many hundred times.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

SIGNALS = {"HUP": 1, "INT": 2, "TERM": 15}
IGNORED = (13, 25)  # SIGPIPE and SIGXFSZ, by Python itself; not by what it starts
LEFT_AFTER = 1.0  # seconds that the kernel has to end what was killed


def launcher(order, pipe):
    """KFP's launcher: the step's parent. A signal that was meant for all others must not end it."""
    step = start(order["command"], order["env"], order["out"], order["err"], setsid=True)
    os.write(pipe, b"%d\n" % step)
    os.write(pipe, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(step, 0)[1]))


def start(command, env, out, err, **more):
    """Starts a process with nothing to read, and with no file but its streams; its number."""
    streams = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
    streams += [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2)]
    streams += [(os.POSIX_SPAWN_CLOSE, one) for one in {out, err}]
    return os.posix_spawnp(command[0], command, env, file_actions=streams, setsigdef=IGNORED, **more)


def obey(step):
    """Sends the signals that stdin orders."""
    for line in sys.stdin:
        to, name = line.split()
        try:
            (os.kill if to == "step" else os.killpg)(step, SIGNALS[name])
        except ProcessLookupError:
            continue
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
    order = eval(sys.stdin.readline())
    if order["beside"]:
        start(order["beside"], os.environ, order["err"], order["err"])
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
        _thread.start_new_thread(obey, (int(pipe.readline()),))
        reap(child)
        until = time.monotonic() + LEFT_AFTER
        reap(None)
        while left() and time.monotonic() < until:
            time.sleep(0.01)
            reap(None)
        remaining = left()
        # Nothing, where the launcher was killed: only it and this process have the other end.
        code = pipe.readline()
    print({"code": int(code) if code else None, "left": remaining}, flush=True)
    os._exit(0)


main()
