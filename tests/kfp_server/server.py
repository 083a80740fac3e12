"""The HTTP side: requests to handlers, who asks, what is counted."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

from . import experiments, health, logs, pipelines, recurring, runs, uploads
from .calls import Answer, Call
from .errors import ApiError, RouterError, unauthenticated
from .specs import NeverAnswersError

if TYPE_CHECKING:
    from .kfp import Kfp

# Order matters: `pipelines/upload` is no pipeline named upload.
_ROUTES = [
    *health.ROUTES,
    *uploads.ROUTES,
    *pipelines.ROUTES,
    *experiments.ROUTES,
    *recurring.ROUTES,
    *runs.ROUTES,
    *logs.ROUTES,
]
_LOGIN = b"<!doctype html>\n<html><head><title>dex</title></head><body><form>Log in to dex</form></body></html>\n"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, kfp: Kfp) -> None:
        self.kfp = kfp
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news; anything else is a fault of this server, to be seen in the test's output."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        """All methods are served alike."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        kfp = self.server.kfp
        started = time.monotonic()
        size = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(size)
        path, _, query = self.path.partition("?")
        if kfp.slow:
            time.sleep(kfp.slow(unquote(path)) if callable(kfp.slow) else kfp.slow)
        answer = self._answer(unquote(path), query, raw)
        if answer is None:  # KFP never answers
            kfp.stopped.wait()
            self.close_connection = True
            return
        kfp.counted(self.command, unquote(path), query, started, answer.status, size, len(answer.body))
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _answer(self, path: str, query: str, raw: bytes) -> Answer | None:
        call = Call(self.command, path, dict(parse_qsl(query, keep_blank_values=True)), self.headers, raw)
        try:
            refused = self._who(call)
            if refused is not None:
                return refused
            return self._handled(call)
        except NeverAnswersError:
            return None
        except ApiError as error:
            return _json(error.status, error.body())

    def _who(self, call: Call) -> Answer | None:
        """Who asks; an answer where that is not enough."""
        kfp = self.server.kfp
        token = (self.headers.get("Authorization") or "").partition(" ")[2]
        cookies = dict(one.strip().partition("=")[::2] for one in (self.headers.get("Cookie") or "").split(";"))
        if kfp.auth == "none":
            call.user = self.headers.get("kubeflow-userid", "")
            return None
        if token in kfp.users:
            call.user = kfp.users[token]
            return None
        if kfp.auth == "token":
            raise unauthenticated(
                "Request header error: there is no valid bearer token",
                "Failed to check authorization. User identity is empty in the request header",
            )
        if any(cookies.get(name) in kfp.users for name in ("authservice_session", "oauth2_proxy_kubeflow")):
            call.user = next(kfp.users[one] for one in cookies.values() if one in kfp.users)
            return None
        if call.path.startswith("/dex/"):
            return Answer(200, _LOGIN, {"Content-Type": "text/html; charset=utf-8"})
        where = f"/dex/auth?client_id=kubeflow-oidc-authservice&redirect_uri=%2Foauth2%2Fcallback&state={quote(call.path, safe='')}"
        body = f'<a href="{where}">Found</a>.\n\n'.encode()
        return Answer(302, body, {"Location": where, "Content-Type": "text/html; charset=utf-8"})

    def _handled(self, call: Call) -> Answer:
        kfp = self.server.kfp
        matched = False
        for method, pattern, handler in _ROUTES:
            if found := pattern.fullmatch(call.path):
                matched = True
                if method == call.method:
                    call.found = found.groupdict()
                    with kfp.lock:
                        made = handler(kfp, call)
                    return made if isinstance(made, Answer) else _json(200, made)
        if matched:
            raise RouterError(12, "Method Not Allowed", "")
        raise RouterError(5, "Not Found", "")


def _json(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(body, separators=(",", ":")).encode(), {"Content-Type": "application/json"})


__all__ = ["Server"]
