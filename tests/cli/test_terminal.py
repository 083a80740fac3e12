"""Diagnostics on a terminal: colours, width, and the caret below what is meant."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from .command import HELLO, WARNED, WRONG, kade2kfp, write
from .terminal import on_a_terminal

OURS = re.compile(r"\x1b\[(?:1;31|1;33|1;36|1|34|0)m")
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\u2066\x9b31m\r\n\u200b"


@pytest.mark.parametrize("words", [(), ("--color", "always")])
def test_colours_on_a_terminal_are_ours_alone(tmp_path: Path, words: tuple[str, ...]) -> None:
    write(tmp_path, WARNED | {"tasks": [HELLO["tasks"][0] | {"id": HOSTILE, HOSTILE: 1}]})
    shown = on_a_terminal(tmp_path, "validate", "pipeline.json", *words)
    assert "\x1b[1;31merror[" in shown
    rest = OURS.sub("", shown)
    assert not [char for char in rest if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"]


@pytest.mark.parametrize(
    ("env", "words", "coloured"),
    [
        ({}, (), True),
        ({"NO_COLOR": "1"}, (), False),
        ({"NO_COLOR": "0"}, (), False),
        ({"NO_COLOR": ""}, (), True),
        ({"TERM": "dumb"}, (), False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, (), True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, (), False),
        ({"NO_COLOR": "1"}, ("--color", "always"), True),
        ({"FORCE_COLOR": "1"}, ("--color", "never"), False),
        ({"NO_COLOR": "1"}, ("--color", "auto"), False),
    ],
    ids=str,
)
def test_who_decides_on_colours(tmp_path: Path, env: dict[str, str], words: tuple[str, ...], coloured: bool) -> None:
    write(tmp_path, WRONG)
    assert ("\x1b" in on_a_terminal(tmp_path, "validate", "pipeline.json", *words, **env)) is coloured


@pytest.mark.parametrize("command", ["validate", "compile"])
def test_colours_elsewhere_are_asked_for(tmp_path: Path, command: str) -> None:
    write(tmp_path, WRONG)
    plain = kade2kfp(command, "pipeline.json", cwd=tmp_path).stderr
    assert b"\x1b" not in plain
    for words, env in ((("--color", "always"), {}), ((), {"FORCE_COLOR": "1"})):
        shown = kade2kfp(command, "pipeline.json", *words, cwd=tmp_path, env=env).stderr
        assert OURS.sub("", shown.decode()) == plain.decode()
        assert b"\x1b[1;31m" in shown
    for output in ("json", "sarif", "github"):
        words = ("--output-format", output, "--color", "always")
        ran = kade2kfp(command, "pipeline.json", *words, cwd=tmp_path)
        assert b"\x1b" not in ran.stdout + ran.stderr


def test_a_narrow_terminal(tmp_path: Path) -> None:
    write(tmp_path, HELLO | {"tasks": [HELLO["tasks"][0] | {"command": ["x" * 300 + "{{params.hwo}}" + "y" * 300]}]})
    shown = on_a_terminal(tmp_path, "validate", "pipeline.json", columns=40, NO_COLOR="1")
    head, *rows = shown.splitlines()
    assert head.endswith("error[K301]: there is no parameter `hwo`")
    assert max(map(len, rows)) <= 40
    (caret,) = [row for row in rows if "^" in row]
    line = rows[rows.index(caret) - 1]
    assert line[caret.index("^") : caret.rindex("^") + 1] == "{{params.hwo}}"


def test_what_stands_below_is_broken_between_words(tmp_path: Path) -> None:
    write(tmp_path, HELLO | {"tasks": [HELLO["tasks"][0] | {"image": "busybox"}]})
    (whole,) = [
        row
        for row in kade2kfp("validate", "pipeline.json", cwd=tmp_path).stderr.decode().splitlines()
        if "help:" in row
    ]
    shown = on_a_terminal(tmp_path, "validate", "pipeline.json", columns=30, NO_COLOR="1").splitlines()
    at = next(number for number, row in enumerate(shown) if "help:" in row)
    rows = shown[at : shown.index("", at)]
    assert len(rows) > 1
    assert " ".join(row.strip() for row in rows) == whole.strip()
    assert {len(row) - len(row.lstrip()) for row in rows[1:]} == {whole.index("help:") + len("help: ")}


def test_columns_is_believed(tmp_path: Path) -> None:
    task = HELLO["tasks"][0] | {"command": ["x" * 300 + "{{params.hwo}}" + "y" * 300]}
    write(tmp_path, HELLO | {"tasks": [task]})

    def widest(columns: str) -> int:
        said = kade2kfp("validate", "pipeline.json", cwd=tmp_path, env={"COLUMNS": columns}).stderr.decode()
        return max(map(len, said.splitlines()[1:]))

    assert widest("50") <= 50 < widest("90") <= 90
    assert widest("0") == widest("x") == widest("") == widest("120")
    assert widest("1") <= 40
    assert widest("9" * 5000) < 10**6
