"""A file is replaced at once: whatever happens meanwhile, there is the old one or the new one, and nothing beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kade2kfp.files import replace_file

OLD, NEW = "old\n" * 100_000, "new\n" * 50_000


def put(folder: Path) -> Path:
    path = folder / "pipeline.json"
    path.write_text(OLD, encoding="utf-8")
    return path


def test_who_has_opened_it_reads_the_old_one_to_its_end(tmp_path: Path) -> None:
    path = put(tmp_path)
    with path.open(encoding="utf-8") as reader:
        begun = reader.read(1000)
        replace_file(path, NEW)
        assert begun + reader.read() == OLD
    assert path.read_text(encoding="utf-8") == NEW
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_what_fails_at_any_step_leaves_the_old_one_alone(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = put(tmp_path)
    monkeypatch.setattr(os, step, fails)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, NEW)
    assert path.read_text(encoding="utf-8") == OLD
    assert os.listdir(tmp_path) == [path.name]


def test_it_is_whole_on_the_disk_before_it_takes_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path)
    synced: list[int] = []
    sync, replace = os.fsync, os.replace

    def noted(handle: int) -> None:
        sync(handle)
        synced.append(os.fstat(handle).st_ino)

    def looked(source: str, target: Path) -> None:
        assert synced == [os.stat(source).st_ino]
        assert Path(source).read_text(encoding="utf-8") == NEW
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", looked)
    replace_file(path, NEW)
    assert path.read_text(encoding="utf-8") == NEW


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_who_may_read_it_stays(mode: int, tmp_path: Path) -> None:
    path = put(tmp_path)
    path.chmod(mode)
    replace_file(path, NEW)
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_root_leaves_a_file_to_its_owner(tmp_path: Path) -> None:
    path = put(tmp_path)
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    replace_file(path, NEW)
    there = path.stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o777) == (12345, 54321, 0o640)


@pytest.mark.parametrize("number", [1, 22])
def test_who_may_not_give_a_file_away_writes_it_all_the_same(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def refused(handle: int, user: int, group: int) -> None:
        asked.append((user, group))
        raise OSError(number, os.strerror(number))

    path = put(tmp_path)
    theirs = os.stat_result((0o100600, 0, 0, 1, os.geteuid() + 7, os.getegid() + 7, 0, 0, 0, 0))
    monkeypatch.setattr(os, "fchown", refused)
    monkeypatch.setattr(os, "fstat", lambda handle: theirs)
    replace_file(path, NEW)
    monkeypatch.undo()
    assert path.read_text(encoding="utf-8") == NEW
    assert sorted(asked) == sorted([(-1, path.stat().st_gid), (path.stat().st_uid, -1)])


def test_another_name_of_the_file_keeps_the_old_text(tmp_path: Path) -> None:
    path = put(tmp_path)
    (tmp_path / "other.json").hardlink_to(path)
    replace_file(path, NEW)
    assert (tmp_path / "other.json").read_text(encoding="utf-8") == OLD
    assert path.stat().st_nlink == 1


def test_who_may_read_a_new_one_is_as_everywhere(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "new.json", NEW)
        assert os.umask(0o027) == 0o027  # nothing of the process has changed
    finally:
        os.umask(before)
    assert (tmp_path / "new.json").stat().st_mode & 0o777 == 0o640
