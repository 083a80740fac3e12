"""Viewers and servings in the plan: what comes before them, what their servers see, what they are called."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from kade2kfp import api
from kade2kfp.steps.model import Plan, Service, Step
from kade2kfp.steps.parts import Branch, ClaimMount
from kade2kfp.tasks.viewer import TENSORBOARD

TRAIN = {"id": "train", "type": "job", "image": "python:3.11-slim", "command": ["train"]}
BOARD = {"id": "board", "type": "viewer", "logPath": "/logs"}
API = {"id": "api", "type": "serving", "framework": "sklearn"}
NAS = {"id": "nas", "claimName": "team-pvc"}


def plan(tasks: list[dict[str, Any]], arrows: list[dict[str, Any]], **more: Any) -> Plan:
    document = {"apiVersion": "kade2kfp/v1", "name": "p", "volumes": [NAS], **more, "tasks": tasks, "arrows": arrows}
    checked = api.validate(api.parse(json.dumps(document).encode(), "p.json"))
    assert checked.plan is not None, checked.diagnostics
    return checked.plan


def step(of: Plan, name: str) -> Step:
    (found,) = [node for node in of.nodes if isinstance(node, Step) and node.name == name]
    return found


def service(of: Plan, name: str) -> Service:
    found = step(of, name).service
    assert found is not None
    return found


def logs(**more: Any) -> dict[str, Any]:
    return {"fromTask": "train", "fromPath": "/logs", "toTask": "board", "toPath": "/logs", **more}


def model(**more: Any) -> dict[str, Any]:
    return {"fromTask": "train", "fromPath": "/out/m.joblib", "toTask": "api", "toPath": "/m/m.joblib", **more}


def test_a_viewer_waits_for_an_artifact_and_not_for_a_volume() -> None:
    by_volume = plan([TRAIN, BOARD], [logs(volume="nas")])
    assert step(by_volume, "board").after == step(by_volume, "board").inputs == ()
    (mount,) = service(by_volume, "board").server.mounts
    assert mount == ClaimMount("nas", "/logs", "train/_/logs", in_run=True, read_only=True)
    by_artifact = plan([TRAIN, BOARD], [logs()])
    (arrived,) = step(by_artifact, "board").inputs
    (seen,) = service(by_artifact, "board").server.inputs
    assert (arrived.name, arrived.path) == (seen.name, "")
    assert seen.path == "/logs"


def test_an_order_makes_a_viewer_wait_all_the_same() -> None:
    other = {**TRAIN, "id": "other"}
    made = plan([TRAIN, other, BOARD], [logs(volume="nas"), {"fromTask": "other", "toTask": "board"}])
    assert step(made, "board").after == ("other",)


def test_a_viewer_of_a_branch_is_in_that_branch() -> None:
    check = {"id": "check", "type": "condition", "test": {"left": 1, "operator": "==", "right": 1}}
    made = plan(
        [TRAIN | {"id": "before"}, check, TRAIN, BOARD],
        [
            {"fromTask": "before", "toTask": "check"},
            {"fromTask": "check", "toTask": "train", "branch": "then"},
            logs(volume="nas"),
        ],
    )
    (within,) = step(made, "board").within
    assert isinstance(within, Branch)
    assert within.side == "then"


def test_what_a_sweep_writes_lies_beside_each_other() -> None:
    made = plan([TRAIN | {"forEach": {"items": [1, 2, 3]}}, BOARD], [logs(volume="nas")])
    server = service(made, "board").server
    paths = [one.path for one in server.mounts]
    assert paths == ["/logs/1", "/logs/2", "/logs/3"]
    assert [one.path for one in server.files] == ["/logs/index.json"]


def test_a_viewer_has_the_toolbox_unless_it_says_its_image() -> None:
    bare = plan([TRAIN, BOARD], [logs()], defaults={"image": "pytorch/pytorch:2.1"})
    assert service(bare, "board").server.requirements == (TENSORBOARD,)
    assert service(bare, "board").server.image == (bare.toolbox_image,)
    own = plan([TRAIN, BOARD | {"image": "tb:1", "command": ["aim", "up"]}], [logs()])
    assert service(own, "board").server.requirements == ()
    assert service(own, "board").server.image == ("tb:1",)


def test_the_server_of_a_serving_sees_its_own_mounts_and_not_what_arrived() -> None:
    task = API | {"volume": "nas", "volumes": [{"id": "nas", "mountPath": "/nas", "acl": "RW"}]}
    made = plan([TRAIN, task], [model(volume="nas")])
    packer, server = step(made, "api"), service(made, "api").server
    assert {one.path for one in packer.mounts} == {"/nas", "/m/m.joblib", "/kade/serving"}
    assert {one.path: one.read_only for one in server.mounts if isinstance(one, ClaimMount)} == {
        "/nas": False,
        "/kade/serving": True,
    }
    assert not server.inputs
    assert ("/m/m.joblib",) in packer.command


def test_what_a_serving_makes_lies_on_the_volume_that_lasts() -> None:
    scratch = {"id": "scratch", "create": {"size": "1Gi"}}
    only = plan([TRAIN, API], [model()], volumes=[scratch, NAS], defaults={"volume": None})
    kept = next(one for one in step(only, "api").mounts if one.path == "/kade/serving")
    assert isinstance(kept, ClaimMount)
    assert (kept.claim, kept.sub_path, kept.in_run) == ("nas", "serving/p/api", False)
    said = plan([TRAIN, API | {"volume": "b"}], [model()], volumes=[NAS, {"id": "b", "claimName": "b"}])
    assert {one.claim for one in step(said, "api").mounts if isinstance(one, ClaimMount)} == {"b"}


def test_of_several_volumes_that_last_a_serving_takes_the_default() -> None:
    made = plan([TRAIN, API], [model()], volumes=[NAS, {"id": "b", "claimName": "b"}], defaults={"volume": "b"})
    kept = next(one for one in step(made, "api").mounts if one.path == "/kade/serving")
    assert isinstance(kept, ClaimMount)
    assert kept.claim == "b"


def test_an_accelerator_is_for_the_server_alone() -> None:
    task = API | {"resources": {"limits": {"nvidia.com/gpu": 1, "memory": "1Gi"}}}
    made = plan([TRAIN, task], [model()])
    assert step(made, "api").resources.accelerator == ""
    assert step(made, "api").resources.memory_limit == ("1Gi",)
    assert service(made, "api").server.resources.accelerator == "nvidia.com/gpu"


@given(some.text(min_size=1, max_size=200), some.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", fullmatch=True))
def test_a_service_is_called_as_kubernetes_calls_one(name: str, id_: str) -> None:
    tasks: list[dict[str, Any]] = [TRAIN | {"id": "x"}, API | {"id": id_}] if id_ != "x" else [TRAIN, API]
    arrow = {"fromTask": tasks[0]["id"], "fromPath": "/m", "toTask": tasks[1]["id"], "toPath": "/m"}
    document = {"apiVersion": "kade2kfp/v1", "name": name, "volumes": [NAS], "tasks": tasks, "arrows": [arrow]}
    made = api.validate(api.parse(json.dumps(document).encode(), ""))
    if made.plan is None:  # a name with control characters
        return
    for node in made.plan.nodes:
        if isinstance(node, Step) and node.service:
            called = node.service.name
            assert len(called) <= 49
            assert called[0].isalpha()
            assert called.isascii()
            assert called == called.lower()
            assert called.replace("-", "").isalnum()
            assert not called.endswith("-")
