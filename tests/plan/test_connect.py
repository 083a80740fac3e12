"""What a step has because of its arrows and mounts: mounts, scratch folders, inputs, outputs, and what it waits for."""

from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import ArtifactOutput, ClaimMount, EmptyDirMount, SecretMount, VolumeOutput
from kade2kfp.steps.sources import Param

from .documents import Json, arrow, document, job, plan, steps

NAS = [{"id": "nas", "claimName": "nas-pvc"}]


def two(out: str, into: str, giver: Json | None = None, taker: Json | None = None, **way: Any) -> tuple[Step, Step]:
    doc = document(
        job("a") | (giver or {}),
        job("b", inherit=False) | (taker or {}),
        arrows=(arrow("a", "b", out, into, **way),),
        volumes=NAS,
    )
    made = steps(doc)
    return made["a"], made["b"]


# Artifacts.


def test_a_folder_by_artifact() -> None:
    a, b = two("/out/model", "/in")
    (output,), (found,) = a.outputs, b.inputs
    assert output == ArtifactOutput("out-model", "/out/model", "directory")
    assert (found.name, found.step, found.output, found.path, found.kind) == (
        "in",
        "a",
        "out-model",
        "/in",
        "directory",
    )
    assert (a.scratch, b.scratch) == (("/out/model",), ("/in",))
    assert b.after == ()  # the data says it


def test_a_file_by_artifact() -> None:
    a, b = two("/out/model.pkl", "/in")
    assert a.outputs == (ArtifactOutput("out-model-pkl", "/out/model.pkl", "file"),)
    assert (b.inputs[0].path, b.inputs[0].kind) == ("/in/model.pkl", "file")
    assert (a.scratch, b.scratch) == ((), ())  # root can make the folder, and hiding what the image has there is worse


@pytest.mark.parametrize("security", [{"runAsUser": 1000}, {"runAsNonRoot": True}])
def test_the_folder_of_a_file_is_provided_where_the_user_could_not_make_it(security: Json) -> None:
    a, b = two("/out/model.pkl", "/in", {"securityContext": security}, {"securityContext": security})
    assert (a.scratch, b.scratch) == (("/out",), ("/in",))


@pytest.mark.parametrize("out", ["/m.pkl", "/home/u/m.pkl", "/root/m.pkl", "/tmp/x/m.pkl", "/work/m.pkl"])
def test_but_not_where_it_would_hide_what_the_image_has(out: str) -> None:
    a, _ = two(out, "/in", {"securityContext": {"runAsUser": 1000}, "workingDir": "/work"})
    assert a.scratch == ()


def test_a_folder_that_only_sounds_like_a_home_is_provided() -> None:
    a, _ = two("/homework/m.pkl", "/in", {"securityContext": {"runAsUser": 1000}})
    assert a.scratch == ("/homework",)


def test_one_path_to_two_tasks_is_one_output() -> None:
    made = steps(document(job("a"), job("b"), job("c"), arrows=(arrow("a", "b", "/o"), arrow("a", "c", "/o"))))
    assert len(made["a"].outputs) == 1
    assert made["b"].inputs[0].output == made["c"].inputs[0].output == "o"


def test_names_of_outputs_are_unique_and_keep_off_those_that_are_taken() -> None:
    doc = document(
        job("a", outputs=[{"name": "Result", "type": "string", "path": "/r.txt"}]),
        job("b"),
        arrows=tuple(
            arrow("a", "b", out, f"/i{i}") for i, out in enumerate(["/x/y", "/x-y", "/result", "/metrics", "/데이터"])
        ),
    )
    assert [one.name for one in steps(doc)["a"].outputs if isinstance(one, ArtifactOutput)] == [
        "x-y", "x-y-2", "result-2", "metrics-2", "data",
    ]  # fmt: skip


def test_an_output_in_a_mount_of_ones_own_is_kept() -> None:
    mount = [{"id": "nas", "mountPath": "/nas"}]
    a, _ = two("/nas/results", "/in", {"volumes": mount})
    assert a.outputs == (ArtifactOutput("nas-results", "/nas/results", "directory", "Artifact", keep=True),)
    assert a.scratch == ()  # no empty folder over the claim


def test_an_output_in_an_empty_folder_of_ones_own_is_not() -> None:
    a, _ = two("/e/results", "/in", {"volumes": [{"emptyDir": {}, "mountPath": "/e"}]})
    assert isinstance(a.outputs[0], ArtifactOutput)
    assert not a.outputs[0].keep


def test_what_a_download_leaves_has_room() -> None:
    load = {"id": "l", "type": "loadData", "url": "https://x.org/a", "path": "/data"}
    assert steps(document(load))["l"].scratch == ("/data",)
    doc = document(load, job("b"), arrows=(arrow("l", "b", "/data/train"),))
    assert steps(doc)["l"].scratch == ("/data",)


# Volumes.


def test_a_folder_by_volume_is_mounted_on_both_sides() -> None:
    a, b = two("/out", "/in", volume="nas")
    assert a.mounts == (ClaimMount("nas", "/out", "a/_/out", in_run=True),)
    assert b.mounts == (ClaimMount("nas", "/in", "a/_/out", in_run=True),)
    assert a.outputs == (VolumeOutput("/out", "directory"),)
    assert (a.inputs, b.inputs, a.scratch, b.scratch) == ((), (), (), ())
    assert b.after == ("a",)


def test_a_file_by_volume_is_mounted_by_its_folder_where_it_is_made() -> None:
    a, b = two("/out/m.pkl", "/in", volume="nas")
    assert a.mounts == (ClaimMount("nas", "/out", "a/_/out", in_run=True),)
    assert b.mounts == (ClaimMount("nas", "/in/m.pkl", "a/_/out/m.pkl", in_run=True, is_file=True),)
    assert a.outputs == (VolumeOutput("/out/m.pkl", "file"),)


def test_the_runs_folders_are_made_beforehand() -> None:
    doc = document(
        job("a"), job("b"), volumes=NAS,
        arrows=(arrow("a", "b", "/out", "/i1", volume="nas"), arrow("a", "b", "/res/m.pkl", "/i2", volume="nas")),
    )  # fmt: skip
    (claim,) = plan(doc).claims
    assert claim.run_folders == ("a/_/out", "a/_/res")
    assert claim.prepare
    assert claim.name == ("nas-pvc",)


def test_data_in_the_givers_own_mount_stays_where_it_is() -> None:
    mount = {"id": "nas", "mountPath": "/nas", "subPath": "team/x"}
    a, b = two("/nas/out", "/in", {"volumes": [mount]}, volume="nas")
    assert a.mounts == (ClaimMount("nas", "/nas", "team/x"),)
    assert a.outputs == ()  # the user's own folder is never emptied
    assert b.mounts == (ClaimMount("nas", "/in", "team/x/out"),)


def test_what_the_taker_sees_already_is_not_mounted_twice() -> None:
    mount = [{"id": "nas", "mountPath": "/nas"}]
    a, b = two("/nas/out", "/nas/out", {"volumes": mount}, {"volumes": mount}, volume="nas")
    assert a.mounts == b.mounts == (ClaimMount("nas", "/nas"),)


def test_a_mount_elsewhere_does_not_count_as_seen() -> None:
    a, b = two(
        "/nas/out", "/nas/in", {"volumes": [{"id": "nas", "mountPath": "/nas"}]}, {"volumes": [{"id": "nas", "mountPath": "/nas"}]},
        volume="nas",
    )  # fmt: skip
    assert b.mounts == (ClaimMount("nas", "/nas"), ClaimMount("nas", "/nas/in", "out"))
    assert a.mounts == (ClaimMount("nas", "/nas"),)


def test_the_pipeline_of_the_manual_where_con2_sees_con1s_output_beside_both_mounts() -> None:
    mount = [{"id": "nas", "mountPath": "/scl_nas", "subPath": None}]
    a, b = two("/con1/output", "/con2/input", {"volumes": mount}, {"volumes": mount}, volume="nas")
    assert a.mounts == (
        ClaimMount("nas", "/scl_nas"),
        ClaimMount("nas", "/con1/output", "a/_/con1/output", in_run=True),
    )
    assert b.mounts == (ClaimMount("nas", "/scl_nas"), ClaimMount("nas", "/con2/input", "a/_/con1/output", in_run=True))


def test_one_path_by_volume_and_by_artifact_is_both_and_kept() -> None:
    doc = document(
        job("a"), job("b"), job("c"), volumes=NAS, arrows=(arrow("a", "b", "/o", volume="nas"), arrow("a", "c", "/o"))
    )
    made = steps(doc)
    assert made["a"].outputs == (VolumeOutput("/o", "directory"), ArtifactOutput("o", "/o", "directory", keep=True))
    assert made["a"].scratch == ()


def test_equal_mounts_are_one() -> None:
    doc = document(
        job("a"), job("b"), job("c"), volumes=NAS,
        arrows=(arrow("a", "b", "/o", volume="nas"), arrow("a", "c", "/o", volume="nas")),
    )  # fmt: skip
    assert len(steps(doc)["a"].mounts) == 1


def test_ids_that_differ_in_case_have_folders_of_their_own() -> None:
    doc = document(
        job("a"), job("A"), job("c"), volumes=NAS,
        arrows=(arrow("a", "c", "/o", "/1", volume="nas"), arrow("A", "c", "/o", "/2", volume="nas")),
    )  # fmt: skip
    assert plan(doc).claims[0].run_folders == ("A/_/o", "a/_/o")


# Mounts of the document.


@pytest.mark.parametrize(("said", "sub_path"), [({}, ""), ({"subPath": None}, ""), ({"subPath": ""}, ""), ({"subPath": "."}, ""), ({"subPath": "a/./b/"}, "a/b")])  # fmt: skip
def test_sub_paths(said: Json, sub_path: str) -> None:
    made = steps(document(job("a", volumes=[{"id": "nas", "mountPath": "/n"} | said]), volumes=NAS))
    assert made["a"].mounts == (ClaimMount("nas", "/n", sub_path),)


def test_every_kind_of_mount() -> None:
    volumes = [
        {"id": "nas", "mountPath": "/ro", "acl": "RO"},
        {"id": "nas", "mountPath": "/rw", "subPath": "x"},
        {"secret": "{{params.s}}", "mountPath": "/s", "optional": True},
        {"configMap": "c", "mountPath": "/c"},
        {"emptyDir": {"medium": "Memory", "sizeLimit": "{{params.size}}"}, "mountPath": "/dev/shm"},
        {"emptyDir": {}, "mountPath": "/e"},
    ]
    parameters = [{"name": "s", "type": "string"}, {"name": "size", "type": "string", "default": "1Gi"}]
    made = steps(document(job("a", volumes=volumes), volumes=NAS, parameters=parameters))
    assert made["a"].mounts == (
        ClaimMount("nas", "/ro", read_only=True),
        ClaimMount("nas", "/rw", "x"),
        SecretMount("secret", (Param("s", "string"),), "/s", optional=True),
        SecretMount("configMap", ("c",), "/c"),
        EmptyDirMount("/dev/shm", "Memory", "1Gi"),
        EmptyDirMount("/e"),
    )


def test_order_only_arrows_are_waited_for_once() -> None:
    doc = document(
        job("a"),
        job("b"),
        arrows=(arrow("a", "b"), arrow("a", "b", "/o"), arrow("a", "b", "/p", "/q", volume="nas")),
        volumes=NAS,
    )
    assert steps(doc)["b"].after == ("a",)
