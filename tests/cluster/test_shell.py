from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from kade2kfp.cluster.gates import ClusterGates
from kade2kfp.diagnostics.cannot import CannotDoError

from .api import Api, Fault
from .box import Pod
from .conftest import RUN

_PROGRAM = """
import sys
from kade2kfp.cluster.connect import connect
from kade2kfp.cluster.gates import ClusterGates
gates = ClusterGates(connect())
print("ready", flush=True)
sys.exit(gates.shell(gates.find(sys.argv[1], "review"), sys.argv[2:]))
"""


@dataclass
class Terminal:
    """A terminal with the program in it."""

    leader: int
    process: subprocess.Popen[bytes]
    seen: bytes = b""

    def type(self, text: bytes) -> None:
        os.write(self.leader, text)

    def until(self, text: bytes, seconds: float = 20) -> None:
        """Read until a text stands there."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self.leader], [], [], 0.2)[0]:
                self.seen += os.read(self.leader, 1 << 12)

    def size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def terminal(*command: str) -> Iterator[Terminal]:
    leader, follower = pty.openpty()
    made = Terminal(leader, subprocess.Popen([sys.executable, "-c", "pass"]))
    made.process.wait()
    made.size(97, 31)
    made.process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, RUN, *command], stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        os.close(leader)


@pytest.fixture
def waits(kubeconfig: object, pod: Callable[..., Pod]) -> Pod:
    return pod("review")


def test_a_shell_with_a_terminal(waits: Pod) -> None:
    with terminal("sh") as one:
        before = termios.tcgetattr(one.leader)
        one.until(b"ready")
        time.sleep(0.7)
        one.type(b"stty size\n")
        one.until(b"31 97")
        one.size(80, 24)  # the window becomes smaller
        time.sleep(0.8)
        one.type(b"stty size\n")
        one.until(b"24 80")
        one.type(b"sleep 100; echo no\n")
        time.sleep(0.3)
        one.type(b"\x03echo still $((40 + 2))\n")  # Ctrl-C ends what runs in the step, not us
        one.until(b"still 42")
        one.type("printf ü | wc -c\n".encode())
        one.until(b"2\r\n")
        one.type(b"exit 7\n")
        assert one.process.wait(20) == 7
        assert termios.tcgetattr(one.leader) == before


def test_a_terminal_is_mended_when_the_connection_breaks(waits: Pod, api: Api) -> None:
    api.faults = [Fault("/exec", "drop")]
    with terminal("sh") as one:
        before = termios.tcgetattr(one.leader)
        one.until(b"the connection to pod")
        assert one.process.wait(20) == 1
        assert termios.tcgetattr(one.leader) == before


def test_without_a_terminal_it_is_a_command_with_a_code(
    waits: Pod, gates: ClusterGates, capfd: pytest.CaptureFixture[str]
) -> None:
    assert gates.shell(gates.find(RUN, "review"), ["sh", "-c", "echo out; echo err >&2; cat; exit 3"]) == 3
    assert capfd.readouterr() == ("out\n", "err\n")


def test_a_command_that_is_not_there(waits: Pod, gates: ClusterGates) -> None:
    with pytest.raises(CannotDoError, match="the command could not be run in pod") as caught:
        gates.shell(gates.find(RUN, "review"), ["no-such-program"])
    assert '"no-such-program": not found' in caught.value.help


def test_a_step_that_has_ended_meanwhile(waits: Pod, gates: ClusterGates) -> None:
    standing = gates.find(RUN, "review")
    waits.state = {"terminated": {"exitCode": 0}}
    with pytest.raises(CannotDoError, match=r"has failed \(500\)") as caught:
        gates.shell(standing, ["sh"])
    assert caught.value.help == 'container not found ("main")'


def test_files_of_a_step(waits: Pod, gates: ClusterGates) -> None:
    run = waits.folder / "run"
    (run / "token").write_bytes(b"\x00\xff\r\n")
    (run / "large").write_bytes(b"x" * (2 << 20))
    (run / "-odd 'name").write_text("odd")
    standing = gates.find(RUN, "review")
    assert gates.read(standing, "/kade/run/token") == b"\x00\xff\r\n"
    assert gates.read(standing, "/kade/run/-odd 'name") == b"odd"
    assert gates.read(standing, "/kade/run/none") is None
    assert gates.read(standing, "/kade/run") is None
    with pytest.raises(CannotDoError, match="wrote more than 1 MiB"):
        gates.read(standing, "/kade/run/large")
