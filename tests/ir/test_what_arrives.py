"""What a document says of a task is so in the pod that KFP makes of it, and for the command that runs there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.api import compile, parse

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.expand import RUN_ID, RUN_NAME
from ir.machine import Outcome, execute
from ir.pod import main_of


def run(document: dict[str, Any], folder: Path, **more: Any) -> Outcome:
    whole = {"apiVersion": "kade2kfp/v1", "name": "flow", "defaults": {"image": "python:3.11-slim"}} | document
    compiled = compile(parse(json.dumps(whole)))
    assert compiled.yaml is not None, compiled.diagnostics
    return execute(compiled.yaml, folder, **more)


def job(id_: str, script: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "job", "script": script, **more}


def arrow(from_task: str, to_task: str, to_path: str, from_path: str = "/out", **more: Any) -> dict[str, Any]:
    return {"fromTask": from_task, "fromPath": from_path, "toTask": to_task, "toPath": to_path, **more}


def pod_of(done: Outcome, path: str) -> dict[str, Any]:
    return dict(next(pod for found, pod in done.pods if found == path))


def from_key(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": {f"{kind}KeyRef": {"name": "same", "key": "key", **more}}}


def test_each_variable_has_the_value_of_its_own_source(folder: Path) -> None:
    env = [
        {"name": "PLAIN", "value": "p"},
        from_key("SECRET", "secret"),
        from_key("MAP", "configMap"),
        {"name": "FIELD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "RUN", "value": "{{run.id}} {{run.name}}"},
    ]
    done = run(
        {"tasks": [job("t", 'echo "$PLAIN $SECRET $MAP $FIELD $RUN"', env=env)]},
        folder,
        secrets={"same": {"key": "s"}},
        config_maps={"same": {"key": "m"}},
    )
    assert done.logs["t"] == f"p s m kubeflow {RUN_ID} a run\n"


@pytest.mark.parametrize("kind", ["secret", "configMap"])
def test_a_step_starts_without_what_is_optional_and_only_then(folder: Path, kind: str) -> None:
    for optional, state in ((True, "succeeded"), (False, "failed")):
        variable = run(
            {"tasks": [job("t", "true", env=[from_key("A", kind, optional=optional)])]}, folder / f"env-{optional}"
        )
        mount = {kind: "same", "mountPath": "/s", "optional": optional}
        mounted = run({"tasks": [job("t", "true", volumes=[mount])]}, folder / f"mount-{optional}")
        assert (variable.state, mounted.state) == (state, state)


def test_secrets_config_maps_and_empty_folders_are_mounted_where_they_are_said(folder: Path) -> None:
    volumes = [
        {"secret": "one", "mountPath": "/secret"},
        {"configMap": "two", "mountPath": "/map"},
        {"emptyDir": {}, "mountPath": "/empty"},
    ]
    done = run(
        {"tasks": [job("t", "cat /secret/key /map/key; touch /empty/x; ls /empty", volumes=volumes)]},
        folder,
        secrets={"one": {"key": "s"}},
        config_maps={"two": {"key": "m"}},
        user=1000,
        read_only=True,
    )
    assert done.logs["t"] == "smx\n"


def test_inputs_of_one_type_are_not_mixed_up(folder: Path) -> None:
    done = run(
        {
            "tasks": [
                job("a", "echo a > /out/x; echo more > /other/x"),
                job("b", "echo b > /out/x"),
                job("use", "cat /first/x /second/x /third/x"),
            ],
            "arrows": [
                arrow("b", "use", "/first"),
                arrow("a", "use", "/second"),
                arrow("a", "use", "/third", "/other"),
            ],
        },
        folder,
    )
    assert done.logs["use"] == "b\na\nmore\n"


def test_values_of_one_type_are_not_mixed_up(folder: Path) -> None:
    outputs = [{"name": name, "type": "integer", "path": f"/m/{name}"} for name in ("one", "two")]
    wanted = (
        "{{tasks.make.metrics.low}} {{tasks.make.metrics.high}} {{tasks.make.outputs.one}}{{tasks.make.outputs.two}}"
    )
    script = 'echo 1 > /m/one; echo 2 > /m/two; echo \'{"low": 0.5, "high": 9}\' > /m/all.json'
    done = run(
        {
            "parameters": [{"name": name, "type": "string"} for name in ("left", "right")],
            "tasks": [
                job("make", script, outputs=outputs, metrics="/m/all.json"),
                job("use", 'echo "$@"', args=[wanted, "{{params.left}}", "{{params.right}}"]),
            ],
        },
        folder,
        parameters={"left": "l", "right": "r"},
    )
    assert done.logs["use"] == "0.5 9 12 l r\n"


def test_a_parameter_that_is_not_given_has_its_default_and_one_without_must_be_given(folder: Path) -> None:
    document = {
        "parameters": [
            {"name": "rate", "type": "number", "default": 0.25},
            {"name": "word", "type": "string", "default": ""},
            {"name": "deep", "type": "boolean", "default": False},
            {"name": "must", "type": "string"},
        ],
        "tasks": [job("t", 'echo "$@"', args=["{{params.rate}}|{{params.word}}|{{params.deep}}|{{params.must}}"])],
    }
    assert run(document, folder, parameters={"must": "m"}).logs["t"] == "0.25||false|m\n"
    with pytest.raises(AssertionError, match="'must' has no value"):
        run(document, folder)


def test_a_volume_is_mounted_by_its_sub_path_and_a_created_one_is_the_runs_own(folder: Path) -> None:
    (folder / "claims/nas/deep/er").mkdir(parents=True)
    (folder / "claims/nas/deep/er/x").write_text("there")
    done = run(
        {
            "volumes": [{"id": "nas", "claimName": "nas"}, {"id": "work", "create": {"size": "1Gi"}}],
            "tasks": [
                job(
                    "t",
                    "cat /v/x; echo w > /w/y",
                    volumes=[
                        {"id": "nas", "subPath": "deep/er", "mountPath": "/v"},
                        {"id": "work", "mountPath": "/w"},
                    ],
                )
            ],
        },
        folder,
        user=1000,
    )
    assert done.logs["t"] == "there", done.logs
    assert (folder / f"claims/{RUN_NAME}-kfp-workspace/y").read_text() == "w\n"


def test_what_a_volume_arrow_carries_lies_in_a_folder_of_this_run(folder: Path) -> None:
    done = run(
        {
            "volumes": [{"id": "nas", "claimName": "nas"}],
            "tasks": [job("make", "echo x > /out/x"), job("use", "cat /in/x")],
            "arrows": [arrow("make", "use", "/in", volume="nas")],
        },
        folder,
        user=1000,
    )
    assert done.logs["use"] == "x\n", done.logs
    (found,) = (folder / "claims/nas").rglob("x")
    assert found.is_relative_to(folder / "claims/nas/pipeline/flow" / RUN_ID)


def test_a_task_without_data_to_wait_for_waits_all_the_same(folder: Path) -> None:
    done = run(
        {
            "volumes": [{"id": "nas", "claimName": "nas"}],
            "tasks": [
                job("late", "cat /v/x", volumes=[{"id": "nas", "mountPath": "/v"}]),
                job("early", "sleep 0.3; echo x > /v/x", volumes=[{"id": "nas", "mountPath": "/v"}]),
            ],
            "arrows": [{"fromTask": "early", "toTask": "late", "inherit": False}],
        },
        folder,
    )
    assert done.logs["late"] == "x\n"


def test_files_and_the_working_folder_are_there_byte_for_byte(folder: Path) -> None:
    done = run(
        {
            "tasks": [
                job(
                    "t",
                    "pwd; od -An -tx1 /code/a.bin; cat b.txt",
                    workingDir="/code",
                    files=[
                        {"path": "/code/a.bin", "content": "AAH/", "encoding": "base64"},
                        {"path": "/code/b.txt", "content": "it's $(HOME) $$\n"},
                    ],
                )
            ]
        },
        folder,
    )
    assert done.logs["t"] == "/code\n 00 01 ff\nit's $(HOME) $$\n"


def test_a_pod_is_what_the_document_says(folder: Path) -> None:
    toleration = {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 77}
    here = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
    there = {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}]}
    affinity = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]},
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7, "preference": there}],
    }
    done = run(
        {
            "labels": {"team": "all", "app": "demo"},
            "parameters": [
                {"name": "memory", "type": "string", "default": "3Gi"},
                {"name": "image", "type": "string", "default": "img:3"},
                {"name": "gpus", "type": "integer", "default": 2},
            ],
            "tasks": [
                job(
                    "t",
                    "true",
                    image="{{params.image}}",
                    imagePullPolicy="Always",
                    imagePullSecrets=[{"name": "registry"}],
                    resources={
                        "requests": {"cpu": "250m", "memory": "1.5Gi"},
                        "limits": {"cpu": "2", "memory": "{{params.memory}}", "nvidia.com/gpu": "{{params.gpus}}"},
                    },
                    nodeSelector={"disk": "ssd"},
                    nodeAffinity=affinity,
                    tolerations=[toleration],
                    securityContext={"runAsUser": 1234, "runAsGroup": 2345, "runAsNonRoot": True},
                    labels={"team": "own"},
                    annotations={"note": "x"},
                    description="for people",
                    timeout="45s",
                    volumes=[{"emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}, "mountPath": "/dev/shm"}],
                )
            ],
        },
        folder,
    )
    pod = pod_of(done, "t")
    spec, metadata, main = pod["spec"], pod["metadata"], main_of(pod)
    assert main["image"] == "img:3"
    assert main["imagePullPolicy"] == "Always"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert main["resources"] == {
        "requests": {"cpu": "250m", "memory": "1536Mi"},
        "limits": {"cpu": "2", "memory": "3Gi", "nvidia.com/gpu": "2"},
    }
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["affinity"]["nodeAffinity"] == {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]},
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7, "preference": there}],
    }
    assert spec["tolerations"] == [toleration]
    context = main["securityContext"]
    assert {name: context.get(name) for name in ("runAsUser", "runAsGroup", "runAsNonRoot")} == {
        "runAsUser": 1234,
        "runAsGroup": 2345,
        "runAsNonRoot": True,
    }
    labels = {"team": "own", "app": "demo", "kade2kfp/step": "t"}
    assert {name: metadata["labels"].get(name) for name in labels} == labels
    assert metadata["annotations"]["note"] == "x"
    assert metadata["annotations"]["kade2kfp/description"] == "for people"
    assert spec["activeDeadlineSeconds"] == 45
    shm = next(mount["name"] for mount in main["volumeMounts"] if mount["mountPath"] == "/dev/shm")
    (volume,) = (one for one in spec["volumes"] if one["name"] == shm)
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}


def test_a_claim_and_a_secret_take_their_names_from_the_run(folder: Path) -> None:
    (folder / "claims/the-claim").mkdir(parents=True)
    (folder / "claims/the-claim/x").write_text("x ")
    done = run(
        {
            "parameters": [{"name": name, "type": "string", "default": f"the-{name}"} for name in ("claim", "secret")],
            "volumes": [{"id": "v", "claimName": "{{params.claim}}"}],
            "tasks": [
                job(
                    "t",
                    'cat /v/x; echo "$A"',
                    volumes=[{"id": "v", "mountPath": "/v"}],
                    env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "{{params.secret}}", "key": "k"}}}],
                ),
            ],
        },
        folder,
        parameters={"secret": "other"},
        secrets={"other": {"k": "s"}},
    )
    assert done.logs["t"] == "x s\n"


@pytest.mark.parametrize(("on", "pods"), [("exit", 1), ("pod", 3)])
def test_a_retry_is_where_it_is_asked_for(folder: Path, on: str, pods: int) -> None:
    document = {"tasks": [job("t", "echo again; exit 3", retry={"limit": 2, "on": on})]}
    done = run(document, folder, retry_policy="OnFailure")
    assert len(done.pods) == done.tasks["t"].attempts == pods
    assert done.logs["t"].count("again\n") == (3 if on == "exit" else 1)
    assert done.codes["t"] == 3


def test_only_what_may_be_is_taken_from_the_cache(folder: Path) -> None:
    tasks = [job("may", "true", cache=True), job("not", "true", cache=False)]
    done = run({"tasks": tasks}, folder)
    assert {path: task.cached for path, task in done.tasks.items()} == {"may": True, "not": False}


def test_every_folder_that_a_run_needs_is_prepared(folder: Path) -> None:
    done = run(
        {
            "volumes": [{"id": "nas", "claimName": "nas"}],
            "tasks": [job("make", "touch /one/x /two/y"), job("use", "ls /a /b")],
            "arrows": [
                arrow("make", "use", "/a", "/one", volume="nas"),
                arrow("make", "use", "/b", "/two", volume="nas"),
            ],
        },
        folder,
        user=1000,
    )
    assert done.logs["use"] == "/a:\nx\n\n/b:\ny\n", done.logs


def test_the_prepare_step_runs_where_the_defaults_say(folder: Path) -> None:
    toleration = {"key": "ours", "operator": "Exists", "effect": "NoSchedule"}
    done = run(
        {
            "defaults": {
                "image": "private/img:1",
                "tolerations": [toleration],
                "nodeSelector": {"pool": "ml"},
                "imagePullSecrets": [{"name": "registry"}],
            },
            "volumes": [{"id": "nas", "claimName": "nas"}],
            "tasks": [job("make", "touch /out/x"), job("use", "ls /in")],
            "arrows": [arrow("make", "use", "/in", volume="nas")],
        },
        folder,
    )
    assert done.state == "succeeded"
    for name in ("prepare-volumes", "make", "use"):
        spec = pod_of(done, name)["spec"]
        assert spec["tolerations"] == [toleration], name
        assert spec["nodeSelector"] == {"pool": "ml"}, name
        assert spec["imagePullSecrets"] == [{"name": "registry"}], name
