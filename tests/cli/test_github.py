"""Diagnostics as annotations of GitHub."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kade2kfp.diagnostics.github import annotation, as_github
from kade2kfp.diagnostics.model import Diagnostic, Related, Span

from .command import HELLO, WARNED, WRONG, kade2kfp, no_bug, write


@pytest.fixture(autouse=True)
def no_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)


def test_words_and_places() -> None:
    span, long = Span(3, 5, 3, 9), Span(3, 5, 7, 2)
    rows = [
        Diagnostic("K301", "no `x`", help="add it", file="a.json", span=span, related=(Related("first", (), span),)),
        Diagnostic("K242", "unused", file="a.json", span=long),
        Diagnostic("K513", "not part", file="a.json"),
    ]
    assert as_github(rows) == (
        "::error title=K301,file=a.json,line=3,endLine=3,col=5,endColumn=9"
        "::a.json:3:5: no `x`%0Asee: first (line 3)%0Ahelp: add it\n"
        "::warning title=K242,file=a.json,line=3,endLine=7::a.json:3:5: unused\n"
        "::notice title=K513,file=a.json::a.json: not part\n"
    )
    assert as_github([]) == ""


@pytest.mark.parametrize(
    ("text", "data", "value"),
    [
        ("100%", "100%25", "100%25"),
        ("%0A", "%250A", "%250A"),
        ("a\r\nb", "a\\x0d\\x0ab", "a%0D%0Ab"),
        ("a:b,c", "a:b,c", "a%3Ab%2Cc"),
        ("x::error::y", "x::error::y", "x%3A%3Aerror%3A%3Ay"),
        ("\x1b[31m", "\\x1b[31m", "\x1b[31m"),
        ("\u202e", "\\u202e", "\u202e"),
        ("größe 数", "größe 数", "größe 数"),
    ],
)
def test_escapes_are_those_of_the_toolkit(text: str, data: str, value: str) -> None:
    assert annotation("error", [text], text, title="t") == f"::error title=t,file={value}::{data}\n"


def test_commands_write_annotations(tmp_path: Path) -> None:
    write(tmp_path, WRONG)
    for command in ("validate", "compile"):
        ran = kade2kfp(command, "pipeline.json", "--output-format", "github", cwd=tmp_path)
        no_bug(ran)
        assert ran.returncode == 1
        assert ran.stdout.startswith(b"::error title=K100,file=pipeline.json,line=")
        assert ran.stdout.count(b"\n") == 1
        assert ran.stderr == b"1 error\n"


def test_nothing_wrong_is_no_annotation(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    ran = kade2kfp("validate", "pipeline.json", "--output-format", "github", cwd=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"1 file checked, nothing wrong\n")


def test_yaml_on_standard_output_is_not_mixed_with_annotations(tmp_path: Path) -> None:
    write(tmp_path, WARNED)
    ran = kade2kfp("compile", "pipeline.json", "-o", "-", "--output-format", "github", cwd=tmp_path)
    assert ran.stderr.startswith(b"::warning title=K242,")
    assert b"::" not in ran.stdout


def test_thousands_of_one_mistake_are_a_few_annotations(tmp_path: Path) -> None:
    write(tmp_path, HELLO | {f"field{number}": 1 for number in range(50)})
    ran = kade2kfp("validate", "pipeline.json", "--output-format", "github", cwd=tmp_path)
    assert ran.stdout.count(b"::error ") == 20
    assert ran.stderr == b"pipeline.json: and 30 more of K100\n50 errors\n"


def test_files_are_named_from_the_root_of_the_checkout(tmp_path: Path) -> None:
    root, link = tmp_path / "repository", tmp_path / "link"
    (root / "sub").mkdir(parents=True)
    link.symlink_to(root)
    write(root / "sub", WRONG)
    for workspace, file in ((root, "sub/pipeline.json"), (link, "sub/pipeline.json"), ("/nowhere", "pipeline.json")):
        env = {"GITHUB_WORKSPACE": os.fspath(workspace)}
        ran = kade2kfp("validate", "pipeline.json", "--output-format", "github", cwd=root / "sub", env=env)
        assert f",file={file},".encode() in ran.stdout
    ran = kade2kfp("validate", "-", "--output-format", "github", cwd=root, stdin=b"{", env=env)
    assert b",file=<stdin>," in ran.stdout
    (root / "<name>.json").write_text("{")
    env = {"GITHUB_WORKSPACE": os.fspath(tmp_path)}
    ran = kade2kfp("validate", "<name>.json", "--output-format", "github", cwd=root, env=env)
    assert b",file=repository/<name>.json," in ran.stdout
