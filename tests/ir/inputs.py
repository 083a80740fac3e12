"""The inputs of a task, as the driver resolves them (KFP's driver/resolve.go)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .expand import CREATED, RUN_ID, RUN_NAME
from .state import DriverError, Execution
from .texts import to_text

Artifacts = dict[str, list[dict[str, Any]]]
_RUNTIME = {
    "{{$.pipeline_job_name}}": "a run",
    "{{$.pipeline_job_resource_name}}": RUN_NAME,
    "{{$.pipeline_job_uuid}}": RUN_ID,
    "{{$.pipeline_job_create_time_utc}}": CREATED,
    "{{$.pipeline_job_schedule_time_utc}}": CREATED,
}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "NUMBER_DOUBLE": (int, float),
    "NUMBER_INTEGER": (int, float),
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
    "TASK_FINAL_STATUS": dict,
}


def resolve(
    name: str, task: Mapping[str, Any], component: Mapping[str, Any], dag: Execution
) -> tuple[dict[str, Any], Artifacts]:
    """The input parameters and artifacts of a task in a DAG (resolveInputs); DriverError where there is none."""
    given, defined = task.get("inputs", {}), component.get("inputDefinitions", {}).get("parameters", {})
    parameters: dict[str, Any] = {}
    unset = set()
    if "dag" in component:
        for key, definition in defined.items():
            if key not in given.get("parameters", {}) and definition.get("isOptional"):
                parameters[key] = definition.get("defaultValue")
                unset |= {key} if definition.get("defaultValue") is None else set()
    for key, source in given.get("parameters", {}).items():
        value, null = parameter(source, task, name, dag)
        if null and defined.get(key, {}).get("isOptional"):
            continue
        if null:
            raise DriverError(f"parameter {key!r} of {name!r} resolves to null")
        literals = defined.get(key, {}).get("literals")
        if literals and value not in literals:
            raise DriverError(f"parameter {key!r} of {name!r}: {value!r} is none of {literals}")
        selector = source.get("parameterExpressionSelector")
        parameters[key] = selected(value, selector, key) if selector else value
    artifacts = {key: artifact(source, dag) for key, source in given.get("artifacts", {}).items()}
    iterator = task.get("parameterIterator", {})
    return converted(parameters, defined, {iterator.get("itemInput")}, unset), artifacts


def selected(value: Any, selector: str, key: str) -> Any:
    """What a CEL expression selects of a value (handleParameterExpressionSelector; expression/expression.go, Select).

    `string_value` is the value's text, whatever it is; the SDK writes nothing but one key of an object.
    """
    form = re.fullmatch(r'parseJson\(string_value\)\[("(?:[^"\\]|\\.)*")\]', selector)
    assert form, f"the SDK writes no selector {selector!r}"
    name = json.loads(form[1])
    try:
        found = json.loads(to_text(value))
    except ValueError as error:
        raise DriverError(f"parameter {key!r}: {selector!r}: {error}") from error
    if not isinstance(found, dict) or name not in found:
        raise DriverError(f"parameter {key!r}: {selector!r}: no such key: {name}")
    return found[name]


def converted(
    parameters: Mapping[str, Any], defined: Mapping[str, Any], without: set[str | None], unset: set[str]
) -> dict[str, Any]:
    """Parameters of the types that the component wants (handleParamTypeValidationAndConversion)."""
    made = dict(parameters)
    for key, definition in defined.items():
        if key in without or (key not in made and definition.get("isOptional")):
            continue
        if key not in made and definition.get("defaultValue") is None:
            raise DriverError(f"neither value nor default value for parameter {key!r}")
        if key in unset:
            continue
        value, kind = made.get(key), definition["parameterType"]
        if kind == "STRING":
            made[key] = to_text(value)
        elif (isinstance(value, bool) and kind != "BOOLEAN") or not isinstance(value, _KINDS[kind]):
            raise DriverError(f"parameter {key!r}: type mismatch: expect {kind}, got {value!r}")
    return made


def parameter(source: Mapping[str, Any], task: Mapping[str, Any], name: str, dag: Execution) -> tuple[Any, bool]:
    """The value of one input parameter, and whether it is an optional one without a value (resolveInputParameter)."""
    if "componentInputParameter" in source:
        key = source["componentInputParameter"]
        if key not in dag.parameters:
            raise DriverError(f"the DAG {dag.path!r} has no input parameter {key!r}")
        return dag.parameters[key], dag.parameters[key] is None
    if "taskOutputParameter" in source:
        output = source["taskOutputParameter"]
        return _output(_child(dag, output["producerTask"]), output["outputParameterKey"], "parameters"), False
    if "taskFinalStatus" in source:
        producer = _child(dag, task["dependentTasks"][0])
        status = {"state": producer.state, "pipelineTaskName": producer.name, "pipelineJobResourceName": RUN_NAME}
        return {**status, "error": {}}, False
    value = source["runtimeValue"]["constant"]
    if isinstance(value, str):
        if "{{$.workspace_path}}" in value:
            return value.replace("{{$.workspace_path}}", "/kfp-workspace"), False
        special = _RUNTIME | {"{{$.pipeline_task_name}}": name, "{{$.pipeline_task_uuid}}": "1"}
        return special.get(value, value), False
    return value, False


def artifact(source: Mapping[str, Any], dag: Execution) -> list[dict[str, Any]]:
    """The artifacts of one input (resolveInputArtifact)."""
    if "componentInputArtifact" in source:
        key = source["componentInputArtifact"]
        if key not in dag.artifacts:
            raise DriverError(f"the DAG {dag.path!r} has no input artifact {key!r}")
        return dag.artifacts[key]
    output = source["taskOutputArtifact"]
    found = _output(_child(dag, output["producerTask"]), output["outputArtifactKey"], "artifacts")
    return found if isinstance(found, list) else [found]


def entered(path: str, artifacts: Artifacts) -> None:
    """AssertionError for artifacts of a DAG of which its tasks would not find all: MLMD knows them by their ids, and of
    each name the driver reads back one (metadata/client.go, GetInputArtifactsByExecutionID)."""
    names: dict[str, str] = {}
    for name, found in artifacts.items():
        assert len(found) == 1, f"KFP hands on one artifact of {len(found)} into the DAG {path!r} as {name!r}"
        other = names.setdefault(found[0]["uri"], name)
        assert other == name, (
            f"KFP hands on one artifact into the DAG {path!r} as {other!r} or as {name!r}, not as both"
        )


def _child(dag: Execution, name: str) -> Execution:
    if name not in dag.children:
        raise DriverError(f"producer task {name!r} is not in tasks of {dag.path!r}")
    return dag.children[name]


def _output(task: Execution, key: str, what: str) -> Any:
    """An output of a task; through DAGs down to the container (resolveUpstreamParameters, GetProducerTask)."""
    if "dag" not in task.component:
        if what == "parameters":
            return task.out_parameters.get(key)  # a task that failed has none, and the text of that is ""
        if key not in task.out_artifacts:
            raise DriverError(f"{task.path!r} has no output artifact {key!r}")
        return task.out_artifacts[key]
    if task.iterations is not None:
        if not task.iterations:  # its getParallelForIterationCount takes 0 for "no loop", and looks for the task itself
            raise DriverError(f"collecting from {task.path!r}, which had no iteration")
        return [_output(_child(task, str(index)), key, what) for index in range(task.iterations)]
    outputs = task.component["dag"].get("outputs", {}).get(what, {})
    if key not in outputs:
        raise DriverError(f"the DAG {task.path!r} has no output {key!r}")
    spelled = "Parameter" if what == "parameters" else "Artifact"
    if "valueFromParameter" in outputs[key]:
        selectors = [outputs[key]["valueFromParameter"]]
    elif "valueFromOneof" in outputs[key]:
        selectors = outputs[key]["valueFromOneof"]["parameterSelectors"]
    else:
        selectors = outputs[key]["artifactSelectors"]
    one_of = "valueFromOneof" in outputs[key] or len(selectors) > 1
    for selector in selectors:
        child = task.children.get(selector["producerSubtask"])
        if child is not None and (not one_of or child.state == "COMPLETE"):
            return _output(child, selector[f"output{spelled}Key"], what)
    raise DriverError(f"no task of {task.path!r} that gives {key!r} has succeeded")


def items(task: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[Any]:
    """What a loop iterates over (driver/dag.go, DAG; driver/util.go, getItems)."""
    source = task["parameterIterator"]["items"]
    value = source["raw"] if "raw" in source else parameters.get(source["inputParameter"])
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise DriverError(f"items {value!r}: {error}") from error
        value = value if isinstance(value, list) else []
    if not isinstance(value, list):
        raise DriverError(f"items {value!r} cannot be iterated")
    return value


def of_iteration(task: Mapping[str, Any], component: Mapping[str, Any], loop: Execution, item: Any) -> dict[str, Any]:
    """The parameters of one iteration: the loop's own, the item in place of the items (resolveInputs)."""
    iterator = task["parameterIterator"]
    source = iterator["items"].get("inputParameter") or iterator["itemInput"]
    parameters = {key: value for key, value in loop.parameters.items() if key != source}
    parameters[iterator["itemInput"]] = item
    defined = component.get("inputDefinitions", {}).get("parameters", {})
    return converted(parameters, defined, {iterator["items"].get("inputParameter")}, set())
