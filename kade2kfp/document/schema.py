"""The JSON Schema of the format, from the models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import Field, create_model
from pydantic.json_schema import GenerateJsonSchema

from kade2kfp.document.pipeline import Arrow, Defaults, Envelope, Parameter, Volume
from kade2kfp.document.shared import Task

SCHEMA_ID = "urn:kade2kfp:schema:pipeline:v1"


class _Generate(GenerateJsonSchema):
    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        inner = self.generate_inner(schema["schema"])
        return {"anyOf": [inner, {"type": "null"}]}


def schema(task_types: Iterable[type[Task]]) -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a pipeline document with these types of task."""
    union: Any = None
    for model in task_types:
        union = model if union is None else union | model
    described = Envelope.model_fields
    whole = create_model(
        "Pipeline",
        __base__=Envelope,
        parameters=(
            list[Parameter] | None,
            Field(default=None, description=described["parameters"].description),
        ),
        volumes=(list[Volume] | None, Field(default=None, description=described["volumes"].description)),
        defaults=(Defaults | None, Field(default=None, description=described["defaults"].description)),
        tasks=(list[union], Field(description=described["tasks"].description)),
        arrows=(list[Arrow] | None, Field(default=None, description=described["arrows"].description)),
    )
    generated = whole.model_json_schema(by_alias=True, schema_generator=_Generate)
    generated.pop("description", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **_nulls(generated)}


def _nulls(node: Any) -> Any:
    """Every optional field may be null, which counts as absent; pydantic's titles and null defaults say nothing."""
    if isinstance(node, list):
        return [_nulls(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _nulls(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if node.get("default", ...) is None:
        del node["default"]
    properties, required = node.get("properties"), set(node.get("required", ()))
    if isinstance(properties, dict) and node.get("type") == "object":
        node["properties"] = {
            name: value if name in required or not isinstance(value, dict) else _nullable(value)
            for name, value in properties.items()
        }
    return node


def _nullable(value: dict[str, Any]) -> dict[str, Any]:
    if not {"type", "$ref", "anyOf", "enum", "const"} & set(value):
        return value
    if {"type": "null"} in value.get("anyOf", ()):
        return value
    described: dict[str, Any] = {key: value[key] for key in ("description", "default") if key in value}
    inner = {key: item for key, item in value.items() if key not in described}
    return {**described, "anyOf": [inner, {"type": "null"}]}


def schema_text(task_types: Iterable[type[Task]]) -> str:
    """The schema as the file that is committed."""
    return json.dumps(schema(task_types), indent=2, ensure_ascii=False) + "\n"
