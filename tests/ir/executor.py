"""The executor input of a task and what the driver puts for placeholders in its command (KFP's driver/driver.go)."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from .expand import RUN_ID
from .inputs import Artifacts
from .state import DriverError
from .texts import local_path, short, to_text

ROOT = "minio://mlpipeline/v2/artifacts"
_PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['(.+?)'\]\}\}")


def executor_input(
    pipeline: str,
    name: str,
    path: str,
    component: Mapping[str, Any],
    parameters: Mapping[str, Any],
    artifacts: Artifacts,
) -> dict[str, Any]:
    """ExecutorInput as JSON: what comes in, and where outputs go (provisionOutputs). The task's path salts the URIs."""
    salt = uuid.uuid5(uuid.UUID(RUN_ID), path)
    home = f"{ROOT}/{pipeline}/{RUN_ID}/{name}/{salt}"
    defined = component.get("outputDefinitions", {})
    given = {key: {"artifacts": [_recorded(one) for one in found]} for key, found in artifacts.items()}
    kinds = {**defined.get("artifacts", {}), "executor-logs": {"artifactType": {"schemaTitle": "system.Artifact"}}}
    made = {
        key: {"artifacts": [_artifact(key, f"{home}/{key}", kind)]}
        for key, kind in kinds.items()
    }  # fmt: skip
    files = {key: {"outputFile": f"/tmp/kfp/outputs/{key}"} for key in defined.get("parameters", {})}
    return {
        "inputs": {"parameterValues": dict(parameters), "artifacts": given},
        "outputs": {"parameters": files, "artifacts": made, "outputFile": f"{local_path(home)}/output_metadata.json"},
    }


def _recorded(artifact: Mapping[str, Any]) -> dict[str, Any]:
    """An artifact that arrives, as MLMD has kept it (metadata/converter.go, toRuntimeArtifact): its name is a number,
    its type and a path of the producer's own are lost."""
    metadata = {"display_name": artifact["name"], **artifact.get("metadata", {})}
    return {"name": str(crc32(artifact["uri"].encode())), "uri": artifact["uri"], "metadata": metadata}


def _artifact(name: str, uri: str, kind: Mapping[str, Any]) -> dict[str, Any]:
    made = {"name": name, "uri": uri, "type": dict(kind.get("artifactType", {}))}
    return made | ({"metadata": dict(kind["metadata"])} if kind.get("metadata") else {})


def resolved(words: list[str], parameters: Mapping[str, Any]) -> list[str]:
    """Command or args with input parameters put in (driver/util.go, resolveContainerArgs); the launcher does the rest."""
    made: list[str] = []
    for word in words:
        if "$.outputs" in word:
            made.append(word)
        elif word.strip().startswith('{"IfPresent":'):
            clause = json.loads(word)["IfPresent"]
            chosen = clause.get("Then" if parameters.get(clause["InputName"]) is not None else "Else")
            chosen = [chosen] if isinstance(chosen, str) else chosen or []
            made += [put_in(one, parameters) for one in chosen]
        else:
            made.append(put_in(word, parameters))
    return made


def put_in(word: str, parameters: Mapping[str, Any]) -> str:
    """A text with its input parameters; DriverError for one that has no value: defaults are the launcher's matter."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in parameters:
            raise DriverError(f"parameter {found[1]!r} not found in executor input")
        return to_text(parameters[found[1]], short)

    return _PARAMETER.sub(value, word)


def of_field(text: str, parameters: Mapping[str, Any]) -> str:
    """An image or quantity: a whole parameter, which must be text, or itself (resolvePodSpecInputRuntimeParameter)."""
    found = re.search(r"\$.inputs.parameters\['(.+?)'\]", text)
    if not found:
        return text
    if found[1] not in parameters:
        raise DriverError(f"executor input has no parameter {found[1]!r}")
    value = parameters[found[1]]
    return value if isinstance(value, str) else ""


def resources(given: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Limits and requests of a container (initPodSpecPatch, getPodResource)."""
    made: dict[str, dict[str, str]] = {"limits": {}, "requests": {}}
    for kind in ("memory", "cpu"):
        for bound, words in (("limits", "Limit"), ("requests", "Request")):
            old, new = given.get(f"{kind}{words}"), given.get(f"resource{kind.title()}{words}")
            if new:
                made[bound][kind] = of_field(new, parameters)
            elif old:
                made[bound][kind] = short(old) + ("G" if kind == "memory" else "")
    accelerator = given.get("accelerator", {})
    kind = of_field(accelerator.get("resourceType") or accelerator.get("type", ""), parameters)
    count = of_field(str(accelerator.get("resourceCount") or accelerator.get("count") or ""), parameters)
    if kind and count:
        made["limits"][kind] = count
    return {bound: found for bound, found in made.items() if found}


def needs_workspace(parameters: Mapping[str, Any], artifacts: Artifacts) -> bool:
    """Whether the pod has the run's workspace (driver/driver.go, needsWorkspaceMount): a text input says so."""
    texts = [value for value in parameters.values() if isinstance(value, str)]
    if any("{{$.workspace_path}}" in text or "/kfp-workspace" in text for text in texts):
        return True
    return any(found and found[0].get("metadata", {}).get("_kfp_workspace") is True for found in artifacts.values())
