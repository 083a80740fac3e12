"""templates/apply.py deploys a serving by KServe."""

from __future__ import annotations

import pytest
from lowering.service_steps import serving

from kade2kfp.steps.model import Autoscale

from .applying import BY_KSERVE, NAME, Bench, bench, versions

__all__ = ["bench"]


def test_kserve(bench: Bench) -> None:
    done = bench.run(BY_KSERVE)
    assert done.code == 0, done.said
    assert done.outputs["url"] == f"http://{NAME}-predictor.team.svc.cluster.local"
    assert versions(bench.kube, "InferenceService") == done.outputs["version"]
    assert bench.kube.names("Deployment") == bench.kube.names("Service") == []


def test_kserve_puts_back_what_was_there(bench: Bench) -> None:
    bench.kube.behaviours = ["ready", "crash"]
    first = bench.run(BY_KSERVE)
    before = bench.kube.get("InferenceService", NAME)
    done = bench.run(BY_KSERVE, timeout=0.3)
    assert done.code == 1
    assert "the predictor is not ready: pod demo-serve-" in done.last
    assert done.last.endswith(f"ValueError: no model; {first.outputs['version']} answers as before")
    after = bench.kube.get("InferenceService", NAME)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]


def test_a_cluster_without_kserve(bench: Bench) -> None:
    bench.kube.missing.add("inferenceservices")
    done = bench.run(BY_KSERVE)
    assert done.said == (
        "kade2kfp: this cluster has no InferenceService (serving.kserve.io/v1beta1): install KServe, or leave out `flavor`",
    )


def test_what_may_sleep_has_to_have_been_ready_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    step = serving(flavor="kserve", autoscale=Autoscale(3, 0), example=None)
    first = bench.run(step)
    assert first.code == 0, first.said
    # KServe has not looked yet: Ready is still that of the version before.
    monkeypatch.setattr(bench.kube, "_inference_service", lambda thing: None)
    done = bench.run(step, timeout=0.3)
    assert done.code == 1
    assert done.last.endswith(f"{first.outputs['version']} answers as before")
