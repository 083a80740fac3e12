"""The IR as KFP takes it: which text is a pipeline, what is refused of it when a run is made, and of a run's parameters
(apiserver/template/template.go, v2_template.go)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from kfp.pipeline_spec import pipeline_spec_pb2

from .errors import ApiError, PlainError, internal, invalid, invalid_because

_BROKEN = "pipeline spec is invalid"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NeverAnswersError(Exception):
    """KFP reads malformed YAML again and again (isV2Spec goes on at an error), so it never answers."""


@dataclass(frozen=True)
class Spec:
    """An IR: the pipeline spec and, where there is one, the platform spec; both as JSON that went through protobuf."""

    pipeline: Mapping[str, Any]
    platform: Mapping[str, Any] | None

    def api(self) -> dict[str, Any]:
        if self.platform is None:
            return dict(self.pipeline)
        return {"pipeline_spec": self.pipeline, "platform_spec": self.platform}

    def yaml(self) -> str:
        documents = [self.pipeline] if self.platform is None else [self.pipeline, self.platform]
        return "\n---\n".join(yaml.safe_dump(one, sort_keys=False, allow_unicode=True) for one in documents)

    @property
    def name(self) -> str:
        return str(self.pipeline["pipelineInfo"]["name"])

    @property
    def parameters(self) -> dict[str, Any]:
        found: dict[str, Any] = self.pipeline["root"].get("inputDefinitions", {}).get("parameters", {})
        return found

    @property
    def components(self) -> dict[str, Any]:
        found: dict[str, Any] = self.pipeline.get("components", {})
        return found

    @property
    def executors(self) -> dict[str, Any]:
        found: dict[str, Any] = self.pipeline.get("deploymentSpec", {}).get("executors", {})
        return found


def read(text: str) -> Spec:
    """template.New: ApiError for what KFP refuses; NeverAnswersError for malformed YAML."""
    try:
        documents = [one for one in yaml.load_all(text, _LOADER) if one is not None]
    except yaml.YAMLError as error:
        raise NeverAnswersError(str(error)) from error
    return of_documents(documents)


def of_struct(value: Mapping[str, Any]) -> Spec:
    """The IR of a run's `pipeline_spec` field: the spec itself, or both (pipelineSpecStructToYamlString)."""
    if "pipeline_spec" in value:
        return of_documents([value["pipeline_spec"], *([value["platform_spec"]] if "platform_spec" in value else [])])
    return of_documents([value])


def of_documents(documents: list[Any]) -> Spec:
    if not any(isinstance(one, dict) and _pipeline(one) is not None for one in documents):
        raise invalid_because(_BROKEN, "unknown template format")
    spec: dict[str, Any] | None = None
    platform: dict[str, Any] | None = None
    for one in documents:
        if not isinstance(one, dict):
            raise invalid_because(
                _BROKEN,
                "unable to decode yaml document: yaml: unmarshal errors: cannot unmarshal into map[string]interface {}",
            )
        if (found := _pipeline(one)) is not None:
            if spec is not None:
                raise invalid_because(_BROKEN, "multiple pipeline specs provided")
            spec = found
            if spec.get("schemaVersion") != "2.1.0":
                version = spec.get("schemaVersion", "")
                said = f"KFP only supports schema version 2.1.0, but the pipeline spec has version {version}"
                raise invalid_because(_BROKEN, said)
            if not re.search("[a-z0-9]", spec["pipelineInfo"]["name"]):
                raise invalid_because(
                    _BROKEN,
                    "invalid v2 pipeline spec: name should consist of lower case alphanumeric characters, '-' or '.', and "
                    "must start and end with an alphanumeric character",
                )
        elif (kubernetes := _platform(one)) is not None:
            if platform is not None:
                raise invalid_because("platform spec is invalid", "multiple platform specs provided")
            platform = kubernetes
    assert spec is not None
    return Spec(spec, platform)


def _pipeline(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """isPipelineSpec: an unknown field anywhere makes it none."""
    try:
        message = ParseDict(value, pipeline_spec_pb2.PipelineSpec())
    except (ParseError, TypeError, ValueError):
        return None
    if not message.pipeline_info.name or not message.HasField("root"):
        return None
    return whole(MessageToDict(message))


def _platform(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """IsPlatformSpecWithKubernetesConfig: what it cannot read is dropped without a word."""
    try:
        message = ParseDict(value, pipeline_spec_pb2.PlatformSpec())
    except (ParseError, TypeError, ValueError):
        return None
    return whole(MessageToDict(message)) if "kubernetes" in message.platforms else None


def whole(value: Any) -> Any:
    """Numbers as Go writes them: 2.0 is 2."""
    if isinstance(value, dict):
        return {key: whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


def check_name(spec: Spec) -> None:
    """ValidatePipelineName, at uploads alone."""
    if len(spec.name) > 128:
        raise invalid("pipeline's name must contain no more than 128 characters")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", spec.name):
        raise invalid(
            "pipeline's name must contain only lowercase alphanumeric characters or '-' and must start with alphanumeric characters"
        )


_KINDS = {
    "NUMBER_DOUBLE": ("double or integer, but the parameter value is not of number value type", (int, float)),
    "NUMBER_INTEGER": ("double or integer, but the parameter value is not of number value type", (int, float)),
    "STRING": ("string, but the input parameter is not of string value type", str),
    "BOOLEAN": ("bool, but the input parameter is not of bool value type", bool),
    "LIST": ("list, but the input parameter is not of list value type", list),
    "STRUCT": ("struct, but the input parameter is not of struct value type", dict),
}


def check_parameters(spec: Spec, given: Mapping[str, Any] | None) -> None:
    """validatePipelineJobInputs: all that are needed, none that is unknown, each of its type."""
    for name, defined in spec.parameters.items():
        if given is None or name not in given:
            if not defined.get("isOptional") and defined.get("defaultValue") is None:
                raise invalid(
                    f"parameter {name} is not optional, yet has neither default value nor user provided value"
                )
            continue
        kind = defined.get("parameterType", "PARAMETER_TYPE_ENUM_UNSPECIFIED")
        if kind == "TASK_FINAL_STATUS":
            raise invalid(
                f"input parameter {name} requires type TASK_FINAL_STATUS, which is invalid for root component"
            )
        if kind not in _KINDS:
            raise invalid(f"input parameter {name} has unspecified type")
        words, types = _KINDS[kind]
        value = given[name]
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "BOOLEAN"):
            raise invalid(f"input parameter {name} requires type {words}")
        if (literals := defined.get("literals")) and value not in literals:
            raise invalid(f"input parameter {name} value {json.dumps(value)} is not one of {json.dumps(literals)}")
    unknown = [name for name in given or {} if name not in spec.parameters]
    if unknown:
        raise invalid(f"parameter(s) provided are not required by pipeline: {', '.join(unknown)}")


# What Argo takes for its own in a text and cannot resolve (workflow/validate); KFP's `{{$` is none of it.
_TAG = re.compile(r"\{\{\s*((?:pod|inputs|outputs|tasks|steps|item|lastRetry)\b[^{}]*?)\s*\}\}")


def check_compiles(spec: Spec, workflow: str) -> None:
    """What is found out only when a run is made: argocompiler.Compile, then Argo's own validation of the workflow."""
    try:
        _dag(spec, "root", spec.pipeline["root"], set())
    except PlainError as error:
        raise error.wrapped("Failed to compile job") from error
    for text in _texts(spec.api()):
        if found := _TAG.search(text):
            said = f"templates.entrypoint: failed to resolve {{{{{found[1]}}}}}"
            raise internal(said, f"Failed to validate workflow for ({workflow})")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _dag(spec: Spec, name: str, component: Mapping[str, Any], seen: set[str]) -> None:
    tasks = component.get("dag", {}).get("tasks", {})
    place = f'compiling DAG "{name}"'
    for task in tasks.values():
        for producer in _producers(task):
            if producer not in tasks:
                raise PlainError(f'{place}: failed to add implicit deps: unknown producer task "{producer}" in DAG')
    if all(task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED" for task in tasks.values()):
        raise PlainError(f"{place}: DAG {name} must contain one or more non-exit tasks")
    for key in sorted(tasks):
        _task(spec, key, tasks[key], place, seen)
    left = {
        key: {one for one in (*_producers(task), *task.get("dependentTasks", [])) if one in tasks}
        for key, task in tasks.items()
    }
    while ready := [key for key, wanted in left.items() if not wanted & set(left)]:
        for key in ready:
            del left[key]
    if left:
        raise internal(
            f"templates.{name}.tasks dependency cycle detected: {'->'.join(sorted(left))}",
            "Failed to validate workflow",
        )


def _producers(task: Mapping[str, Any]) -> list[str]:
    inputs = task.get("inputs", {})
    found = [
        one["taskOutputParameter"]["producerTask"]
        for one in inputs.get("parameters", {}).values()
        if "taskOutputParameter" in one
    ]
    return found + [
        one["taskOutputArtifact"]["producerTask"]
        for one in inputs.get("artifacts", {}).values()
        if "taskOutputArtifact" in one
    ]


def _task(spec: Spec, name: str, task: Mapping[str, Any], place: str, seen: set[str]) -> None:
    place = f'{place}: compiling task "{name}"'
    reference = task.get("componentRef", {}).get("name", "")
    component = spec.components.get(reference)
    if component is None:
        raise PlainError(f'{place}: component spec for "{reference}" not found')
    if "artifactIterator" in task:
        raise PlainError(f"{place}: artifact iterator not implemented yet")
    if "dag" in component:
        if reference not in seen:
            _dag(spec, reference, component, seen | {reference})
        return
    executor = spec.executors.get(component.get("executorLabel", ""))
    if executor is None:
        raise PlainError(f'{place}: executor with label "{component.get("executorLabel", "")}" not found')
    if "importer" in executor and task.get("triggerPolicy", {}).get("condition"):
        raise PlainError(f"{place}: triggerPolicy.condition on importer task is not supported")
    if not {"container", "importer"} & set(executor):
        raise PlainError(f"{place}: unknown executor spec type: <nil>")


__all__ = [
    "ApiError",
    "NeverAnswersError",
    "Spec",
    "check_compiles",
    "check_name",
    "check_parameters",
    "of_struct",
    "read",
]
