"""Files that travel with tasks: only regular ones below the document's folder are ever read."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.api import Checked

from .documents import Json, check, codes, document, job, steps


def sources(*names: str, **more: Any) -> Json:
    return document(job("a", files=[{"path": f"/code/{i}", "source": name} for i, name in enumerate(names)]), **more)


def one(name: str, folder: Path) -> Checked:
    return check(sources(name), folder=folder)


def embedded(doc: Json, folder: Path | None = None) -> list[bytes]:
    return [file.content for file in steps(doc, folder=folder)["a"].files]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The document's folder, with something beside it that nobody shall read."""
    inner = tmp_path / "project"
    inner.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "project-2").mkdir()
    (tmp_path / "project-2" / "x").write_text("secret")
    (inner / "train.py").write_bytes(b"print('\xed\x95\x9c')\r\n\x00\xff")
    return inner


def test_a_source_arrives_byte_for_byte(folder: Path) -> None:
    assert embedded(sources("train.py"), folder) == [(folder / "train.py").read_bytes()]


def test_a_source_in_a_folder_and_with_a_strange_name(folder: Path) -> None:
    (folder / "src dir").mkdir()
    (folder / "src dir" / "한글 'x'.py").write_text("1")
    assert embedded(sources("./src dir//한글 'x'.py"), folder) == [b"1"]


def test_an_absolute_source_in_the_folder(folder: Path) -> None:
    assert embedded(sources(str(folder / "train.py")), folder) == [(folder / "train.py").read_bytes()]


def test_the_folder_itself_may_be_reached_by_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert embedded(sources("train.py"), tmp_path / "link") == [(folder / "train.py").read_bytes()]


def test_a_link_that_stays_inside_is_followed(folder: Path) -> None:
    (folder / "again.py").symlink_to("train.py")
    (folder / "here").symlink_to(".")
    content = (folder / "train.py").read_bytes()
    assert embedded(sources("again.py", "here/here/train.py"), folder) == [content, content]


@pytest.mark.parametrize("name", ["../secret.txt", "x/../../secret.txt"])
def test_climbing_is_refused_by_its_shape(folder: Path, name: str) -> None:
    assert codes(one(name, folder)) == ["K108"]


def test_what_lies_outside_is_never_read(folder: Path, tmp_path: Path) -> None:
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to("..")
    (folder / "twice").symlink_to("up/secret.txt")
    names = [
        "link.txt",
        "up/secret.txt",
        "twice",
        str(tmp_path / "secret.txt"),
        str(tmp_path / "project-2" / "x"),
        "/etc/passwd",
    ]
    for name in names:
        found = one(name, folder)
        assert codes(found) == ["K213"], name
        assert "secret\n" not in str(found.diagnostics)


def test_what_lies_outside_is_not_even_said_to_exist(folder: Path) -> None:
    missing, there = one("/etc/no-such-file", folder), one("/etc/passwd", folder)
    assert codes(missing) == codes(there) == ["K213"]


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert codes(one("pipe", folder)) == ["K212"]


def test_a_socket_and_a_device_are_no_files(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "sock"))
        assert codes(one("sock", folder)) == ["K212"]
    (folder / "zero").symlink_to("/dev/zero")
    assert codes(one("zero", folder)) == ["K213"]


def test_a_folder_is_no_file(folder: Path) -> None:
    (folder / "src").mkdir()
    assert codes(one("src", folder)) == ["K212"]


@pytest.mark.parametrize("name", ["nope.py", "train.py/x", "x" * 300, "no/such/folder.py"])
def test_what_is_missing_is_said_once(folder: Path, name: str) -> None:
    assert codes(one(name, folder)) == ["K212"]


def test_a_slip_is_understood(folder: Path) -> None:
    assert "`train.py`" in one("trian.py", folder).diagnostics[0].help


def test_a_link_to_itself_and_one_to_nowhere(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / "gone").symlink_to("nowhere")
    assert codes(check(sources("loop", "gone"), folder=folder)) == ["K212", "K212"]


def test_without_a_folder_nothing_is_looked_for() -> None:
    assert codes(check(sources("nope.py"))) == []


def test_a_reference_in_a_source_is_one_mistake(folder: Path) -> None:
    doc = sources("{{params.x}}", parameters=[{"name": "x", "type": "string"}])
    assert [code for code in codes(check(doc, folder=folder)) if code != "K242"] == ["K302"]


# Content.


def content(text: str, **more: Any) -> Json:
    return document(job("a", files=[{"path": "/f", "content": text} | more]))


@pytest.mark.parametrize("text", ["", "한글 🚀\n", "{{workflow.name}} $(X) $$", "\t\r\n\\", "x" * 64 * 1024])
def test_a_text_is_written_in_utf_8(text: str) -> None:
    assert embedded(content(text)) == [text.encode()]


@pytest.mark.parametrize("data", [b"", b"\0\xff" * 50, bytes(range(256))])
def test_base64(data: bytes) -> None:
    plain = base64.b64encode(data).decode()
    assert embedded(content(plain, encoding="base64")) == [data]
    assert embedded(content(base64.encodebytes(data).decode(), encoding="base64")) == [data]  # with line breaks


@pytest.mark.parametrize("text", ["x", "AAA", "%%%%", "한글", "QQ==QQ==", "-_-_"])
def test_what_is_not_base64(text: str) -> None:
    found = check(content(text, encoding="base64"))
    assert codes(found) == ["K211"]
    assert found.diagnostics[0].pointer[-1] == "content"


def test_a_serving_has_base64_unless_it_says_otherwise() -> None:
    serving = {
        "id": "s",
        "type": "serving",
        "framework": "sklearn",
        "files": [{"path": "service.py", "content": "plain text"}],
    }
    assert "K211" in codes(check(document(serving)))
    serving["files"][0]["encoding"] = "utf-8"  # type: ignore[index]
    assert "K211" not in codes(check(document(serving)))


@pytest.mark.parametrize("fields", [{}, {"source": "a", "content": "b"}, {"source": None, "content": None}])
def test_source_or_content(fields: Json) -> None:
    assert codes(check(document(job("a", files=[{"path": "/f"} | fields])))) == ["K210"]


# Sizes: decoded bytes, 64 KiB a task, 512 KiB a pipeline.


def test_the_largest_file_is_taken_and_one_byte_more_is_not(folder: Path) -> None:
    (folder / "big").write_bytes(b"x" * 65536)
    (folder / "bigger").write_bytes(b"x" * 65537)
    assert codes(one("big", folder)) == []
    assert codes(one("bigger", folder)) == ["K601"]


def test_a_huge_file_is_refused_unread(folder: Path) -> None:
    with open(folder / "huge", "wb") as file:
        file.truncate(1 << 40)  # a hole: reading it would take the machine's memory
    assert codes(one("huge", folder)) == ["K601"]


def test_the_files_of_a_task_together_are_said_once_at_the_one_that_is_too_many() -> None:
    files = [{"path": f"/f{i}", "content": "x" * 30000} for i in range(5)]
    found = check(document(job("a", files=files)))
    assert codes(found) == ["K601"]
    assert found.diagnostics[0].pointer == ("tasks", 0, "files", 2)


def test_the_limit_counts_what_is_decoded() -> None:
    assert codes(check(content(base64.b64encode(b"x" * 65536).decode(), encoding="base64"))) == []
    assert codes(check(content("한" * 22000))) == ["K601"]


def test_the_files_of_a_pipeline_together_are_said_once() -> None:
    tasks = [job(f"t{i}", files=[{"path": "/f", "content": "x" * 65000}]) for i in range(12)]
    assert codes(check(document(*tasks))).count("K602") == 1
