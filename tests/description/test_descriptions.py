"""Of any document: a description is valid by its schema, deterministic, and says what the plan and KFP's YAML say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from kade2kfp import api
from kade2kfp.description.model import Description, Shape
from kade2kfp.description.schema import as_json, schema_text
from kade2kfp.description.text import overview
from tests.whole.documents import documents
from tests.whole.profile import tries

from .documents import CONTROL, EXAMPLES, RICH, SCHEMA, checked, compiled_names, described, kfp_names, sound

FILES = [*EXAMPLES, *CONTROL, RICH]
by_name = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")


@tries(40, 3000)
@given(documents())
def test_any_document_has_a_sound_description(document: dict[str, Any]) -> None:
    sound(checked(document))


@tries(20, 500)
@given(documents())
def test_the_names_are_those_of_the_compiled_yaml(document: dict[str, Any]) -> None:
    _as_compiled(checked(document))


@by_name
def test_every_file_has_a_sound_description_as_it_is_compiled(path: Path) -> None:
    found = api.validate(api.load(path), folder=path.parent)
    sound(found)
    _as_compiled(found)


def _as_compiled(found: api.Checked) -> None:
    read = json.loads(as_json(described(found)))
    text = api.compile(found.source, folder=found.analysis.folder if found.analysis else None).yaml
    if text is None:  # what only a local run can carry out
        return
    names, images = compiled_names(text)
    assert kfp_names(read) == names
    # A server's image stands in the objects that its step applies.
    servers = {one["service"]["image"] for one in read["tasks"] if one["service"]}
    assert images <= {one["image"] for one in read["images"]}
    assert {one["image"] for one in read["images"] if "{{" not in one["image"]} <= images | servers


def test_the_committed_schema_is_current_and_a_schema() -> None:
    text = SCHEMA.read_text(encoding="utf-8")
    assert text == schema_text(), "run `kade2kfp schema describe -o schemas/describe.v1.json`"
    Draft202012Validator.check_schema(json.loads(text))


def test_the_schema_refuses_what_is_missing_or_more() -> None:
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    read = json.loads(as_json(described(RICH.read_text(encoding="utf-8"))))
    assert validator.is_valid(read)
    assert not validator.is_valid(read | {"more": 1})
    assert not validator.is_valid({name: value for name, value in read.items() if name != "tasks"})
    read["tasks"][0]["steps"][0]["pod"] = None
    assert not validator.is_valid(read)


def test_every_field_is_described_and_camel_case() -> None:
    models = Shape.__subclasses__()
    assert Description in models
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert "_" not in (field.alias or "")
            assert field.is_required(), f"{model.__name__}.{name} may be left out"


@pytest.mark.parametrize("kind", ["json", "txt"])
def test_a_rich_document_is_described_as_before(kind: str) -> None:
    """KADE2KFP_REGEN=1 writes both anew, and fails."""
    found = described(RICH.read_text(encoding="utf-8"))
    golden = RICH.with_name(f"rich.describe.{kind}")
    text = as_json(found) if kind == "json" else overview(found, 80)
    before = golden.read_text(encoding="utf-8") if golden.exists() else ""
    if os.environ.get("KADE2KFP_REGEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == before
