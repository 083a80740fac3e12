"""What `kade2kfp rbac` prints for steps is what templates/apply.py asks for: nothing is missing, and nothing is never used."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kade2kfp.cluster.roles import Needs, roles
from kade2kfp.steps.model import Step

from .applying import Bench, benches
from .kube_api import RESOURCES, Kube

from lowering.service_steps import serving, viewer  # isort: skip

Allowed = set[tuple[str, str, str]]
VERBS = {"PATCH": "patch", "DELETE": "delete", "POST": "create"}
PLAIN = serving(autoscale=None, example=None)
OLD = {"kade2kfp/expires": "2020-01-01T00:00:00Z"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as made:
        yield made


def allowed(needs: Needs) -> Allowed:
    role = roles(needs, "pipeline-runner", (), (), ())[0]
    return {(rule.group, one, verb) for rule in role.rules for one in rule.resources for verb in rule.verbs}


def used(kube: Kube) -> Allowed:
    """As roles say it. An apply is `create` too where there is nothing yet, as it is the first time."""
    found: Allowed = set()
    for request in kube.asked:
        method, _, path = request.partition(" ")
        resource, *rest = path.split("/")
        verb = VERBS.get(method, "get" if rest else "list")
        what = "/".join([resource, *rest[1:]])
        found |= {(RESOURCES[resource][0], what, one) for one in ({verb, "create"} if verb == "patch" else {verb})}
    return found


def served(bench: Bench, step: Step, fares: str) -> None:
    """A first version that fails, a good one, one that fails, and one that another has to come back for."""
    bench.kube.behaviours = [fares]
    bench.run(step, timeout=0.2)
    bench.kube.behaviours = ["ready", fares, fares, "ready"]
    bench.run(step)
    seen = len(bench.kube.asked)
    stopped = bench.start(step, name="stopped")
    until = time.monotonic() + 10
    while not any(one.startswith("PATCH") for one in bench.kube.asked[seen:]):
        assert time.monotonic() < until
        time.sleep(0.01)
    stopped.send_signal(signal.SIGTERM)
    bench.end(stopped, "stopped")
    bench.run(step, timeout=0.2)


@pytest.mark.parametrize("autoscale", [True, False])
def test_servings(bench: Bench, autoscale: bool) -> None:
    if not autoscale:
        bench.run(serving(example=None))
        bench.run(PLAIN)  # the autoscaler goes
        bench.kube.objects.clear()
        bench.kube.asked[:] = [one for one in bench.kube.asked if "autoscalers" in one and "PATCH" not in one]
    served(bench, serving(example=None) if autoscale else PLAIN, "crash")
    if autoscale:
        bench.run(PLAIN)
    needs = Needs(viewers=False, endpoints=True, gates=False, autoscale=autoscale, kserve=False, kubeflow=False)
    assert used(bench.kube) == allowed(needs)


def test_servings_by_kserve(bench: Bench) -> None:
    served(bench, serving(flavor="kserve", autoscale=None, example=None), "crash")
    assert used(bench.kube) == allowed(Needs(False, False, False, False, kserve=True, kubeflow=False))


@pytest.mark.parametrize("flavor", ["deployment", "kubeflow"])
def test_viewers(bench: Bench, flavor: str) -> None:
    """One whose time is over goes, with what belongs to it; a cluster without Kubeflow's resource gets a Deployment."""
    step = viewer(flavor=flavor)
    for missing in (set(), {"tensorboards"}):
        bench.kube.missing = missing
        bench.run(step)
    for (kind, name), thing in list(bench.kube.objects.items()):
        if kind in ("Deployment", "Tensorboard"):
            old = {**thing, "metadata": {**thing["metadata"], "name": f"old-{name}"}}
            old["metadata"] |= {"annotations": OLD, "labels": dict(thing["metadata"]["labels"])}
            bench.kube.put(old)
            bench.kube.put(
                {"apiVersion": "v1", "kind": "Service", "metadata": old["metadata"] | {"name": f"old-{name}"}}
            )
    bench.kube.missing = set()
    bench.run(step)
    assert not [name for _, name in bench.kube.objects if name.startswith("old-")]
    needs = Needs(True, False, False, False, False, flavor == "kubeflow")
    assert used(bench.kube) == allowed(needs)
