"""The machine builds a step's pod as KFP 2.17 and Argo do, and runs it as Kubernetes does."""

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import kubernetes

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.components import compiled, say, shell, show
from ir.expand import RUN_ID
from ir.machine import Outcome, execute
from ir.pod import main_of
from ir.volumes import project

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="files of several owners need root")


def run(folder: Path, function: Callable[..., Any], **more: Any) -> Outcome:
    return execute(compiled(function), folder, **more)


def one(script: str, **platform: Any) -> str:
    """A pipeline of one task, `shell`, with a Kubernetes part as it stands in the YAML."""

    def flow():
        shell(script=script)

    return compiled(flow, lambda _, executors: executors.update({"exec-shell": platform}))


def claim(name: str, path: str, sub_path: str = "") -> dict[str, Any]:
    named = {"pvcNameParameter": {"runtimeValue": {"constant": name}}, "mountPath": path}
    return named | ({"subPath": sub_path} if sub_path else {})


@AS_ROOT
def test_kubelet_makes_missing_sub_paths_as_root_s_own(folder: Path) -> None:
    text = one("stat -c %u:%a /data; touch /data/x", pvcMount=[claim("nas", "/data", "a/{{workflow.uid}}")])
    assert execute(text, folder / "root").logs["shell"] == "0:755\n"
    closed = execute(text, folder / "user", user=1000)
    assert "Permission denied" in closed.logs["shell"]
    assert closed.codes["shell"] != 0
    assert execute(text, folder / "open", user=1000, claims={"nas": 0o777}).state == "succeeded"
    assert (folder / "open/claims/nas/a" / RUN_ID / "x").exists()


def test_one_claim_twice_is_one_volume_and_two_mounts(folder: Path) -> None:
    done = execute(one("touch /a/1 /b/2", pvcMount=[claim("nas", "/a", "x"), claim("nas", "/b", "y")]), folder)
    assert sorted(path.name for path in (folder / "claims/nas").rglob("?")) == ["1", "2", "x", "y"], done.logs
    pod = done.tasks["shell"].pod or {}
    assert [volume["name"] for volume in pod["spec"]["volumes"]].count("nas") == 1


def test_a_claim_and_a_secret_of_one_name_are_refused(folder: Path) -> None:
    text = one("true", pvcMount=[claim("both", "/a")], secretAsVolume=[{"secretName": "both", "mountPath": "/b"}])
    with pytest.raises(AssertionError, match="Kubernetes refuses volume 'both'"):
        execute(text, folder, secrets={"both": {}})


@AS_ROOT
def test_a_mount_at_kfp_s_own_path_takes_it_over(folder: Path) -> None:
    done = execute(one("ls /minio", pvcMount=[claim("nas", "/minio")]), folder, user=1000)
    assert done.codes.get("shell") is None
    assert done.state == "failed"


def test_an_unknown_key_of_the_platform_is_refused(folder: Path) -> None:
    with pytest.raises(AssertionError, match="KFP drops the whole platform part"):
        execute(one("true", pvcMounts=[]), folder)


def test_secrets_config_maps_and_fields(folder: Path) -> None:
    text = one(
        'echo "$A $B $C $D"; cat /s/key; ls /none; touch /s/x',
        secretAsEnv=[{"secretName": "s", "keyToEnv": [{"secretKey": "key", "envVar": "A"}]}],
        configMapAsEnv=[{"configMapName": "c", "keyToEnv": [{"configMapKey": "k", "envVar": "B"}]}],
        fieldPathAsEnv=[
            {"name": "C", "fieldPath": "metadata.labels['mine']"},
            {"name": "D", "fieldPath": "metadata.annotations['a/b']"},
        ],
        secretAsVolume=[{"secretName": "s", "mountPath": "/s"}],
        configMapAsVolume=[{"configMapName": "nobody", "mountPath": "/none", "optional": True}],
        podMetadata={"labels": {"mine": "l$$"}, "annotations": {"a/b": "{{workflow.name}}"}},
    )
    done = execute(text, folder / "there", secrets={"s": {"key": "$$(x)"}}, config_maps={"c": {"k": "v"}})
    assert done.logs["shell"].splitlines()[:2] == [
        "$$(x) v l$$ a-run-x7x7x",
        "$$(x)touch: cannot touch '/s/x': Read-only file system",
    ]
    for more in ({}, {"secrets": {"s": {}}, "config_maps": {"c": {"k": "v"}}}):
        waits = execute(text, folder / f"missing-{len(more)}", **more)
        assert waits.state == "failed"
        assert waits.tasks["shell"].exit_code is None
        assert waits.logs["shell"].startswith("pod: ")


def test_a_config_map_that_is_made_later_arrives_in_the_running_step(folder: Path) -> None:
    text = one(
        "until [ -e /gate/decision ]; do sleep 0.05; done; cat /gate/decision",
        configMapAsVolume=[
            {
                "configMapNameParameter": {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}},
                "mountPath": "/gate",
                "optional": True,
            }
        ],
    )
    volume = folder / "pods/shell/0/volumes" / RUN_ID

    def decide() -> None:
        for _ in range(500):
            if (volume / "..data").exists():
                project(volume, {"decision": "resume"})
                return
            time.sleep(0.02)

    thread = threading.Thread(target=decide)
    thread.start()
    done = execute(text, folder, timeout=20)
    thread.join()
    assert done.logs["shell"] == "resume"


@pytest.mark.parametrize("user", [0, 1000])
def test_a_step_has_no_capabilities_and_gets_none(folder: Path, user: int) -> None:
    done = execute(one("grep -E '^(Cap(Eff|Bnd|Prm)|NoNewPrivs)' /proc/self/status; id -u; umask"), folder, user=user)
    values = [line.split()[-1] for line in done.logs["shell"].splitlines()]
    assert values == ["0" * 16, "0" * 16, "0" * 16, "1", str(user), "0000"]


@AS_ROOT
def test_root_may_not_write_what_is_another_user_s(folder: Path) -> None:
    text = one("echo x > /data/file", pvcMount=[claim("nas", "/data")])
    (folder / "claims/nas").mkdir(parents=True)
    (folder / "claims/nas/file").write_text("theirs")
    (folder / "claims/nas/file").chmod(0o644)
    shutil.chown(folder / "claims/nas/file", 1000, 1000)
    assert "Permission denied" in execute(text, folder).logs["shell"]


def test_a_read_only_root_takes_writes_only_where_something_is_mounted(folder: Path) -> None:
    empty = {"emptyDirMounts": [{"volumeName": "tmp", "mountPath": "/tmp"}]}

    def flow():
        say(x="1")

    for user in (0, 1000):
        assert "Read-only" in execute(one("touch /x"), folder / f"a{user}", user=user, read_only=True).logs["shell"]
        assert (
            execute(one("touch /tmp/x", **empty), folder / f"b{user}", user=user, read_only=True).state == "succeeded"
        )
        assert run(folder / f"c{user}", flow, user=user, read_only=True).state == "failed"
    mounted = compiled(flow, lambda _, executors: executors.update({"exec-say": empty}))
    assert execute(mounted, folder / "d", user=1000, read_only=True).state == "succeeded"


@AS_ROOT
def test_a_user_that_the_document_names_runs_the_step(folder: Path) -> None:
    done = execute(one("id -u; id -g; touch /home/x", securityContext={"runAsUser": "1234"}), folder)
    assert done.logs["shell"].startswith("1234\n1234\n")
    assert "Permission denied" in done.logs["shell"]


def test_a_pod_ends_at_its_deadline(folder: Path) -> None:
    began = time.monotonic()
    done = execute(one("echo began; sleep 60", activeDeadlineSeconds="1"), folder)
    assert done.logs["shell"].startswith("began\nPod was active")
    assert (done.state, done.tasks["shell"].exit_code) == ("failed", None)
    assert time.monotonic() - began < 20


def test_a_pod_is_whole(folder: Path) -> None:
    def flow(image: str = "img:2"):
        task = shell(script="true").set_caching_options(False)
        task.set_cpu_limit("2").set_memory_request("1Gi").set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(
            1
        )
        task.set_container_image(image)
        kubernetes.add_toleration(task, key="k", operator="Exists", effect="NoSchedule")
        kubernetes.set_image_pull_secrets(task, ["regcred"])
        kubernetes.add_node_selector(task, "disk", "fast")
        kubernetes.set_image_pull_policy(task, "Always")
        kubernetes.add_pod_label(task, "team", "x")
        show(x="a")

    done = run(folder, flow)
    assert (done.tasks["shell"].cached, done.tasks["show"].cached) == (False, True)
    path, pod = next(found for found in done.pods if found[0] == "shell")
    main, spec = main_of(pod), pod["spec"]
    assert path == "shell"
    assert main["image"] == "img:2"
    assert main["resources"] == {"limits": {"cpu": "2", "nvidia.com/gpu": "1"}, "requests": {"memory": "1Gi"}}
    assert [one["name"] for one in spec["initContainers"]] == ["init", "kfp-launcher"]
    assert spec["tolerations"] == [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}]
    assert (spec["nodeSelector"], spec["imagePullSecrets"]) == ({"disk": "fast"}, [{"name": "regcred"}])
    assert main["imagePullPolicy"] == "Always"
    assert main["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["metadata"]["labels"]["team"] == "x"
    names = {volume["name"] for volume in spec["volumes"]}
    for container in [*spec["initContainers"], *spec["containers"]]:
        assert {mount["name"] for mount in container["volumeMounts"]} <= names
