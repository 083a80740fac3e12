"""What a pod may not have, and Kubernetes takes: `validate` refuses the document, and here is why it must.

The other rows of the table are in test_refused.py.
"""

from __future__ import annotations

import copy
import errno
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp.dsl import utils
from kfp.kubernetes import kubernetes_executor_config_pb2

from .judge import Judge, Verdict
from .made import CONFIG, SECRET, Json, codes, job, main_of, term, unchecked, verdict
from .pods import drafts
from .template import KFP_MOUNTS


def mounts(found: Verdict) -> list[Json]:
    """The mounts of the user's container of a pod that was accepted."""
    return list(main_of(found)["volumeMounts"])


def test_two_mounts_at_one_path_become_a_mixture_that_kubernetes_takes(judge: Judge) -> None:
    document = job(
        volumes=[{"id": "c-1", "mountPath": "/a", "subPath": "x"}, {"id": "c-2", "mountPath": "/a"}],
    )
    assert codes(document) == {"K406"}
    here = [one for one in mounts(verdict(judge, unchecked(document))) if one["mountPath"] == "/a"]
    assert here == [{"name": "c-2", "mountPath": "/a", "subPath": "x"}]  # one claim at the other one's folder


@pytest.mark.parametrize("path", KFP_MOUNTS)
def test_a_mount_at_a_path_of_kfp_takes_its_place(judge: Judge, path: str) -> None:
    document = job(volumes=[{"id": "c-1", "mountPath": path}])
    assert codes(document) == {"K407"}
    found = {one["mountPath"]: one["name"] for one in mounts(verdict(judge, unchecked(document)))}
    assert found[path] == "c-1"
    assert KFP_MOUNTS[path] not in found.values()


@pytest.mark.parametrize("path", [f"{own}/x" for own in KFP_MOUNTS])
def test_a_mount_below_a_path_of_kfp_hides_what_kfp_puts_there(judge: Judge, path: str) -> None:
    document = job(volumes=[{"id": "c-1", "mountPath": path}])
    assert codes(document) == {"K407"}
    found = {one["mountPath"]: one["name"] for one in mounts(verdict(judge, unchecked(document)))}
    own = path.removesuffix("/x")
    assert (found[own], found[path]) == (KFP_MOUNTS[own], "c-1")


@pytest.mark.parametrize("path", ["/", "/var", "/var/run"])
def test_a_mount_above_paths_of_kfp_and_argo_is_taken_and_hides_the_image(judge: Judge, path: str) -> None:
    document = job(volumes=[{"id": "c-1", "mountPath": path}])
    assert codes(document) == {"K407"}
    found = [one["mountPath"] for one in mounts(verdict(judge, unchecked(document)))]
    assert path in found
    assert any(Path(one).is_relative_to(path) for one in found if one != path)


def test_a_mount_at_the_workspace_takes_its_place(judge: Judge) -> None:
    both = [{"id": "w", "mountPath": "/w"}, {"id": "c-1", "mountPath": "/kfp-workspace"}]
    volumes = [{"id": "w", "create": {"size": "1Gi"}, "prepare": False}, {"id": "c-1", "claimName": "c-1"}]
    document = job(volumes=both) | {"volumes": volumes}
    assert codes(document) == {"K407"}
    draft = drafts(unchecked(document))[-1]
    # The driver has no word against it: it looks before it adds the document's mounts (driver.go, initPodSpecPatch).
    asked = [one["name"] for one in draft["podSpecPatch"]["containers"][0]["volumeMounts"]]
    assert "c-1" in asked
    (found,) = judge([draft])
    assert {one["mountPath"]: one["name"] for one in mounts(found)}["/kfp-workspace"] == "c-1"


@pytest.mark.parametrize("path", ["/kade", "/kade/x", "/oci", "/oci/x"])
def test_a_mount_at_what_is_no_mount_yet_is_refused_by_validate_alone(judge: Judge, path: str) -> None:
    document = job(volumes=[{"id": "c-1", "mountPath": path}])
    assert codes(document) == {"K407"}
    assert path in [one["mountPath"] for one in mounts(verdict(judge, unchecked(document)))]


def test_of_one_variable_set_twice_kubernetes_takes_one_without_a_word(judge: Judge) -> None:
    document = job(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])
    assert codes(document) == {"K216"}
    found = verdict(judge, unchecked(document))
    assert len([one for one in main_of(found)["env"] if one["name"] == "A"]) == 1


@pytest.mark.parametrize("image", ["", "busy box:1"])
def test_an_image_that_is_none_is_not_kubernetes_business(judge: Judge, image: str) -> None:
    document = job(image=image)
    assert codes(document) in ({"K105"}, {"K205"})

    def change(draft: Json) -> None:
        main = draft["podSpecPatch"]["containers"][0]
        # Go leaves out what is empty, and what the compiler has put there for Argo's lint stays.
        main.pop("image")
        main |= {"image": image} if image else {}

    found = verdict(judge, unchecked(job()), change)
    assert main_of(found)["image"] == (image or "gcr.io/ml-pipeline/should-be-overridden-during-runtime")


def test_a_task_without_an_image_has_no_pod() -> None:
    document = job()
    del document["tasks"][0]["image"]
    assert codes(document) == {"K204"}


def test_a_pull_secret_that_is_named_twice_reaches_kubernetes_once(judge: Judge) -> None:
    document = job(imagePullSecrets=["registry", {"name": "registry"}])
    assert codes(document) == {"K200"}
    found = verdict(judge, unchecked(document))
    assert not found.refused
    assert not any("duplicate name" in one for one in found.warnings)


def test_a_number_beyond_64_bits_chooses_no_node_and_kubernetes_takes_it(judge: Judge) -> None:
    def compared(value: str) -> Json:
        return job(nodeAffinity=term(operator="Gt", values=[value]))

    assert not codes(compared(str(2**63 - 1)))
    assert codes(compared(str(2**63))) == {"K222"}
    # The API server looks at the form of a label alone; the scheduler's strconv.ParseInt(value, 10, 64) fails.
    assert not verdict(judge, unchecked(compared(str(2**63)))).refused


def test_a_variable_of_argo_with_a_value_takes_the_place_of_argos(judge: Judge) -> None:
    document = job(env=[{"name": "ARGO_CONTAINER_NAME", "value": "mine"}])
    assert codes(document) == {"K217"}
    env = {one["name"]: one.get("value") for one in main_of(verdict(judge, unchecked(document)))["env"]}
    assert env["ARGO_CONTAINER_NAME"] == "mine"


@pytest.mark.parametrize("key", ["cluster-autoscaler.kubernetes.io/safe-to-evict", "app.kubernetes.io/name"])
def test_annotations_that_kubernetes_does_not_read_are_the_users(judge: Judge, key: str) -> None:
    document = job(annotations={key: "false"})
    assert not codes(document)
    assert not verdict(judge, unchecked(document)).refused


@pytest.mark.parametrize("security", [{"runAsNonRoot": True}, {"runAsNonRoot": True, "runAsUser": 0}])
def test_whether_an_image_runs_as_root_only_the_node_can_tell(judge: Judge, security: Json) -> None:
    document = job(securityContext=security)
    # Of the image nothing is known here; with user 0 it can never start, which Kubernetes leaves to the kubelet.
    assert codes(document) == ({"K222"} if "runAsUser" in security else set())
    assert not verdict(judge, unchecked(document)).refused


def test_whether_a_claim_exists_only_the_cluster_can_tell(judge: Judge) -> None:
    document = job(volumes=[{"id": "c-1", "mountPath": "/a"}])
    assert not codes(document)
    assert not verdict(judge, unchecked(document)).refused


def test_every_key_of_the_platform_part_is_one_that_kfp_knows() -> None:
    document = job(
        imagePullPolicy="Always",
        imagePullSecrets=["s"],
        env=[{"name": "A", "valueFrom": SECRET}, {"name": "B", "valueFrom": CONFIG}],
        volumes=[{"id": "c-1", "mountPath": "/a"}, {"secret": "s", "mountPath": "/b"}, {"emptyDir": {}, "mountPath": "/c"}],
        nodeSelector={"a": "b"},
        nodeAffinity=term(operator="Exists"),
        tolerations=[{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}],
        securityContext={"runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": True},
        labels={"a": "b"},
        annotations={"a": "b"},
        timeout="1h",
    )  # fmt: skip
    platform = list(yaml.safe_load_all(unchecked(document)))[1]["platforms"]["kubernetes"]
    assert set(platform) == {"deploymentSpec"}
    assert set(platform["deploymentSpec"]) == {"executors"}
    for config in platform["deploymentSpec"]["executors"].values():
        assert len(config) > 10
        known(config)
        # KFP's server drops all of it for one such key; here it is an error, in the test's own reading too.
        with pytest.raises(json_format.ParseError, match="shmSize"):
            known(config | {"shmSize": "1Gi"})


def known(config: Json) -> None:
    json_format.ParseDict(config, kubernetes_executor_config_pb2.KubernetesExecutorConfig())


def test_an_output_that_no_step_declares_leaves_both_pods_valid_and_a_value_from_nowhere(judge: Judge) -> None:
    document = job(outputs=[{"name": "x", "path": "/x", "type": "string"}])
    document["tasks"].append(document["tasks"][0] | {"id": "b", "outputs": [], "args": ["{{tasks.a.outputs.x}}"]})
    assert not codes(document)
    spec = next(iter(yaml.safe_load_all(unchecked(document))))
    asked = spec["root"]["dag"]["tasks"]["b"]["inputs"]["parameters"]
    (source,) = (one["taskOutputParameter"] for one in asked.values())
    declared = spec["components"]["comp-a"]["outputDefinitions"]["parameters"]
    assert source == {"outputParameterKey": "x", "producerTask": "a"}
    assert source["outputParameterKey"] in declared

    undeclared = copy.deepcopy(document)
    undeclared["tasks"][0]["outputs"] = []
    assert codes(undeclared) == {"K306"}
    del spec["components"]["comp-a"]["outputDefinitions"]
    assert not any(one.refused for one in judge(drafts(yaml.safe_dump(spec))))


def test_an_artifact_that_no_step_declares_leaves_both_pods_valid_and_data_from_nowhere(judge: Judge) -> None:
    load = {"id": "a", "type": "loadData", "url": "https://example.org/a.csv", "path": "/data", "sha256": "0" * 64}
    arrow = {"fromTask": "a", "fromPath": "/data", "toTask": "b", "toPath": "/in"}
    document = job(id="b") | {"arrows": [arrow]}
    document["tasks"].append(load)
    assert not codes(document)
    spec = next(iter(yaml.safe_load_all(unchecked(document))))
    (source,) = (one["taskOutputArtifact"] for one in spec["root"]["dag"]["tasks"]["b"]["inputs"]["artifacts"].values())
    assert source["outputArtifactKey"] in spec["components"]["comp-a"]["outputDefinitions"]["artifacts"]
    assert codes(document | {"arrows": [arrow | {"fromPath": "/other"}]}) == {"K326"}
    del spec["components"]["comp-a"]["outputDefinitions"]
    assert not any(one.refused for one in judge(drafts(yaml.safe_dump(spec))))


def test_names_of_tasks_that_the_sdk_would_change_become_names_of_their_own(judge: Judge) -> None:
    ids = ["a_b", "a-b", "A-b", "1x", "1_x"]
    document = job() | {"tasks": [job()["tasks"][0] | {"id": one} for one in ids]}
    assert not codes(document)
    text = unchecked(document)
    names = set(next(iter(yaml.safe_load_all(text)))["root"]["dag"]["tasks"])
    assert len(names) == len(ids)
    # Argo: workflow/validate/validate.go, isValidWorkflowFieldName, and KFP makes names of templates of it.
    assert all(re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) for name in names)
    assert not any(one.refused for one in judge(drafts(text)))
    # What the SDK would have made of them.
    assert len({utils.sanitize_task_name(one) for one in ids}) < len(ids)


@pytest.mark.parametrize("id_", ["a.b", "a b", "a/b", "é", "-a"])
def test_ids_that_are_no_names_are_refused(id_: str) -> None:
    assert codes(job(id=id_)) == {"K104"}


def test_a_component_above_128_kib_is_too_long_for_the_drivers_arguments(judge: Judge) -> None:
    document = job(command=["echo", "x" * 2**17])
    assert codes(document) == {"K603"}
    text = unchecked(document)
    assert not verdict(judge, text).refused
    spec = next(iter(yaml.safe_load_all(text)))
    container = json.dumps(spec["deploymentSpec"]["executors"]["exec-a"]["container"])
    # The driver is given it as one argument (container.go, addContainerDriverTemplate); Linux takes 128 KiB in one.
    with pytest.raises(OSError, match="too long") as raised:
        subprocess.run(["true", container], check=False)
    assert raised.value.errno == errno.E2BIG
