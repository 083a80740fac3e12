"""Claims, secrets and config maps of one pod: their names become names of volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.steps.sources import literal

_MAX = 63
# Volumes that Argo and KFP's driver put into every pod (backend/src/v2/compiler/argocompiler/container.go, driver/k8s.go).
_TAKEN = re.compile(
    r"kfp-launcher|(gcs|s3|minio|dot-local|dot-cache|dot-config)-scratch|custom-ca|ca-bundle|var-run-argo|tmp-dir-argo"
    r"|argo-staging|input-artifacts|oci-\d+|kade2kfp-.*"
)


def pod_sources(analysis: Analysis) -> Iterator[Diagnostic]:
    """K411: a claim, secret or config map that cannot be a volume of a pod, or two of one name in one task."""
    told: set[Pointer] = set()
    for task in analysis.document.tasks:
        named = list(_named(analysis, task))
        for kind, name, at in named:
            problem = "has a dot" if "." in name else f"has more than {_MAX} characters" if len(name) > _MAX else ""
            problem = problem or ("is that of a volume of Kubeflow's own" if _TAKEN.fullmatch(name) else "")
            if problem and at not in told and "{{" not in name:  # else see resolved_texts
                told.add(at)
                other = "" if kind == "claim" else ", or take its value as a variable"
                help_ = f"Kubeflow names the pod's volume after it, and Kubernetes refuses that; use one of another name{other}"
                yield Diagnostic("K411", f"`{name[:80]}` cannot be mounted: its name {problem}", at, help_)
        ordered = sorted(named, key=lambda one: (one[1], one[0]))
        for (kind, name, at), (other_kind, other, other_at) in pairwise(ordered):
            if name == other and kind != other_kind and (other_at not in told):
                told.add(other_at)
                message = (
                    f"the {kind} `{name}` and the {other_kind} `{other}` would be one volume of the pod of `{task.id}`"
                )
                yield Diagnostic(
                    "K411",
                    message,
                    other_at,
                    "KFP names a volume after what it holds: rename one of them",
                    (Related(f"the {kind}", at),),
                )


def _named(analysis: Analysis, task: Task) -> Iterator[tuple[str, str, Pointer]]:
    """Kind, name and place of each claim, secret and config map that the task mounts."""
    text = analysis.resolution.text
    claims = {volume.id: volume for volume in analysis.document.volumes if volume.claim_name}
    used = [setting.value.id for setting in analysis.settings[task.id].volumes if setting.value.id]
    used += [
        flow.volume
        for flow in (*analysis.from_task.get(task.id, ()), *analysis.to_task.get(task.id, ()))
        if flow.volume
    ]
    for id_ in dict.fromkeys(used):
        if id_ in claims:
            at = claims[id_].place("claim_name")
            if name := literal(text(at, claims[id_].claim_name)):
                yield "claim", name, at
    for setting in analysis.settings[task.id].volumes:
        if setting.value.secret and setting.value.config_map:
            continue  # K404 says so
        for field, kind in (("secret", "secret"), ("config_map", "config map")):
            value = getattr(setting.value, field)
            if value and (name := literal(text(setting.value.place(field), value))):
                yield kind, name, setting.value.place(field)
    headers = getattr(task, "headers_from", None)
    if headers and (name := literal(text(headers.place("secret_name"), headers.secret_name))):
        yield "secret", name, headers.place("secret_name")
