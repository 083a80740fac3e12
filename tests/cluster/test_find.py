from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from kade2kfp.cluster.gates import ClusterGates
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Decision
from kade2kfp.steps.parts import GateValue, Port

from .api import Api
from .box import Pod
from .conftest import RUN

PodMaker = Callable[..., Pod]
OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def test_what_a_gate_asks_is_read_from_its_pod(gates: ClusterGates, pod: PodMaker) -> None:
    value = {"name": "lr", "type": "number", "required": False, "default": 0.1, "minimum": 0, "enum": [0.1, 1]}
    one = pod("review", values=[value], notebook=True, port=8888, ssh=2222, startPath="/work", onReject="route")
    one.annotations = {"kade2kfp/ports": "8080:http,9000", "kade2kfp/task": "Review it"}
    found = gates.find(RUN, "Review it")
    assert (found.run, found.step, found.task, found.pod) == (RUN, "review", "Review it", one.uid)
    assert (found.type, found.port, found.ssh, found.start_path, found.on_reject) == (
        "notebook",
        8888,
        2222,
        "/work",
        "route",
    )
    assert found.ports == (Port(8080, "http"), Port(9000))
    assert found.values == (GateValue("lr", "number", False, 0.1, enum=(0.1, 1), minimum=0.0),)
    assert (found.since, found.until) == (1772359200.0, 1772362800.0)
    assert found.waits
    assert gates.find(RUN, "review") == found


def test_waiting_lists_those_that_wait_page_by_page_the_oldest_first(
    gates: ClusterGates, api: Api, pod: PodMaker
) -> None:
    api.page = 3
    for number in range(10):
        pod(f"g{number}").state = {"running": {"startedAt": f"2026-03-01T10:00:{59 - number}Z"}}
    pod("done").state = {"terminated": {"exitCode": 0}}
    starting = pod("starting")
    starting.phase, starting.state = "Pending", {"waiting": {"reason": "ContainerCreating"}}
    pod("plain", gate=False)
    pod("elsewhere", run=OTHER)
    assert [one.step for one in gates.waiting(RUN)] == [f"g{number}" for number in range(9, -1, -1)]
    assert len(gates.waiting(None)) == 11
    assert [one.step for one in gates.waiting(OTHER)] == ["elsewhere"]
    assert api.asked.count("GET pods") == 4 + 5 + 1


def test_a_message_with_values_of_the_run_is_read_from_the_step(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    one = pod("review", message="")
    (one.folder / "run/message").write_text("accuracy 0.97: good?\n")
    assert gates.waiting(RUN)[0].message == "accuracy 0.97: good?"
    assert gates.find(RUN, "review").message == "accuracy 0.97: good?"
    api.forbidden = {"get pods/exec"}
    assert gates.waiting(RUN)[0].message == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"values": 7, "timeout": "x", "ssh": true}', "[" * 100_000, '{"values": [1]}']
)
def test_an_annotation_that_is_garbage_does_no_harm(gates: ClusterGates, pod: PodMaker, text: str) -> None:
    one = pod("review")
    one.gate = text
    one.annotations = {"kade2kfp/ports": "x,:,99999999,-1,80"}
    found = gates.find(RUN, "review")
    assert (found.values, found.until, found.ssh, found.ports) == ((), None, 0, (Port(80),))


@pytest.mark.parametrize("run", [OTHER, "a,b=c", "", "x" * 100, "../../secrets/x", "a\nb"])
def test_a_run_that_is_not_there(gates: ClusterGates, api: Api, pod: PodMaker, run: str) -> None:
    pod("review")
    with pytest.raises(CannotDoError, match=r"(?s)there is no run .* in namespace `kubeflow`") as caught:
        gates.find(run, "review")
    assert RUN in caught.value.help
    assert not gates.waiting(run)


def test_a_task_that_is_not_there_gets_a_suggestion(gates: ClusterGates, pod: PodMaker) -> None:
    pod("review")
    with pytest.raises(CannotDoError, match="has no task `revew`") as caught:
        gates.find(RUN, "revew")
    assert caught.value.help == "did you mean `review`?"


def test_a_task_that_has_no_pod_yet_has_not_started(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    """Only the Workflow knows of it. Who may not read that is told what is known."""
    pod("", gate=False)
    part = {"podMetadata": {"labels": {"kade2kfp/step": "review"}, "annotations": {"kade2kfp/task": "Review it"}}}
    api.workflow = {"spec": {"arguments": {"parameters": [{"name": "kubernetes-comp-x", "value": json.dumps(part)}]}}}
    for name in ("review", "Review it"):
        with pytest.raises(CannotDoError, match=f"`{name}` of run {RUN} has not started"):
            gates.find(RUN, name)
    with pytest.raises(CannotDoError, match="has no task `x`"):
        gates.find(RUN, "x")
    api.forbidden = {"get workflows"}
    with pytest.raises(CannotDoError, match="or none that has started"):
        gates.find(RUN, "review")


def test_a_pod_that_cannot_start_says_why(gates: ClusterGates, pod: PodMaker) -> None:
    one = pod("review")
    one.phase, one.state = "Pending", {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    with pytest.raises(CannotDoError, match="has not started") as caught:
        gates.find(RUN, "review")
    assert caught.value.help == "ImagePullBackOff: no such image"


def test_a_gate_that_has_ended_says_who_decided(gates: ClusterGates, pod: PodMaker) -> None:
    one = pod("review")
    gates.decide(gates.find(RUN, "review"), Decision("reject", "bob", reason="bad data"), 0)
    one.phase, one.state = "Failed", {"terminated": {"exitCode": 1}}
    with pytest.raises(CannotDoError, match=r"has ended: rejected by bob: bad data$"):
        gates.find(RUN, "review")
    with pytest.raises(CannotDoError, match=r"has ended: rejected by bob: bad data$"):
        gates.find(RUN, "review", gate=False)


def test_a_gate_that_ended_by_itself_says_its_code(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    one = pod("review")
    one.phase, one.state = "Failed", {"terminated": {"exitCode": 1}}
    api.forbidden = {"get configmaps"}
    with pytest.raises(CannotDoError, match=r"has ended with code 1$"):
        gates.find(RUN, "review")


def test_of_several_starts_the_one_that_runs_is_meant(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    old = pod("review")
    old.phase, old.state, old.created = "Failed", {"terminated": {"exitCode": 1}}, "2026-04-01T00:00:00Z"
    api.pods["older-attempt"] = api.pods.pop(old.name)
    new = pod("review")
    assert gates.find(RUN, "review").pod == new.uid


def test_a_step_that_waits_for_nobody_can_be_reached_but_not_decided(gates: ClusterGates, pod: PodMaker) -> None:
    pod("serve", gate=False).annotations = {"kade2kfp/ports": "8080"}
    with pytest.raises(CannotDoError, match="`serve` does not wait for a person"):
        gates.find(RUN, "serve")
    found = gates.find(RUN, "serve", gate=False)
    assert (found.waits, found.ports) == (False, (Port(8080),))


def test_a_decided_gate_can_still_be_entered(gates: ClusterGates, pod: PodMaker) -> None:
    pod("review")
    standing = gates.find(RUN, "review")
    gates.decide(standing, Decision("resume", "bob"), 0)
    assert gates.find(RUN, "review", gate=False).pod == standing.pod
