"""What a step's pod mounts: claims, secrets, config maps and empty folders; and the step that prepares the claims."""

from __future__ import annotations

from typing import Any

from kfp import dsl, kubernetes

from kade2kfp.lowering.text import plain
from kade2kfp.lowering.values import Graph, object_name
from kade2kfp.plan.added import prepare_name
from kade2kfp.steps.model import Claim, CreatedClaim, Plan, Step
from kade2kfp.steps.parts import ClaimMount, EmptyDirMount, SecretMount, Security
from kade2kfp.steps.quantity import size

# KFP's own name of the claim that is made for a run: Argo makes it as <workflow>-<template> (operator.go, createPVCs),
# the template is `kfp-workspace` (backend/src/v2/compiler/argocompiler/argo.go), and Argo fills the name in.
_CREATED = "{{workflow.name}}-kfp-workspace"
# Filled in by KFP's API server with the run's id, before Argo sees the workflow.
_RUN = "{{workflow.uid}}"
_PREPARED = "/prepare"
# kubelet makes a missing sub-path as root with the mode of the volume's root, so that other users cannot write there.
# Without capabilities root may open only what it owns itself; what is open already needs no opening.
_PREPARE = """umask 0
for f do
mkdir -p "$f" && { chmod 0777 "$f" 2>/dev/null || ls -ld "$f" | grep -q '^d.......w'; } && continue
echo "kade2kfp: cannot make $f and open it to every user; make the volume's root writable and set prepare to false" >&2
exit 1
done"""


def mount_volumes(task: Any, step: Step, graph: Graph) -> None:
    """Mounts of a step, in the order of the plan, then its scratch folders."""
    for number, mount in enumerate(step.mounts, 1):
        match mount:
            case ClaimMount():
                kubernetes.mount_pvc(
                    task,
                    _claim_name(mount, graph),
                    plain(mount.path, "mount path"),
                    sub_path(mount, graph.plan),
                )
            case SecretMount():
                use = (
                    kubernetes.use_secret_as_volume if mount.source == "secret" else kubernetes.use_config_map_as_volume
                )
                name = object_name(mount.name, graph, f"{mount.source} name")
                use(task, name, plain(mount.path, "mount path"), mount.optional)
            case EmptyDirMount():
                _empty_dir(task, f"kade2kfp-empty-{number}", mount)
    for number, path in enumerate(step.scratch, 1):
        _empty_dir(task, f"kade2kfp-scratch-{number}", EmptyDirMount(path))


def sub_path(mount: ClaimMount, plan: Plan) -> str:
    """The folder of the claim that is mounted, relative to the claim's root."""
    own = plain(mount.sub_path, "sub-path").strip("/")
    return f"pipeline/{plan.name}/{_RUN}/{own}".rstrip("/") if mount.in_run else own


def workspace(claims: tuple[Claim, ...]) -> Any:
    """KFP's configuration of the claim that is made for a run, or None."""
    for claim in claims:
        if claim.create:
            return dsl.WorkspaceConfig(
                size(claim.create.size), dsl.KubernetesWorkspaceConfig(pvcSpecPatch=_patch(claim.create))
            )
    return None


def prepare_step(plan: Plan) -> Step | None:
    """The step that makes the folders which this run needs on its claims, open to every user; None if none does."""
    mounts: list[ClaimMount] = []
    folders: list[str] = []
    for claim in plan.claims:
        if not claim.prepare:
            continue
        here = f"{_PREPARED}/{len(mounts) + 1}"
        if claim.create and any(_mounts(node, claim) for node in plan.nodes):
            mounts.append(ClaimMount(claim.id, here))
            folders.append(here)
            here = f"{_PREPARED}/{len(mounts) + 1}"
        if claim.run_folders:
            mounts.append(ClaimMount(claim.id, here, in_run=True))
            folders += [f"{here}/{folder.strip('/')}" for folder in claim.run_folders]
            here = f"{_PREPARED}/{len(mounts) + 1}"
        if claim.kept_folders:
            mounts.append(ClaimMount(claim.id, here))
            folders += [f"{here}/{folder}" for folder in claim.kept_folders]
    if not mounts:
        return None
    return Step(
        task="",
        name=prepare_name(plan),
        display_name="Prepare volumes",
        type="prepare",
        image=(plan.toolbox_image,),
        command=tuple((word,) for word in ("sh", "-c", _PREPARE, "prepare", *folders)),
        mounts=tuple(mounts),
        security=Security(run_as_user=0),
        scheduling=plan.scheduling,
        pull_secrets=plan.pull_secrets,
    )


def needs_prepare(step: Step, plan: Plan) -> bool:
    """Whether a step mounts what the prepare step makes or opens."""
    claims = [claim for claim in plan.claims if claim.prepare]
    return any(
        _mounts(step, claim, in_run=not claim.create) for claim in claims if claim.create or claim.run_folders
    ) or any(
        isinstance(mount, ClaimMount) and mount.claim == claim.id and mount.sub_path in claim.kept_folders
        for claim in claims
        for mount in step.mounts
    )


def _mounts(node: object, claim: Claim, *, in_run: bool = False) -> bool:
    mounts = node.mounts if isinstance(node, Step) else ()
    return any(
        isinstance(mount, ClaimMount) and mount.claim == claim.id and (mount.in_run or not in_run) for mount in mounts
    )


def _claim_name(mount: ClaimMount, graph: Graph) -> Any:
    claim = next(claim for claim in graph.plan.claims if claim.id == mount.claim)
    return _CREATED if claim.create else object_name(claim.name, graph, "claim name")


def _patch(create: CreatedClaim) -> dict[str, Any]:
    # Kubernetes has no default for the modes, and KFP's server as it ships has none either.
    patch: dict[str, Any] = {"accessModes": list(create.access_modes) or ["ReadWriteOnce"]}
    if create.storage_class:
        patch["storageClassName"] = plain(create.storage_class, "storage class")
    return patch


def _empty_dir(task: Any, name: str, mount: EmptyDirMount) -> None:
    kubernetes.empty_dir_mount(
        task, name, plain(mount.path, "mount path"), mount.medium or None, mount.size_limit or None
    )
