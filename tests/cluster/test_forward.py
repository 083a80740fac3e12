from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from kade2kfp.cluster.gates import ClusterGates
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Standing

from .api import TOKEN, Api, Fault
from .box import Pod
from .conftest import RUN

MIB = 1 << 20


@pytest.fixture
def standing(gates: ClusterGates, pod: Callable[..., Pod]) -> Standing:
    pod("review")
    return gates.find(RUN, "review")


@contextlib.contextmanager
def served(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of the step; each connection has a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = listener.accept()[0]
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                handle(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def echo(connection: socket.socket) -> None:
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def read(connection: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size and (data := connection.recv(1 << 16)):
        found += data
    return bytes(found)


def test_a_megabyte_goes_both_ways_at_once(gates: ClusterGates, standing: Standing) -> None:
    data = os.urandom(3 * MIB)
    with (
        served(echo) as port,
        gates.forward(standing, port) as local,
        socket.create_connection(("127.0.0.1", local), timeout=30) as here,
    ):
        sending = threading.Thread(target=here.sendall, args=(data,))
        sending.start()
        came = read(here, len(data))
        sending.join()
    assert hashlib.sha256(came).digest() == hashlib.sha256(data).digest()


def test_connections_do_not_wait_for_each_other(gates: ClusterGates, standing: Standing) -> None:
    with served(echo) as port, gates.forward(standing, port) as local, contextlib.ExitStack() as stack:
        open_ = [
            stack.enter_context(socket.create_connection(("127.0.0.1", local), timeout=30)) for _ in range(10)
        ]  # the first says nothing until the others are done
        for number, here in reversed(list(enumerate(open_))):
            here.sendall(b"%d" % number)
            assert here.recv(10) == b"%d" % number


def test_a_reader_who_is_slow_loses_nothing_and_holds_up_nobody(gates: ClusterGates, standing: Standing) -> None:
    def pour(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"x" * 8 * MIB)

    with served(pour) as port, gates.forward(standing, port) as local:
        slow = socket.create_connection(("127.0.0.1", local), timeout=30)
        slow.sendall(b"a")
        time.sleep(0.3)
        with socket.create_connection(("127.0.0.1", local), timeout=30) as quick:
            quick.sendall(b"a")
            assert len(read(quick, 8 * MIB)) == 8 * MIB
        assert len(read(slow, 8 * MIB)) == 8 * MIB
        assert slow.recv(1) == b""
        slow.close()


def test_what_a_reader_does_not_take_stays_with_the_sender(gates: ClusterGates, standing: Standing) -> None:
    done = threading.Event()

    def pour(connection: socket.socket) -> None:
        connection.sendall(b"x" * 48 * MIB)
        done.set()

    with (
        served(pour) as port,
        gates.forward(standing, port) as local,
        socket.create_connection(("127.0.0.1", local), timeout=30),
    ):
        assert not done.wait(1.5)


def test_a_side_that_has_said_all_still_gets_the_answer(gates: ClusterGates, standing: Standing) -> None:
    def late(connection: socket.socket) -> None:
        connection.recv(10)
        time.sleep(0.3)
        connection.sendall(b"answer")

    with (
        served(late) as port,
        gates.forward(standing, port) as local,
        socket.create_connection(("127.0.0.1", local), timeout=30) as here,
    ):
        here.sendall(b"ask")
        here.shutdown(socket.SHUT_WR)
        assert read(here, 100) == b"answer"


def test_the_step_sees_no_connection_before_somebody_connects(gates: ClusterGates, standing: Standing) -> None:
    seen: list[int] = []
    with served(lambda one: seen.append(one.fileno())) as port, gates.forward(standing, port) as local:
        assert seen == []
        with socket.create_connection(("127.0.0.1", local), timeout=30) as here:
            assert here.recv(1) == b""
    assert len(seen) == 1


def test_a_port_where_nothing_listens_ends_the_connection_and_is_told(
    gates: ClusterGates, standing: Standing, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with (
            gates.forward(standing, free.getsockname()[1]) as local,
            socket.create_connection(("127.0.0.1", local), timeout=30) as here,
        ):
            assert here.recv(1) == b""
    assert "Connection refused" in caplog.text


@pytest.mark.parametrize("what", [401, 503, "html", "login", "drop", "cut"])
def test_a_cluster_that_fails_later_ends_the_connection_and_is_told(
    gates: ClusterGates, api: Api, standing: Standing, what: int | str, caplog: pytest.LogCaptureFixture
) -> None:
    with served(echo) as port, gates.forward(standing, port) as local:
        api.faults = [Fault("/portforward", what)]
        with socket.create_connection(("127.0.0.1", local), timeout=30) as here:
            assert here.recv(1) == b""
        api.faults = []
        with socket.create_connection(("127.0.0.1", local), timeout=30) as here:  # and the next one works
            here.sendall(b"a")
            assert here.recv(1) == b"a"
    assert what == "drop" or caplog.text
    assert TOKEN not in caplog.text
    assert "Traceback" not in caplog.text


def test_what_may_not_be_forwarded_is_told_at_once(gates: ClusterGates, api: Api, standing: Standing) -> None:
    api.forbidden = {"get pods/portforward"}
    with pytest.raises(CannotDoError, match="you may not forward a port") as caught, gates.forward(standing, 80):
        pass
    assert "get and create on pods/portforward in namespace `kubeflow`" in caught.value.help


def test_a_port_of_ours_can_be_chosen_and_one_that_is_taken_is_told(gates: ClusterGates, standing: Standing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(CannotDoError, match=f"cannot listen at 127.0.0.1:{number}: Address already in use"):
            gates.forward(standing, 80, number).__enter__()
    with gates.forward(standing, 80, number) as local:
        assert local == number


def test_at_the_end_nothing_is_left_and_open_connections_are_closed(gates: ClusterGates, standing: Standing) -> None:
    before = set(threading.enumerate())
    files = len(os.listdir("/proc/self/fd"))
    with served(echo) as port:
        with socket.socket() as here:
            with pytest.raises(KeyboardInterrupt):
                _interrupted(gates, standing, port, here)
            assert here.recv(1) == b""
            address = here.getpeername()
        assert not [one for one in threading.enumerate() if one not in before and "forward" in one.name]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
    until = time.monotonic() + 10
    while len(os.listdir("/proc/self/fd")) > files + 1 and time.monotonic() < until:
        time.sleep(0.05)  # the server's own
    assert len(os.listdir("/proc/self/fd")) <= files + 1


def _interrupted(gates: ClusterGates, standing: Standing, port: int, here: socket.socket) -> None:
    with gates.forward(standing, port) as local:
        here.connect(("127.0.0.1", local))
        here.sendall(b"a")
        assert here.recv(1) == b"a"
        assert len([one for one in threading.enumerate() if "forward" in one.name]) == 2
        raise KeyboardInterrupt
