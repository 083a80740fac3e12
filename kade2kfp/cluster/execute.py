"""Commands in a step's container, by pods/exec; the connection that ports are forwarded by is made here, too."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from kade2kfp.cluster.connect import Cluster
from kade2kfp.cluster.errors import RefusedError, broken, not_kubernetes, refused
from kade2kfp.cluster.frames import Stream
from kade2kfp.cluster.requests import again, path_of, permission

# Channels of v4.channel.k8s.io (k8s.io/apimachinery/pkg/util/remotecommand).
STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)
MAIN = "main"  # Argo calls the user's container so (argocompiler/container.go)
_PIECE = 1 << 15
_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: bytes
    err: str


def run(cluster: Cluster, pod: str, command: Sequence[str], stdin: bytes = b"", seconds: float = 20.0) -> Ran:
    """Run a command in the step, to its end.

    v4 cannot close stdin: a command that reads it has to know how much comes. Raises RefusedError: also where it could
    not be started, wrote over 1 MiB, or took longer than `seconds`.
    """
    wanted = [("stdout", "true"), ("stderr", "true"), *([("stdin", "true")] if stdin else [])]
    stream = start(cluster, pod, command, wanted)
    out, err, status = bytearray(), bytearray(), b""
    try:
        for place in range(0, len(stdin), _PIECE):
            stream.put(STDIN, stdin[place : place + _PIECE])
        end = time.monotonic() + seconds
        while not status and not stream.closed:
            for channel, data in stream.turn():
                if channel == STDOUT:
                    out += data
                elif channel == STDERR:
                    err += data
                elif channel == STATUS:
                    status += data
            if len(out) + len(err) > _MOST:
                raise RefusedError(f"a command in pod {pod} wrote more than 1 MiB")
            if time.monotonic() > end:
                raise RefusedError(f"a command in pod {pod} did not end within {seconds:g} s", "is its node well?")
            if not status and not stream.closed:
                stream.wait(min(end - time.monotonic(), 1.0))
    finally:
        stream.close()
    return Ran(exit_code(status, pod), bytes(out), err.decode(errors="replace"))


def start(cluster: Cluster, pod: str, command: Sequence[str], wanted: Sequence[tuple[str, str]]) -> Stream:
    """The streams of a command that has been started; `wanted` says which. Raises RefusedError."""
    words = [("command", word) for word in command]
    return reach(cluster, pod, "exec", [("container", MAIN), *wanted, *words])


def reach(cluster: Cluster, pod: str, what: str, query: Sequence[tuple[str, str]]) -> Stream:
    """A websocket to `exec` or `portforward` of a pod. Raises RefusedError.

    Asked for again where it was refused for a reason that passes: then nothing has been started.
    """
    return again(cluster, lambda: _reach(cluster, pod, what, query))


def exit_code(status: bytes, pod: str) -> int:
    """A command's code, by the Status object that ends it. Raises RefusedError where it was not run to its end."""
    try:
        said = json.loads(status)
    except ValueError:
        raise RefusedError(f"the connection to pod {pod} broke", "is it still there?", passing=True) from None
    if not isinstance(said, dict):
        said = {}
    if said.get("status") == "Success":
        return 0
    details = said.get("details")
    for cause in (details.get("causes") if isinstance(details, dict) else None) or ():
        text = str(cause.get("message")) if isinstance(cause, dict) and cause.get("reason") == "ExitCode" else ""
        if text.isdecimal():
            return int(text)
    raise RefusedError(f"the command could not be run in pod {pod}", str(said.get("message", ""))[:300])


def _reach(cluster: Cluster, pod: str, what: str, query: Sequence[tuple[str, str]]) -> Stream:
    import websocket
    from kubernetes.stream.ws_client import get_websocket_url, websocket_proxycare

    configuration = cluster.api.configuration
    doing = f"{'run a command in' if what == 'exec' else 'forward a port of'} pod {pod}"
    url = get_websocket_url(configuration.host + path_of(cluster, "pods", pod) + f"/{what}?{urlencode(query)}")
    auth = configuration.auth_settings().get("BearerToken")
    headers = ["Sec-WebSocket-Protocol: v4.channel.k8s.io", *([f"Authorization: {auth['value']}"] if auth else [])]
    # kubernetes.stream would follow a redirect, with the token, and set no time limit for the connection.
    options = {"header": headers, "redirect_limit": 0, "timeout": cluster.connect}
    if configuration.proxy or configuration.proxy_headers:
        options = websocket_proxycare(options, configuration, url, {})
    connected: Any = websocket.WebSocket(sslopt=_tls(configuration))
    try:
        connected.connect(url, **options)
    except websocket.WebSocketBadStatusException as error:
        # Kubernetes takes a websocket for `get`, and from 1.35 on asks for `create` as well.
        missing = permission(cluster, "get and create", f"pods/{what}")
        if error.status_code < 400:
            raise not_kubernetes(cluster.address, error.status_code) from None
        raise refused(
            error.status_code, error.resp_body, error.resp_headers or {}, doing, missing, cluster.address
        ) from None
    except (websocket.WebSocketException, OSError, ValueError) as error:
        raise broken(error, doing, cluster.address) from None
    return Stream(connected)


def _tls(configuration: Any) -> dict[str, Any]:
    """The kubeconfig's TLS as websocket-client wants it."""
    import certifi

    options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE}
    if configuration.verify_ssl:
        options = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": configuration.ssl_ca_cert or certifi.where()}
    named = {
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    return options | {name: value for name, value in named.items() if value}
