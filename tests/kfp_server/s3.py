"""The object store: as much of S3 as reading takes, path style, with signatures of version 4 (headers or presigned).

Its objects are the files below a folder, the first part of whose paths is the bucket.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

_SAFE = "-_.~"
_EMPTY = hashlib.sha256(b"").hexdigest()


class Store(ThreadingHTTPServer):
    """The store's server; `keys` are secret keys by access key. `asked` are the requests: `GET /bucket/key`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, keys: dict[str, str]) -> None:
        self.folder, self.keys = folder, keys
        self.asked: list[str] = []
        self.largest_page = 1000
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class RefusalError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        """It is read-only."""
        if name.startswith("do_"):
            return self._read if name in ("do_GET", "do_HEAD") else self._refuse
        raise AttributeError(name)

    def _read(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        self.server.asked.append(f"{self.command} {unquote(url.path)}")
        try:
            check(self.command, self.path, self.headers, self.server.keys)
            bucket, _, key = unquote(url.path).lstrip("/").partition("/")
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            if not bucket:
                self._xml(200, self._buckets())
            elif not (self.server.folder / bucket).is_dir() or ".." in bucket:
                raise RefusalError(404, "NoSuchBucket", "The specified bucket does not exist")
            elif not key:
                self._bucket(bucket, query)
            else:
                self._object(bucket, key)
        except RefusalError as error:
            resource = escape(unquote(url.path))
            body = f"<Error><Code>{error.code}</Code><Message>{escape(str(error))}</Message><Resource>{resource}</Resource></Error>"
            self._xml(error.status, body)

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._xml(405, "<Error><Code>MethodNotAllowed</Code><Message>it is read-only</Message></Error>")

    def _buckets(self) -> str:
        names = "".join(
            f"<Bucket><Name>{escape(one.name)}</Name></Bucket>"
            for one in sorted(self.server.folder.iterdir())
            if one.is_dir()
        )
        return f"<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>"

    def _bucket(self, bucket: str, query: dict[str, str]) -> None:
        if "location" in query:
            self._xml(200, "<LocationConstraint></LocationConstraint>")
            return
        root, prefix, delimiter = self.server.folder / bucket, query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token") or query.get("start-after") or query.get("marker") or ""
        limit = min(int(query.get("max-keys", "1000")), self.server.largest_page)
        encode = quote if query.get("encoding-type") == "url" else str
        entries: dict[str, Path | None] = {}
        for file in root.rglob("*"):
            key = file.relative_to(root).as_posix()
            if not file.is_file() or not key.startswith(prefix):
                continue
            folder, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            name = f"{prefix}{folder}{found}" if found else key
            entries[name] = None if found else file
        names = [one for one in sorted(entries) if one > after]
        shown, more = names[:limit], len(names) > limit
        rows = []
        for name in shown:
            file_ = entries[name]
            if file_ is None:
                rows.append(f"<CommonPrefixes><Prefix>{escape(encode(name))}</Prefix></CommonPrefixes>")
                continue
            stat = file_.stat()
            changed = datetime.fromtimestamp(stat.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            row = f"<Key>{escape(encode(name))}</Key><LastModified>{changed}</LastModified><ETag>&quot;{_etag(file_)}&quot;</ETag>"
            rows.append(f"<Contents>{row}<Size>{stat.st_size}</Size><StorageClass>STANDARD</StorageClass></Contents>")
        head = (
            f"<Name>{escape(bucket)}</Name><Prefix>{escape(encode(prefix))}</Prefix><KeyCount>{len(shown)}</KeyCount>"
        )
        head += f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>"
        head += "<EncodingType>url</EncodingType>" if encode is quote else ""
        head += f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more and shown else ""
        self._xml(
            200,
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{head}{"".join(rows)}</ListBucketResult>',
        )

    def _object(self, bucket: str, key: str) -> None:
        file = self.server.folder / bucket / key
        if ".." in key.split("/") or not file.is_file():
            raise RefusalError(404, "NoSuchKey", "The specified key does not exist.")
        content = file.read_bytes()
        changed = datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"ETag": f'"{_etag(file)}"', "Last-Modified": changed, "Accept-Ranges": "bytes"}
        status, whole = 200, len(content)
        if (wanted := self.headers.get("Range", "")).startswith("bytes="):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(whole - int(last), 0)
            end = min(int(last), whole - 1) if first and last else whole - 1
            if start >= whole:
                raise RefusalError(416, "InvalidRange", "The requested range is not satisfiable")
            status, content = 206, content[start : end + 1]
            headers["Content-Range"] = f"bytes {start}-{end}/{whole}"
        self._send(status, content, {"Content-Type": "application/octet-stream", **headers})

    def _xml(self, status: int, body: str) -> None:
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
        self._send(status, text.encode(), {"Content-Type": "application/xml"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _etag(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def check(method: str, target: str, headers: Any, keys: dict[str, str]) -> None:
    """Check the signature of a request; RefusalError for a missing or wrong one."""
    url = urlsplit(target)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    if "X-Amz-Signature" in query:
        credential, signed, given = (
            query["X-Amz-Credential"],
            query["X-Amz-SignedHeaders"],
            query.pop("X-Amz-Signature"),
        )
        payload, when = "UNSIGNED-PAYLOAD", query["X-Amz-Date"]
    else:
        scheme, _, rest = (headers.get("Authorization") or "").partition(" ")
        if scheme != "AWS4-HMAC-SHA256":
            raise RefusalError(403, "AccessDenied", "Access Denied.")
        parts = dict(one.strip().partition("=")[::2] for one in rest.split(","))
        credential, signed, given = parts["Credential"], parts["SignedHeaders"], parts["Signature"]
        payload, when = headers.get("x-amz-content-sha256") or _EMPTY, headers.get("x-amz-date") or ""
    access, *scope = credential.split("/")
    if access not in keys:
        raise RefusalError(403, "InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.")
    lines = [method, quote(unquote(url.path), safe="/" + _SAFE)]
    lines.append(
        "&".join(f"{quote(key, safe=_SAFE)}={quote(value, safe=_SAFE)}" for key, value in sorted(query.items()))
    )
    lines += [f"{name}:{' '.join((headers.get(name) or '').split())}" for name in signed.split(";")]
    lines += ["", signed, payload]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", when, "/".join(scope), digest])
    key = f"AWS4{keys[access]}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.new(key, text.encode(), "sha256").hexdigest(), given):
        raise RefusalError(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
