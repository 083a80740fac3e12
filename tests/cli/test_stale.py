"""`compile --check` says what to type, and whoever types that is done."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from .command import HELLO, WRONG, kade2kfp, no_bug, write


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--set", "who=a b's"],
        ["--set", "who=a;b &c", "--format", "pipelineversion"],
        ["--config", "team rules.toml"],
        ["--no-config"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["pipeline.yaml", "-of team;.yaml"])
def test_what_it_says_can_be_typed(tmp_path: Path, words: list[str], name: str) -> None:
    document = name.replace("yaml", "json")
    write(tmp_path, HELLO, document)
    mirror = '[policy.mirror]\n"docker.io" = "{}"\n'
    (tmp_path / "kade2kfp.toml").write_text(mirror.format("mirror.example.org/hub"))
    (tmp_path / "team rules.toml").write_text(mirror.format("other.example.org/hub"))
    check = ["compile", f"./{document}", "-o", name, "--check", *words]
    for before in (None, "stale\n"):
        if before is not None:
            (tmp_path / name).write_text(before)
        ran = kade2kfp(*check, cwd=tmp_path)
        no_bug(ran)
        assert ran.returncode == 1
        typed = re.search(r"write it by `kade2kfp (.*)`", ran.stderr.decode())
        assert typed
        again = shlex.split(typed[1])
        assert "--check" not in again
        assert kade2kfp(*again, cwd=tmp_path).returncode == 0
        assert kade2kfp(*check, cwd=tmp_path).returncode == 0
        (tmp_path / name).unlink()


def test_a_picture_with_mistakes_says_how_to_see_them(tmp_path: Path) -> None:
    write(tmp_path, WRONG, "-my pipe's.json")
    ran = kade2kfp("graph", "./-my pipe's.json", cwd=tmp_path)
    typed = re.search(r"`kade2kfp (.*)` tells", ran.stderr.decode())
    assert typed
    told = kade2kfp(*shlex.split(typed[1]), cwd=tmp_path)
    assert (told.returncode, b"K100" in told.stderr) == (1, True)
