"""A Kubernetes API over real HTTP, as far as gates need one: pods, ConfigMaps, exec and portforward, and faults on demand."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .apply import ConflictError, InvalidError, apply, merge
from .box import Pod
from .sockets import Channels, accept_key, carry, execute, status

TOKEN = "sekret-7f3a9"
_PATH = re.compile(
    r"/apis?/(?:[^/]+/)?v1(?:alpha1)?(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?(?:/(exec|portforward))?"
)


@dataclass
class Fault:
    """What happens to requests instead of an answer, `times` times. `match` is searched for in `GET pods/NAME/exec`.

    `what`: a status; `html`, `login` (a redirect), `slow` (an answer after `seconds`), `cut` (half of one), `late` (done, then cut),
    `drop` (a websocket that ends as soon as it stands).
    """

    match: str
    what: int | str
    times: int = 1000
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Api:
    """The cluster's state, and what was asked of it. kubelet is the method `project`."""

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.workflow: dict[str, Any] = {}
        self.faults: list[Fault] = []
        self.forbidden: set[str] = set()  # such as `get pods/exec`
        self.asked: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.page = 200
        self.user = "alice"
        self.projects = True
        self.reviews = True
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def add(self, pod: Pod) -> Pod:
        self.pods[pod.name] = pod
        return pod

    def project(self, pod: Pod) -> None:
        """kubelet brings the run's ConfigMap into a pod: here, as soon as the pod is changed."""
        if self.projects and pod.run in self.configs:
            pod.project(self.configs[pod.run]["data"])

    def data(self, run: str) -> dict[str, str]:
        found: dict[str, str] = self.configs[run]["data"]
        return found

    def fault(self, request: str) -> Fault | None:
        with self.lock:
            for one in self.faults:
                if one.times and re.search(one.match, request):
                    one.times -= 1
                    return one
        return None

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for pod in self.pods.values():
            pod.stop()


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.api = api
    return Handler


class _RefusalError(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Api

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        matched = _PATH.fullmatch(url.path)
        namespace, resource, name, below = matched.groups() if matched else (None, "", None, None)
        short = "/".join(unquote(one) for one in (resource, name, below) if one)
        request = f"{self.command} {short}"
        with self.api.lock:
            self.api.asked.append(request)
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else {}
        fault = self.api.fault(request)
        if fault and fault.what not in ("late", "drop") and not self._fail(fault):
            return
        try:
            if not matched:
                raise _RefusalError(404, "NotFound", "the server could not find the requested resource")
            if (self.headers.get("Authorization") or "").casefold() != f"bearer {TOKEN}":
                raise _RefusalError(401, "Unauthorized", "Unauthorized")
            self._may(resource, name, below, namespace)
            query = {key: found[0] for key, found in parse_qs(url.query).items()}
            if below:
                self._channels(
                    unquote(name or ""), below, parse_qs(url.query), drop=bool(fault and fault.what == "drop")
                )
                return
            with self.api.lock:
                self.api.bodies.append(body)
                answer = self._answer(resource, unquote(name or ""), query, body)
        except _RefusalError as error:
            self._status(error.status, error.reason, str(error))
            return
        if fault and fault.what == "late":
            self.close_connection = True
            return
        self._json(200, answer)

    def _fail(self, fault: Fault) -> bool:
        """Whether an answer follows nevertheless."""
        if fault.what == "slow":
            time.sleep(fault.seconds)
            return True
        if fault.what == "cut":
            self.wfile.write(
                b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"items": ['
            )
            self.close_connection = True
        elif fault.what == "html":
            self._send(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
        elif fault.what == "login":
            self._send(302, b"", {"Location": f"http://127.0.0.1:{self.api.port}/login"})
        else:
            self._status(int(fault.what), "Trouble", f"trouble {fault.what}", fault.headers)
        return False

    def _may(self, resource: str, name: str | None, below: str | None, namespace: str | None) -> None:
        verb = {"POST": "create", "PATCH": "patch"}.get(self.command, "get" if name else "list")
        wanted = f"{verb} {resource}{'/' + below if below else ''}"
        if wanted in self.api.forbidden:
            said = f'{resource} "{name}" is forbidden: User "{self.api.user}" cannot {wanted} in the namespace "{namespace}"'
            raise _RefusalError(403, "Forbidden", said)

    def _answer(self, resource: str, name: str, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        api = self.api
        match self.command, resource:
            case "GET", "pods" if not name:
                return self._list(query)
            case "GET", "pods":
                return self._pod(name).json()
            case "PATCH", "pods":
                pod = self._pod(name)
                pod.annotations |= body["metadata"]["annotations"]
                api.project(pod)
                return pod.json()
            case "GET", "configmaps" if name in api.configs:
                return {key: value for key, value in api.configs[name].items() if key != "owners"}
            case "PATCH", "configmaps":
                return self._patch(name, query, body)
            case "GET", "workflows" if api.workflow:
                return api.workflow
            case "POST", "selfsubjectaccessreviews":
                wanted = body["spec"]["resourceAttributes"]
                asked = f"{wanted['verb']} {wanted['resource']}/{wanted['subresource']}"
                return body | {"status": {"allowed": asked not in api.forbidden}}
            case "POST", "selfsubjectreviews" if api.reviews:
                return body | {"status": {"userInfo": {"username": api.user, "groups": ["system:authenticated"]}}}
        raise _RefusalError(404, "NotFound", f'{resource} "{name}" not found')

    def _patch(self, name: str, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        configs = self.api.configs
        try:
            if self.headers["Content-Type"] == "application/apply-patch+yaml":
                assert body["metadata"]["name"] == name
                found = apply(configs.get(name), body, query.get("fieldManager", ""), query.get("force") == "true")
            elif name not in configs:
                raise _RefusalError(404, "NotFound", f'configmaps "{name}" not found')
            else:
                found = merge(configs[name], body, query.get("fieldManager", "python"))
        except ConflictError as error:
            raise _RefusalError(409, "Conflict", str(error)) from None
        except InvalidError as error:
            raise _RefusalError(422, "Invalid", str(error)) from None
        configs[name] = found
        return found

    def _list(self, query: dict[str, str]) -> dict[str, Any]:
        rows = [pod.json() for pod in self.api.pods.values()]
        for term in filter(None, query.get("labelSelector", "").split(",")):
            key, equals, value = term.partition("=")
            rows = [
                row
                for row in rows
                if key in row["metadata"]["labels"] and (not equals or row["metadata"]["labels"][key] == value)
            ]
        start, size = int(query.get("continue", "0")), min(int(query["limit"]), self.api.page)
        following = str(start + size) if start + size < len(rows) else ""
        metadata = {"resourceVersion": "7", **({"continue": following} if following else {})}
        return {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": rows[start : start + size]}

    def _pod(self, name: str) -> Pod:
        if name not in self.api.pods:
            raise _RefusalError(404, "NotFound", f'pods "{name}" not found')
        return self.api.pods[name]

    def _channels(self, name: str, below: str, query: dict[str, list[str]], *, drop: bool) -> None:
        pod = self._pod(name)
        if "running" not in pod.json()["status"]["containerStatuses"][1]["state"]:
            raise _RefusalError(500, "InternalError", 'container not found ("main")')
        if "v4.channel.k8s.io" not in self.headers.get("Sec-WebSocket-Protocol", ""):
            raise _RefusalError(400, "BadRequest", "unable to upgrade")
        self.send_response(101, "Switching Protocols")
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_key(self.headers["Sec-WebSocket-Key"]))
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self.close_connection = True
        channels = Channels(self.rfile, self.connection)
        if drop:
            return
        if below == "portforward":
            carry(channels, int(query["ports"][0]))
            return
        assert query["container"] == ["main"]
        terminal = query.get("tty") == ["true"]
        pod.executed += query["command"]
        if shutil.which(query["command"][0]) is None:
            channels.put(
                3, status(None, f'error executing command in container: exec: "{query["command"][0]}": not found')
            )
            channels.close()
            return
        execute(
            channels,
            pod.words(query["command"]),
            tty=terminal,
            stdin=query.get("stdin") == ["true"],
            env={"PATH": "/usr/bin:/bin", "TERM": "xterm"},
        )

    def _status(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
        self._json(status, body | {"message": message, "reason": reason, "code": status}, headers)

    def _json(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
