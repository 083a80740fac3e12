"""Mounts, the claim that is made for a run, and the step that makes folders which every user can write."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.steps.model import Claim, CreatedClaim, Import
from kade2kfp.steps.parts import ClaimMount, EmptyDirMount, SecretMount
from kade2kfp.steps.sources import Param

from .plans import NAS, TEXT, by_volume, ir, pod, step, task, words

CREATED = Claim("scratch", create=CreatedClaim("10Gi", ("ReadWriteMany",), "nfs"), run_folders=("a/_/out",))
ON_CREATED = ClaimMount("scratch", "/s", "a/_/out", in_run=True)


def test_claims_are_mounted_at_their_folders() -> None:
    mounts = (
        ClaimMount("nas", "/data"),
        ClaimMount("nas", "/deep", "x/y"),
        ClaimMount("nas", "/run", "t/_/out", in_run=True),
        ClaimMount("other", "/other"),
    )
    claims = (Claim("nas", ("nas-pvc",)), Claim("other", (Param("text", "string"),)))
    of = pod("a", step("a", mounts=mounts), claims=claims, parameters=(TEXT,))["pvcMount"]
    assert [(mount["mountPath"], mount.get("subPath", "")) for mount in of] == [
        ("/data", ""),
        ("/deep", "x/y"),
        ("/run", "pipeline/demo/{{workflow.uid}}/t/_/out"),
        ("/other", ""),
    ]
    assert [mount["pvcNameParameter"] for mount in of] == [
        *[{"runtimeValue": {"constant": "nas-pvc"}}] * 3,
        {"componentInputParameter": "text"},
    ]


@pytest.mark.parametrize("source", ["secret", "configMap"])
def test_secrets_and_config_maps_are_mounted(source: Any) -> None:
    mounts = (
        SecretMount(source, ("one",), "/one", optional=True),
        SecretMount(source, (Param("text", "string"),), "/two"),
    )
    one, two = pod("a", step("a", mounts=mounts), parameters=(TEXT,))[f"{source}AsVolume"]
    assert (one["mountPath"], one["optional"]) == ("/one", True)
    assert one[f"{source}NameParameter"] == {"runtimeValue": {"constant": "one"}}
    assert (two["mountPath"], two["optional"]) == ("/two", False)
    assert two[f"{source}NameParameter"] == {"componentInputParameter": "text"}


def test_empty_folders_have_volumes_of_their_own() -> None:
    mounts = (EmptyDirMount("/dev/shm", "Memory", "1.5Gi"), EmptyDirMount("/tmp"))
    of = pod("a", step("a", mounts=mounts, scratch=("/in", "/out")))["emptyDirMounts"]
    assert of[0] == {
        "volumeName": of[0]["volumeName"],
        "mountPath": "/dev/shm",
        "medium": "Memory",
        "sizeLimit": "1.5Gi",
    }
    assert [mount["mountPath"] for mount in of] == ["/dev/shm", "/tmp", "/in", "/out"]
    assert len({mount["volumeName"] for mount in of}) == 4


def test_the_created_claim_is_kfps_workspace_mounted_as_a_claim() -> None:
    _, of = ir(step("a", mounts=(ON_CREATED, ClaimMount("scratch", "/all"))), claims=(CREATED,))
    assert of["pipelineConfig"]["workspace"] == {
        "size": "10Gi",
        "kubernetes": {"pvcSpecPatch": {"accessModes": ["ReadWriteMany"], "storageClassName": "nfs"}},
    }
    mounts = of["deploymentSpec"]["executors"]["exec-a"]["pvcMount"]
    assert {mount["constant"] for mount in mounts} == {"{{workflow.name}}-kfp-workspace"}
    assert [mount.get("subPath") for mount in mounts] == ["pipeline/demo/{{workflow.uid}}/a/_/out", None]
    # The backend makes the claim only where this is said, even if it is empty.
    bare = Claim("scratch", create=CreatedClaim("1.5Gi"))
    assert ir(step("a"), claims=(bare,))[1]["pipelineConfig"]["workspace"] == {
        "size": "1536Mi",
        "kubernetes": {"pvcSpecPatch": {"accessModes": ["ReadWriteOnce"]}},
    }


def test_folders_of_a_run_are_made_before_they_are_used() -> None:
    spec, of = ir(*by_volume(), step("apart"), step("whole", mounts=(ClaimMount("nas", "/n"),)), claims=(NAS,))
    prepare = of["deploymentSpec"]["executors"]["exec-prepare-volumes"]
    assert prepare["securityContext"] == {"runAsUser": "0"}
    assert [(mount["mountPath"], mount["subPath"]) for mount in prepare["pvcMount"]] == [
        ("/prepare/1", "pipeline/demo/{{workflow.uid}}")
    ]
    assert words("prepare-volumes", spec)[-1] == "/prepare/1/make/_/out"
    assert task("prepare-volumes", spec)["cachingOptions"] == {}
    waits = {name: task(name, spec).get("dependentTasks", []) for name in ("make", "use", "apart", "whole")}
    assert waits == {"make": ["prepare-volumes"], "use": ["make", "prepare-volumes"], "apart": [], "whole": []}


def test_a_created_claim_is_opened_for_every_step_that_mounts_it() -> None:
    spec, of = ir(
        step("a", mounts=(ON_CREATED,)),
        step("b", mounts=(ClaimMount("scratch", "/s"),)),
        step("c"),
        claims=(CREATED, NAS),
    )
    prepare = of["deploymentSpec"]["executors"]["exec-prepare-volumes"]
    assert [(mount["constant"], mount["mountPath"], mount.get("subPath")) for mount in prepare["pvcMount"]] == [
        ("{{workflow.name}}-kfp-workspace", "/prepare/1", None),
        ("{{workflow.name}}-kfp-workspace", "/prepare/2", "pipeline/demo/{{workflow.uid}}"),
        ("nas-pvc", "/prepare/3", "pipeline/demo/{{workflow.uid}}"),
    ]
    assert words("prepare-volumes", spec)[-3:] == ["/prepare/1", "/prepare/2/a/_/out", "/prepare/3/make/_/out"]
    assert [task(name, spec).get("dependentTasks") for name in "abc"] == [
        ["prepare-volumes"],
        ["prepare-volumes"],
        None,
    ]


@pytest.mark.parametrize(
    "claims",
    [
        (),
        (Claim("nas", ("n",)),),
        (Claim("nas", ("n",), prepare=False, run_folders=("x",)),),
        (Claim("scratch", create=CreatedClaim("1Gi")),),
    ],
)
def test_no_step_is_added_that_is_not_needed(claims: Any) -> None:
    spec, _ = ir(step("a"), claims=claims)
    assert set(spec["root"]["dag"]["tasks"]) == {"a"}


def test_the_prepare_step_takes_nobodys_name() -> None:
    taken = (step("prepare-volumes"), Import("x", "prepare-volumes-2", "x", ("s3://b/x",)))
    spec, _ = ir(*taken, *by_volume(), claims=(NAS,))
    assert task("make", spec)["dependentTasks"] == ["prepare-volumes-3"]
    assert words("prepare-volumes", spec) == ["true"]


def prepare_run(tmp_path: Path, *folders: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """The prepare step's own command, on folders of this machine."""
    spec, _ = ir(*by_volume(), claims=(NAS,))
    given = words("prepare-volumes", spec)
    return subprocess.run(
        [*given[:-1], *(str(tmp_path / folder) for folder in folders)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": path},
    )


def test_the_folders_are_open_to_every_user(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir(mode=0o750)
    done = prepare_run(tmp_path, "root", "a/_/it's $(x)", "b")
    assert done.returncode == 0, done.stderr
    for folder in ("root", "a", "a/_", "a/_/it's $(x)", "b"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o777, folder
    assert prepare_run(tmp_path, "b").returncode == 0


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = prepare_run(tmp_path, "a", "file/b")
    assert done.returncode == 1
    assert f"kade2kfp: cannot make {tmp_path}/file/b" in done.stderr


def test_a_folder_of_another_user_will_do_if_it_is_open(tmp_path: Path) -> None:
    refusing = tmp_path / "bin" / "chmod"
    refusing.parent.mkdir()
    refusing.write_text("#!/bin/sh\nexit 1\n")
    refusing.chmod(0o755)
    (tmp_path / "closed").mkdir(mode=0o755)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    path = f"{refusing.parent}:{os.environ['PATH']}"
    assert prepare_run(tmp_path, "open", path=path).returncode == 0
    assert f"cannot make {tmp_path}/closed" in prepare_run(tmp_path, "closed", path=path).stderr
