"""Diagnostics as SARIF: the standard's shape, places that viewers find, fingerprints that stay."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from kade2kfp.api import parse, validate
from kade2kfp.cli.showing import Showing
from kade2kfp.diagnostics import sarif
from kade2kfp.diagnostics.model import Diagnostic, Related, Span
from kade2kfp.diagnostics.sarif import as_sarif

from .calling import kade2kfp, sarif_run, uris

TASK: dict[str, Any] = {"id": "train", "type": "job", "image": "python:3.11-slim", "command": ["true"]}
GOOD: dict[str, Any] = {"apiVersion": "kade2kfp/v1", "name": "part", "tasks": [TASK]}
WRONG = GOOD | {"tasks": [TASK | {"comand": 1}, TASK]}
UNUSED = {"parameters": [{"name": "x", "type": "integer", "default": 1}]}


@pytest.fixture(autouse=True)
def no_workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)


def one(**more: Any) -> Diagnostic:
    return Diagnostic(**({"code": "K100", "message": "unknown field `x`", "file": "a.json"} | more))


def message(**more: Any) -> str:
    text: str = sarif_run(as_sarif([one(**more)]))["results"][0]["message"]["text"]
    return text


def fingerprints(*rows: Diagnostic) -> list[str]:
    return [result["partialFingerprints"]["kade2kfp/v1"] for result in sarif_run(as_sarif(rows))["results"]]


def test_the_command_writes_a_log_that_the_standard_accepts(tmp_path: Path) -> None:
    (tmp_path / "pipeline.json").write_text(json.dumps(WRONG | UNUSED, indent=2))
    for command in ("validate", "compile"):
        ran = kade2kfp(command, "pipeline.json", "--output-format", "sarif", cwd=tmp_path)
        assert (ran.returncode, ran.stderr) == (1, b"")
        run = sarif_run(ran.stdout.decode())
        assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
            ("K100", "error"),
            ("K200", "error"),
            ("K242", "warning"),
        ]
        assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["K100", "K200", "K242"]
        unknown, twice, _ = run["results"]
        lines = (tmp_path / "pipeline.json").read_text().splitlines()
        region = unknown["locations"][0]["physicalLocation"]["region"]
        marked = lines[region["startLine"] - 1][region["startColumn"] - 1 : region["endColumn"] - 1]
        assert marked == '"comand"'
        assert unknown["message"]["text"] == "Unknown field `comand`. Did you mean `command`?"
        (related,) = twice["relatedLocations"]
        assert '"train"' in lines[related["physicalLocation"]["region"]["startLine"] - 1]


def test_columns_are_of_the_kind_that_the_log_says() -> None:
    text = '{"name": "👍🏽 数 e\u0301", "tsks": []}'
    run = sarif_run(as_sarif(validate(parse(text, "a.json")).diagnostics))
    region = next(
        result["locations"][0]["physicalLocation"]["region"]
        for result in run["results"]
        if "`tsks`" in result["message"]["text"]
    )
    # §3.14.17: a viewer counts as the run says.
    unit = {"utf16CodeUnits": 2, "unicodeCodePoints": 4}[run["columnKind"]]
    code = text.encode("utf-16-le" if unit == 2 else "utf-32-le")
    marked = code[(region["startColumn"] - 1) * unit : (region["endColumn"] - 1) * unit]
    assert marked.decode("utf-16-le" if unit == 2 else "utf-32-le") == '"tsks"'


def test_nothing_wrong_is_a_log_without_results(tmp_path: Path) -> None:
    (tmp_path / "pipeline.json").write_text(json.dumps(GOOD))
    ran = kade2kfp("validate", "pipeline.json", "--output-format", "sarif", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    run = sarif_run(ran.stdout.decode())
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_the_log_stays_apart_from_yaml_on_standard_output(tmp_path: Path) -> None:
    (tmp_path / "pipeline.json").write_text(json.dumps(GOOD | UNUSED))
    ran = kade2kfp("compile", "pipeline.json", "-o", "-", "--output-format", "sarif", cwd=tmp_path)
    assert ran.stdout.startswith(b"# PIPELINE")
    assert len(sarif_run(ran.stderr.decode())["results"]) == 1


def test_the_test_finds_what_the_schema_forbids() -> None:
    log = json.loads(as_sarif([one()]))
    log["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        sarif_run(json.dumps(log))


@pytest.mark.parametrize(
    "name", ["a b.json", "100%.json", "a:b.json", "數.json", "q?x#y.json", "<script>.json", "a]('.json"]
)
def test_names_of_files_are_addresses(tmp_path: Path, name: str) -> None:
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "root" / "sub" / name).write_text("{")
    for cwd, workspace in ((tmp_path / "root", ""), (tmp_path / "root" / "sub", str(tmp_path / "root"))):
        path = os.path.relpath(tmp_path / "root" / "sub" / name, cwd)
        ran = kade2kfp("validate", path, "--output-format", "sarif", cwd=cwd, GITHUB_WORKSPACE=workspace)
        run = sarif_run(ran.stdout.decode())
        assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
        (uri,) = set(uris(run))
        assert unquote(uri) == f"sub/{name}"
        assert not set("<>?#: '()") & set(uri)


def test_a_file_elsewhere_has_an_absolute_address_and_a_link_that_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "real.json").write_text("{")
    (tmp_path / "root" / "link.json").symlink_to("real.json")
    (tmp_path / "other one.json").write_text("{")
    ran = kade2kfp("validate", "link.json", "../other one.json", "--output-format", "sarif", cwd=tmp_path / "root")
    run = sarif_run(ran.stdout.decode())
    other = run["results"][-1]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert uris(run)[0] == "real.json"
    assert other == {"uri": f"file://{os.path.realpath(tmp_path)}/other%20one.json"}


def test_names_that_are_no_text_and_files_that_are_not_there(tmp_path: Path) -> None:
    ran = kade2kfp("validate", b"n\xff.json", ".", "x" * 300, "--output-format", "sarif", cwd=tmp_path)
    run = sarif_run(ran.stdout.decode())
    assert [result["ruleId"] for result in run["results"]] == ["K001"] * 3
    assert uris(run)[0] == "n%FF.json"


def test_standard_input_is_no_file_called_so(tmp_path: Path) -> None:
    ran = kade2kfp("validate", "-", "--output-format", "sarif", cwd=tmp_path, stdin=b"{")
    place = sarif_run(ran.stdout.decode())["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "%3Cstdin%3E"}


@pytest.mark.parametrize(
    "text", ["[a](b)", "[a](1)", "[a\\](1)", "![a](http://x)", "[a][b](javascript:x)", "](", "x](0)", "[[a]](sarif:/x)"]
)
def test_no_text_of_a_document_is_a_link(text: str) -> None:
    related = (Related(f"see {text}", (), Span(1, 1, 1, 2)),)
    result = sarif_run(as_sarif([one(message=text, help=f"not {text}", related=related)]))["results"][0]
    for said in (result["message"]["text"], result["relatedLocations"][0]["message"]["text"]):
        assert "](" not in said
        assert said.replace("]\\(", "](").count(text) >= 1


def test_sentences() -> None:
    assert message(message="an error") == "An error."
    assert message(message="`x` is wrong", help="write `y`") == "`x` is wrong. Write `y`."
    assert message(message="is it?", help="kade2kfp.toml says so") == "Is it? kade2kfp.toml says so."
    assert message(message="\x1b[31m\u202e{0}\ud800") == "\\x1b[31m\\u202e{0}\\ud800."


def test_what_has_no_place_stands_at_the_beginning() -> None:
    place = sarif_run(as_sarif([one()]))["results"][0]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}


def test_fingerprints_stay_when_lines_shift_and_tasks_come_and_go() -> None:
    before = one(pointer=("tasks", 2, "imgae"), span=Span(9, 2, 9, 8))
    after = one(pointer=("tasks", 7, "imgae"), span=Span(40, 6, 40, 12))
    assert fingerprints(before) == fingerprints(after)
    others = [one(code="K101"), one(message="y"), one(pointer=("tasks", 2, "env")), before]
    assert len(set(fingerprints(*others))) == 4


def test_equal_mistakes_are_told_apart_in_each_file() -> None:
    first, second, other = fingerprints(one(pointer=("tasks", 0)), one(pointer=("tasks", 1)), one(file="b.json"))
    assert first.endswith(":1")
    assert second == first[:-1] + "2"
    assert other.endswith(":1")


def test_what_is_left_out_is_said() -> None:
    assert "toolExecutionNotifications" not in sarif_run(as_sarif([one()]))["invocations"][0]
    (notice,) = sarif_run(as_sarif([one()], 1234))["invocations"][0]["toolExecutionNotifications"]
    assert "1,234 more" in notice["message"]["text"]


def test_no_more_results_than_are_taken(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 3)
    showing = Showing("sarif", stream_is_out=True)
    showing.add(parse("", "a.json"), [one(code="K242"), *[one(pointer=(number,)) for number in range(5)]])
    showing.end()
    run = sarif_run(capfd.readouterr().out)
    assert [result["level"] for result in run["results"]] == ["error"] * 3  # the warning gave way
    assert "3 more" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_a_code_without_a_page_is_a_rule_too() -> None:
    (rule,) = sarif_run(as_sarif([one(code="K999")]))["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "K999"
