"""What Kubernetes' published OpenAPI schema has against a manifest, fields that it does not know included.

definitions.json is Kubernetes' own, reduced by reduce.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

_ANY = "io.k8s.apimachinery.pkg.api.resource.Quantity", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


def problems(manifest: Any) -> list[str]:
    """All that is wrong, as `spec.template: what`; nothing for a manifest that the schema takes.

    Kinds that are not in the schema (custom resources) are an error too.
    """
    if not isinstance(manifest, dict):
        return ["not an object"]
    kind = (manifest.get("apiVersion"), manifest.get("kind"))
    name = _kinds().get(kind)
    if name is None:
        return [f"no schema of {kind[0]} {kind[1]}"]
    return list(_of({"$ref": f"#/definitions/{name}"}, manifest, ""))


@cache
def _definitions() -> dict[str, Any]:
    text = Path(__file__).with_name("definitions.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def _kinds() -> dict[tuple[Any, Any], str]:
    return {tuple(kind): name for name, one in _definitions().items() for kind in one.get("kinds", ())}


def _of(schema: Any, value: Any, at: str) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in _ANY:
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                yield f"{at}: {value!r} is neither a text nor a number"
            return
        schema = _definitions()[name]
    wanted = schema.get("type")
    if wanted and (not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean")):
        yield f"{at}: {value!r} is no {wanted}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _of(schema.get("items", {}), one, f"{at}[{number}]")
    if isinstance(value, dict):
        yield from _fields(schema, value, at)


def _fields(schema: Any, value: dict[str, Any], at: str) -> Iterator[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for missing in (name for name in schema.get("required", ()) if name not in value):
        yield f"{at}.{missing}: missing".lstrip(".")
    for name, one in value.items():
        here = f"{at}.{name}".lstrip(".")
        if name in known:
            yield from _of(known[name], one, here)
        elif isinstance(others, dict):
            yield from _of(others, one, here)
        elif known:
            yield f"{here}: not a field that Kubernetes knows"
