"""Downloads an artifact from an object store that speaks S3, for a pod that KFP brings nothing.

    fetch.py URI PATH KIND

URI is s3://BUCKET/KEY or minio://BUCKET/KEY. The object KEY becomes the file PATH, objects below KEY/ become files in the
folder PATH, as KFP's launcher has it (backend/src/v2/objectstore/object_store.go, DownloadBlob); KIND says what there is to
be where there is nothing: for `directory` an empty folder. How the store is reached is JSON in KADE2KFP_S3 (endpoint, region,
disableSSL, forcePathStyle), with the keys in AWS's own variables; without keys nothing is signed.
Signatures are AWS's version 4. Argo and Kubernetes substitute in this text: no doubled brace, no doubled dollar.
"""

import hashlib
import hmac
import html
import http.client
import json
import os
import re
import signal
import ssl
import sys
import time
from urllib.parse import quote, unquote_plus, urlsplit

EMPTY = hashlib.sha256(b"").hexdigest()
TRIES = 6
CHUNK = 1 << 20


class FetchError(Exception):
    """What a user is told, in one line."""


def say(text):
    """Print one line."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))[:500]
    print("kade2kfp: " + line, file=sys.stderr, flush=True)


def query_of(pairs):
    """A query as it is signed and sent."""
    return "&".join(f"{quote(key, '')}={quote(value, '')}" for key, value in sorted(pairs.items()))


def signature(host, path, query, headers, region, key, secret):
    """The Authorization header of a GET; `headers` has x-amz-date and whatever else is signed."""
    signed = {name.lower(): value for name, value in headers.items()}
    signed["host"] = host
    names = ";".join(sorted(signed))
    lines = ["GET", path, query, *(f"{name}:{signed[name]}" for name in sorted(signed)), "", names, EMPTY]
    stamp = headers["x-amz-date"]
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    made = ("AWS4" + secret).encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
        made = hmac.new(made, part.encode(), hashlib.sha256).digest()
    return f"AWS4-HMAC-SHA256 Credential={key}/{scope},SignedHeaders={names},Signature={made.hex()}"


class Store:
    """A bucket, and how it is reached."""

    def __init__(self, bucket, about, env):
        self.key, self.secret = env.get("AWS_ACCESS_KEY_ID", ""), env.get("AWS_SECRET_ACCESS_KEY", "")
        self.token = env.get("AWS_SESSION_TOKEN", "")
        self.region = about.get("region") or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
        self.bucket, endpoint = bucket, about.get("endpoint") or env.get("AWS_ENDPOINT_URL") or ""
        if re.match(r"(https://)?s3\.amazonaws\.com", endpoint.lower()):
            endpoint = ""  # of one region only: KFP leaves it to the region, too
        self.amazon = not endpoint
        plain = about.get("disableSSL", "").lower() == "true" and not self.amazon
        parts = urlsplit(endpoint if "://" in endpoint else f"{'http' if plain else 'https'}://{endpoint}")
        self.tls, self.netloc, self.base = parts.scheme == "https", parts.netloc, parts.path.rstrip("/")
        self.in_path = about.get("forcePathStyle", "").lower() != "false" and not self.amazon

    def ask(self, key="", pairs=None):
        """A connection and its answer: an object, or a part of the list."""
        host = f"s3.{self.region}.amazonaws.com" if self.amazon else self.netloc
        in_path = self.in_path or (self.amazon and "." in self.bucket)
        path = self.base + (f"/{self.bucket}" if in_path else "") + "/" + key
        host, path = host if in_path else f"{self.bucket}.{host}", quote(path, "/-_.~")
        query = query_of(pairs or {})
        headers = {"x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), "x-amz-content-sha256": EMPTY}
        if self.token:
            headers["x-amz-security-token"] = self.token
        if self.key:
            headers["Authorization"] = signature(host, path, query, headers, self.region, self.key, self.secret)
        kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        connection = kind(host, timeout=60)
        connection.request("GET", path + (query and f"?{query}"), headers=headers)
        return connection, connection.getresponse()

    def get(self, key, pairs, use):
        """What `use` makes of an answer; tried again while that may help."""
        for number in range(1, TRIES + 1):
            try:
                connection, answer = self.ask(key, pairs)
                try:
                    if answer.status == 200:
                        return use(answer)
                    problem = self.refusal(answer, key)
                finally:
                    connection.close()
                region = answer.headers.get("x-amz-bucket-region", self.region)
                if region != self.region:
                    self.region = region
                    continue
                if answer.status < 500 and answer.status != 429:
                    raise problem
            except ssl.SSLCertVerificationError as error:
                raise FetchError(
                    f"the certificate of {self.netloc} is not to be trusted: {error.verify_message}"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                where = self.netloc or "Amazon"
                problem = FetchError(f"cannot read from {where}: {str(error) or type(error).__name__}")
            if number < TRIES:
                say(f"{problem}; trying again")
                time.sleep(float(os.environ.get("KADE2KFP_BACKOFF", "0.5")) * 2**number)
        raise problem

    def refusal(self, answer, key):
        """What an answer that is none means."""
        text = answer.read(2000).decode("utf-8", "replace")
        said = re.search(r"<Message>([^<]*)", text) or re.search(r"<Code>([^<]*)", text)
        hint = "; are the credentials right?" if answer.status in (401, 403) else ""
        where = f"{self.bucket}/{key}".rstrip("/")
        return FetchError(f"{where} was answered with {answer.status} {said[1] if said else answer.reason}{hint}")

    def keys(self, prefix):
        """All keys that begin with a text."""
        pairs = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        while True:
            text = self.get("", pairs, lambda answer: answer.read().decode("utf-8", "replace"))
            found = {
                name: [html.unescape(one) for one in re.findall(f"<{name}>([^<]*)</{name}>", text)]
                for name in ("Key", "EncodingType", "IsTruncated", "NextContinuationToken")
            }
            yield from map(unquote_plus, found["Key"]) if found["EncodingType"] == ["url"] else found["Key"]
            if found["IsTruncated"] != ["true"] or not found["NextContinuationToken"]:
                return
            pairs["continuation-token"] = found["NextContinuationToken"][0]

    def save(self, key, path):
        """Download one object."""

        def copy(answer):
            with open(path + ".part", "wb") as file:
                while True:
                    block = answer.read(CHUNK)
                    if not block:
                        break
                    file.write(block)
                if answer.length:
                    raise http.client.IncompleteRead(b"", answer.length)
            os.replace(path + ".part", path)

        self.get(key, None, copy)


def fetch(uri, path, kind, store):
    """Download all of an artifact; how many files it has."""
    key, count = uri.split("/", 3)[3].strip("/"), 0
    for found in store.keys(key):
        if found != key and not found.startswith(key + "/"):
            continue
        below = found[len(key) + 1 :]
        if ".." in below.split("/"):
            raise FetchError(f"the object {found} would leave the folder")
        target = os.path.join(path, below.strip("/")) if below else path
        if found.endswith("/"):
            os.makedirs(target, exist_ok=True)  # what some tools store for a folder
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        store.save(found, target)
        count += 1
    if not count and kind == "directory":
        os.makedirs(path, exist_ok=True)
    return count


def main(uri, path, kind):
    """Download an artifact."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    scheme, _, rest = uri.partition("://")
    if scheme not in ("s3", "minio") or "/" not in rest:
        raise FetchError(f"{uri} is at no S3")
    store = Store(rest.split("/")[0], json.loads(os.environ.get("KADE2KFP_S3", "{}")), os.environ)
    count = fetch(uri, path, kind, store)
    say(f"{uri}: {count} files" if count else f"{uri}: nothing is there")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except FetchError as error:
        say(error)
        sys.exit(1)
    except OSError as error:
        say(f"cannot write {error.filename}: {error.strerror}")
        sys.exit(1)
