"""The Kubernetes part of a step's pod (KFP's driver/k8s.go, extendPodSpecPatch), in the driver's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .state import DriverError

Resolve = Callable[[Mapping[str, Any]], Any]
KNOWN = {
    *("pvcMount", "emptyDirMounts", "genericEphemeralVolume", "secretAsVolume", "configMapAsVolume"),
    *("secretAsEnv", "configMapAsEnv", "fieldPathAsEnv", "imagePullPolicy", "imagePullSecret"),
    *("nodeSelector", "nodeAffinity", "tolerations", "activeDeadlineSeconds", "securityContext", "podMetadata"),
}


def extend(pod: dict[str, Any], config: Mapping[str, Any], resolve: Resolve) -> None:
    """Put into a pod spec patch what the executor's platform config says; `resolve` gives a parameter's value.

    DriverError where the driver fails; AssertionError for a key that it does not know, since then it drops them all.
    """
    assert set(config) <= KNOWN, f"KFP drops the whole platform part for {sorted(set(config) - KNOWN)}"
    main = pod["containers"][0]
    env, mounts, volumes = main["env"], main["volumeMounts"], pod["volumes"]
    for one in config.get("pvcMount", []):
        name = _claim(one, resolve)
        mount = {"name": name, "mountPath": one["mountPath"]}
        mounts.append(mount | ({"subPath": one["subPath"]} if one.get("subPath") else {}))
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": name}})
    if config.get("imagePullPolicy"):
        if config["imagePullPolicy"] not in ("Always", "Never", "IfNotPresent"):
            raise DriverError(f"unsupported value: {config['imagePullPolicy']}")
        main["imagePullPolicy"] = config["imagePullPolicy"]
    if "nodeSelector" in config:
        selector = config["nodeSelector"]
        found = resolve(selector["nodeSelectorJson"]) if "nodeSelectorJson" in selector else selector.get("labels")
        pod["nodeSelector"] = found or {}
    if "tolerations" in config:
        pod["tolerations"] = [found for one in config["tolerations"] for found in _toleration(one, resolve)]
    for one, name in _named(config, "secretAsVolume", "secretName", resolve):
        source = {"secretName": name, "optional": bool(one.get("optional"))}
        volumes.append({"name": name, "secret": source})
        mounts.append({"name": name, "mountPath": one["mountPath"]})
    for one, name in _named(config, "secretAsEnv", "secretName", resolve):
        env += [_from_key("secretKeyRef", name, pair["secretKey"], pair, one) for pair in one["keyToEnv"]]
    for one, name in _named(config, "configMapAsVolume", "configMapName", resolve):
        volumes.append({"name": name, "configMap": {"name": name, "optional": bool(one.get("optional"))}})
        mounts.append({"name": name, "mountPath": one["mountPath"]})
    for one, name in _named(config, "configMapAsEnv", "configMapName", resolve):
        env += [_from_key("configMapKeyRef", name, pair["configMapKey"], pair, one) for pair in one["keyToEnv"]]
    pod["imagePullSecrets"] = [{"name": name} for _, name in _named(config, "imagePullSecret", "secretName", resolve)]
    for one in config.get("fieldPathAsEnv", []):
        env.append({"name": one["name"], "valueFrom": {"fieldRef": {"fieldPath": one["fieldPath"]}}})
    if int(config.get("activeDeadlineSeconds", 0)) > 0:
        pod["activeDeadlineSeconds"] = int(config["activeDeadlineSeconds"])
    for one in config.get("genericEphemeralVolume", []):
        volumes.append({"name": one["volumeName"], "ephemeral": {"volumeClaimTemplate": _template(one)}})
        mounts.append({"name": one["volumeName"], "mountPath": one["mountPath"]})
    for one in config.get("emptyDirMounts", []):
        source = {key: one[key] for key in ("medium", "sizeLimit") if one.get(key)}
        volumes.append({"name": one["volumeName"], "emptyDir": source})
        mounts.append({"name": one["volumeName"], "mountPath": one["mountPath"]})
    affinity = _affinity(config.get("nodeAffinity", []), resolve)
    if affinity:
        pod["affinity"] = {"nodeAffinity": affinity}
    if "securityContext" in config:
        wanted = config["securityContext"]
        context = {key: int(wanted[key]) for key in ("runAsUser", "runAsGroup") if key in wanted}
        context |= {"runAsNonRoot": wanted["runAsNonRoot"]} if "runAsNonRoot" in wanted else {}
        main["securityContext"] = {**context, "capabilities": {"drop": ["ALL"]}}


def _claim(one: Mapping[str, Any], resolve: Resolve) -> str:
    """A claim's name: a parameter, or one of the older fields (makeVolumeMountPatch)."""
    if "pvcNameParameter" in one:
        source = one["pvcNameParameter"]
    elif "constant" in one:
        source = {"runtimeValue": {"constant": one["constant"]}}
    else:
        source = {key: one[key] for key in ("taskOutputParameter", "componentInputParameter") if key in one}
    name = _text(resolve(source), "a claim's name")
    if not one.get("mountPath"):
        raise DriverError("failed to mount volume, missing mountpath or pvc name")
    return name


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise DriverError(f"{what}: expected a non-empty string, got {value!r}")
    return value


def _named(
    config: Mapping[str, Any], key: str, field: str, resolve: Resolve
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each entry with the name of its secret or config map; entries whose parameter is null are left out."""
    for one in config.get(key, []):
        if f"{field}Parameter" in one:
            found = resolve(one[f"{field}Parameter"])
            if found is not None:
                yield one, _text(found, field)
        else:
            yield one, _text(one.get(field), field)


def _from_key(kind: str, name: str, key: str, pair: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    optional = {"optional": one["optional"]} if "optional" in one else {}
    return {"name": pair["envVar"], "valueFrom": {kind: {"name": name, "key": key, **optional}}}


def _toleration(one: Mapping[str, Any], resolve: Resolve) -> list[dict[str, Any]]:
    if "tolerationJson" not in one:
        made = {key: one[key] for key in ("key", "operator", "value", "effect") if one.get(key)}
        return [made | ({"tolerationSeconds": int(one["tolerationSeconds"])} if "tolerationSeconds" in one else {})]
    found = resolve(one["tolerationJson"])
    if found is not None and not isinstance(found, (dict, list)):
        raise DriverError("encountered unexpected toleration proto value, must be either struct or list type")
    return [found] if isinstance(found, dict) and found else list(found or [])


def _template(one: Mapping[str, Any]) -> dict[str, Any]:
    spec = {"accessModes": list(one.get("accessModes", [])), "resources": {"requests": {"storage": one["size"]}}}
    if not one.get("defaultStorageClass"):
        spec["storageClassName"] = one.get("storageClassName", "")
    return {"metadata": dict(one.get("metadata", {})), "spec": spec}


def _affinity(terms: list[Mapping[str, Any]], resolve: Resolve) -> dict[str, Any]:
    required, preferred = [], []
    for term in terms:
        if "nodeAffinityJson" in term:
            found = resolve(term["nodeAffinityJson"]) or {}
            inside = found.get("requiredDuringSchedulingIgnoredDuringExecution", {})
            required += inside.get("nodeSelectorTerms", [])
            preferred += found.get("preferredDuringSchedulingIgnoredDuringExecution", [])
            continue
        made = {key: term[key] for key in ("matchExpressions", "matchFields") if term.get(key)}
        if made and "weight" in term:
            preferred.append({"weight": int(term["weight"]), "preference": made})
        elif made:
            required.append(made)
    affinity: dict[str, Any] = {}
    if required:
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": required}
    if preferred:
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = preferred
    return affinity
