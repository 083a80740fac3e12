"""A description as JSON, and the JSON Schema of that."""

from __future__ import annotations

import json
from typing import Any

from kade2kfp.description.model import Description

SCHEMA_ID = "urn:kade2kfp:schema:describe:v1"


def as_json(found: Description) -> str:
    """The description as text that ends in a newline. It is ASCII only: so any text of the document can stand in it."""
    return json.dumps(found.model_dump(mode="python", by_alias=True), indent=2) + "\n"


def schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of what `describe --json` prints."""
    generated = Description.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **_untitled(generated)}


def _untitled(node: Any) -> Any:
    """Pydantic's titles say nothing; a property may be called so."""
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _untitled(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}


def schema_text() -> str:
    """The schema as the file that is committed."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
