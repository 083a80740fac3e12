"""`validate`: what it says, to people and to machines, and that no document harms a terminal."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .command import HELLO, KADE2KFP, WARNED, WRONG, environment, kade2kfp, no_bug, write


@pytest.mark.parametrize(
    ("document", "words", "code"),
    [
        (HELLO, [], 0),
        (WARNED, [], 0),
        (WARNED, ["--werror"], 1),
        (WRONG, [], 1),
        (HELLO, ["--set", "who=x"], 0),
        (HELLO, ["--set", "who="], 0),
        (HELLO, ["--set", "hwo=x"], 1),
        (HELLO, ["--set", "who"], 2),
        (HELLO, ["--set", "=x"], 2),
        (WARNED, ["--set", "unused=seven"], 2),
        (WARNED, ["--set", "unused=1.5"], 1),
        (WARNED, ["--set", "unused=true"], 1),
        (WARNED, ["--set", "unused=NaN"], 2),
        (WARNED, ["--set", "unused=1e999"], 2),
        (WARNED, ["--set", "unused=9007199254740993"], 1),
        (WARNED, ["--set", "unused=" + "[" * 200 + "]" * 200], 1),
        (WARNED, ["--set", "unused=" + "[" * 50000 + "]" * 50000], 2),
        (HELLO, ["--set", "who={{workflow.name}}"], 1),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_exit_codes(tmp_path: Path, document: dict[str, Any], words: list[str], code: int) -> None:
    write(tmp_path, document)
    ran = kade2kfp("validate", "pipeline.json", *words, cwd=tmp_path)
    assert ran.returncode == code, ran.stderr
    assert ran.stdout == b""
    assert 0 < len(ran.stderr) < 2000
    no_bug(ran)


def test_values_that_are_no_text(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    ran = kade2kfp("validate", "pipeline.json", "--set", b"who=\xff\x1b[31m", cwd=tmp_path)
    assert ran.returncode == 1
    no_bug(ran)
    assert kade2kfp("validate", "pipeline.json", "--set", b"\xff\x1b[31m", cwd=tmp_path).returncode == 2


def test_types_of_values(tmp_path: Path) -> None:
    every = {"s": "string", "i": "integer", "n": "number", "b": "boolean", "a": "array", "o": "object"}
    command = ["echo", *(f"{{{{params.{name}}}}}" for name in every)]
    parameters = [{"name": name, "type": type_} for name, type_ in every.items()]
    write(tmp_path, HELLO | {"parameters": parameters, "tasks": [HELLO["tasks"][0] | {"command": command}]})
    good = ("s=5", "i=5", "n=0.5", "b=false", 'a=[1, "x"]', 'o={"k": {}}')
    words = [word for pair in good for word in ("--set", pair)]
    assert kade2kfp("validate", "pipeline.json", *words, cwd=tmp_path).returncode == 0
    bad = ("i=0.5", "n=true", "b=1", "a={}", "o=[]")
    words = [word for pair in bad for word in ("--set", pair)]
    ran = kade2kfp("validate", "pipeline.json", *words, cwd=tmp_path)
    assert ran.stderr.count(b"error[K241]") == 5


def test_the_contract_with_editors(tmp_path: Path) -> None:
    document = WRONG | {"tasks": [*WRONG["tasks"], WRONG["tasks"][0] | {"name": "한글"}]}
    write(tmp_path, document)
    ran = kade2kfp("validate", "pipeline.json", "--output-format", "json", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr == b""
    assert ran.stdout.isascii()
    whole = json.loads(ran.stdout)
    assert list(whole) == ["diagnostics", "errors", "warnings"]
    keys = [
        "code",
        "severity",
        "message",
        "help",
        "file",
        "line",
        "column",
        "endLine",
        "endColumn",
        "pointer",
        "related",
    ]
    lines = (tmp_path / "pipeline.json").read_text().splitlines()
    for one in whole["diagnostics"]:
        assert list(one) == keys
        assert one["severity"] in ("error", "warning", "note")
        assert one["file"] == "pipeline.json"
        assert 1 <= one["line"] <= one["endLine"] <= len(lines)
        assert 1 <= one["column"] <= len(lines[one["line"] - 1]) + 1
        for related in one["related"]:
            assert {"message", "line", "column", "endLine", "endColumn", "pointer"} <= set(related)
    assert whole["errors"] == sum(one["severity"] == "error" for one in whole["diagnostics"]) == 3
    assert [one["code"] for one in whole["diagnostics"]].count("K200") == 1  # two tasks of one id
    first = whole["diagnostics"][0]
    assert (first["code"], first["pointer"]) == ("K100", "/tasks/0/imgae")
    assert lines[first["line"] - 1][first["column"] - 1 : first["endColumn"] - 1] == '"imgae"'


def test_nothing_wrong_is_json_too(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    ran = kade2kfp("validate", "pipeline.json", "--output-format", "json", cwd=tmp_path)
    assert json.loads(ran.stdout) == {"diagnostics": [], "errors": 0, "warnings": 0}


def test_files_that_cannot_be_read_are_diagnostics(tmp_path: Path) -> None:
    write(tmp_path, HELLO)
    (tmp_path / "empty.json").touch()
    (tmp_path / "binary.json").write_bytes(bytes(range(256)))
    os.mkfifo(tmp_path / "pipe.json")
    names = [
        "missing.json",
        "empty.json",
        "binary.json",
        "pipe.json",
        ".",
        "pipeline.json/x",
        "x" * 300,
        "pipeline.json",
    ]
    ran = kade2kfp("validate", *names, "--output-format", "json", cwd=tmp_path)
    assert ran.returncode == 1
    found = json.loads(ran.stdout)["diagnostics"]
    assert [one["file"] for one in found] == names[:-1]
    no_bug(ran)


def test_files_from_elsewhere_are_named_as_they_were_given(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, WRONG)
    for name in (str(tmp_path / "pipeline.json"), "../pipeline.json"):
        ran = kade2kfp("validate", name, cwd=tmp_path / "sub")
        assert ran.stderr.startswith(name.encode() + b":")
    ran = kade2kfp("validate", str(tmp_path / "pipeline.json"), cwd=tmp_path)
    assert ran.stderr.startswith(b"pipeline.json:")


def test_standard_input(tmp_path: Path) -> None:
    ran = kade2kfp("validate", "-", cwd=tmp_path, stdin=json.dumps(WRONG).encode())
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"<stdin>:1:")
    no_bug(kade2kfp("validate", "-", cwd=tmp_path, stdin=b"\xff\x00" * 1000))


def test_sources_are_looked_for_unless_one_says_not_to(tmp_path: Path) -> None:
    task = HELLO["tasks"][0] | {"files": [{"path": "/f", "source": "train.py"}]}
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path, HELLO | {"tasks": [task]})
    path = str(tmp_path / "pipeline.json")
    ran = kade2kfp("validate", path, cwd=tmp_path / "elsewhere")
    assert ran.returncode == 1
    assert b"K212" in ran.stderr
    assert kade2kfp("validate", path, "--no-sources", cwd=tmp_path / "elsewhere").returncode == 0
    (tmp_path / "train.py").touch()
    assert kade2kfp("validate", path, cwd=tmp_path / "elsewhere").returncode == 0


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\u2066\x9b31m\r\n::error::x\u200f"


def hostile(folder: Path) -> None:
    task = HELLO["tasks"][0] | {"id": HOSTILE, HOSTILE: 1, "image": HOSTILE, "timeout": HOSTILE}
    write(folder, HELLO | {"tasks": [task], "arrows": [{"fromTask": HOSTILE, "toTask": "x"}]})


def test_a_hostile_document_harms_no_terminal(tmp_path: Path) -> None:
    hostile(tmp_path)
    ran = kade2kfp("validate", "pipeline.json", "--set", f"{HOSTILE}=1", cwd=tmp_path)
    assert ran.returncode == 1
    shown = ran.stderr.decode()
    assert not [char for char in shown if ord(char) < 32 and char != "\n"]
    assert not set("\x7f\x9b\u202e\u2066\u200f\u2028") & set(shown)
    assert "\n::error" not in shown
    assert "\\x1b]0;owned\\x07" in shown


@pytest.mark.parametrize("line", ['exec "$@" 2>&-', 'exec "$@" 2>/dev/full', 'exec "$@" >&- 2>&- <&-'])
def test_the_exit_code_stays_where_nobody_listens(tmp_path: Path, line: str) -> None:
    write(tmp_path, WRONG)
    write(tmp_path, HELLO, "good.json")
    for name, code in (("pipeline.json", 1), ("good.json", 0)):
        command = ["sh", "-c", line, "sh", *KADE2KFP, "validate", name]
        assert subprocess.run(command, cwd=tmp_path, env=environment(), timeout=60).returncode == code


def test_a_closed_standard_input_is_an_empty_document(tmp_path: Path) -> None:
    command = ["sh", "-c", 'exec "$@" <&-', "sh", *KADE2KFP, "validate", "-"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, timeout=60)
    assert ran.returncode == 1
    assert b"K001" in ran.stderr


def test_repeated_mistakes_are_cut_short_and_counted(tmp_path: Path) -> None:
    task = HELLO["tasks"][0] | {"command": ["{{x}}"] * 50}
    write(tmp_path, HELLO | {"parameters": [], "tasks": [task]})
    said = kade2kfp("validate", "pipeline.json", cwd=tmp_path).stderr.decode()
    assert said.count("error[K300]") == 20
    assert "pipeline.json: and 30 more of K300" in said
    assert said.rstrip().endswith("50 errors")
