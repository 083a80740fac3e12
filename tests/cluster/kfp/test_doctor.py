"""`doctor`: what a cluster lacks is said, each with what to do; nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp_server import Kfp, serve

from kade2kfp.api import parse, validate
from kade2kfp.cluster.connect import connect
from kade2kfp.cluster.kfp.client import kfp_of
from kade2kfp.cluster.kfp.reach import _behind
from kade2kfp.cluster.kfp.versions import later
from kade2kfp.cluster.kfp.where import Forward
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.plan.needs import needs_of

from .kube import Kube
from .side import SECRET, SMALL, Ran, compiled, quick, write

Cli = Callable[..., Ran]
TASK = SMALL["tasks"][0]
DEFAULT = {"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
NEEDY: dict[str, Any] = SMALL | {
    "parameters": [{"name": "secret", "type": "string"}],
    "timeout": "1h",
    "volumes": [{"id": "made", "create": {"size": "1Gi"}}, {"id": "there", "claimName": "data"}],
    "defaults": {"imagePullSecrets": ["pull"]},
    "tasks": [
        TASK
        | {
            "volumes": [
                {"id": "made", "mountPath": "/a"},
                {"id": "there", "mountPath": "/b"},
                {"configMap": "settings", "mountPath": "/c"},
                {"secret": "maybe", "optional": True, "mountPath": "/d"},
            ],
            "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "{{params.secret}}", "key": "token"}}}],
        }
    ],
}


def healthy(kube: Kube) -> None:
    kube.objects[("storageclasses", "fast")] = DEFAULT
    kube.objects[("secrets", "mlpipeline-minio-artifact")] = {"data": {"accesskey": SECRET, "secretkey": SECRET}}


def findings(ran: Ran) -> dict[str, tuple[str, str]]:
    return {one["check"]: (one["state"], one["text"]) for one in ran.json["findings"]}


def test_a_healthy_cluster(kfp: Kfp, kube: Kube, cli: Cli) -> None:
    healthy(kube)
    ran = cli("doctor", "--endpoint", kfp.url)
    assert (ran.code, ran.err) == (0, "nothing fails")
    rows = ran.out.splitlines()
    assert all(row.startswith("ok    ") for row in rows), ran.out
    assert f"ok    KFP 2.17.0 at {kfp.url[7:]}" in rows
    assert "ok    you may decide gates (gates, resume, reject) in namespace kubeflow" in rows
    assert "ok    storage classes: fast (default)" in rows
    assert {one.method for one in kfp.requests} == {"GET"}
    assert {one.split()[0] for one in kube.asked} == {"GET", "POST"}
    assert all(one["kind"].endswith("SubjectAccessReview") for one in kube.reviews)


def test_rights_that_are_missing(kfp: Kfp, kube: Kube, cli: Cli) -> None:
    healthy(kube)
    kube.denied = {"create pods/exec", "patch configmaps", "patch deployments/scale", "steps: create services"}
    ran = cli("doctor", "--endpoint", kfp.url, "--output", "json")
    found = findings(ran)
    assert ran.code == 0
    assert found["gates"] == (
        "warn",
        "you may not decide gates (gates, resume, reject) in namespace kubeflow: missing patch configmaps, create pods/exec",
    )
    assert found["use"][1].endswith("missing create pods/exec, patch deployments/scale.apps")
    assert found["maintain"][0] == "ok"
    assert found["steps"][1] == (
        "steps (service account pipeline-runner) may not leave viewers and servings running in namespace kubeflow: missing create services"
    )
    assert {one["help"] for one in ran.json["findings"] if one["state"] == "warn"} == {
        "somebody who may has to grant it: `kade2kfp rbac` prints the roles"
    }


def test_rights_that_nobody_tells(kfp: Kfp, kube: Kube, cli: Cli) -> None:
    healthy(kube)
    kube.forbidden = {"subjectaccessreviews", "selfsubjectaccessreviews", "storageclasses", "secrets"}
    found = findings(cli("doctor", "--endpoint", kfp.url, "--output", "json"))
    assert found["gates"] == (
        "warn",
        "the cluster does not say whether you may decide gates (gates, resume, reject) in namespace kubeflow",
    )
    assert found["steps"][1].endswith("only an administrator can ask")
    assert found["storage"] == ("warn", "you may not list storage classes")
    assert found["store"][1].startswith("you may not look for the object store's secret")


@pytest.mark.parametrize(
    ("objects", "check", "state", "says"),
    [
        ({}, "storage", "warn", "there is no storage class"),
        ({("storageclasses", "slow"): {}}, "storage", "warn", "no storage class is the default: slow"),
        ({}, "store", "warn", "there is no secret mlpipeline-minio-artifact in namespace kubeflow"),
        ({("secrets", "mlpipeline-minio-artifact"): {"data": {"accesskey": "x"}}}, "store", "fail", "has no secretkey"),
    ],
)
def test_storage(
    kfp: Kfp, kube: Kube, cli: Cli, objects: dict[tuple[str, str], Any], check: str, state: str, says: str
) -> None:
    kube.objects |= objects
    ran = cli("doctor", "--endpoint", kfp.url, "--output", "json")
    assert findings(ran)[check][0] == state
    assert says in findings(ran)[check][1]
    assert ran.code == (3 if state == "fail" else 0)


def test_what_a_document_names(kfp: Kfp, kube: Kube, cli: Cli, tmp_path: Path) -> None:
    healthy(kube)
    words = ("doctor", write(tmp_path, NEEDY), "--param", "secret=keys", "--endpoint", kfp.url)
    ran = cli(*words)
    assert (ran.code, ran.err) == (3, "4 of 16 failed")
    for need in (
        "claim data (greet)",
        "config map settings (greet)",
        "secret keys, key token (greet)",
        "secret pull (greet)",
    ):
        assert (
            f"fail  {need}: there is none in namespace `kubeflow`\n      help: a run would wait for it for ever"
            in ran.out
        )
    assert "ok    default storage class\n" in ran.out
    assert "maybe" not in ran.out
    kube.objects |= {("persistentvolumeclaims", "data"): {"status": {"phase": "Lost"}}, ("configmaps", "settings"): {}}
    kube.objects |= {("secrets", "keys"): {"data": {"token": ""}}, ("secrets", "pull"): {}}
    ran = cli(*words)
    assert (ran.code, ran.err) == (3, "1 of 16 failed")
    assert "fail  claim data (greet): its volume is lost" in ran.out
    kube.objects[("persistentvolumeclaims", "data")] = {"status": {"phase": "Pending"}}  # it waits for its first pod
    assert cli(*words).code == 0
    assert "serviceaccounts" not in " ".join(kube.asked)
    ran = cli(*words, "--service-account", "robot")
    assert "fail  service account robot: there is none" in ran.out


def test_what_only_a_run_knows_is_not_looked_for() -> None:
    plan = validate(parse(json.dumps(NEEDY))).plan
    assert plan is not None
    assert "secret" not in " ".join(
        str(one) for one in needs_of(plan, {}) if one.resource != "secrets" or one.name != "pull"
    )


def test_a_document_with_errors(kfp: Kfp, kube: Kube, cli: Cli, tmp_path: Path) -> None:
    ran = cli("doctor", write(tmp_path, SMALL | {"nmae": 1}), "--endpoint", kfp.url)
    assert (ran.code, "K100" in ran.err, kfp.requests) == (1, True, [])
    assert cli("doctor", "--param", "a=1", "--endpoint", kfp.url).code == 2


def test_versions(plain: Path, cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, NEEDY)
    with serve(execute=False, version_tag="2.15.2") as kfp:
        ran = cli("doctor", "--endpoint", kfp.url)
        assert ran.code == 0
        assert "warn  it lacks the user and group of pods: KFP has that from 2.16 on" in ran.out
        ran = cli("doctor", file, "--param", "secret=s", "--endpoint", kfp.url)
        assert ran.code == 3
        assert (
            "fail  the pipeline needs a timeout of the whole run: KFP has that from 2.17 on\n      help: update KFP, or do without it"
            in ran.out
        )
    with serve(execute=False, version_tag="2.19.0") as kfp:
        assert "later than 2.17" in cli("doctor", "--endpoint", kfp.url).out
    with serve(execute=False, version_tag="dev") as kfp:
        assert "its version is `dev`" in cli("doctor", "--endpoint", kfp.url).out
    with serve(execute=False, version_tag="1.8.5") as kfp:
        ran = cli("doctor", "--endpoint", kfp.url)
        assert (ran.code, "fail  " in ran.out, "cannot run these pipelines" in ran.out) == (3, True, True)


def test_what_of_a_pipeline_an_older_kfp_lacks() -> None:
    plain_ = compiled(json.dumps(SMALL))
    assert [words for _, words in later((2, 0), plain_)] == ["labels of pods, by which kade2kfp finds gates and logs"]
    assert later((2, 1), plain_) == []
    needy = later((2, 4), compiled(json.dumps(NEEDY)))
    assert [since for since, _ in needy] == [(2, 5), (2, 14), (2, 16), (2, 17)]
    assert later((2, 17)) == []


def test_several_users(plain: Path, kube: Kube, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy(kube)
    monkeypatch.setenv("KFP_EXISTING_TOKEN", SECRET)
    with serve(execute=False, multi_user=True, auth="token", users={SECRET: "alice@example.com"}) as kfp:
        ran = cli("doctor", "--endpoint", kfp.url)
        assert (ran.code, "fail  the KFP at" in ran.out, "name yours by --namespace" in ran.out) == (3, True, True)
        ran = cli("doctor", "--endpoint", kfp.url, "-n", "team-a")
        assert ran.code == 0
        assert "ok    you may list runs in namespace team-a" in ran.out
        assert "steps (service account default-editor) may leave viewers" in ran.out
        assert kube.namespaces == {"", "kubeflow", "team-a"}
        ran = cli("doctor", "--endpoint", kfp.url, "-n", "team-b")
        assert (ran.code, "fail  you may not list runs (403)" in ran.out) == (3, True)


def test_nothing_answers(plain: Path, kube: Kube, cli: Cli) -> None:
    kube.stop()
    ran = cli("doctor", "--endpoint", "http://127.0.0.1:1")
    assert ran.code == 3
    assert "fail  could not ask KFP for its version: nothing listens at 127.0.0.1:1" in ran.out
    assert "fail  could not ask for rights: nothing listens at" in ran.out


def test_no_kubernetes_is_no_failure(kfp: Kfp, cli: Cli) -> None:
    ran = cli("doctor", "--endpoint", kfp.url)
    assert (ran.code, "warn  Kubernetes was not looked at: there is no kubeconfig" in ran.out) == (0, True)


def test_the_pod_behind_a_service(kube: Kube) -> None:
    cluster = connect()
    port = {"port": 8888, "targetPort": "http"}
    service: dict[str, Any] = {"spec": {"selector": {"app": "ml-pipeline"}, "ports": [port]}}
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    container = {"ports": [{"name": "http", "containerPort": 8080}]}
    with pytest.raises(CannotDoError, match="could not read services ml-pipeline"):
        _behind(cluster, Forward())
    kube.objects[("services", "ml-pipeline")] = service
    kube.objects[("pods", "starting")] = {"metadata": {"name": "starting"}, "status": {"phase": "Pending"}}
    with pytest.raises(CannotDoError, match="no pod of the service ml-pipeline in namespace `kubeflow` is ready"):
        _behind(cluster, Forward())
    kube.objects[("pods", "up")] = {"metadata": {"name": "up"}, "status": ready, "spec": {"containers": [container]}}
    assert _behind(cluster, Forward()) == ("up", 8080)
    port["targetPort"] = 9000
    assert _behind(cluster, Forward()) == ("up", 9000)
    with pytest.raises(CannotDoError, match="has no port 80"):
        _behind(cluster, Forward(port=80))
    service["spec"]["selector"] = {}
    with pytest.raises(CannotDoError, match="leads to no pods"):
        _behind(cluster, Forward())


def test_kfp_is_left_as_it_was(kfp: Kfp) -> None:
    with kfp_of(quick(kfp.url)):
        pass
    assert (kfp.pipelines, kfp.runs, len(kfp.experiments)) == ({}, {}, 1)
