"""The document's types in KFP's words."""

from __future__ import annotations

from kfp import dsl
from kfp.dsl.types import type_utils

from kade2kfp.steps.parts import ArtifactType
from kade2kfp.steps.sources import Type

_PARAMETERS: dict[Type, str] = {
    "string": "String",
    "integer": "Integer",
    "number": "Float",
    "boolean": "Boolean",
    "array": "List",
    "object": "Dict",
}
_ARTIFACTS = {
    "Artifact": dsl.Artifact,
    "Dataset": dsl.Dataset,
    "Model": dsl.Model,
    "Metrics": dsl.Metrics,
    "HTML": dsl.HTML,
    "Markdown": dsl.Markdown,
}


def parameter_type(type_: Type) -> str:
    """The SDK's name of a value's type (kfp/dsl/types/type_utils.py, IR_TYPE_TO_IN_MEMORY_SPEC_TYPE)."""
    return _PARAMETERS[type_]


def artifact_type(type_: ArtifactType) -> str:
    """The SDK's name of an artifact's type, such as `system.Model@0.0.1`."""
    known = _ARTIFACTS[type_]
    bundled: str = type_utils.create_bundled_artifact_type(known.schema_title, known.schema_version)
    return bundled
