"""templates/fetch.py as a real process against an object store of the tests' own, which verifies signatures."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
import warm

from kade2kfp.steps.python_text import embed_python

from .s3 import KEY, SECRET, Store, expected, serve

TEXT = embed_python("fetch.py")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


@pytest.fixture
def store() -> Iterator[Store]:
    with serve(Store()) as made:
        yield made


def environment(store: Store, more: Mapping[str, str] = CREDENTIALS, **about: str) -> dict[str, str]:
    given = {"endpoint": f"127.0.0.1:{store.port}", "region": "minio", "disableSSL": "true", "forcePathStyle": "true"}
    told = json.dumps(given | about)
    return {"PATH": "/usr/bin:/bin", "KADE2KFP_S3": told, "KADE2KFP_BACKOFF": "0.001", **more}


def run(uri: str, path: Path, kind: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
    done = warm.run(
        [sys.executable, "-c", TEXT, uri, str(path), kind],
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert SECRET not in done.stdout + done.stderr
    return done


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


# The examples of AWS's documentation: "Signature Calculations for the Authorization Header: Transferring Payload in a
# Single Chunk (AWS Signature Version 4)", of GET requests.
EXAMPLES = [
    (
        "/test.txt",
        {},
        {"range": "bytes=0-9"},
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    ("/", {"lifecycle": ""}, {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    (
        "/",
        {"max-keys": "2", "prefix": "J"},
        {},
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
]
AWS_KEY, AWS_SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(("path", "query", "more", "signature"), EXAMPLES)
def test_signatures_are_those_of_the_documentation(
    path: str, query: dict[str, str], more: dict[str, str], signature: str
) -> None:
    template: Any = {"__name__": "fetch"}
    exec(TEXT, template)
    headers = {"x-amz-date": "20130524T000000Z", "x-amz-content-sha256": template["EMPTY"], **more}
    host, text = "examplebucket.s3.amazonaws.com", template["query_of"](query)
    made = template["signature"](host, path, text, headers, "us-east-1", AWS_KEY, AWS_SECRET)
    assert made.endswith(f"Signature={signature}")
    # And so are those that the tests' own store reckons.
    arrived = headers | {"host": host, "authorization": made}
    assert expected("GET", f"{path}?{text}", arrived, AWS_SECRET) == made


def test_a_folder(store: Store, tmp_path: Path) -> None:
    names = {
        "a.txt": b"1",
        "sub/b.bin": bytes(range(256)) * 5000,
        "empty": b"",
        "한 글+&=?%41;x.txt": b"4",
        "it's (1)~.md": b"5",
    }
    store.objects = {f"b/run/logs/{name}": content for name, content in names.items()}
    # Neither of these is of it.
    store.objects |= {"b/run/logs-2/x": b"", "b/run/logs.txt": b"", "c/run/logs/x": b""}
    done = run("minio://b/run/logs", tmp_path / "in", "directory", environment(store))
    assert (done.returncode, done.stderr) == (0, "kade2kfp: minio://b/run/logs: 5 files\n")
    assert files(tmp_path / "in") == names


@pytest.mark.parametrize("encodes", [True, False])
def test_many_pages(store: Store, tmp_path: Path, encodes: bool) -> None:
    store.page, store.encodes = 7, encodes
    names = {f"{number} & <é>+": b"x" for number in range(20)}
    store.objects = {f"b/k/{name}": content for name, content in names.items()}
    assert run("s3://b/k/", tmp_path / "in", "directory", environment(store)).returncode == 0
    assert files(tmp_path / "in") == names


def test_a_single_file(store: Store, tmp_path: Path) -> None:
    store.objects = {"b/k/notes.md": b"hello", "b/k/notes.md.bak": b"no"}
    done = run("s3://b/k/notes.md", tmp_path / "in" / "notes", "file", environment(store))
    assert done.returncode == 0
    assert (tmp_path / "in" / "notes").read_bytes() == b"hello"


@pytest.mark.parametrize(("kind", "there"), [("directory", True), ("file", False)])
def test_what_was_never_written(store: Store, tmp_path: Path, kind: str, there: bool) -> None:
    done = run("minio://b/none", tmp_path / "in", kind, environment(store))
    assert (done.returncode, done.stderr) == (0, "kade2kfp: minio://b/none: nothing is there\n")
    assert (tmp_path / "in").is_dir() is there


def test_folders_that_some_tools_store(store: Store, tmp_path: Path) -> None:
    store.objects = {"b/k/": b"", "b/k/sub/": b"", "b/k/sub/x": b"1"}
    assert run("minio://b/k", tmp_path / "in", "directory", environment(store)).returncode == 0
    assert files(tmp_path / "in") == {"sub/x": b"1"}


@pytest.mark.parametrize("name", ["../out", "a/../../out", ".."])
def test_nothing_leaves_the_folder(store: Store, tmp_path: Path, name: str) -> None:
    store.objects = {f"b/k/{name}": b"x"}
    done = run("minio://b/k", tmp_path / "in", "directory", environment(store))
    assert (done.returncode, done.stderr) == (1, f"kade2kfp: the object k/{name} would leave the folder\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", [500, 503, 429, "cut"])
def test_what_passes_is_asked_again(store: Store, tmp_path: Path, fault: int | str) -> None:
    store.objects = {"b/k/x": b"1" * 2000}
    store.faults = [fault, "ok", fault, fault]
    done = run("minio://b/k", tmp_path / "in", "directory", environment(store))
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "in") == {"x": b"1" * 2000}


def test_what_does_not_pass(store: Store, tmp_path: Path) -> None:
    store.faults = [503] * 50
    done = run("minio://b/k", tmp_path / "in", "directory", environment(store))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "kade2kfp: b was answered with 503 Service Unavailable"
    assert len(store.asked) == 6


@pytest.mark.parametrize(
    ("more", "about", "said"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, {}, "SignatureDoesNotMatch"),
        ({"AWS_ACCESS_KEY_ID": "other"}, {}, "InvalidAccessKeyId"),
        ({"AWS_ACCESS_KEY_ID": ""}, {}, "AccessDenied"),
        ({}, {"region": "eu-west-1"}, "AuthorizationHeaderMalformed"),
    ],
)
def test_what_the_store_refuses(store: Store, tmp_path: Path, more: Any, about: Any, said: str) -> None:
    done = run("minio://b/k", tmp_path / "in", "directory", environment(store, CREDENTIALS | more, **about))
    expected_line = f"kade2kfp: b was answered with 403 no: {said}; are the credentials right?\n"
    assert (done.returncode, done.stderr) == (1, expected_line)
    assert len(store.asked) == 1


def test_a_bucket_says_in_which_region_it_is(store: Store, tmp_path: Path) -> None:
    store.region, store.faults, store.objects = "eu-west-1", ["moved eu-west-1"], {"b/k/x": b"1"}
    assert run("s3://b/k", tmp_path / "in", "directory", environment(store)).returncode == 0


def test_without_keys_nothing_is_signed(store: Store, tmp_path: Path) -> None:
    store.open, store.objects = True, {"b/k/x": b"1"}
    assert run("s3://b/k", tmp_path / "in", "directory", environment(store, {})).returncode == 0


def test_nobody_is_there(tmp_path: Path) -> None:
    with serve(Store()) as gone:
        pass
    done = run("minio://b/k", tmp_path / "in", "directory", environment(gone))
    assert done.returncode == 1
    assert "cannot read from 127.0.0.1:" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_tls_is_verified(tmp_path: Path) -> None:
    with serve(Store(), tls=True) as store:
        store.objects = {"b/k/x": b"1"}
        env = environment(store, disableSSL="false")
        done = run("minio://b/k", tmp_path / "in", "directory", env)
        assert done.returncode == 1
        assert re.search(r"the certificate of 127\.0\.0\.1:\d+ is not to be trusted: ", done.stderr)
        trusted = env | {"SSL_CERT_FILE": str(Path(__file__).with_name("localhost.pem"))}
        assert run("minio://b/k", tmp_path / "in", "directory", trusted).returncode == 0


def test_an_endpoint_may_have_its_scheme(store: Store, tmp_path: Path) -> None:
    store.objects = {"b/k/x": b"1"}
    env = environment(store, endpoint=f"http://127.0.0.1:{store.port}/", disableSSL="false")
    assert run("minio://b/k", tmp_path / "in", "directory", env).returncode == 0


@pytest.mark.parametrize(
    ("about", "bucket", "host", "path"),
    [
        ({}, "b", "b.s3.us-east-1.amazonaws.com", "/k"),
        ({"endpoint": "s3.amazonaws.com", "region": "eu-west-1"}, "b", "b.s3.eu-west-1.amazonaws.com", "/k"),
        ({"endpoint": "https://s3.amazonaws.com"}, "a.b", "s3.us-east-1.amazonaws.com", "/a.b/k"),
        ({"endpoint": "store:9000", "disableSSL": "true"}, "b", "store:9000", "/b/k"),
        ({"endpoint": "store:9000", "forcePathStyle": "false"}, "b", "b.store:9000", "/k"),
    ],
)
def test_where_a_bucket_is(about: dict[str, str], bucket: str, host: str, path: str, monkeypatch: Any) -> None:
    template: Any = {"__name__": "fetch"}
    exec(TEXT, template)
    asked = []

    class Connection:
        def __init__(self, host: str, timeout: float) -> None:
            asked.append(host)

        def request(self, verb: str, path: str, headers: Any) -> None:
            asked.append(path)

        def getresponse(self) -> None:
            pass

    monkeypatch.setattr("http.client.HTTPSConnection", Connection)
    monkeypatch.setattr("http.client.HTTPConnection", Connection)
    template["Store"](bucket, about, {}).ask("k")
    assert asked == [host, path]


def test_a_folder_that_cannot_be_written(store: Store, tmp_path: Path) -> None:
    store.objects = {"b/k/x": b"1"}
    (tmp_path / "file").write_text("")
    done = run("minio://b/k", tmp_path / "file" / "in", "directory", environment(store))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Not a directory" in done.stderr


def test_other_users_can_read_what_came(store: Store, tmp_path: Path) -> None:
    store.objects = {"b/k/sub/x": b"1"}
    run("minio://b/k", tmp_path / "in", "directory", environment(store))
    modes = [os.stat(tmp_path / "in" / name).st_mode & 0o777 for name in ("sub", "sub/x")]
    assert modes == [0o755, 0o644]


def test_term_ends_it(store: Store, tmp_path: Path) -> None:
    store.faults = [503] * 1000
    env = environment(store) | {"KADE2KFP_BACKOFF": "10"}
    words = [sys.executable, "-c", TEXT, "minio://b/k", str(tmp_path / "in"), "directory"]
    with subprocess.Popen(words, env=env, stderr=subprocess.PIPE) as process:
        while not store.asked:
            time.sleep(0.01)
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 143


def test_it_is_small_and_runs_on_an_old_python() -> None:
    ast.parse(TEXT, feature_version=(3, 8))
    assert len(TEXT) < 6_500
    assert not re.search(r"\{\{|\$\$|\$\(", TEXT)
