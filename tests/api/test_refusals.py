"""What a program is refused: nothing is compiled that a cluster cannot run, or that the document does not allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import kade2kfp
from kade2kfp.diagnostics.model import Severity
from kade2kfp.diagnostics.severity import severity

BUSY = {"image": "busybox:1.36", "command": ["true"]}
JOB: dict[str, Any] = {"id": "train", "type": "job"} | BUSY


def document(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apiVersion": "kade2kfp/v1", "name": "part"} | more | {"tasks": [*tasks]}


def told(compiled: kade2kfp.Compiled) -> list[tuple[str, str]]:
    """The errors: each code with the field that it is about."""
    return [(one.code, str(one.pointer[-1])) for one in compiled.diagnostics if severity(one.code) is Severity.ERROR]


def test_a_file_of_this_machine_is_checked_but_not_compiled() -> None:
    load = {"id": "load", "type": "loadData", "url": "file:///data/x.csv", "path": "/data"}
    given = document(load, JOB, arrows=[{"fromTask": "load", "fromPath": "/data", "toTask": "train", "toPath": "/in"}])
    source = kade2kfp.parse(given)
    assert kade2kfp.validate(source).ok  # a run on this machine reads it
    compiled = kade2kfp.compile(source)
    assert (compiled.yaml, compiled.checked.plan) == (None, None)
    assert told(compiled) == [("K607", "url")]
    assert kade2kfp.compile(kade2kfp.parse(document(load | {"url": "https://example.org/x.csv"}, JOB))).yaml


@pytest.mark.parametrize(
    ("limits", "value", "taken"),
    [
        ({"type": "integer", "minimum": 1}, 1, True),
        ({"type": "integer", "minimum": 1}, 0, False),
        ({"type": "integer"}, 1.5, False),
        ({"type": "number", "maximum": 0.5}, 0.6, False),
        ({"type": "string", "enum": ["a", "b"]}, "c", False),
        ({"type": "string", "pattern": "^[a-z]+$"}, "A", False),
        ({"type": "string"}, 7, False),
        ({"type": "boolean"}, "true", False),
    ],
)
def test_a_value_is_one_that_its_parameter_allows(limits: dict[str, Any], value: object, taken: bool) -> None:
    used = JOB | {"command": ["echo", "{{params.p}}"]}
    compiled = kade2kfp.compile(
        kade2kfp.parse(document(used, parameters=[{"name": "p"} | limits])), values={"p": value}
    )
    assert (compiled.yaml is not None, "K241" in dict(told(compiled))) == (taken, not taken)


def test_a_value_for_no_parameter_is_told_with_what_was_meant() -> None:
    given = document(JOB | {"command": ["{{params.rate}}"]}, parameters=[{"name": "rate", "type": "string"}])
    (one,) = kade2kfp.compile(kade2kfp.parse(given), values={"rte": "x"}).diagnostics
    assert (one.code, one.help) == ("K301", "did you mean `rate`?")


def test_mistakes_are_told_from_the_top_of_the_text_to_its_end() -> None:
    arrows = [{"fromTask": "train", "fromPath": "/o", "toTask": "tran", "toPath": "/i"}]
    unused = [{"name": "p", "type": "string", "default": "x"}]
    given = document(JOB, JOB | {"imgae": "x"}, JOB | {"id": "b", "image": "A B"}, arrows=arrows, parameters=unused)
    found = kade2kfp.validate(kade2kfp.parse(given)).diagnostics
    assert {"K100", "K200", "K205", "K242", "K320"} <= {one.code for one in found}
    places = [one.span for one in found if one.span is not None]
    assert len(places) == len(found)
    assert places == sorted(places)


def test_what_is_missing_in_an_object_is_marked_at_its_bracket() -> None:
    source = kade2kfp.parse(document(JOB, {"type": "job"} | BUSY))
    (one,) = (one for one in kade2kfp.validate(source).diagnostics if one.code == "K101")
    assert one.span is not None
    assert (one.span.end_line, one.span.end_column) == (one.span.line, one.span.column + 1)
    assert source.line(one.span.line)[one.span.column - 1] == "{"


def test_rules_of_a_folder_are_those_in_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "kade2kfp.toml").write_text('ignore = ["K206"]\n')
    (tmp_path / "inner" / "kade2kfp.toml").write_text('ignore = ["K242"]\n')
    asked = [tmp_path, tmp_path / "pipeline.json", tmp_path / "inner", tmp_path / "inner" / "pipeline.json"]
    assert [kade2kfp.load_rules(one).ignore for one in asked] == [("K206",), ("K206",), ("K242",), ("K242",)]
    assert kade2kfp.load_rules(str(tmp_path / "inner")).ignore == ("K242",)
