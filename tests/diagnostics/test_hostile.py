"""Text of a document, and names of files, harm no reader of diagnostics: each output is parsed as its reader does."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from ci.runner import parsed

from .calling import kade2kfp, sarif_run, uris

TEXTS = {
    "escape": "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "eight bits": "\x9b31m\x85\x90",
    "toolkit": "%0A::error::owned",
    "percent": "%25%0D%0A%3A%2C",
    "command": "::error file=x::owned",
    "old command": "##[error]owned",
    "stop": "::stop-commands::x",
    "lines": "a\n::error::owned\r\n::warning::owned\rz",
    "separators": "a\u2028::error::owned\u2029b\u0085c\x0bd\x0ce",
    "properties": "x,line=1,title=y::z",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "link": "[x](http://example.org) ](http://example.org) [y](1)",
    "comment": "--> <!-- ]]> */ //",
    "quotes": '"\'`\\" ``` \\',
    "directions": "\u202eevil\u2066x\u2069\u200f\u061c",
    "hidden": "a\u200bb\u2060c\ufeffd\U000e0041\u180e",
    "nul": "\x00\x01\x7f",
    "half": "\ud800x\udfff",
    "none": "\ufffe\U0010ffff\ue000",
    "placeholder": "{0} {{params.x}} %s {}",
    "backslash": "\\x1b \\u202e \\](x",
    "cjk": "數據처리データ",
    "emoji": "👨\u200d👩\u200d👧🏽",
    "zalgo": "z" + "\u0301\u0316" * 300,
    "long": "long" * 50_000,
    "terminal links": "\x1b]8;;http://example.org\x1b\\x\x1b]8;;\x1b\\",
}
CODES = {"K100"}
FILE = "pipeline.json"


def document(text: str) -> dict[str, Any]:
    """A document that is wrong in such ways that the text is quoted."""
    task = {"id": text, "type": "job", "image": "busybox:1.36", "command": ["true"], text: 1, "timeout": text}
    return {"apiVersion": "kade2kfp/v1", "name": "part", "tasks": [task], "arrows": [{"fromTask": text, "toTask": "x"}]}


def said(folder: Path, output: str, name: str = FILE) -> tuple[str, str]:
    """Standard output and error of `validate`."""
    ran = kade2kfp("validate", name, "--output-format", output, "--color", "never", cwd=folder)
    assert ran.returncode == 1
    return ran.stdout.decode(), ran.stderr.decode()


def is_plain(text: str) -> None:
    """Nothing in it that a terminal acts upon, or that changes or hides what is around it."""
    joiners = "\u200c\u200d"
    bad = [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]
    assert not [char for char in bad if char not in f"\n{joiners}"]
    assert max(map(len, text.split("\n"))) < 14_000


@pytest.fixture(params=TEXTS)
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    (tmp_path / FILE).write_text(json.dumps(document(TEXTS[request.param])))
    return tmp_path


def test_text(folder: Path) -> None:
    out, errors = said(folder, "text")
    assert out == ""
    is_plain(errors)
    heads = [row for row in errors.split("\n") if row.startswith(f"{FILE}:")]
    assert len(heads) == errors.count("error[")
    assert {head.partition("[")[2][:4] for head in heads} >= CODES


def test_json(folder: Path) -> None:
    out, errors = said(folder, "json")
    assert errors == ""
    assert out.isascii()
    assert "\x1b" not in out
    whole = json.loads(out)
    assert {one["code"] for one in whole["diagnostics"]} >= CODES
    (unknown,) = [one for one in whole["diagnostics"] if one["code"] == "K100"]
    if "\ufffd" not in unknown["pointer"]:  # which stands for half a pair of surrogates
        written = json.loads((folder / FILE).read_text())["tasks"][0]
        assert unknown["pointer"].removeprefix("/tasks/0/").replace("~1", "/").replace("~0", "~") in written


def test_github(folder: Path) -> None:
    out, errors = said(folder, "github")
    is_plain(out)
    is_plain(errors)
    log = parsed(out + errors)
    assert {command.name for command in log.commands} == {"error"}
    assert len(log.commands) == out.count("\n")
    for command in log.commands:
        assert set(command.properties) == {"title", "file", "line", "endLine", "col", "endColumn"}
        assert command.properties["file"] == FILE
        assert command.properties["title"].startswith("K")
        assert command.data.startswith(f"{FILE}:")


def test_sarif(folder: Path) -> None:
    out, errors = said(folder, "sarif")
    assert errors == ""
    run = sarif_run(out)
    assert set(uris(run)) == {FILE}
    assert {one["ruleId"] for one in run["results"]} >= CODES
    for result in run["results"]:
        is_plain(result["message"]["text"])
        assert "](" not in result["message"]["text"]
        assert len(result["message"]["text"]) < 14_000


# A name has no slash and no NUL, at most 255 bytes, and is given as bytes where it is no text.
NAMES = {
    name: text.replace("/", "|").replace("\x00", "")[:60]
    for name, text in TEXTS.items()
    if name not in ("half", "none")
}


@pytest.mark.parametrize("output", ["text", "json", "github", "sarif"])
def test_names_of_files(tmp_path: Path, output: str) -> None:
    names = [f"{text}.json" for text in NAMES.values()]
    for name in names:
        (tmp_path / name).write_text('{"tsks": 1}')
    ran = kade2kfp("validate", "--output-format", output, "--", *names, cwd=tmp_path)
    out, errors = ran.stdout.decode(), ran.stderr.decode()
    assert ran.returncode == 1
    is_plain(errors)
    if output == "text":
        assert errors.count("error[K100]") == len(names)
        assert len([row for row in errors.split("\n") if "error[K100]" in row]) == len(names)
    elif output == "json":
        assert {one["file"] for one in json.loads(out)["diagnostics"]} == set(names)
    elif output == "github":
        commands = parsed(out + errors).commands
        assert {command.properties["file"] for command in commands} == set(names)
        assert {command.name for command in commands} == {"error"}
    else:
        assert len(set(uris(sarif_run(out)))) == len(names)
