"""A step's port on this machine's loopback: a websocket to pods/portforward for each connection."""

from __future__ import annotations

import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.execute import reach
from kade2kfp.cluster.frames import Stream
from kade2kfp.cluster.requests import call, permission
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal

_DATA, _ERROR = 0, 1  # channels of the first port; each begins with the port's number, two bytes
_FULL = 1 << 20  # bytes that wait for a slow reader before no more is read
_LINGER = 5.0  # seconds that are waited for more after this side has ended: v4 cannot tell the other
_log = logging.getLogger(__name__)


@contextmanager
def forward(cluster: Cluster, pod: str, port: int, local: int | None = None) -> Iterator[int]:
    """A pod's port on 127.0.0.1 while the block lasts: the number there, `local` if that is given.

    Raises CannotDoError where the cluster does not allow it or `local` is taken. What goes wrong with a single connection
    later is logged as a warning, and ends that connection.
    """
    _check_allowed(cluster, pod)
    try:
        listener = socket.create_server(("127.0.0.1", local or 0), backlog=128)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no such port"
        raise CannotDoError(f"cannot listen at 127.0.0.1:{local}: {reason}", "name another port, or none") from None
    # The end of this pair is heard by all threads at once.
    heard, end = socket.socketpair()
    threads: list[threading.Thread] = []
    accepting = _thread(_accept, cluster, pod, port, listener, heard, threads)
    try:
        yield int(listener.getsockname()[1])
    finally:
        end.close()
        accepting.join(timeout=5)
        listener.close()
        until = time.monotonic() + 5
        for thread in threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        if not any(thread.is_alive() for thread in [accepting, *threads]):
            heard.close()


def _thread(target: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(name="port forward", target=target, args=args, daemon=True)
    thread.start()
    return thread


def _check_allowed(cluster: Cluster, pod: str) -> None:
    """Raises CannotDoError where ports may not be forwarded. It asks, for to try would be a connection that the step sees."""
    wanted = {
        "namespace": cluster.namespace,
        "verb": "get",
        "resource": "pods",
        "subresource": "portforward",
        "name": pod,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    try:
        answer = call(cluster, "create", "selfsubjectaccessreviews", body=body)
    except RefusedError as error:
        if error.status in (403, 404):
            return
        raise
    status = answer.get("status")
    if isinstance(status, dict) and status.get("allowed") is False:
        missing = permission(cluster, "get and create", "pods/portforward")
        raise CannotDoError(f"you may not forward a port of pod {pod}", f"somebody who may has to grant you: {missing}")


def _accept(
    cluster: Cluster,
    pod: str,
    port: int,
    listener: socket.socket,
    heard: socket.socket,
    threads: list[threading.Thread],
) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(heard, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if heard in ready:
                return
            try:
                connection, _ = listener.accept()
            except OSError:  # the caller has gone already
                continue
            thread = _thread(_carry, cluster, pod, port, connection, heard)
            threads[:] = [one for one in threads if one.is_alive()] + [thread]


def _carry(cluster: Cluster, pod: str, port: int, connection: socket.socket, heard: socket.socket) -> None:
    with connection:
        try:
            stream = _open(cluster, pod, port)
            try:
                _exchange(stream, connection, heard)
            finally:
                stream.close()
        except CannotDoError as error:
            _log.warning("port %d: %s", port, terminal(str(error)))
        except OSError:
            return  # the program on this side has gone


def _open(cluster: Cluster, pod: str, port: int) -> Stream:
    return reach(cluster, pod, "portforward", [("ports", str(port))])


def _exchange(stream: Stream, connection: socket.socket, heard: socket.socket) -> None:
    """Carry bytes both ways until one side ends. Raises CannotDoError for what the cluster says is wrong, OSError of this side."""
    connection.setblocking(False)
    begun: set[int] = set()
    leaving = bytearray()  # to the program on this side
    quiet: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(heard, selectors.EVENT_READ)
        while True:
            came = stream.turn(receive=len(leaving) < _FULL)
            for channel, data in came:
                if channel not in begun:
                    begun.add(channel)
                elif channel == _DATA:
                    leaving += data
                elif channel == _ERROR and data:
                    raise CannotDoError(data.decode(errors="replace")[:300])
            with suppress(BlockingIOError):
                while leaving:
                    del leaving[: connection.send(leaving)]
            if quiet is None and stream.waiting < _FULL:
                quiet = _taken(stream, connection)
            elif quiet is not None and came:
                quiet = time.monotonic()
            if stream.closed and not leaving:
                return
            if quiet is not None and not stream.waiting and time.monotonic() - quiet > _LINGER:
                return
            if _wait(selector, stream, connection, len(leaving), quiet is not None, heard):
                return


def _taken(stream: Stream, connection: socket.socket) -> float | None:
    """Pass on what this side has written; the time when it has ended, else None."""
    with suppress(BlockingIOError):
        data = connection.recv(1 << 16)
        if not data:
            return time.monotonic()
        stream.put(_DATA, data)
    return None


def _wait(
    selector: selectors.BaseSelector,
    stream: Stream,
    connection: socket.socket,
    leaving: int,
    ended: bool,
    heard: socket.socket,
) -> bool:
    """Wait until something can go on; whether it is the end of all."""
    wanted = {
        stream.fileno(): 0
        if stream.closed
        else (selectors.EVENT_READ if leaving < _FULL else 0) | (selectors.EVENT_WRITE if stream.waiting else 0),
        connection.fileno(): (selectors.EVENT_READ if not ended and stream.waiting < _FULL else 0)
        | (selectors.EVENT_WRITE if leaving else 0),
    }
    for descriptor, events in wanted.items():
        if events:
            selector.register(descriptor, events)
    ready = selector.select(1.0 if ended else None)
    for descriptor, events in wanted.items():
        if events:
            selector.unregister(descriptor)
    return any(key.fileobj is heard for key, _ in ready)
