"""templates/apply.py starts viewers, and never fails for it."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from lowering.service_steps import INPUT, URI, viewer, viewer_of_artifacts

from .applying import Bench, Done, benches
from .kube_api import Fault

NAME = "demo-board-8c1f5c1e"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as made:
        yield made


def well(done: Done) -> bool:
    return (done.code, done.outputs.get("problem"), done.said) == (0, "", ())


def old(kind: str, name: str, expires: str, **labels: str) -> Any:
    own = {"app.kubernetes.io/managed-by": "kade2kfp", "kade2kfp/service": "viewer"} | labels
    version = {"Deployment": "apps/v1", "Service": "v1"}[kind]
    spec = {"template": {"metadata": {"labels": {}}, "spec": {"containers": []}}} if kind == "Deployment" else {}
    metadata = {"name": name, "labels": own, "annotations": {"kade2kfp/expires": expires}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def test_a_viewer(bench: Bench) -> None:
    done = bench.run(viewer())
    assert well(done)
    assert done.outputs["url"] == f"http://{NAME}.team.svc:6006/"
    thing = bench.kube.get("Deployment", NAME)
    assert thing["spec"]["replicas"] == 1
    assert thing["spec"]["template"]["metadata"]["labels"]["kade2kfp/run"].startswith("8c1f5c1e")
    expires = thing["metadata"]["annotations"]["kade2kfp/expires"]
    assert 3500 < time.mktime(time.strptime(expires, "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime()) < 3700
    assert bench.kube.names("Service") == [NAME]


def test_a_viewer_does_not_wait_until_it_is_ready(bench: Bench) -> None:
    bench.kube.behaviours = ["crash"]
    assert well(bench.run(viewer()))


def test_a_paused_viewer(bench: Bench) -> None:
    assert well(bench.run(viewer(paused=True)))
    assert bench.kube.get("Deployment", NAME)["spec"]["replicas"] == 0


def test_the_same_run_again(bench: Bench) -> None:
    assert well(bench.run(viewer()))
    assert well(bench.run(viewer()))


def test_expired_viewers_are_removed_page_by_page(bench: Bench) -> None:
    bench.kube.page = 3
    for number in range(8):
        for kind in ("Deployment", "Service"):
            bench.kube.put(old(kind, f"old-{number}", "2026-01-01T00:00:00Z"))
    bench.kube.put(old("Deployment", "later", "2999-01-01T00:00:00Z"))
    bench.kube.put(old("Deployment", "for-ever", ""))
    bench.kube.put(old("Deployment", "serving", "2026-01-01T00:00:00Z", **{"kade2kfp/service": "serving"}))
    bench.kube.put(old("Deployment", "theirs", "2026-01-01T00:00:00Z", **{"app.kubernetes.io/managed-by": "helm"}))
    done = bench.run(viewer())
    assert (done.code, done.outputs["problem"]) == (0, "")
    assert set(bench.kube.names("Deployment")) >= {"for-ever", "later", "serving", "theirs", NAME}
    assert set(bench.kube.names("Service")) <= {NAME, *(f"old-{number}" for number in range(8))}
    assert "kade2kfp: the viewer old-0 has expired, and is removed" in done.said
    again = bench.run(viewer())
    assert bench.kube.names("Deployment") == sorted({"for-ever", "later", "serving", "theirs", NAME}), again.said
    assert bench.kube.names("Service") == [NAME]


def test_who_may_not_remove_viewers_starts_its_own_all_the_same(bench: Bench) -> None:
    bench.kube.forbidden |= {"list deployments"}
    done = bench.run(viewer())
    assert (done.code, done.outputs["problem"], done.outputs["url"] != "") == (0, "", True)
    assert done.last.startswith(
        "kade2kfp: expired viewers are not removed: the service account pipeline-runner may not list"
    )


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (
            Fault("PATCH deployments", 403, message="exceeded quota: count/deployments.apps=1"),
            "exceeded quota: count/deployments.apps=1",
        ),
        (Fault("PATCH deployments", 422, message="bad {{field}} $(A) $$"), "bad { {field}} $ (A) $ $"),
        (Fault("PATCH", "html"), "is no Kubernetes API; is there a proxy in between?"),
        (Fault("PATCH", 500), "answers 500 again and again: trouble 500"),
    ],
)
def test_whatever_goes_wrong_is_its_problem(bench: Bench, fault: Fault, problem: str) -> None:
    bench.kube.faults.append(fault)
    done = bench.run(viewer(), patience=0.2)
    assert done.code == 0
    assert done.outputs["problem"].endswith(problem)
    assert done.outputs["url"] == ""
    assert done.last.startswith("kade2kfp: the viewer: ")


def test_nobody_there_is_its_problem_too(bench: Bench) -> None:
    bench.account("token").unlink()
    done = bench.run(viewer())
    said = "this pod has no service account token: automountServiceAccountToken is off"
    assert (done.code, done.outputs["problem"]) == (0, said)


def test_even_our_own_bugs_are(bench: Bench) -> None:
    bench.kube.faults.append(Fault("GET deployments", "slow"))
    done = bench.run(viewer(), env={"KUBERNETES_SERVICE_PORT": "no-number"})
    assert done.code == 0
    assert done.outputs["problem"].startswith("our own bug: ValueError: ")


def test_term_ends_it(bench: Bench) -> None:
    bench.kube.faults.append(Fault("PATCH", "slow", seconds=5))
    process = bench.start(viewer())
    while not bench.kube.asked:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert bench.end(process).code == 143


# --- Kubeflow's own


def test_a_tensorboard(bench: Bench) -> None:
    done = bench.run(viewer(flavor="kubeflow"))
    assert well(done)
    assert done.outputs["url"] == f"http://{NAME}.team.svc/"
    path = "pvc://nas-pvc/pipeline/demo/8c1f5c1e-3f0a-4b8e-9a55-0123456789ab/train/_/logs"
    assert bench.kube.get("Tensorboard", NAME)["spec"] == {"logspath": path}
    assert bench.kube.names("Deployment") == []


def test_a_cluster_that_has_none(bench: Bench) -> None:
    bench.kube.missing.add("tensorboards")
    done = bench.run(viewer(flavor="kubeflow"))
    assert done.code == 0
    assert done.outputs["url"] == f"http://{NAME}.team.svc:6006/"
    assert done.outputs["problem"] == (
        "this cluster has no Tensorboard (tensorboard.kubeflow.org/v1alpha1): install Kubeflow's tensorboard-controller, "
        "or leave out `flavor`; it is a Deployment instead"
    )
    assert bench.kube.names("Service") == [NAME]


# --- artifacts


def fetching(bench: Bench) -> Any:
    pod = bench.kube.get("Deployment", NAME)["spec"]["template"]["spec"]
    return pod["initContainers"]


def test_artifacts_are_fetched_as_kfp_would(bench: Bench) -> None:
    assert well(bench.run(viewer_of_artifacts()))
    logs, notes = fetching(bench)
    assert logs["args"][2:] == [URI, "/kade/in/logs", "directory"]
    about, key, secret = logs["env"]
    assert json.loads(about["value"]) == {
        "endpoint": "store.team:9000",
        "region": "minio",
        "disableSSL": "true",
        "forcePathStyle": "true",
    }
    assert key == {
        "name": "AWS_ACCESS_KEY_ID",
        "valueFrom": {"secretKeyRef": {"name": "store-keys", "key": "accesskey"}},
    }
    assert secret["valueFrom"]["secretKeyRef"]["key"] == "secretkey"
    # Nothing is said of the other one, which is at Amazon: the document's own variables may open it.
    assert notes["args"][2:] == ["s3://bucket/notes.md", "/kade/in/notes", "file"]
    assert {"name": "LEVEL", "value": "debug"} in notes["env"]
    assert notes["securityContext"]["runAsUser"] == 65534


@pytest.mark.parametrize(
    ("uris", "told"),
    [
        ({"logs": "minio://b/logs", "notes": "minio://b/x"}, INPUT),
        ({"logs": URI, "notes": URI}, "no JSON"),
        ({"logs": URI, "notes": URI}, INPUT.replace("store_session_info", "other")),
    ],
)
def test_an_artifact_of_which_nothing_is_said_lies_in_kfps_own_store(bench: Bench, uris: Any, told: str) -> None:
    assert well(bench.run(viewer_of_artifacts(), uris=uris | {"": told}))
    about, key, _ = fetching(bench)[0]["env"]
    assert json.loads(about["value"])["endpoint"] == "seaweedfs.kubeflow:9000"
    assert key["valueFrom"]["secretKeyRef"]["name"] == "mlpipeline-minio-artifact"


@pytest.mark.parametrize("uri", ["gs://bucket/logs", "oci://registry/model", "/mnt/x"])
def test_other_stores_are_not_read(bench: Bench, uri: str) -> None:
    done = bench.run(viewer_of_artifacts(), uris={"logs": uri, "notes": URI})
    said = f"an artifact at {uri} cannot be shown: let a volume carry the arrow"
    assert (done.code, done.outputs["problem"]) == (0, said)
    assert bench.kube.names("Deployment") == []
