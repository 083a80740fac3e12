"""Whatever tree is packed comes out the same; whatever bytes arrive, it ends as it has promised."""

from __future__ import annotations

import importlib.util
import io
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .load_data_server import TEMPLATE, tree


def load_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("load_data_template", TEMPLATE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULE = load_module()
NAMES = st.text(st.characters(exclude_characters="/\\:\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..")
)
CONTENTS: st.SearchStrategy[object] = st.recursive(
    st.binary(max_size=3000), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
TREES = st.dictionaries(NAMES, CONTENTS, max_size=4)
FORMATS = st.sampled_from(["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])


def write(folder: Path, content: dict[str, object]) -> None:
    for name, inner in content.items():
        if isinstance(inner, dict):
            (folder / name).mkdir()
            write(folder / name, inner)
        elif isinstance(inner, bytes):
            (folder / name).write_bytes(inner)
            (folder / name).chmod(0o755 if len(inner) % 2 else 0o644)


def pack(folder: Path, how: str, form: int) -> bytes:
    out = io.BytesIO()
    if how == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder))
    else:
        mode = "w:" + how[4:]
        with tarfile.open(fileobj=out, mode=mode, format=form) as packed:
            packed.add(folder, arcname=".")
    return out.getvalue()


def run(home: Path, data: bytes, *args: str) -> tuple[int, Path]:
    (home / "to").mkdir(exist_ok=True)
    (home / "arrived").write_bytes(data)
    return MODULE.main(["--to", str(home / "to"), *args, "--from-file", str(home / "arrived")]), home / "to"


@settings(max_examples=60, deadline=None)
@given(content=TREES, how=FORMATS, form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
def test_any_tree_comes_out_as_it_was_packed(content: dict[str, object], how: str, form: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        source = Path(name, "source")
        source.mkdir()
        write(source, content)
        code, to = run(Path(name), pack(source, how, form), "--decompress", how)
        assert code == 0
        assert tree(to) == tree(source)
        for path in source.rglob("*"):
            assert os.access(path, os.X_OK) == os.access(to / path.relative_to(source), os.X_OK)


@settings(max_examples=200, deadline=None)
@given(
    how=FORMATS,
    said=st.booleans(),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), max_size=4),
    cut=st.integers(0, 3000),
)
def test_any_damage_is_told_and_leaves_nothing(how: str, said: bool, flips: list[tuple[int, int]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        source = Path(name, "source")
        source.mkdir()
        write(source, {"a": b"a" * 700, "d": {"b": b"", "l" * 120: b"bcd"}})
        data = bytearray(pack(source, how, tarfile.PAX_FORMAT))
        for at, bits in flips:
            data[at % len(data)] ^= bits
        args = ["--decompress", how] if said else []
        code, to = run(Path(name), bytes(data[: len(data) - cut]), "--max-bytes", "1000000", *args)
        assert code in (0, 65)
        assert code == 0 or tree(to) == {}
        assert sorted(os.listdir(name)) == ["arrived", "source", "to"]


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=600), how=st.sampled_from(MODULE.FORMATS))
def test_any_bytes_whatever_are_kept_or_refused(data: bytes, how: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        code, to = run(Path(name), data, "--decompress", how)
        assert code == 65 or (how in ("auto", "none") and tree(to) == {"arrived": data})


@given(text=st.text())
def test_any_name_becomes_one_segment(text: str) -> None:
    name = MODULE.safe_name(text)
    assert not set(name) & set("/\\\0")
    assert name not in (".", "..")
    assert len(name.encode()) <= 255


@given(text=st.text())
def test_retry_after_is_bounded_whatever_it_says(text: str) -> None:
    assert 0 <= MODULE.seconds(text) <= 120


@pytest.mark.parametrize("text", ["nan", "inf", "-5", "1e999", "Wed, 21 Oct 2099 07:28:00 GMT", "x"])
def test_odd_waits_are_bounded(text: str) -> None:
    assert 0 <= MODULE.seconds(text) <= 120


@given(user=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=4), query=st.text())
def test_what_is_said_of_a_url_hides_its_secrets(user: str, query: str) -> None:
    try:
        clean, _, _ = MODULE.read_url(f"https://{user}q:{user}@host.example/path?{query}")
    except MODULE.LoadError as error:
        clean = str(error)
    assert user + "q" not in clean


@pytest.mark.parametrize(
    ("given", "size", "limit"),
    [(5, 10, 5), (0, 10, 2**30), (0, 10**8, 200 * 10**8), (0, 10**12, 100 * 2**30)],
)
def test_the_limit_grows_with_what_arrived(given: int, size: int, limit: int) -> None:
    assert MODULE.limit_of(given, size) == limit


def test_progress_is_told_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, b"x" * 3 * MODULE.CHUNK)[0] == 0
    assert "unpacking:" not in capsys.readouterr().err
    monkeypatch.setattr(MODULE, "TELL_EVERY", 0.0)
    assert run(tmp_path, b"x" * 3 * MODULE.CHUNK)[0] == 0
    assert "kade2kfp: unpacking: 1,048,576 of" in capsys.readouterr().err


def test_a_bug_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(MODULE, "fill", lambda *args: {}["what"])
    code, to = run(tmp_path, b"x")
    assert (code, tree(to)) == (70, {})
    assert capsys.readouterr().err.startswith("kade2kfp: a bug in load_data: KeyError: 'what' (line ")
