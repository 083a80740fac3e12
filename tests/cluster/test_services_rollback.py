from __future__ import annotations

from collections.abc import Callable

import pytest

from kade2kfp.cluster.services import ClusterServices
from kade2kfp.diagnostics.cannot import CannotDoError

from .api import Api, Fault
from .deployed import V1, V2, V3, live, serving

ROLLED = Callable[[str | None], str]


@pytest.fixture
def rolled(services: ClusterServices) -> ROLLED:
    return lambda version: services.rollback(services.find("serving", "iris", "endpoint"), version, 1)


def test_the_version_before_answers_again(services: ClusterServices, api: Api, rolled: ROLLED) -> None:
    for version in (V1, V2, V3):
        serving(api, version)
    former = live(api, "iris-endpoint")["spec"]["template"]
    assert rolled(None) == f"version {V2} of `endpoint` answers again"
    one = services.find("serving", "iris", "endpoint")
    assert (one.version, one.versions, one.state) == (V2, (V3, V1), "running")
    found = live(api, "iris-endpoint")
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in container["env"]] == ["KADE2KFP_VERSION", "ONLY_BBBB"]  # and nothing of V3
    assert "pod-template-hash" not in found["spec"]["template"]["metadata"]["labels"]
    assert len(api.objects.list("replicasets")) == 3  # the old one again, no fourth
    assert rolled(None) == f"version {V1} of `endpoint` answers again"
    with pytest.raises(CannotDoError, match=f"has no version before {V1}") as caught:
        rolled(None)
    assert caught.value.help == f"later ones: {V2}, {V3}; name one"
    assert rolled(V3) == f"version {V3} of `endpoint` answers again"
    assert live(api, "iris-endpoint")["spec"]["template"] == former


def test_what_others_own_and_the_next_run_lose_nothing(services: ClusterServices, api: Api, rolled: ROLLED) -> None:
    """An autoscaler's replicas, a label by hand; and after it a run applies as if nothing had been."""
    for version in (V1, V2):
        serving(api, version, replicas=2)
    api.objects.merge("deployments", "iris-endpoint", {"spec": {"replicas": 4}}, "autoscaler")
    api.objects.merge("deployments", "iris-endpoint", {"metadata": {"labels": {"team": "a"}}}, "kubectl")
    rolled(None)
    found = live(api, "iris-endpoint")
    assert (found["spec"]["replicas"], found["metadata"]["labels"]["team"]) == (4, "a")
    assert found["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/instance": "iris-endpoint"}}
    serving(api, V3)
    found = live(api, "iris-endpoint")
    assert found["metadata"]["annotations"]["kade2kfp/versions"] == f"{V3} {V1} {V2}"
    assert [one["name"] for one in found["spec"]["template"]["spec"]["containers"][0]["env"]] == [
        "KADE2KFP_VERSION",
        "ONLY_CCCC",
    ]


def test_a_version_that_does_not_get_ready_changes_nothing(services: ClusterServices, api: Api, rolled: ROLLED) -> None:
    for version in (V1, V2):
        serving(api, version)
    before = live(api, "iris-endpoint")["spec"]
    api.objects.broken = {V1}
    with pytest.raises(CannotDoError, match="has not got ready: it ended with code 1, 4 times") as caught:
        rolled(V1)
    assert caught.value.help == f"nothing has changed: version {V2} is kept"
    found = live(api, "iris-endpoint")
    assert found["spec"] == before
    assert found["metadata"]["annotations"]["kade2kfp/versions"] == f"{V2} {V1}"
    assert services.find("serving", "iris", "endpoint").version == V2


def test_a_failing_version_is_left_for_the_one_before(api: Api, rolled: ROLLED) -> None:
    serving(api, V1)
    api.objects.broken = {V2}
    serving(api, V2, good=False)
    assert rolled(None) == f"version {V1} of `endpoint` answers again"


def test_a_paused_serving_is_rolled_back_without_being_started(api: Api, rolled: ROLLED) -> None:
    for version in (V1, V2):
        serving(api, version, replicas=0)
    assert rolled(V1) == f"`endpoint` is paused; when it is resumed, version {V1} answers"
    assert not api.objects.list("pods")


def test_versions_that_are_not_there(api: Api, rolled: ROLLED) -> None:
    for version in (V1, V2):
        serving(api, version)
    for version, says in ((V2, "is the present one already"), ("x", "has no version x that was ever ready")):
        with pytest.raises(CannotDoError, match=says):
            rolled(version)
    api.objects.delete("replicasets", "iris-endpoint-1")
    with pytest.raises(CannotDoError, match=f"version {V1} of `endpoint` is not kept by Kubernetes any more") as caught:
        rolled(None)
    assert caught.value.help.startswith("run the pipeline of that version again")


@pytest.mark.parametrize(
    "fault", [Fault("PATCH deployments", 503, times=2), Fault("PATCH deployments", "late", times=1)]
)
def test_a_lost_answer_does_not_matter(api: Api, rolled: ROLLED, fault: Fault) -> None:
    for version in (V1, V2):
        serving(api, version)
    api.faults = [fault]
    assert rolled(None) == f"version {V1} of `endpoint` answers again"


def test_a_run_that_deploys_meanwhile_wins(
    services: ClusterServices, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (V1, V2):
        serving(api, version)
    one = services.find("serving", "iris", "endpoint")
    api.objects.broken = {V1}
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            serving(api, V3)

    monkeypatch.setattr("kade2kfp.cluster.rollback.time.sleep", sleep)
    with pytest.raises(CannotDoError, match=f"another run has deployed version {V3} meanwhile"):
        services.rollback(one, V1, 30)
    assert services.find("serving", "iris", "endpoint").version == V3


def test_who_may_not_change_it_has_changed_nothing(api: Api, rolled: ROLLED) -> None:
    for version in (V1, V2):
        serving(api, version)
    for forbidden in ("patch deployments", "list replicasets", "get deployments"):
        api.forbidden = {forbidden}
        with pytest.raises(CannotDoError, match=r"you may not .* \(403\)"):
            rolled(None)
    assert live(api, "iris-endpoint")["spec"]["template"]["metadata"]["labels"]["kade2kfp/version"] == V2
