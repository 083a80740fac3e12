"""A Kubernetes API over real HTTPS for templates/apply.py, with a controller for Deployments behind it, and faults on demand."""

from __future__ import annotations

import copy
import json
import re
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .kube_apply import ConflictError, InvalidError, apply, merge
from .kube_controllers import NAMESPACE, Controllers, Json

TOKEN = "sekret-51f2c9"
CERTIFICATE = Path(__file__).with_name("localhost.pem")
RESOURCES = {
    "deployments": ("apps", "Deployment"),
    "replicasets": ("apps", "ReplicaSet"),
    "services": ("", "Service"),
    "pods": ("", "Pod"),
    "horizontalpodautoscalers": ("autoscaling", "HorizontalPodAutoscaler"),
    "inferenceservices": ("serving.kserve.io", "InferenceService"),
    "tensorboards": ("tensorboard.kubeflow.org", "Tensorboard"),
}
_PATH = re.compile(r"/apis?/(?:([^/]+)/)?(v\w+)/namespaces/([^/]+)/([^/]+)(?:/([^/]+))?(?:/(log))?")


@dataclass
class Fault:
    """What happens instead of an answer, `times` times, to requests in whose `PATCH deployments/NAME` `match` is found.

    `what`: a status; `html`, `login` (a redirect), `slow` (an answer after `seconds`), `cut` (half of one), `late` (done,
    then cut).
    """

    match: str
    what: int | str
    times: int = 1000
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever is stopped does not wait for his answer."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Kube(Controllers):
    """The state of a cluster, and what was asked of it."""

    def __init__(self, check: Callable[[Any], list[str]]) -> None:
        super().__init__()
        self.owners: dict[tuple[str, str], dict[tuple[str, ...], set[str]]] = {}
        self.faults: list[Fault] = []
        self.forbidden: set[str] = set()
        self.missing: set[str] = set()
        self.asked: list[str] = []
        self.after: Callable[[str], object] = lambda request: None
        self.page = 100
        self.lock = threading.RLock()
        self._check = check
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self, kind: str, name: str) -> Json:
        with self.lock:
            return copy.deepcopy(self.objects[(kind, name)])

    def names(self, kind: str) -> list[str]:
        with self.lock:
            return sorted(name for of, name in self.objects if of == kind)

    def put(self, thing: Json) -> None:
        """An object that somebody else has made."""
        with self.lock:
            self._keep(copy.deepcopy(thing), None)

    def apply(self, thing: Json, manager: str, force: bool) -> Json:
        if wrong := self._check(thing):
            raise InvalidError(f'{thing["kind"]} "{thing["metadata"]["name"]}" is invalid: {"; ".join(wrong)}')
        key = (thing["kind"], thing["metadata"]["name"])
        live = self.objects.get(key)
        self._same_version(live, thing)
        wanted = copy.deepcopy(thing)
        wanted["metadata"].pop("resourceVersion", None)
        plain = {part: value for part, value in live.items() if part != "status"} if live else None
        found = apply(plain, self.owners.setdefault(key, {}), wanted, manager, force)
        return self._keep(found, live)

    def merge(self, kind: str, name: str, patch: Json) -> Json:
        live = self.objects[(kind, name)]
        self._same_version(live, patch)
        return self._keep(merge(live, patch), live)

    def _same_version(self, live: Json | None, thing: Json) -> None:
        version = thing["metadata"].get("resourceVersion")
        if version is not None and (live is None or live["metadata"]["resourceVersion"] != version):
            raise ConflictError(
                "Operation cannot be fulfilled: the object has been modified; please apply your changes"
            )

    def _keep(self, found: Json, live: Json | None) -> Json:
        self.count += 1
        metadata = found.setdefault("metadata", {})
        if live:
            found["status"] = live.get("status", {})
        old = live or {"metadata": {}}
        changed = found.get("spec") != old.get("spec")
        metadata["uid"] = old["metadata"].get("uid", f"uid-{self.count}")
        metadata["generation"] = old["metadata"].get("generation", 0) + changed
        metadata["resourceVersion"] = str(self.count)
        metadata["namespace"] = NAMESPACE
        if found["kind"] == "Deployment":
            template = found["spec"]["template"]
            template["metadata"].setdefault("creationTimestamp", None)
            for container in template["spec"]["containers"]:
                container.setdefault("terminationMessagePath", "/dev/termination-log")
            found["spec"].setdefault("replicas", 1)
        self.objects[(found["kind"], metadata["name"])] = found
        return found


def _handler(kube: Kube) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.kube = kube
    return Handler


class _RefusalError(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kube: Kube

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.close_connection = True
        url = urlsplit(self.path)
        matched = _PATH.fullmatch(url.path)
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else {}
        group, _, _, resource, name, below = matched.groups() if matched else (None,) * 6
        request = f"{self.command} {'/'.join(one for one in (resource, name, below) if one)}"
        with self.kube.lock:
            self.kube.asked.append(request)
            fault = next((one for one in self.kube.faults if one.times and re.search(one.match, request)), None)
            if fault:
                fault.times -= 1
                self.kube.after(f"fault at {request}")
        if fault and fault.what != "late" and not self._fail(fault):
            return
        query = {key: found[0] for key, found in parse_qs(url.query).items()}
        try:
            with self.kube.lock:
                answer = self._answer(str(group or ""), str(resource), name, below, query, body)
        except _RefusalError as error:
            self._status(error.status, error.reason, str(error))
            return
        self.kube.after(request)
        if fault and fault.what == "late":
            return
        if isinstance(answer, str):
            self._send(200, answer.encode(), {"Content-Type": "text/plain"})
        else:
            self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _fail(self, fault: Fault) -> bool:
        """Whether an answer follows nevertheless."""
        if fault.what == "slow":
            time.sleep(fault.seconds)
            return True
        if fault.what == "cut":
            self.wfile.write(
                b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"items": ['
            )
        elif fault.what == "html":
            self._send(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
        elif fault.what == "login":
            self._send(302, b"", {"Location": "https://127.0.0.1/login"})
        else:
            self._status(int(fault.what), "Trouble", fault.message or f"trouble {fault.what}", fault.headers)
        return False

    def _answer(self, group: str, resource: str, name: str | None, below: str | None, query: Json, body: Json) -> Any:
        kube = self.kube
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _RefusalError(401, "Unauthorized", "Unauthorized")
        if resource not in RESOURCES or RESOURCES[resource][0] != group or resource in kube.missing:
            raise _RefusalError(404, "NotFound", "the server could not find the requested resource")
        kind = RESOURCES[resource][1]
        verb = {"PATCH": "patch", "DELETE": "delete"}.get(self.command, "get" if name else "list")
        if verb == "patch" and (kind, name) not in kube.objects and f"create {resource}" in kube.forbidden:
            verb = "create"
        what = f"{resource}/{below}" if below else resource
        if f"{verb} {what}" in kube.forbidden:
            where = f'{resource}{"." + group if group else ""} "{name}" is forbidden: User '
            who = f'"system:serviceaccount:{NAMESPACE}:pipeline-runner" cannot {verb} resource "{what}"'
            raise _RefusalError(403, "Forbidden", f'{where}{who} in API group "{group}" in the namespace "{NAMESPACE}"')
        kube.tick()
        if below:
            return "starting\nValueError: no model\n"
        if self.command == "GET" and not name:
            return self._list(kind, query)
        if self.command != "PATCH" and (kind, name) not in kube.objects:
            raise _RefusalError(404, "NotFound", f'{resource} "{name}" not found')
        if self.command == "DELETE":
            assert body["preconditions"]["uid"] == kube.objects[(kind, str(name))]["metadata"]["uid"]
            for one in kube.sets(str(name)) if kind == "Deployment" else []:
                del kube.objects[("ReplicaSet", one)]
            del kube.objects[(kind, str(name))]
            return {"kind": "Status", "status": "Success"}
        if self.command == "GET":
            return kube.objects[(kind, str(name))]
        return self._patch(kind, str(name), query, body)

    def _patch(self, kind: str, name: str, query: Json, body: Json) -> Json:
        assert query["fieldManager"] == "kade2kfp"
        assert (body["kind"], body["metadata"]["name"]) == (kind, name)
        try:
            if self.headers["Content-Type"] == "application/merge-patch+json":
                return self.kube.merge(kind, name, body)
            assert self.headers["Content-Type"] == "application/apply-patch+yaml"
            return self.kube.apply(body, "kade2kfp", query.get("force") == "true")
        except ConflictError as error:
            raise _RefusalError(409, "Conflict", str(error)) from None
        except InvalidError as error:
            raise _RefusalError(422, "Invalid", str(error)) from None

    def _list(self, kind: str, query: Json) -> Json:
        kube = self.kube
        rows = kube.pods() if kind == "Pod" else [one for (of, _), one in kube.objects.items() if of == kind]
        for term in query.get("labelSelector", "").split(","):
            key, _, value = term.partition("=")
            rows = [row for row in rows if row["metadata"].get("labels", {}).get(key) == value]
        start, size = int(query.get("continue", "0")), min(int(query["limit"]), kube.page)
        more = {"continue": str(start + size)} if start + size < len(rows) else {}
        return {"kind": f"{kind}List", "metadata": more, "items": rows[start : start + size]}

    def _status(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
        head = {"Content-Type": "application/json", **(headers or {})}
        self._send(status, json.dumps(body | {"code": status}).encode(), head)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
