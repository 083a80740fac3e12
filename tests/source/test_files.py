"""What stands in the way of reading a file is told by its kind, without waiting for it and without reading it whole."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.source import MISSING, read_file, read_source

LIMIT = 16 * 1024 * 1024


def only(path: str | Path) -> Diagnostic:
    source = read_file(path)
    assert source.root is MISSING
    assert source.line(1) == ""
    (one,) = source.diagnostics
    assert one.file == os.fspath(path)
    assert one.message
    return one


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": [1]}')
    source = read_file(path)
    assert (source.file, source.root, source.diagnostics) == (str(path), {"a": [1]}, ())


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.touch()
    (one,) = read_file(path).diagnostics
    assert one.code == "K001"
    assert "empty" in one.message


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("none.json", "none of this name"),
        ("", "folder"),
        ("file/p.json", "not a directory"),
        ("x" * 5000, "name too long"),
        ("a\0b", "no file can have this name"),
        ("\ud800", ""),
        ("loop", "levels of symbolic links"),
        ("dangling", "none of this name"),
    ],
)
def test_what_is_no_file(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    one = only(f"{tmp_path}/{name}")
    assert one.code == "K001"
    assert word in one.message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("train", "train.json"),
        ("circle", "circle/pipeline.json"),
        ("circle/", "circle/pipeline.json"),
        ("circle.json", "circle/pipeline.json"),
        ("trian.json", "train.json"),
        ("trian", "train.json"),
        ("circle/pipline.json", "circle/pipeline.json"),
        ("both", "both.json"),
    ],
)
def test_what_lies_beside_it_is_suggested(
    tmp_path: Path, name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "circle").mkdir()
    for one in ("train.json", "circle/pipeline.json", "both.json"):
        (tmp_path / one).write_text("{}")
    for start in (f"{tmp_path}/", ""):
        monkeypatch.chdir(tmp_path)
        one = only(f"{start}{name}")
        assert (one.code, one.help) == ("K001", f"did you mean `{start}{meant}`?")


@pytest.mark.parametrize("name", ["nothing-like-it", "empty", "gone/train", "train.yaml", "list.json", ".json"])
def test_nothing_is_suggested_where_nothing_is_alike(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.json.json").mkdir()
    (tmp_path / "data.json").write_text("{}")
    assert "did you mean" not in only(tmp_path / name).help


def test_a_pipe_and_a_socket_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert "a socket" in only("socket").message
    one = only(tmp_path / "pipe")
    assert (one.code, one.message.endswith("a pipe")) == ("K001", True)
    assert "standard input" in one.help


def test_a_device_is_not_read() -> None:
    for path in ("/dev/zero", "/dev/null"):
        assert only(path).message.endswith("a device")


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root may read everything: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_no_permission(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "closed").mkdir()
    path = tmp_path / "closed" / "p.json"
    path.write_text("{}")
    path.chmod(0)
    request.getfixturevalue("ordinary_user")
    one = only(path)
    assert (one.code, "permission denied" in one.message) == ("K001", True)
    assert one.help


def test_a_file_of_200_mb_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    with path.open("wb") as stream:
        stream.truncate(200 * 2**20)
    one = only(path)
    assert one.code == "K008"
    assert "200.0 MiB, more than 16" in one.message


def test_the_limit_is_exact(tmp_path: Path) -> None:
    text = b'{"a": 1}'.ljust(LIMIT)
    assert read_source(text, "p.json").root == {"a": 1}
    (one,) = read_source(text + b" ", "p.json").diagnostics
    assert one.code == "K008"
    assert "16,777,217 bytes" in one.message
    path = tmp_path / "p.json"
    path.write_bytes(text)
    assert read_file(path).root == {"a": 1}
    path.write_bytes(text + b" ")
    assert only(path).code == "K008"


def test_what_says_that_it_is_empty_is_still_read() -> None:
    (one,) = read_file("/proc/self/status").diagnostics
    assert (one.code, one.message) == ("K003", "this is not JSON")
