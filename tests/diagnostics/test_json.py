"""The JSON that editors read has the shape that schemas/diagnostics.v1.json and docs/output.md say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kade2kfp.api import load, validate
from kade2kfp.diagnostics.as_json import as_json
from kade2kfp.diagnostics.model import Diagnostic, Related, Severity, Span

from .calling import kade2kfp

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / "diagnostics.v1.json").read_text(encoding="utf-8"))
FITS = jsonschema.Draft202012Validator(SCHEMA)
# One document of each code: fifty are enough to see every shape there is.
FIXTURES = sorted((ROOT / "tests" / "invalid").glob("K*.json"))[::20]
FULL = Diagnostic(
    "K999",
    "message",
    ("tasks", 0, "a/b~c"),
    "help",
    (Related("first", ("tasks",), Span(1, 1, 1, 2)), Related("nowhere", ())),
    span=Span(1, 2, 3, 4),
    file="a.json",
    output=("a line",),
)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_what_is_written_has_the_shape(path: Path) -> None:
    FITS.validate(json.loads(as_json(validate(load(path)).diagnostics)))


def test_every_field_is_written_somewhere() -> None:
    whole = json.loads(as_json([FULL, Diagnostic("K001", "no file")], {Severity.ERROR: 2, Severity.NOTE: 3}))
    FITS.validate(whole)
    assert set(whole) == set(SCHEMA["properties"])
    assert set(whole["diagnostics"][0]) == set(SCHEMA["$defs"]["diagnostic"]["properties"])
    assert set(whole["diagnostics"][0]["related"][0]) == set(SCHEMA["$defs"]["related"]["properties"])
    assert whole["diagnostics"][0]["pointer"] == "/tasks/0/a~1b~0c"
    assert whole["leftOut"] == 3


@pytest.mark.parametrize("field", ["line", "related", "message"])
def test_the_schema_finds_another_shape(field: str) -> None:
    whole = json.loads(as_json([FULL]))
    for change in ({field: 0}, {field.upper(): 1}):
        row = whole["diagnostics"][0] | change
        assert not FITS.is_valid(whole | {"diagnostics": [row]})
    assert not FITS.is_valid({key: value for key, value in whole.items() if key != "errors"})


def test_the_command_writes_it(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"tsks": 1}')
    for words in (("a.json",), ("a.json", "none.json", "--max-diagnostics", "1")):
        ran = kade2kfp("validate", *words, "--output-format", "json", cwd=tmp_path)
        FITS.validate(json.loads(ran.stdout))


def test_the_manual_names_every_field() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "output.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) >= set(SCHEMA["properties"]) | set(SCHEMA["$defs"]["diagnostic"]["properties"])
