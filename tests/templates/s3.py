"""An object store that speaks S3 over real HTTP, verifies AWS's signatures version 4, and misbehaves on demand.

The verification follows AWS's published description ("Authenticating Requests: Using the Authorization Header"), by what has
arrived and not by what a client meant.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit
from xml.sax.saxutils import escape

KEY, SECRET = "AKIDTEST", "se/cret+key"
CERTIFICATE = Path(__file__).with_name("localhost.pem")


@dataclass
class Store:
    """Objects by `BUCKET/KEY`, and what was asked; `faults` are answers instead of those that would be right, first to last."""

    objects: dict[str, bytes] = field(default_factory=dict)
    region: str = "minio"
    page: int = 1000
    encodes: bool = True
    open: bool = False
    faults: list[int | str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    port: int = 0


def canonical(method: str, target: str, headers: Any, names: list[str]) -> str:
    """The canonical request of what has arrived."""
    parts = urlsplit(target)
    pairs = sorted(
        (quote(key, safe="-_.~"), quote(value, safe="-_.~"))
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    query = "&".join(f"{key}={value}" for key, value in pairs)
    fields = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    return "\n".join(
        [
            method,
            quote(unquote(parts.path), safe="/-_.~"),
            query,
            fields,
            ";".join(names),
            headers["x-amz-content-sha256"],
        ]
    )


def expected(method: str, target: str, headers: Any, secret: str) -> str:
    """The Authorization header that AWS would expect of a request whose own one says what is signed."""
    given = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=\w+",
        headers["authorization"],
    )
    assert given, headers["authorization"]
    key, day, region, names = given.groups()
    whole = canonical(method, target, headers, names.split(";"))
    scope = f"{day}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}"
    made = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        made = hmac.digest(made, part.encode(), "sha256")
    signature = hmac.digest(made, text.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={key}/{scope},SignedHeaders={names},Signature={signature}"


@contextmanager
def serve(store: Store, *, tls: bool = False) -> Iterator[Store]:
    """The store at 127.0.0.1, at `store.port`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.close_connection = True
            store.asked.append(self.path)
            if store.faults:
                fault = store.faults.pop(0)
                if fault == "cut":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
                    return
                if isinstance(fault, str) and fault.startswith("moved "):
                    self.answer(301, b"<Error><Code>PermanentRedirect</Code></Error>", fault.split()[1])
                    return
                if isinstance(fault, int):
                    self.answer(fault, b"<html>busy</html>")
                    return
            refused = self.refused()
            if refused:
                self.answer(403, f"<Error><Code>{refused}</Code><Message>no: {refused}</Message></Error>".encode())
                return
            path, query = unquote(urlsplit(self.path).path), dict(parse_qsl(urlsplit(self.path).query))
            bucket, _, key = path[1:].partition("/")
            if query.get("list-type") == "2":
                self.answer(200, listed(store, bucket, query).encode())
            elif f"{bucket}/{key}" in store.objects:
                self.answer(200, store.objects[f"{bucket}/{key}"])
            else:
                self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

        def refused(self) -> str:
            given = self.headers.get("authorization")
            if given is None:
                return "" if store.open else "AccessDenied"
            if f"Credential={KEY}/" not in given:
                return "InvalidAccessKeyId"
            if f"/{store.region}/s3/" not in given:
                return "AuthorizationHeaderMalformed"
            return "" if given == expected("GET", self.path, self.headers, SECRET) else "SignatureDoesNotMatch"

        def answer(self, status: int, body: bytes, region: str = "") -> None:
            self.send_response(status)
            if region:
                self.send_header("x-amz-bucket-region", region)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    store.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()


def listed(store: Store, bucket: str, query: dict[str, str]) -> str:
    """A page of ListObjectsV2."""
    keys = sorted(one.partition("/")[2] for one in store.objects if one.startswith(f"{bucket}/"))
    keys = [key for key in keys if key.startswith(query.get("prefix", ""))]
    start = int(query.get("continuation-token", "0").removeprefix("a+/=") or 0)
    page, more = keys[start : start + store.page], start + store.page < len(keys)
    encode = quote_plus if store.encodes and query.get("encoding-type") == "url" else escape
    contents = "".join(f"<Contents><Key>{encode(key)}</Key><Size>1</Size></Contents>" for key in page)
    extra = "<EncodingType>url</EncodingType>" if encode is quote_plus else ""
    extra += f"<NextContinuationToken>a+/={start + store.page}</NextContinuationToken>" if more else ""
    head = '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    return (
        f"{head}<Name>{bucket}</Name><IsTruncated>{str(more).lower()}</IsTruncated>{contents}{extra}</ListBucketResult>"
    )
