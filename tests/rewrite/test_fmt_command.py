"""`kade2kfp fmt` as it is called: what it writes, says and leaves alone."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kade2kfp import api
from kade2kfp.cli.rewriting import Rewritten, _write, rewrite
from kade2kfp.files import replace_file
from kade2kfp.rewrite.fmt import formatted
from tests.cli.command import HELLO, WRONG, environment, kade2kfp, no_bug

PLAIN = json.dumps(HELLO)
DONE = formatted(api.parse(PLAIN))
HOSTILE = (
    "\x1b[31mred\x07",
    "\u202egnp.exe",
    "%0A::error::x",
    "<script>",
    "](http://x)",
    "-->",
    "한글",
    "\x85\u2028",
    "\x7f",
)


def put(folder: Path, text: str | bytes = PLAIN, name: str = "pipeline.json") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    return path


def fmt(*words: str, cwd: Path, code: int = 0, **how: Any) -> tuple[str, str]:
    """What it prints to both streams, where it must end with a code."""
    ran = kade2kfp("fmt", *words, cwd=cwd, **how)
    no_bug(ran)
    assert ran.returncode == code, ran.stderr.decode()
    return (ran.stdout or b"").decode(), (ran.stderr or b"").decode()


def test_a_file_is_formatted_once(tmp_path: Path) -> None:
    path = put(tmp_path)
    path.chmod(0o640)
    assert fmt("pipeline.json", cwd=tmp_path) == ("", "pipeline.json: formatted\n1 file formatted\n")
    assert path.read_text() == DONE
    assert path.stat().st_mode & 0o7777 == 0o640
    os.utime(path, (1, 1))
    node = path.stat().st_ino
    assert fmt("pipeline.json", cwd=tmp_path) == ("", "1 file unchanged\n")
    assert (path.stat().st_ino, path.stat().st_mtime) == (node, 1)
    assert os.listdir(tmp_path) == ["pipeline.json"]


def test_standard_input_goes_to_standard_output(tmp_path: Path) -> None:
    assert fmt("-", cwd=tmp_path, stdin=PLAIN.encode()) == (DONE, "")
    assert fmt("-", cwd=tmp_path, stdin=DONE.encode()) == (DONE, "")
    out, err = fmt("-", cwd=tmp_path, stdin=b"{", code=1)
    assert out == ""
    assert "<stdin>:1:1: error[K003]" in err


@pytest.mark.parametrize("words", [["--check"], ["--diff"], ["--check", "--diff"]], ids=" ".join)
def test_check_and_diff_write_nothing(tmp_path: Path, words: list[str]) -> None:
    path = put(tmp_path)
    put(tmp_path, DONE, "done.json")
    out, err = fmt("pipeline.json", "done.json", *words, cwd=tmp_path, code=1)
    assert err == "pipeline.json: would be formatted\n1 file would be formatted by `kade2kfp fmt`, 1 file unchanged\n"
    assert path.read_text() == PLAIN
    assert bool(out) is ("--diff" in words)
    assert fmt("done.json", *words, cwd=tmp_path) == ("", "1 file unchanged\n")
    out, err = fmt("-", *words, cwd=tmp_path, code=1, stdin=PLAIN.encode())
    assert "<stdin>: would be formatted" in err
    assert DONE not in out


def test_a_difference_can_be_applied(tmp_path: Path) -> None:
    path = put(tmp_path, json.dumps(HELLO, indent=4) + "\n\n")
    out, _ = fmt("pipeline.json", "--diff", cwd=tmp_path, code=1)
    assert out.startswith("--- pipeline.json\n+++ pipeline.json (formatted)\n@@ -1,")
    subprocess.run(
        ["git", "apply", "-p0", "--whitespace=nowarn", "-"],
        cwd=tmp_path,
        input=out.replace(" (formatted)", "").encode(),
        check=True,
    )
    assert path.read_text() == DONE


def test_a_difference_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    names = [*HOSTILE, "\ttab"]
    text = json.dumps(HELLO | {"name": "".join(names), "x-a": names}, ensure_ascii=False)
    put(tmp_path, text.replace("\t", "\\t").replace("\x1b", "\\u001b").replace("\x07", "\\u0007"), "a.json")
    put(tmp_path, DONE.replace("  ", "\t").replace("\n", "\r\n").replace("hello", "한\u202e"), "b.json")
    put(tmp_path, json.dumps(HELLO), "c\x1b[2Jd\n\u202e.json")
    out, err = fmt("a.json", "b.json", "c\x1b[2Jd\n\u202e.json", "--diff", cwd=tmp_path, code=1)
    for shown in (out, err):
        assert not any(char in shown for char in "\x1b\x07\u202e\x85\u2028\x7f\r")
    assert '-\t"apiVersion": "kade2kfp/v1",\\x0d\n' in out
    assert "--- c\\x1b[2Jd\\x0a\\u202e.json\n" in out
    assert '"\\u202egnp.exe"' in out


def test_all_files_are_done_whatever_is_wrong_with_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    put(tmp_path, "{", "broken.json")
    put(tmp_path, '{"name": "a", "name": "b"}', "twice.json")
    put(tmp_path, b"\xff\xfe{\x00}\x00", "wide.json")
    read_only = put(tmp_path, PLAIN, "read-only.json")
    read_only.chmod(0o444)
    first, last = put(tmp_path, PLAIN, "first.json"), put(tmp_path, json.dumps(WRONG), "last.json")
    names = [
        "first.json",
        "broken.json",
        "folder",
        "missing.json",
        "twice.json",
        "wide.json",
        "read-only.json",
        "last.json",
    ]
    out, err = fmt(*names, cwd=tmp_path, code=1)
    assert out == ""
    assert first.read_text() == DONE
    assert last.read_text() == formatted(api.parse(json.dumps(WRONG)))
    assert read_only.read_text() == PLAIN
    assert "Error: cannot write read-only.json: it is read-only" in err
    for place in (
        "broken.json:1:1: error[K003]",
        "folder: error[K001]",
        "missing.json: error[K001]",
        "error[K004]",
        "error[K002]",
    ):
        assert place in err
    assert "K100" not in err, "what else is wrong with a document is for `validate`"
    assert err.endswith("\n2 files formatted, 6 files with errors\n")
    assert sorted(os.listdir(tmp_path)) == sorted(names[:3] + names[4:])


def test_a_link_is_followed_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    path = put(tmp_path / "there")
    link = tmp_path / "link.json"
    link.symlink_to("there/pipeline.json")
    fmt("link.json", cwd=tmp_path)
    assert link.is_symlink()
    assert path.read_text() == DONE
    (tmp_path / "loop.json").symlink_to("loop.json")
    assert "K001" in fmt("loop.json", cwd=tmp_path, code=1)[1]


def test_names_of_one_file_count_once(tmp_path: Path) -> None:
    path = put(tmp_path)
    (tmp_path / "link.json").symlink_to("pipeline.json")
    _, err = fmt("pipeline.json", "./pipeline.json", str(path), "link.json", "--check", cwd=tmp_path, code=1)
    assert err == "pipeline.json: would be formatted\n1 file would be formatted by `kade2kfp fmt`\n"
    os.link(path, tmp_path / "hard.json")
    fmt("pipeline.json", "hard.json", "pipeline.json", cwd=tmp_path)
    assert path.read_text() == (tmp_path / "hard.json").read_text() == DONE


@pytest.mark.parametrize(
    "before",
    [b"\xef\xbb\xbf" + DONE.encode(), DONE.replace("\n", "\r\n").encode(), DONE.encode() + b"\n", DONE.encode()[:-1]],
)
def test_marks_and_ends_of_lines_are_made_one(tmp_path: Path, before: bytes) -> None:
    path = put(tmp_path, before)
    fmt("pipeline.json", "--check", cwd=tmp_path, code=1)
    assert fmt("pipeline.json", "--diff", cwd=tmp_path, code=1)[0] != ""
    fmt("pipeline.json", cwd=tmp_path)
    assert path.read_bytes() == DONE.encode()


def test_no_file_is_a_wrong_usage(tmp_path: Path) -> None:
    for words in ([], ["--chek", "a.json"]):
        _, err = fmt(*words, cwd=tmp_path, code=2)
        assert "kade2kfp fmt" in err


@pytest.mark.parametrize("text", ['{"name":"app","version":"1.0"}', "{}"])
def test_json_of_another_kind_is_left_alone(tmp_path: Path, text: str) -> None:
    put(tmp_path, '{"tasks":[]}', "mine.json")
    path = put(tmp_path, text, "package.json")
    _, err = fmt("mine.json", "package.json", cwd=tmp_path, code=1)
    assert "Error: package.json: it is no pipeline: it has neither `apiVersion` nor `tasks`\n" in err
    assert err.endswith("1 file formatted, 1 file with errors\n")
    assert path.read_text() == text


def test_what_would_be_too_large_is_left_alone(tmp_path: Path) -> None:
    text = '{"tasks":[],"x-a":' + "[" * 90 + "1," * 150_000 + "1" + "]" * 90 + "}"
    path = put(tmp_path, text)
    _, err = fmt("pipeline.json", cwd=tmp_path, code=1)
    assert (
        err
        == "Error: pipeline.json: its lines would take more than 16 MiB, and no document may be as large\n1 file with errors\n"
    )
    assert path.read_text() == text


def small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = put(tmp_path)
    command = [sys.executable, "-m", "kade2kfp", "fmt", "pipeline.json"]
    env = environment(PYTHONDONTWRITEBYTECODE="1")  # the limit would cut what it compiles, for all who come after
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, preexec_fn=small_files, timeout=60)
    no_bug(ran)
    assert ran.returncode == 1
    assert b"Error: cannot write pipeline.json: file too large" in ran.stderr
    assert path.read_text() == PLAIN
    assert os.listdir(tmp_path) == ["pipeline.json"]


def test_output_that_cannot_be_written_to(tmp_path: Path) -> None:
    path = put(tmp_path)
    with open("/dev/full", "wb") as full:
        _, err = fmt("-", cwd=tmp_path, stdin=PLAIN.encode(), stdout=full, code=1)
        assert "cannot write to standard output" in err
        fmt("pipeline.json", "--diff", cwd=tmp_path, stdout=full, code=1)
    assert path.read_text() == PLAIN


def test_what_somebody_writes_meanwhile_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path)

    def slowly(source: api.Source) -> Rewritten:
        path.write_text(PLAIN + " ")
        return Rewritten(formatted(source))

    monkeypatch.chdir(tmp_path)
    assert rewrite(("pipeline.json",), slowly, command="fmt", done="formatted", check=False, diff=False) == 1
    assert path.read_text() == PLAIN + " "
    done_already = "formatted by another"
    path.write_text(done_already)
    _write("pipeline.json", PLAIN, done_already)  # whoever else has formatted it, has done no harm
    assert path.read_text() == done_already


def test_an_interrupt_leaves_nothing_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path)

    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, DONE)
    assert path.read_text() == PLAIN
    assert os.listdir(tmp_path) == ["pipeline.json"]


def test_whoever_reads_meanwhile_finds_the_whole_file(tmp_path: Path) -> None:
    """Also where it is killed at any moment."""
    document = HELLO | {"x-a": ["x" * 50] * 20_000}
    before = json.dumps(document)
    after = formatted(api.parse(before))
    path = put(tmp_path, before)
    for wait in (0.2, 0.5, 0.7, 0.9, 1.1):
        with subprocess.Popen(
            [sys.executable, "-m", "kade2kfp", "fmt", "pipeline.json"],
            cwd=tmp_path,
            env=environment(),
            stderr=subprocess.DEVNULL,
        ) as process:
            until = time.monotonic() + wait
            while time.monotonic() < until and process.poll() is None:
                assert path.read_text() in (before, after)
            process.kill()
        assert path.read_text() in (before, after)
        path.write_text(before)


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    put(tmp_path)
    for name in ("fmt", "upgrade"):
        code = f"import sys, kade2kfp.cli\ntry: kade2kfp.cli.main(['{name}', 'pipeline.json'])\nexcept SystemExit: pass\nprint(*sys.modules)"
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, check=True, timeout=60
        )
        loaded = {one.partition(".")[0] for one in ran.stdout.decode().split()}
        assert not loaded & {"kfp", "kubernetes", "google", "yaml", "requests", "minio", "rich"}
