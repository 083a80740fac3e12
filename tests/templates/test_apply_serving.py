"""templates/apply.py deploys a serving: new versions, bad ones, two at once."""

from __future__ import annotations

import json
import signal
import time

import pytest

from .applying import NAME, PLAIN, Bench, bench, serving, template, version, versions, wait_for, with_env
from .kube_api import Fault

__all__ = ["bench"]


def test_the_first_version(bench: Bench) -> None:
    done = bench.run(serving(example=None))
    assert done.code == 0, done.said
    assert done.outputs["url"] == f"http://{NAME}.team.svc:3000"
    assert done.outputs["version"] == version(bench.kube) == versions(bench.kube)
    assert done.said == (f"kade2kfp: version {done.outputs['version']} answers at {done.outputs['url']}",)
    assert [bench.kube.names(kind) for kind in ("Service", "HorizontalPodAutoscaler")] == [[NAME], [NAME]]
    assert bench.kube.get("Deployment", NAME)["spec"]["replicas"] == 2


def test_versions_that_follow_are_noted_newest_first_and_five_are_kept(bench: Bench) -> None:
    made = []
    for _ in range(6):
        done = bench.run(PLAIN)
        assert done.code == 0, done.said
        made.insert(0, done.outputs["version"])
    assert versions(bench.kube).split() == made[:5]


def test_what_is_no_longer_wanted_goes(bench: Bench) -> None:
    bench.run(serving(example=None))
    assert bench.run(PLAIN).code == 0
    assert bench.kube.names("HorizontalPodAutoscaler") == []


def test_an_autoscaler_that_somebody_else_made_stays(bench: Bench) -> None:
    bench.kube.put({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": NAME}})
    assert bench.run(PLAIN).code == 0
    assert bench.kube.names("HorizontalPodAutoscaler") == [NAME]


@pytest.mark.parametrize(("now", "then"), [(4, 4), (9, 5), (1, 2), (0, 2)])
def test_an_autoscaled_serving_keeps_its_number_of_replicas(bench: Bench, now: int, then: int) -> None:
    step = serving(example=None)
    bench.run(step)
    with bench.kube.lock:
        bench.kube.objects[("Deployment", NAME)]["spec"]["replicas"] = now
    assert bench.run(step).code == 0
    assert bench.kube.get("Deployment", NAME)["spec"]["replicas"] == then


def test_no_replica_is_ready_at_once(bench: Bench) -> None:
    bench.kube.behaviours = ["silent"]
    assert bench.run(serving(autoscale=None, replicas=0)).code == 0


@pytest.mark.parametrize(
    ("fares", "why"),
    [
        ("image", "pod demo-serve-X-pod: ImagePullBackOff: Back-off pulling image"),
        ("crash", "pod demo-serve-X-pod: serving ends with code 3, Error: ValueError: no model"),
        (
            "unschedulable",
            "pod demo-serve-X-pod: Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        ),
        ("silent", "pod demo-serve-X-pod runs, and is not ready yet: it does not answer /readyz"),
        ("quota", 'pods "demo-serve-X-x" is forbidden: exceeded quota: small'),
    ],
)
def test_the_former_template_comes_back_whole(bench: Bench, fares: str, why: str) -> None:
    bench.kube.behaviours = ["ready", fares]
    first = bench.run(with_env("one"))
    before, sets = template(bench.kube), len(bench.kube.names("ReplicaSet"))
    done = bench.run(with_env("two"), timeout=0.5)
    assert done.code == 1
    assert template(bench.kube) == before
    new = next(name for name in bench.kube.names("ReplicaSet") if bench.kube.fares[name] == fares)
    said = why.replace("X", new.rpartition("-")[2])
    failed = f"not within 0.5 s: {said}; {first.outputs['version']} answers as before"
    assert done.last.endswith(f" did not get ready: {failed}")
    assert versions(bench.kube) == first.outputs["version"]
    # An equal template is the same ReplicaSet: its pods have never gone.
    assert len(bench.kube.names("ReplicaSet")) == sets + 1


def test_why_pods_are_not_ready_is_told_once_and_with_the_log(bench: Bench) -> None:
    bench.kube.behaviours = ["crash"]
    done = bench.run(PLAIN, timeout=0.5)
    assert [line for line in done.said if "ends with code 3" in line and "did not" not in line] == [done.said[0]]
    assert done.said[1:3] == ("kade2kfp: | starting", "kade2kfp: | ValueError: no model")


def test_when_the_controller_gives_up_nobody_waits(bench: Bench) -> None:
    bench.kube.behaviours = ["ready", "deadline"]
    bench.run(PLAIN)
    started = time.monotonic()
    done = bench.run(PLAIN, timeout=60)
    assert time.monotonic() - started < 30
    assert "has timed out progressing" in done.last


def test_a_former_version_is_found_by_its_replica_set(bench: Bench) -> None:
    bench.kube.behaviours = ["ready", "silent", "silent"]
    first = bench.run(with_env("one"))
    before = template(bench.kube)
    stopped = bench.start(with_env("two"), name="two")
    wait_for(lambda: version(bench.kube) != first.outputs["version"])
    stopped.send_signal(signal.SIGTERM)
    assert bench.end(stopped, "two").code == 143
    done = bench.run(with_env("three"), timeout=0.3)
    assert f"{first.outputs['version']} answers as before" in done.last
    assert template(bench.kube) == before


def test_of_several_replica_sets_of_a_version_the_last_one_counts(bench: Bench) -> None:
    """Whoever restarts a Deployment by hand makes a template that differs in an annotation."""
    bench.kube.behaviours = ["ready", "ready", "silent", "silent"]
    first = bench.run(with_env("one"))
    with bench.kube.lock:
        thing = bench.kube.objects[("Deployment", NAME)]
        thing["spec"]["template"]["metadata"]["annotations"]["restartedAt"] = "now"
        thing["metadata"]["generation"] += 1
        bench.kube.tick()
        for name in bench.kube.names("ReplicaSet"):
            about = bench.kube.objects[("ReplicaSet", name)]
            late = "restartedAt" in about["spec"]["template"]["metadata"]["annotations"]
            about["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "10" if late else "9"}
    stopped = bench.start(with_env("two"), name="two")
    wait_for(lambda: version(bench.kube) != first.outputs["version"])
    stopped.send_signal(signal.SIGTERM)
    bench.end(stopped, "two")
    assert bench.run(with_env("three"), timeout=0.3).code == 1
    assert template(bench.kube)["metadata"]["annotations"]["restartedAt"] == "now"


def test_who_else_writes_to_it_does_not_keep_a_version_from_being_noted(bench: Bench) -> None:
    def meanwhile(request: str) -> None:
        if request == "PATCH services/demo-serve":
            bench.kube.faults.append(Fault("PATCH deployments", 409, 3))

    bench.kube.after = meanwhile
    done = bench.run(PLAIN)
    assert (done.code, versions(bench.kube)) == (0, done.outputs.get("version")), done.said


def test_a_former_version_of_which_nothing_is_left(bench: Bench) -> None:
    bench.kube.behaviours = ["ready", "silent"]
    first = bench.run(PLAIN)
    with bench.kube.lock:
        (name,) = bench.kube.names("ReplicaSet")
        thing = bench.kube.objects[("Deployment", NAME)]
        thing["spec"]["template"]["metadata"]["labels"]["kade2kfp/version"] = "other"
        thing["metadata"]["generation"] += 1
        del bench.kube.objects[("ReplicaSet", name)]
    done = bench.run(PLAIN, timeout=0.3)
    assert done.code == 1
    assert f"{first.outputs['version']} cannot be put back, for the cluster has kept nothing of it" in done.last


def test_a_first_version_that_fails_leaves_nothing(bench: Bench) -> None:
    bench.kube.behaviours = ["silent"]
    done = bench.run(serving(example=None), timeout=0.3)
    assert done.code == 1
    assert done.last.endswith("; no version has answered before, so all of it is removed")
    assert list(bench.kube.objects) == []
    assert done.outputs == {}


def test_a_version_that_got_ready_after_its_step_was_stopped_counts(bench: Bench) -> None:
    process = bench.start(PLAIN, name="first", every=10.0)
    wait_for(lambda: bench.kube.names("Service"))
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert bench.end(process, "first").code == 143
    assert time.monotonic() - started < 5
    first = version(bench.kube)
    for _ in range(6):
        bench.kube.tick()
    bench.kube.behaviours = ["silent"]
    done = bench.run(PLAIN, timeout=0.3)
    assert done.last.endswith(f"{first} answers as before")
    assert version(bench.kube) == first


def test_a_later_run_takes_over(bench: Bench) -> None:
    bench.kube.behaviours = ["ready", "silent", "ready"]
    bench.run(with_env("one"))
    first = version(bench.kube)
    slow = bench.start(with_env("two"), name="slow")
    wait_for(lambda: version(bench.kube) != first)
    later = bench.run(with_env("three"), name="later")
    done = bench.end(slow, "slow")
    assert (done.code, later.code) == (1, 0)
    assert done.last == f"kade2kfp: another run has deployed {later.outputs['version']} meanwhile"
    assert version(bench.kube) == later.outputs["version"]
    assert versions(bench.kube).split() == [later.outputs["version"], first]


def test_a_later_run_that_fails_puts_back_the_good_one_and_not_the_one_in_between(bench: Bench) -> None:
    bench.kube.behaviours = ["ready", "silent", "silent"]
    bench.run(with_env("one"))
    first, before = version(bench.kube), template(bench.kube)
    slow = bench.start(with_env("two"), name="slow")
    wait_for(lambda: version(bench.kube) != first)
    later = bench.run(with_env("three"), name="later", timeout=0.3)
    assert bench.end(slow, "slow").code == later.code == 1
    assert template(bench.kube) == before


def test_a_run_that_takes_over_while_the_former_version_is_put_back(bench: Bench) -> None:
    """Whoever read the object before must not write over it."""
    bench.kube.behaviours = ["ready", "silent"]
    bench.run(PLAIN)

    def meanwhile(request: str) -> None:
        if request == "PATCH services/demo-serve":  # what follows is the way back
            bench.kube.faults.append(Fault("PATCH deployments", 409, 1))
        if request == "fault at PATCH deployments/demo-serve":
            thing = bench.kube.objects[("Deployment", NAME)]
            thing["spec"]["template"]["metadata"]["labels"]["kade2kfp/version"] = "theirs"

    bench.kube.after = meanwhile
    done = bench.run(PLAIN, timeout=0.5)
    assert done.last == "kade2kfp: another run has deployed theirs meanwhile"
    assert version(bench.kube) == "theirs"


def test_a_deployment_of_somebody_else_is_left_alone(bench: Bench) -> None:
    bench.kube.behaviours = ["ready"]
    bench.run(PLAIN)
    with bench.kube.lock:
        del bench.kube.objects[("Deployment", NAME)]["metadata"]["labels"]["app.kubernetes.io/managed-by"]
    before = bench.kube.get("Deployment", NAME)["spec"]
    done = bench.run(PLAIN, pack=("touch", str(bench.folder / "packed")))
    assert done.said == (
        "kade2kfp: there is a Deployment demo-serve that kade2kfp has not made: delete it, or give this task another id",
    )
    assert bench.kube.get("Deployment", NAME)["spec"] == before
    assert not (bench.folder / "packed").exists()


def test_a_serving_that_is_deleted_meanwhile(bench: Bench) -> None:
    bench.kube.behaviours = ["silent"]
    process = bench.start(PLAIN)
    wait_for(lambda: bench.kube.names("Service"))
    with bench.kube.lock:
        bench.kube.objects.clear()
    done = bench.end(process)
    assert (done.code, done.last) == (1, "kade2kfp: somebody has deleted the serving meanwhile")
    assert list(bench.kube.objects) == []


def test_pods_that_may_not_be_looked_at(bench: Bench) -> None:
    bench.kube.behaviours = ["crash"]
    bench.kube.forbidden |= {"list pods"}
    done = bench.run(PLAIN, timeout=0.3)
    assert "may not list pods in the namespace team: `kade2kfp rbac` prints the role that it needs" in done.last


def test_a_deployment_that_kubernetes_refuses_changes_nothing(bench: Bench) -> None:
    bench.run(PLAIN)
    first = version(bench.kube)
    bench.kube.faults.append(
        Fault("PATCH deployments", 422, message='Deployment.apps "demo-serve" is invalid: spec.x: bad')
    )
    done = bench.run(PLAIN)
    assert done.said == ('kade2kfp: Deployment.apps "demo-serve" is invalid: spec.x: bad',)
    assert version(bench.kube) == first


def test_a_service_that_kubernetes_refuses_brings_the_former_version_back(bench: Bench) -> None:
    bench.run(PLAIN)
    first, before = version(bench.kube), template(bench.kube)
    bench.kube.faults.append(Fault("PATCH services", 422, message="spec.ports: bad"))
    done = bench.run(with_env("two"))
    assert done.last.endswith(f"did not get ready: spec.ports: bad; {first} answers as before")
    assert template(bench.kube) == before


def test_every_value_is_what_the_document_says(bench: Bench) -> None:
    awkward = 'a"}]}\\ $$ $(B) {{x}} \n{"=":0} é'
    assert bench.run(with_env(awkward)).code == 0
    env = {one["name"]: one.get("value") for one in template(bench.kube)["spec"]["containers"][0]["env"]}
    assert env["WHICH"] == awkward.replace("$", "$$")
    assert json.loads(json.dumps(env["WHICH"])) == env["WHICH"]
