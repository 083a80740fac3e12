"""The JSON Schema of kade2kfp.toml, for editors. What it cannot say, such as which codes are warnings, the reader does."""

from __future__ import annotations

import json
from typing import Any

from kade2kfp.rules.read import TYPES

_PART = "[a-z0-9]+([._-]+[a-z0-9]+)*"
_REGISTRY = {
    "type": "string",
    "pattern": rf"^([a-zA-Z0-9][a-zA-Z0-9-]*(\.[a-zA-Z0-9-]+)+(:[0-9]+)?|[a-zA-Z0-9-]+:[0-9]+|localhost)(/{_PART})*/?$",
    "examples": ["registry.example.org", "ghcr.io/team"],
}
_LABEL = {
    "type": "string",
    "pattern": "^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$",
    "examples": ["team"],
}
_CODE = {"type": "string", "pattern": "^K[0-9]{0,3}$", "examples": ["K2", "K206"]}
_RESOURCE = {"type": "string", "pattern": "^(cpu|memory|[a-z0-9.-]+/.+)$"}


def _list(items: dict[str, Any], text: str, least: int = 1) -> dict[str, Any]:
    return {"type": "array", "minItems": least, "maxItems": 1000, "items": items, "description": text}


def _table(keys: dict[str, Any], values: dict[str, Any], text: str) -> dict[str, Any]:
    table = {
        "type": "object",
        "maxProperties": 1000,
        "propertyNames": keys,
        "additionalProperties": values,
    }
    return table | {"description": text}


def _object(fields: dict[str, Any], text: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "description": text, "properties": fields}


def schema_text() -> str:
    """The schema as JSON text that ends in a newline."""
    amount = {"type": ["string", "number"], "minimum": 0, "examples": ["16", "500m", "64Gi"]}
    policy = {
        "registries": _list(_REGISTRY, "Where images may come from: hosts, or hosts with the beginning of a path."),
        "pinned": {"enum": ["tag", "digest"], "description": "What every image's name must have."},
        "labels": _list(_LABEL, "Keys of labels that each task must have."),
        "label-values": _table(_LABEL, {"type": "string"}, "Regular expressions for the whole values of labels."),
        "forbidden-types": _list({"enum": list(TYPES)}, "Types of task that nobody may use."),
        "required-limits": _list(_RESOURCE, "Limits that each task must say."),
        "max": _table(
            _RESOURCE,
            amount,
            "Ceilings for requests and limits of one pod; 0 allows none, and a `*` at the end stands for any rest.",
        ),
        "mirror": _table(_REGISTRY, _REGISTRY, "What takes the place of the beginning of images' names."),
    }
    fields = {
        "select": _list(_CODE, "Warnings and notes that are shown, by code or its beginning; all without it."),
        "ignore": _list(_CODE, "Warnings and notes that are not shown; counts before `select`.", 0),
        "werror": {"type": "boolean", "description": "Let warnings count as errors."},
        "max-diagnostics": {"type": "integer", "minimum": 0, "description": "How many are shown; 0 is no limit."},
        "policy": _object(policy, "What pipelines have to keep to."),
    }
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "kade2kfp.toml"}
    return json.dumps(whole | _object(fields, "A team's rules for pipelines of kade2kfp."), indent=2) + "\n"
