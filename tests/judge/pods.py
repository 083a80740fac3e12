"""The pods of a compiled pipeline, as drafts: the template's pod, and the patch that KFP's driver would put onto it.

It knows nothing of kade2kfp: it reads the YAML. Rules are from KFP 2.17.0, backend/src/v2/driver: driver.go
(initPodSpecPatch) and k8s.go (extendPodSpecPatch). Only what a pod's validity depends on is there: inputs come from the
defaults of the pipeline's parameters, and what only a run could tell is a text that stands for it.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from .template import RUN_ID, RUN_NAME, template

Json = dict[str, Any]

_UNKNOWN = "known-to-the-run-"  # and a number; could be a name and an image
_INPUT = re.compile(r"\{\{\$\.inputs\.parameters\['([^']*)'\]\}\}")
_ARGO = {"{{workflow.uid}}": RUN_ID, "{{workflow.name}}": RUN_NAME}
_RUN = {"{{$.pipeline_job_uuid}}": RUN_ID, "{{$.pipeline_job_name}}": RUN_NAME}


def drafts(text: str, parameters: Mapping[str, Any] | None = None) -> list[Json]:
    """A draft, {"pod": ..., "podSpecPatch": ...}, for each container of the pipeline; importers have no pod.

    `parameters` are given in place of the defaults.
    """
    spec, *more = yaml.safe_load_all(text)
    platform = more[0]["platforms"]["kubernetes"] if more else {}
    executors = platform.get("deploymentSpec", {}).get("executors", {})
    given = _defaults(spec["root"]) | dict(parameters or {})
    return list(_of_dag(spec, executors, spec["root"], given))


def _defaults(component: Json) -> Json:
    definitions = component.get("inputDefinitions", {}).get("parameters", {})
    return {name: one.get("defaultValue", _unknown(name)) for name, one in definitions.items()}


def _unknown(name: str) -> str:
    return f"{_UNKNOWN}{zlib.crc32(name.encode())}"


def _of_dag(spec: Json, executors: Json, component: Json, given: Json) -> Iterator[Json]:
    for name, task in component["dag"]["tasks"].items():
        called = spec["components"][task["componentRef"]["name"]]
        sources = task.get("inputs", {}).get("parameters", {})
        inputs = _defaults(called) | {key: _value(source, given) for key, source in sources.items()}
        if "dag" in called:
            yield from _of_dag(spec, executors, called, inputs)
            continue
        executor = spec["deploymentSpec"]["executors"][called["executorLabel"]]
        if "container" in executor:
            config = executors.get(called["executorLabel"], {})
            yield _draft(name, task, executor["container"], config, inputs, given)


def _value(source: Json, given: Json) -> Any:
    """What the driver resolves an input to (resolve.go, resolveInputParameter)."""
    if "runtimeValue" in source:
        constant = source["runtimeValue"]["constant"]
        return _RUN.get(constant, constant) if isinstance(constant, str) else constant
    if "componentInputParameter" in source:
        return given[source["componentInputParameter"]]
    return _unknown(json.dumps(source, sort_keys=True))


def _name(source: Json, given: Json) -> str:
    """The name of a claim, a secret or a config map; its source is one of the DAG's, not of the task's own inputs."""
    return str(_value(source, given))


def _filled(text: str, inputs: Json) -> str:
    """A field that is a literal or one whole input (util.go, resolvePodSpecInputRuntimeParameter)."""
    while found := _INPUT.fullmatch(text):
        text = str(inputs[found[1]])
    return text


def _draft(name: str, task: Json, container: Json, config: Json, inputs: Json, given: Json) -> Json:
    config = dict(config)
    metadata = config.pop("podMetadata", {})
    main: Json = {
        "name": "main",
        # Go leaves empty texts out, so that the template's stay.
        **({"image": image} if (image := _filled(container["image"], inputs)) else {}),
        "command": ["/kfp-launcher/launch", "--pipeline_name", "p", "--"],
        "args": [*container.get("command", []), *container.get("args", [])],
        "env": [_variable(one["name"], value=one.get("value", "")) for one in container.get("env", [])],
        "resources": _resources(container.get("resources", {}), inputs),
        "volumeMounts": [],
    }
    patch: Json = {"containers": [main], "volumes": []}
    if any(isinstance(value, str) and "{{$.workspace_path}}" in value for value in inputs.values()):
        claim = {"persistentVolumeClaim": {"claimName": f"{RUN_NAME}-kfp-workspace"}}
        _mount(patch, "kfp-workspace", "/kfp-workspace", claim)
    _volumes(patch, config, given)
    _env(main, config, given)
    _placed(patch, main, config, given)
    assert not config, f"the driver does more than is written here: {config}"
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    draft = {
        "pod": template(name, labels, annotations, retried="retryPolicy" in task),
        "podSpecPatch": patch,
    }
    text = json.dumps(draft)
    for ours, value in _ARGO.items():
        text = text.replace(ours, value)
    replaced: Json = json.loads(text)
    return replaced


def _resources(given: Json, inputs: Json) -> Json:
    resources: Json = {"limits": {}, "requests": {}}
    for kind, field in (("Limit", "limits"), ("Request", "requests")):
        for what in ("cpu", "memory"):
            said = given.get(f"resource{what.title()}{kind}") or given.get(f"{what}{kind}")
            if said:
                unit = "G" if isinstance(said, float) and what == "memory" else ""
                resources[field][what] = _filled(f"{said}{unit}", inputs)
    if accelerator := given.get("accelerator"):
        kind = accelerator.get("resourceType") or accelerator["type"]
        count = accelerator.get("resourceCount") or accelerator["count"]
        resources["limits"][_filled(kind, inputs)] = _filled(str(count), inputs)
    # Nobody knows yet whether a request that a run tells is below the limit.
    return {field: {k: v for k, v in one.items() if not v.startswith(_UNKNOWN)} for field, one in resources.items()}


def _mount(patch: Json, name: str, path: str, volume: Json, sub_path: str = "") -> None:
    patch["volumes"].append({"name": name, **volume})
    mount = {"name": name, "mountPath": path}
    patch["containers"][0]["volumeMounts"].append(mount | {"subPath": sub_path} if sub_path else mount)


def _volumes(patch: Json, config: Json, given: Json) -> None:
    for one in config.pop("pvcMount", []):
        name = _name(one["pvcNameParameter"], given)
        _mount(patch, name, one["mountPath"], {"persistentVolumeClaim": {"claimName": name}}, one.get("subPath", ""))
    for one in config.pop("secretAsVolume", []):
        name = _name(one["secretNameParameter"], given)
        volume = {"secret": {"secretName": name, "optional": one.get("optional", False)}}
        _mount(patch, name, one["mountPath"], volume)
    for one in config.pop("configMapAsVolume", []):
        name = _name(one["configMapNameParameter"], given)
        _mount(patch, name, one["mountPath"], {"configMap": {"name": name, "optional": one.get("optional", False)}})
    for one in config.pop("emptyDirMounts", []):
        fields = {key: one[key] for key in ("medium", "sizeLimit") if one.get(key)}
        _mount(patch, one["volumeName"], one["mountPath"], {"emptyDir": fields})


def _env(main: Json, config: Json, given: Json) -> None:
    for kind, ref, key in (("secret", "secretKeyRef", "secretKey"), ("configMap", "configMapKeyRef", "configMapKey")):
        for one in config.pop(f"{kind}AsEnv", []):
            name = _name(one[f"{kind}NameParameter"], given)
            optional = {"optional": one["optional"]} if "optional" in one else {}
            for pair in one["keyToEnv"]:
                source = {ref: {"name": name, "key": pair[key]} | optional}
                main["env"].append(_variable(pair["envVar"], valueFrom=source))
    for one in config.pop("fieldPathAsEnv", []):
        main["env"].append(_variable(one["name"], valueFrom={"fieldRef": {"fieldPath": one["fieldPath"]}}))


def _variable(name: str, **source: Any) -> Json:
    # Go leaves an empty value out, and with it says nothing against another one of that name.
    return {"name": name} | {key: value for key, value in source.items() if value != ""}


def _placed(patch: Json, main: Json, config: Json, given: Json) -> None:
    """Image pulling, placement, deadline and user."""
    if policy := config.pop("imagePullPolicy", ""):
        main["imagePullPolicy"] = policy
    if secrets := config.pop("imagePullSecret", []):
        patch["imagePullSecrets"] = [{"name": _name(one["secretNameParameter"], given)} for one in secrets]
    if selector := config.pop("nodeSelector", {}):
        patch["nodeSelector"] = selector["labels"]
    if tolerations := config.pop("tolerations", []):
        patch["tolerations"] = [_whole(one, "tolerationSeconds") for one in tolerations]
    if deadline := int(config.pop("activeDeadlineSeconds", 0)):
        patch["activeDeadlineSeconds"] = deadline
    terms: Json = {}
    for term in config.pop("nodeAffinity", []):
        expressions = {key: term[key] for key in ("matchExpressions", "matchFields") if term.get(key)}
        if expressions and "weight" in term:
            preferred = {"weight": int(term["weight"]), "preference": expressions}
            terms.setdefault("preferredDuringSchedulingIgnoredDuringExecution", []).append(preferred)
        elif expressions:
            required = terms.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {"nodeSelectorTerms": []})
            required["nodeSelectorTerms"].append(expressions)
    if terms:
        patch["affinity"] = {"nodeAffinity": terms}
    if user := config.pop("securityContext", {}):
        main["securityContext"] = _whole(user, "runAsUser", "runAsGroup") | {"capabilities": {"drop": ["ALL"]}}


def _whole(fields: Json, *names: str) -> Json:
    """Protobuf's JSON has 64-bit numbers as texts."""
    return {key: int(value) if key in names else value for key, value in fields.items()}
