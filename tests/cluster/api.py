"""A Kubernetes API over real HTTP, as far as gates and services need one, with faults on demand: pods, ConfigMaps, exec, portforward,
logs; Deployments and the like by objects.py.
"""

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
from .objects import Objects
from .sockets import Channels, accept_key, carry, execute, status

TOKEN = "sekret-7f3a9"
_PATH = re.compile(
    r"/apis?/(?:([^/]+)/)?v[12](?:alpha1|beta1)?(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?(?:/(exec|portforward|scale|log))?"
)
_GROUP = re.compile(r"/apis/([^/]+)/v[12](?:alpha1|beta1)?")
_LATE_GROUPS = ("serving.kserve.io", "tensorboard.kubeflow.org")  # of custom resources
_KINDS = {
    "deployments",
    "replicasets",
    "services",
    "horizontalpodautoscalers",
    "inferenceservices",
    "tensorboards",
}


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
        self.objects = Objects()
        self.groups: set[str] = set()  # of custom resources that the cluster has
        self.logs: dict[str, bytes] = {}
        self.used: set[tuple[str, str, str]] = (
            set()
        )  # group, resource and verb of all that was asked for, as roles say it
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

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        matched = _PATH.fullmatch(url.path)
        discovered = _GROUP.fullmatch(url.path)
        group, namespace, resource, name, below = matched.groups() if matched else (None, None, "", None, None)
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
            if discovered and discovered[1] in self.api.groups:
                self._json(200, {"kind": "APIResourceList"})
                return
            if not matched:
                self._send(404, b"404 page not found\n", {"Content-Type": "text/plain"})
                return
            if (self.headers.get("Authorization") or "").casefold() != f"bearer {TOKEN}":
                raise _RefusalError(401, "Unauthorized", "Unauthorized")
            self._may(group or "", resource, name, below, namespace)
            if group in _LATE_GROUPS and group not in self.api.groups:
                self._send(404, b"404 page not found\n", {"Content-Type": "text/plain"})
                return
            query = {key: found[0] for key, found in parse_qs(url.query).items()}
            if below == "log":
                self._log(unquote(name or ""), query)
                return
            if below in ("exec", "portforward"):
                self._channels(
                    unquote(name or ""), below, parse_qs(url.query), drop=bool(fault and fault.what == "drop")
                )
                return
            with self.api.lock:
                self.api.bodies.append(body)
                answer = self._answer(resource, unquote(name or ""), below or "", query, body)
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

    def _may(self, group: str, resource: str, name: str | None, below: str | None, namespace: str | None) -> None:
        verbs = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}
        verb = verbs.get(self.command, "get" if name else "list")
        wanted = f"{verb} {resource}{'/' + below if below else ''}"
        self.api.used.add((group, wanted.partition(" ")[2], verb))
        if below in ("exec", "portforward"):  # Kubernetes asks for both from 1.35 on
            self.api.used.add((group, wanted.partition(" ")[2], "create"))
        if wanted in self.api.forbidden:
            said = f'{resource} "{name}" is forbidden: User "{self.api.user}" cannot {wanted} in the namespace "{namespace}"'
            raise _RefusalError(403, "Forbidden", said)

    def _answer(
        self, resource: str, name: str, below: str, query: dict[str, str], body: dict[str, Any]
    ) -> dict[str, Any]:
        api = self.api
        if resource in _KINDS:
            return self._object(resource, name, below, query, body)
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

    def _object(
        self, resource: str, name: str, below: str, query: dict[str, str], body: dict[str, Any]
    ) -> dict[str, Any]:
        objects = self.api.objects
        if self.command == "GET" and not name:
            return self._page(objects.list(resource), query)
        try:
            if self.headers["Content-Type"] == "application/apply-patch+yaml":
                manager, force = query.get("fieldManager", ""), query.get("force") == "true"
                return objects.apply(resource, body, manager, force=force)
            if (resource, name) not in objects.found:
                raise _RefusalError(404, "NotFound", f'{resource} "{name}" not found')
            if self.command == "PATCH":
                if below == "scale":
                    assert set(body) == {"spec"}
                    assert set(body["spec"]) == {"replicas"}
                return objects.merge(resource, name, body, query.get("fieldManager", "python"))
        except ConflictError as error:
            raise _RefusalError(409, "Conflict", str(error)) from None
        if self.command == "DELETE":
            assert query["propagationPolicy"] == "Background"
            return objects.delete(resource, name)
        return objects.found[resource, name]

    def _log(self, name: str, query: dict[str, str]) -> None:
        if name not in self.api.logs:
            raise _RefusalError(404, "NotFound", f'pods "{name}" not found')
        assert query["container"] == "server"
        kept = b"".join(self.api.logs[name].splitlines(keepends=True)[-int(query["tailLines"]) :])
        self._send(200, kept, {"Content-Type": "text/plain"})

    def _patch(self, name: str, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        configs = self.api.configs
        try:
            if self.headers["Content-Type"] == "application/apply-patch+yaml":
                assert body["metadata"]["name"] == name
                if name not in configs:
                    self.api.used.add(("", "configmaps", "create"))
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
        return self._page([pod.json() for pod in self.api.pods.values()] + self.api.objects.list("pods"), query)

    def _page(self, rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        for term in filter(None, query.get("labelSelector", "").split(",")):
            key, equals, value = term.partition("=")
            rows = [
                row
                for row in rows
                if key in row["metadata"].get("labels", ()) and (not equals or row["metadata"]["labels"][key] == value)
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
        served = self.api.objects.found.get(("pods", name))
        pod = self._pod(name) if served is None else None
        if pod is not None and "running" not in pod.json()["status"]["containerStatuses"][1]["state"]:
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
        assert pod is not None
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
