"""Fetching: cut connections, servers that ignore, mislead, redirect, refuse or stall."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .load_data_server import ENVIRONMENT, Handler, Result, Site, command, load_data, running, tree

CERTIFICATE = Path(__file__).with_name("localhost.pem")
BODY = os.urandom(300_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as found:
        yield found


@pytest.fixture
def other() -> Iterator[Site]:
    with running() as found:
        yield found


@pytest.fixture
def to(tmp_path: Path) -> Path:
    folder = tmp_path / "to"
    folder.mkdir()
    return folder


def refused(result: Result, code: int, text: str, to: Path) -> None:
    """It failed with that code and message, and the target holds nothing half."""
    assert (result.code, tree(to)) == (code, {}), result.log
    assert re.search(text, result.lines[-1]), result.log


def ranged(handler: Handler, body: bytes, *, cut: int | None, etag: str = '"1"', **more: str) -> None:
    """Answer as a good server does, but close after `cut` bytes."""
    asked = re.match(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    start = int(asked[1]) if asked and handler.headers.get("If-Range") == etag else 0
    headers = {"ETag": etag, **more}
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
    rest = body[start:]
    handler.give(rest[:cut], 206 if start else 200, len(rest), **headers)


@pytest.mark.parametrize("as_file", [True, False])
def test_a_plain_download_keeps_its_bytes_and_name(site: Site, to: Path, as_file: bool) -> None:
    url = site.serve("/a%20b.bin", BODY)
    result = load_data("--to", to, "--sha256", hashlib.sha256(BODY).hexdigest().upper(), url, as_file=as_file)
    assert (result.code, tree(to)) == (0, {"a b.bin": BODY})
    assert hashlib.sha256(BODY).hexdigest() in result.log  # to be pinned by who has not yet


def test_the_file_of_an_earlier_attempt_goes_and_the_folder_stays(site: Site, to: Path) -> None:
    (to / "old").mkdir()
    (to / "old" / "x").write_text("x")
    (to / "link").symlink_to("/etc")
    before = to.stat().st_ino
    assert load_data("--to", to, site.serve("/new", b"new")).code == 0
    assert (tree(to), to.stat().st_ino) == ({"new": b"new"}, before)
    assert Path("/etc").is_dir()


def test_a_cut_download_is_resumed(site: Site, to: Path) -> None:
    url = site.route("/x")(lambda handler: ranged(handler, BODY, cut=100_000))
    assert load_data("--to", to, url).code == 0
    assert tree(to) == {"x": BODY}
    assert [headers.get("Range") for _, headers in site.seen] == [None, "bytes=100000-", "bytes=200000-"]


def test_a_server_that_ignores_ranges_is_read_anew(site: Site, to: Path) -> None:
    def once(handler: Handler) -> None:
        cut = 1000 if len(site.seen) == 1 else None
        handler.give(BODY[:cut], promise=len(BODY), ETag='"1"')

    assert load_data("--to", to, site.route("/x")(once)).code == 0
    assert tree(to) == {"x": BODY}


@pytest.mark.parametrize("careful", [True, False])
def test_a_file_that_changes_while_it_is_fetched_is_read_anew(site: Site, to: Path, careful: bool) -> None:
    new = BODY[::-1]

    def changing(handler: Handler) -> None:
        if len(site.seen) == 1:
            handler.give(BODY[:1000], promise=len(BODY), ETag='"1"')
        elif careful or "Range" not in handler.headers:
            ranged(handler, new, cut=None, etag='"2"')
        else:  # a server that takes no notice of If-Range
            span = f"bytes 1000-{len(new) - 1}/{len(new)}"
            handler.give(new[1000:], 206, ETag='"2"', Content_Range=span)

    assert load_data("--to", to, site.route("/x")(changing)).code == 0
    assert tree(to) == {"x": new}


@pytest.mark.parametrize(("span", "status"), [("bytes 0-9/300000", 206), ("", 206), ("bytes 1000-9/7", 206), ("", 416)])
def test_a_part_that_was_not_asked_for_is_never_taken(site: Site, to: Path, span: str, status: int) -> None:
    def wrong(handler: Handler) -> None:
        if "Range" in handler.headers:
            handler.give(b"0123456789", status, ETag='"1"', Content_Range=span)
        else:
            handler.give(BODY[: 1000 if len(site.seen) == 1 else None], promise=len(BODY), ETag='"1"')

    assert load_data("--to", to, site.route("/x")(wrong)).code == 0
    assert tree(to) == {"x": BODY}


def test_nothing_is_resumed_without_a_validator(site: Site, to: Path) -> None:
    def plain(handler: Handler) -> None:
        handler.give(BODY[: 1000 if len(site.seen) == 1 else None], promise=len(BODY), ETag='W/"1"')

    assert load_data("--to", to, site.route("/x")(plain)).code == 0
    assert "Range" not in site.seen[1][1]


def test_a_body_that_always_ends_early_is_no_download(site: Site, to: Path) -> None:
    url = site.route("/x")(lambda handler: handler.give(b"short", promise=99))
    refused(load_data("--to", to, url), 65, r"ended after 5 of 99 bytes.*8 tries", to)


def test_a_chunked_body_that_is_cut_is_noticed(site: Site, to: Path) -> None:
    def chunked(handler: Handler) -> None:
        handler.give(b"5\r\nhello\r\n5\r\nwor", promise=-1, Transfer_Encoding="chunked")

    refused(load_data("--to", to, site.route("/x")(chunked)), 69, "cut after", to)


def test_a_chunked_body_arrives(site: Site, to: Path) -> None:
    url = site.route("/x")(
        lambda handler: handler.give(b"5\r\nhello\r\n0\r\n\r\n", promise=-1, Transfer_Encoding="chunked")
    )
    assert load_data("--to", to, url).code == 0
    assert tree(to) == {"x": b"hello"}


def test_too_small_a_length_is_found_by_the_digest(site: Site, to: Path) -> None:
    url = site.route("/x")(lambda handler: handler.give(BODY, promise=7))
    refused(load_data("--to", to, "--sha256", hashlib.sha256(BODY).hexdigest(), url), 65, "SHA-256", to)


def test_a_length_that_cannot_fit_says_what_is_needed_and_free(site: Site, to: Path) -> None:
    url = site.route("/x")(lambda handler: handler.give(b"", promise=10**17))
    refused(
        load_data("--to", to, url),
        69,
        r"full.*needs at least 100,000,000,000,000,000 bytes, [\d,]+ were free",
        to,
    )


def test_a_disk_that_fills_up_is_told(site: Site, to: Path) -> None:
    line = ["sh", "-c", 'ulimit -f 100; exec "$@"', "sh", *command("--to", str(to), site.serve("/x", BODY))]
    ran = subprocess.run(line, capture_output=True, text=True, env=ENVIRONMENT)
    assert (ran.returncode, tree(to)) == (69, {})
    assert "needs at least 300,000 bytes" in ran.stderr


@pytest.mark.parametrize("promised", [True, False])
def test_the_limit_holds_for_the_download(site: Site, to: Path, promised: bool) -> None:
    url = site.route("/x")(lambda handler: handler.give(BODY, promise=None if promised else -1))
    refused(load_data("--to", to, "--max-bytes", 299_999, url), 65, "over the limit of 299,999; .*maxBytes", to)
    assert load_data("--to", to, "--max-bytes", 300_000, url).code == 0


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_passing_trouble_is_waited_out(site: Site, to: Path, status: int) -> None:
    @site.route("/x")
    def url(handler: Handler) -> None:
        if len(site.seen) < 3:
            handler.give(b"busy", status)
        else:
            handler.give(b"data")

    assert load_data("--to", to, url).code == 0
    assert tree(to) == {"x": b"data"}


def test_retry_after_is_honoured(site: Site, to: Path) -> None:
    @site.route("/x")
    def url(handler: Handler) -> None:
        if len(site.seen) == 1:
            handler.give(b"", 429, Retry_After="1")
        else:
            handler.give(b"data")

    begin = time.monotonic()
    assert load_data("--to", to, url).code == 0
    assert time.monotonic() - begin >= 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 206, 304])
def test_what_waiting_does_not_help_is_asked_once(site: Site, to: Path, status: int) -> None:
    url = site.serve("/x", b"")
    site.routes["/x"] = lambda handler: handler.give(b"", status)
    refused(load_data("--to", to, url), 69, f"answered {status}", to)
    assert len(site.seen) == 1


def test_lasting_trouble_is_given_up(site: Site, to: Path) -> None:
    site.routes["/x"] = lambda handler: handler.give(b"", 503)
    refused(load_data("--to", to, site.url + "/x"), 69, r"answered 503.*given up after 8 tries", to)


def test_no_one_listening_is_told(to: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/x"
        refused(load_data("--to", to, url), 69, "refused.*given up", to)


@pytest.mark.parametrize(("number", "tries"), [("EAI_NONAME", 3), ("EAI_AGAIN", 8)])
def test_a_host_that_is_not_known_is_not_asked_for_long(number: str, tries: int, to: Path, tmp_path: Path) -> None:
    """A name server that fails may answer soon; one that knows of no such host will say so again."""
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "def fails(*words, **more):\n"
        f"    raise socket.gaierror(socket.{number}, 'not found')\n"
        "socket.getaddrinfo = fails\n"
    )
    done = load_data(
        "--to", to, "http://me:pw@nowhere.example/x?key=s3", as_file=True, env={"PYTHONPATH": str(tmp_path)}
    )
    refused(done, 69, rf"given up after {tries} tries", to)
    assert len(done.lines) == tries
    assert ("there is no host nowhere.example;" in done.lines[0]) == (tries == 3)
    assert "pw" not in done.log
    assert "s3" not in done.log


def test_a_body_that_stalls_is_resumed(site: Site, to: Path) -> None:
    def stalling(handler: Handler) -> None:
        if len(site.seen) == 1:
            handler.give(BODY[:5000], promise=len(BODY), ETag='"1"')
            time.sleep(1.5)
        else:
            ranged(handler, BODY, cut=None)

    assert load_data("--to", to, "--timeout", "0.3", site.route("/x")(stalling)).code == 0
    assert (tree(to), site.seen[1][1]["Range"]) == ({"x": BODY}, "bytes=5000-")


def test_credentials_stay_with_the_first_origin(site: Site, other: Site, to: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    (secret / "..data").mkdir(parents=True)
    (secret / "X-Token").write_bytes(b"s3cret\n")
    site.routes["/a"] = lambda handler: handler.give(b"", 302, Location="/b?sig=s1gned")
    site.routes["/b"] = lambda handler: handler.give(b"", 307, Location=other.url + "/c")
    other.routes["/c"] = lambda handler: handler.give(b"", 301, Location=site.url + "/d")
    site.routes["/d"] = lambda handler: handler.give(b"data")
    url = site.url.replace("//", "//user:p%40ss@") + "/a?sig=s1gned"
    result = load_data("--to", to, "--headers", secret, url)
    assert result.code == 0
    carried = [headers.get("X-Token") for _, headers in site.seen + other.seen]
    assert carried == ["s3cret", "s3cret", None, None]  # the third is the way back to the first origin
    assert [headers.get("Authorization") for _, headers in site.seen + other.seen] == [
        "Basic dXNlcjpwQHNz",
        "Basic dXNlcjpwQHNz",
        None,
        None,
    ]
    assert not re.search("s3cret|s1gned|p%40ss|user:", result.log)


def test_a_failing_signed_url_is_masked(site: Site, to: Path) -> None:
    site.routes["/x"] = lambda handler: handler.give(b"", 403)
    url = site.url.replace("//", "//user:hush@") + "/x?X-Sig=hush&e=a@b"
    result = load_data("--to", to, url)
    refused(result, 69, "403", to)
    assert "hush" not in result.log


@pytest.mark.parametrize(
    "url",
    [
        "http://u:hu/sh@host/x",
        "http://u:hush@host:port/x",
        "http://u:hush@[::1/x",
        "ftp://u:hush@host/x",
        "s3://hush/x",
        "http:///hush",
        "hush",
        "",
        "file:///etc/passwd",
        "http://a..b/?hush",
    ],
)
def test_a_url_that_is_none_is_a_usage_error_and_not_shown(to: Path, url: str) -> None:
    (to / "kept").write_text("what was there stays")
    result = load_data("--to", to, url)
    assert (result.code, list(tree(to))) == (64, ["kept"])
    assert "hush" not in result.log


@pytest.mark.parametrize("value", [b"a\nX-Evil: 1", b"a\r\nb\n", b"a\0b", b"a\n\n"])
def test_a_header_cannot_bring_in_another(site: Site, to: Path, tmp_path: Path, value: bytes) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "X-Token").write_bytes(value)
    result = load_data("--to", to, "--headers", tmp_path / "secret", site.serve("/x", b"x"))
    refused(result, 64, "X-Token has a line break", to)
    assert not site.seen


@pytest.mark.parametrize("name", ["Range", "Host", "a b", "naïve"])
def test_a_header_that_may_not_be_set_is_refused(site: Site, to: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / name).write_bytes(b"hush")
    result = load_data("--to", to, "--headers", tmp_path / "secret", site.serve("/x", b"x"))
    refused(result, 64, "cannot be a header", to)
    assert "hush" not in result.log


def test_a_secret_that_is_not_mounted_is_told(site: Site, to: Path) -> None:
    refused(load_data("--to", to, "--headers", "/nowhere", site.url + "/x"), 64, "/nowhere: No such file", to)


@pytest.mark.parametrize("place", ["/x", "ftp://h/x", "file:///etc/passwd", "http://[", "//h:port/"])
def test_redirects_that_lead_nowhere_end(site: Site, to: Path, place: str) -> None:
    site.routes["/x"] = lambda handler: handler.give(b"", 302, Location=place)
    refused(load_data("--to", to, site.url + "/x"), 69, "redirects|URL", to)


@pytest.fixture
def safe(site: Site) -> str:
    """The site by TLS; its certificate is for this alone."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    site.socket = context.wrap_socket(site.socket, server_side=True)
    return site.url.replace("http:", "https:")


def test_https_does_not_fall_back_to_http(site: Site, safe: str, other: Site, to: Path) -> None:
    site.routes["/x"] = lambda handler: handler.give(b"", 302, Location=other.serve("/y", b"data"))
    result = load_data("--to", to, safe + "/x", env={"SSL_CERT_FILE": str(CERTIFICATE)})
    refused(result, 69, "from https to http", to)
    assert not other.seen


def test_a_certificate_that_nobody_vouches_for_is_asked_once(site: Site, safe: str, to: Path) -> None:
    result = load_data("--to", to, safe + "/x")
    refused(result, 69, "CERTIFICATE_VERIFY_FAILED", to)
    assert len(result.lines) == 1


def test_a_redirect_with_spaces_and_raw_utf8_is_followed(site: Site, to: Path) -> None:
    place = "/내 파일".encode().decode("latin-1")
    site.routes["/x"] = lambda handler: handler.give(b"", 302, Location=place)
    site.routes["/%EB%82%B4%20%ED%8C%8C%EC%9D%BC"] = lambda handler: handler.give(b"data")
    assert load_data("--to", to, site.url + "/x").code == 0
    assert tree(to) == {"x": b"data"}


@pytest.mark.parametrize(
    ("disposition", "path", "name"),
    [
        ('attachment; filename="a.csv"', "/x", "a.csv"),
        ('attachment; filename="../../etc/passwd"', "/x", "passwd"),
        ('attachment; filename="..\\\\..\\\\evil.csv"', "/x", "evil.csv"),
        ("attachment; filename=\"x\"; filename*=UTF-8''%EB%82%B4%20a.csv", "/x", "내 a.csv"),
        ("attachment; filename*=UTF-8''%2e%2e%2f%00%0aa", "/x", "__a"),
        ('attachment; filename="내.csv"'.encode().decode("latin-1"), "/x", "내.csv"),
        ('attachment; filename=".."', "/x", "x"),
        ("attachment", "/%2e%2e%2f..", "data"),
        ("attachment", "/", "data"),
        ("attachment", "/a%2Fb", "b"),
        ("attachment", "/" + "n" * 300 + ".csv", "n" * 196 + ".csv"),
    ],
)
def test_a_name_is_one_safe_segment(site: Site, to: Path, disposition: str, path: str, name: str) -> None:
    url = site.serve(path, b"data", Content_Disposition=disposition)
    assert load_data("--to", to, url).code == 0
    assert tree(to) == {name: b"data"}
    assert "\x00" not in name


def test_term_ends_it_at_once_and_leaves_nothing(site: Site, to: Path) -> None:
    """KFP leaves 0.75 s, which is much; what it could wait for takes a minute."""
    over = threading.Event()

    def slow(handler: Handler) -> None:
        handler.give(b"part", promise=10**6)
        over.wait(60)

    process = subprocess.Popen(
        command("--to", str(to), "--timeout", "60", site.route("/x")(slow)),
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    while not list(to.rglob("download")):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    over.set()
    assert (process.returncode, log, tree(to)) == (143, "kade2kfp: stopped\n", {})


def test_one_file_is_made_with_its_folder(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.csv"
    assert load_data("--to", target, "--file", site.serve("/x", b"1")).code == 0
    assert tree(tmp_path) == {"a": None, "a/b.csv": b"1"}


def test_a_failing_file_leaves_what_lies_beside_it(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "b.csv").write_bytes(b"of an earlier attempt")
    site.routes["/x"] = lambda handler: handler.give(b"", 404)
    assert load_data("--to", tmp_path / "b.csv", "--file", site.url + "/x").code == 69
    assert tree(tmp_path) == {"mine": b"mine"}


@pytest.mark.parametrize(
    "args",
    [
        ["--to", "/nowhere", "http://h/x"],
        ["--to", "/tmp", "--file", "http://h/x"],
        ["http://h/x?hush"],
        ["--to", "/tmp", "http://u:hush@h/x", "http://h/?hush"],
        ["--to", "/tmp", "--sha256", "abc", "http://h/x"],
        ["--to", "/tmp", "--decompress", "rar", "http://h/x"],
        ["--to", "/tmp", "--max-bytes", "1e9", "http://h/x"],
        ["--to", "/tmp", "--max-bytes", "-1", "http://h/x"],
        ["--to", "/tmp"],
        ["--to", "/tmp", "--from-file", "/etc", "http://h/x"],
    ],
)
def test_wrong_usage_is_told_in_a_line(args: list[str]) -> None:
    result = load_data(*args)
    assert (result.code, len(result.lines)) == (64, 1)
    assert "hush" not in result.log
