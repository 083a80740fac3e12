"""The committed schema is the models' own, and both say the same of every document that is wrong in shape."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from kade2kfp import api
from kade2kfp.diagnostics.model import Pointer, Severity
from kade2kfp.diagnostics.severity import severity
from kade2kfp.document.schema import schema_text
from kade2kfp.tasks import TASK_TYPES

from .documents import documents
from .models import ROOTS, objects, paths
from .mutations import mutated
from .profile import tries

ROOT = Path(__file__).parents[2]
FILE = ROOT / "schemas/pipeline.v1.json"
EXAMPLES = sorted(ROOT.glob("examples/*/pipeline.json"))
INVALID = sorted((ROOT / "tests/invalid").glob("K*.json"))
# Unknown, missing, of another type, no such word, no such name, out of range, another version.
SHAPE = {"K100", "K101", "K102", "K103", "K104", "K105", "K110"}
by_name = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(FILE.read_text(encoding="utf-8")))


def wrong(text: str) -> set[str]:
    """The codes of a document's errors; not what only the value of a reference is wrong with."""
    source = api.parse(text)
    found = api.validate(source).diagnostics
    errors = [one for one in found if severity(one.code) is Severity.ERROR]
    return {one.code if "{{" not in str(_at(source.root, one.pointer)) else f"{one.code} value" for one in errors}


def _at(value: Any, pointer: Pointer) -> str:
    """The text at a pointer, or at its nearest point above."""
    for part in pointer:
        if isinstance(value, dict):
            value = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
    return value if isinstance(value, str) else ""


def test_the_committed_schema_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == schema_text(TASK_TYPES), (
        "run `kade2kfp schema -o schemas/pipeline.v1.json`"
    )


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(FILE.read_text(encoding="utf-8")))


@pytest.mark.parametrize("root", ROOTS)
def test_every_field_is_described(root: str) -> None:
    definitions = json.loads(FILE.read_text(encoding="utf-8"))["$defs"]
    model = definitions.get(ROOTS[root].__name__) or json.loads(FILE.read_text(encoding="utf-8"))
    for path in paths(ROOTS[root]):
        if "." not in path:
            assert model["properties"][path].get("description"), path


@by_name
def test_the_examples_are_valid_by_both(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert wrong(text) <= {"K212"}
    assert list(validator().iter_errors(json.loads(text))) == []


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_what_is_wrong_in_shape_is_refused_by_both(path: Path) -> None:
    text = path.read_text(encoding="utf-8", errors="replace")
    codes = wrong(text)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        assert any(code.startswith("K0") for code in codes)
        return
    refused = not validator().is_valid(document)
    if codes & SHAPE:
        assert refused, f"the schema takes what is {sorted(codes & SHAPE)}"
    elif not any(code.startswith(("K0", "K1")) for code in codes):
        assert not refused, [error.message for error in validator().iter_errors(document)][:3]


@tries(40, 2000)
@given(documents())
def test_a_valid_document_is_valid_by_the_schema(document: dict[str, Any]) -> None:
    assert [error.message[:300] for error in validator().iter_errors(document)] == []


@tries(15, 500)
@given(documents(most=3))
def test_it_knows_every_object_of_a_document(document: dict[str, Any]) -> None:
    for value, _ in objects(document):
        value["unknownField"] = 1
        assert not validator().is_valid(document)
        del value["unknownField"]
        value["x-own"] = [None]
    assert validator().is_valid(document)


@tries(60, 5000)
@given(mutated())
def test_the_schema_refuses_nothing_that_the_models_take(text: str) -> None:
    if not wrong(text):
        assert [error.message[:300] for error in validator().iter_errors(json.loads(text))] == []
