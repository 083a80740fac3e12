"""The Kubernetes below a KFP, as far as it is looked at before a run: objects by name, and who may do what."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATH = re.compile(r"/apis?/(?:[^/]+/)?v1/(?:namespaces/([^/]+)/)?([^/]+)(?:/([^/]+))?")


class Kube:
    """`objects` by resource and name; `forbidden` are resources that nobody may read; `denied` rights such as
    `create pods/exec`, of steps such as `steps: create deployments`."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.forbidden: set[str] = set()
        self.denied: set[str] = set()
        self.asked: list[str] = []
        self.namespaces: set[str] = set()
        self.reviews: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(f"{method} {path}")
        match = _PATH.fullmatch(path)
        if match is None:
            return 404, {}
        namespace, resource, name = match.groups()
        self.namespaces.add(namespace or "")
        if resource in self.forbidden:
            return 403, {"kind": "Status", "message": f"{resource} is forbidden"}
        if method == "POST":
            self.reviews.append(body)
            return 201, {"status": {"allowed": self._allows(body["spec"])}}
        if name is None:
            items = [{"metadata": {"name": key[1]}, **one} for key, one in self.objects.items() if key[0] == resource]
            return 200, {"kind": "List", "items": items}
        found = self.objects.get((resource, name))
        return (200, found) if found is not None else (404, {"kind": "Status", "message": f'"{name}" not found'})

    def _allows(self, spec: dict[str, Any]) -> bool:
        wanted = spec["resourceAttributes"]
        below = f"/{wanted['subresource']}" if wanted.get("subresource") else ""
        right = f"{wanted['verb']} {wanted['resource']}{below}"
        return (f"steps: {right}" if "user" in spec else right) not in self.denied


def _handler(kube: Kube) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Any:
            """All methods are served alike."""
            if name.startswith("do_"):
                return self._serve
            raise AttributeError(name)

        def _serve(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            status, answer = kube.answer(self.command, self.path.partition("?")[0], body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
