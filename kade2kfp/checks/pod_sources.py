"""Claims, secrets and config maps of one pod: their names become names of volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from kade2kfp.checks.filled import Filled, named
from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.shared import Task
from kade2kfp.document.types import DNS_NAME
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.resolve import Known

_MAX = 63
# Volumes that Argo and KFP's driver put into every pod (backend/src/v2/compiler/argocompiler/container.go, driver/k8s.go).
_TAKEN = re.compile(
    r"kfp-launcher|(gcs|s3|minio|dot-local|dot-cache|dot-config)-scratch|custom-ca|ca-bundle|var-run-argo|tmp-dir-argo"
    r"|argo-staging|input-artifacts|oci-\d+|kade2kfp-.*"
)


@dataclass(frozen=True, slots=True)
class _Mounted:
    """A claim, secret or config map that a task mounts."""

    kind: str
    name: Filled


def pod_sources(analysis: Analysis) -> Iterator[Diagnostic]:
    """K411: a claim, secret or config map that cannot be a volume of a pod, or two of one name in one task."""
    yield from volume_names(analysis, analysis.known)


def volume_names(analysis: Analysis, values: Known) -> Iterator[Diagnostic]:
    """K411 with these values of parameters. What is no name of an object at all is left to K109."""
    told: set[Pointer] = set()
    for task in analysis.document.tasks:
        mounted = [
            one
            for one in _mounted(analysis, values, task)
            if not one.name.is_known or DNS_NAME.fullmatch(one.name.text)
        ]
        for one in mounted:
            problem = _problem(one.name.text) if one.name.is_known else ""
            if problem and one.name.at not in told:
                told.add(one.name.at)
                instead = "" if one.kind == "claim" else ", or take its value as a variable"
                help_ = f"Kubeflow names the pod's volume after it, and Kubernetes refuses that; use one of another name{instead}"
                message = f"`{one.name.text[:80]}` cannot be mounted: its name {problem}"
                yield one.name.wrong("K411", message, help_)
        for pair in pairwise(sorted(mounted, key=lambda one: (one.name.text, one.kind))):
            first, other = sorted(pair, key=lambda one: one.name.is_default)  # a default is what to change
            if first.name.text == other.name.text and first.kind != other.kind and other.name.at not in told:
                told.add(other.name.at)
                name = first.name.text
                message = f"the {first.kind} `{name}` and the {other.kind} `{name}` would be one volume of the pod of `{task.id}`"
                help_ = "KFP names a volume after what it holds: rename one of them"
                yield other.name.wrong("K411", message, help_, (Related(f"the {first.kind}", first.name.field),))


def _problem(name: str) -> str:
    if "." in name:
        return "has a dot"
    if len(name) > _MAX:
        return f"has more than {_MAX} characters"
    return "is that of a volume of Kubeflow's own" if _TAKEN.fullmatch(name) else ""


def _mounted(analysis: Analysis, values: Known, task: Task) -> Iterator[_Mounted]:
    """What the task mounts."""
    claims = {volume.id: volume for volume in analysis.document.volumes if volume.claim_name}
    used = [setting.value.id for setting in analysis.settings[task.id].volumes if setting.value.id]
    used += [
        flow.volume
        for flow in (*analysis.from_task.get(task.id, ()), *analysis.to_task.get(task.id, ()))
        if flow.volume
    ]
    found = [
        ("claim", claims[id_].place("claim_name"), claims[id_].claim_name)
        for id_ in dict.fromkeys(used)
        if id_ in claims
    ]
    for setting in analysis.settings[task.id].volumes:
        mount = setting.value
        if mount.secret and mount.config_map:
            continue  # K404 says so
        found += [
            ("secret", mount.place("secret"), mount.secret),
            ("config map", mount.place("config_map"), mount.config_map),
        ]
    if headers := getattr(task, "headers_from", None):
        found.append(("secret", headers.place("secret_name"), headers.secret_name))
    ssh = getattr(task, "ssh", None)
    if keys := ssh.authorized_keys_from if ssh else None:
        found.append(("secret", keys.secret_key_ref.place("name"), keys.secret_key_ref.name))
    for kind, field, raw in found:
        if name := named(analysis, values, field, raw):
            yield _Mounted(kind, name)
