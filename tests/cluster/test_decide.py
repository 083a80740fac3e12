from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import pytest

from kade2kfp.cluster.gates import ClusterGates
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Decision

from .api import Api, Fault
from .box import WORKFLOW, Pod
from .conftest import RUN

PodMaker = Callable[..., Pod]
LR = {"name": "lr", "type": "number", "required": True}


def test_a_decision_reaches_the_step_and_its_gate_closes(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    one = pod("review", values=[LR])
    one.start(values={"lr": ""})
    said = gates.decide(gates.find(RUN, "review"), Decision("resume", "alice", {"lr": "0.1"}), 30)
    assert said.startswith("`review` is resumed by alice; the ")
    assert one.process is not None
    assert one.process.wait(20) == 0
    assert (one.file("out/decision"), one.file("out/value-lr")) == (b"resume", b"0.1")
    assert "resumed by alice\n" in one.log()
    # It goes with the run.
    assert api.configs[RUN]["metadata"]["ownerReferences"] == [WORKFLOW]
    assert not [asked for asked in api.asked if asked.endswith("/exec") and "POST" in asked]


def test_a_rejection_carries_its_reason(gates: ClusterGates, pod: PodMaker) -> None:
    one = pod("review")
    one.start()
    said = gates.decide(gates.find(RUN, "review"), Decision("reject", "alice", reason="too\nlow"), 30)
    assert said.startswith("`review` is rejected by alice")
    assert one.process is not None
    assert one.process.wait(20) == 75
    assert "rejected by alice: too low" in one.log()


@pytest.mark.parametrize("projects", [True, False], ids=["by-config-map", "by-exec"])
def test_values_arrive_byte_for_byte(gates: ClusterGates, api: Api, pod: PodMaker, projects: bool) -> None:
    values = {
        "quotes": """ 'a' "b" `c` $HOME \\ \\n * """,
        "lines": "one\ntwo\n\n",
        "large": "ä0123456\n" * 6554,
        "empty": "",
        "odd": "{{pod.name}} $(KFP_POD_NAME) $$ \u202e\t\x01",
    }
    one = pod("review", values=[{"name": name, "type": "string", "required": True} for name in values])
    api.projects = projects
    one.start(values=dict.fromkeys(values, ""))
    quick = _patient(gates, 0.2)
    said = quick.decide(gates.find(RUN, "review"), Decision("resume", "alice", values), 30)
    assert said.startswith("`review` is resumed by alice; the "), said
    assert {name: one.file(f"out/value-{name}").decode() for name in values} == values
    assert one.file("out/by") == (b"alice" if projects else b"alice (unverified)")


def test_values_are_no_arguments_of_the_fallback(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    one = pod("review")
    api.projects = False
    one.start(values={"key": ""})
    _patient(gates, 0.1).decide(gates.find(RUN, "review"), Decision("resume", "alice", {"key": "hush-hush"}), 30)
    assert one.file("out/value-key") == b"hush-hush"
    assert "value-key" in one.executed
    assert not [word for word in one.executed if "hush" in word or "alice" in word]


def test_where_exec_is_forbidden_the_decision_stands_and_that_is_said(
    gates: ClusterGates, api: Api, pod: PodMaker
) -> None:
    one = pod("review")
    one.start()
    api.projects = False
    api.forbidden = {"get pods/exec"}
    said = _patient(gates, 0.1).decide(gates.find(RUN, "review"), Decision("resume", "alice"), 1.0)
    assert f"the step had not closed after 1 s (you may not run a command in pod {one.name} (403))" in said
    assert "it will when the cluster has brought the decision into its pod" in said
    api.projects = True
    api.project(one)
    assert one.process is not None
    assert one.process.wait(20) == 0


def test_without_the_right_to_annotate_the_pod_it_goes_on(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    one = pod("review")
    one.start()
    api.forbidden = {"patch pods"}
    said = _patient(gates, 0.2).decide(gates.find(RUN, "review"), Decision("resume", "alice"), 30)
    assert said.startswith("`review` is resumed by alice; ")


@pytest.mark.parametrize("name", ["alice", "bob"], ids=["the-same-person", "another"])
def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told_who(
    gates: ClusterGates, api: Api, pod: PodMaker, name: str
) -> None:
    """Both have read that nothing is decided before either writes; word for word the same decision is no exception."""
    pod("review")
    standing = gates.find(RUN, "review")
    both = threading.Barrier(2)
    told: list[str] = []
    won: list[str] = []
    api.faults = [Fault("PATCH configmaps", "slow", times=2, seconds=0.2)]

    def decide(by: str) -> None:
        both.wait()
        try:
            gates.decide(standing, Decision("resume", by), 0)
            won.append(by)
        except CannotDoError as error:
            told.append(str(error))

    threads = [threading.Thread(target=decide, args=(by,)) for by in ("alice", name)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert told == [f"`review` of run {RUN} was decided already: resumed by {won[0]}"]
    assert api.asked.count(f"PATCH configmaps/{RUN}") == 2
    assert api.data(RUN)["review.by"] == won[0]


def test_a_second_decision_is_refused_and_changes_nothing(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    pod("review")
    standing = gates.find(RUN, "review")
    gates.decide(standing, Decision("reject", "bob", reason="no"), 0)
    before = dict(api.data(RUN))
    with pytest.raises(CannotDoError, match="was decided already: rejected by bob: no"):
        gates.decide(standing, Decision("resume", "alice", {"lr": "1"}), 0)
    with pytest.raises(CannotDoError, match="was decided already: rejected by bob: no"):
        gates.find(RUN, "review")
    assert api.data(RUN) == before


def test_gates_of_one_run_keep_their_keys_apart(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    pod("review")
    pod("review-2")
    gates.decide(gates.find(RUN, "review"), Decision("resume", "alice", {"lr": "1"}), 0)
    gates.decide(gates.find(RUN, "review-2"), Decision("reject", "bob"), 0)
    kept = {key: text for key, text in api.data(RUN).items() if not key.endswith(".once")}
    assert set(kept) == {"review.decision", "review.by", "review.value-lr", "review-2.decision", "review-2.by"}
    assert api.configs[RUN]["metadata"]["ownerReferences"] == [WORKFLOW]


def test_a_decision_for_a_predecessor_does_not_count_and_leaves_no_value(
    gates: ClusterGates, api: Api, pod: PodMaker
) -> None:
    """`runs:retry` keeps the run's id and the pods' names."""
    first = pod("review")
    pod("other")
    gates.decide(gates.find(RUN, "review"), Decision("resume", "bob", {"lr": "1", "old": "2"}), 0)
    gates.decide(gates.find(RUN, "other"), Decision("resume", "bob", {"keep": "3"}), 0)
    second = pod("review")
    assert (second.name, second.uid) != (first.name, first.uid)
    assert second.name == first.name
    second.start(values={"lr": "", "old": "=0"})
    standing = gates.find(RUN, "review")
    assert gates.decide(standing, Decision("resume", "alice", {"lr": "5"}), 30).startswith(
        "`review` is resumed by alice"
    )
    assert (second.file("out/value-lr"), second.file("out/value-old")) == (b"5", b"0")
    assert "review.value-old" not in api.data(RUN)
    assert api.data(RUN)["other.value-keep"] == "3"


def test_two_who_find_a_predecessors_decision_cannot_both_replace_it(
    gates: ClusterGates, api: Api, pod: PodMaker
) -> None:
    """One is held up before it removes the old decision, so that the other's is there when it does."""
    pod("review")
    gates.decide(gates.find(RUN, "review"), Decision("resume", "carol"), 0)
    pod("review")
    standing = gates.find(RUN, "review")
    outcomes: list[str] = []
    api.faults = [Fault("PATCH configmaps", "slow", times=1, seconds=0.6)]

    def decide(by: str) -> None:
        try:
            gates.decide(standing, Decision("resume", by), 0)
            outcomes.append("won")
        except CannotDoError as error:
            outcomes.append(str(error).rpartition(": ")[2])

    threads = [threading.Thread(target=decide, args=(by,)) for by in ("alice", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = api.data(RUN)["review.by"]
    assert sorted(outcomes) == [f"resumed by {winner}", "won"]


def test_a_pod_that_was_replaced_meanwhile_is_not_decided(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    pod("review")
    standing = gates.find(RUN, "review")
    pod("review")
    with pytest.raises(CannotDoError, match="has been started anew"):
        gates.decide(standing, Decision("resume", "alice"), 0)
    assert api.configs == {}


def test_a_pod_that_is_gone_is_not_decided(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    pod("review")
    standing = gates.find(RUN, "review")
    api.pods.clear()
    with pytest.raises(CannotDoError, match="has ended: its pod is gone"):
        gates.decide(standing, Decision("resume", "alice"), 0)
    assert api.configs == {}


def test_a_gate_that_closed_by_itself_meanwhile_is_told_so(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    one = pod("review")
    standing = gates.find(RUN, "review")
    (one.folder / "run" / "state").write_text("terminated\n")
    said = gates.decide(standing, Decision("resume", "alice"), 5)
    assert said == "`review` had closed by itself meanwhile (terminated): the decision came too late"


def test_a_lost_answer_is_no_lost_decision(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    """The ConfigMap is written and the connection breaks, each time: it is looked at instead of deciding again."""
    pod("review")
    api.faults = [Fault("PATCH configmaps", "late")]
    gates.decide(gates.find(RUN, "review"), Decision("resume", "alice"), 0)
    assert api.data(RUN)["review.by"] == "alice"


def test_when_nobody_knows_whether_it_was_written_that_is_said(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    pod("review")
    standing = gates.find(RUN, "review")
    look = Fault("GET configmaps", "slow", times=1)  # the one before goes through
    api.faults = [Fault("PATCH configmaps", "late"), look, Fault("GET configmaps", 503)]
    with pytest.raises(CannotDoError, match="whether the decision was written is not known"):
        gates.decide(standing, Decision("resume", "alice"), 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": {"terminated": {"exitCode": 0}}}, "is resumed by alice; the step has ended"),
        (
            {"state": {"terminated": {"exitCode": 1}}},
            "was resumed by alice, but the step ended with code 1: see its log",
        ),
        ({"uid": "another"}, "was resumed by alice, but its pod has been replaced by another, which waits anew"),
        (None, "is resumed by alice; its pod is gone"),
    ],
    ids=["ended", "failed", "replaced", "gone"],
)
def test_how_the_step_ended_is_told(
    gates: ClusterGates,
    api: Api,
    pod: PodMaker,
    change: dict[str, object] | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def project(one: Pod) -> None:
        for name, value in (change or {}).items():
            setattr(one, name, value)
        if change is None:
            api.pods.clear()

    pod("review")
    monkeypatch.setattr(api, "project", project)
    assert gates.decide(gates.find(RUN, "review"), Decision("resume", "alice"), 5) == f"`review` {said}"


def test_a_network_that_fails_afterwards_is_no_error(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    pod("review")
    standing = gates.find(RUN, "review")
    api.faults = [Fault("GET pods/", "slow", times=1), Fault("GET pods/", 503)]  # the look before goes through
    said = gates.decide(standing, Decision("resume", "alice"), 0)
    assert said.startswith(
        "`review` is resumed by alice: written down, but the step had not closed after 0 s (could not"
    )
    assert api.data(RUN)["review.by"] == "alice"


def test_values_beyond_a_config_map_are_refused_before_anything_is_sent(
    gates: ClusterGates, api: Api, pod: PodMaker
) -> None:
    pod("review")
    with pytest.raises(CannotDoError, match="the values are too large: 1,048,"):
        gates.decide(gates.find(RUN, "review"), Decision("resume", "alice", {"lr": "ä" * (1 << 19)}), 0)
    assert api.configs == {}


def test_nothing_is_decided_where_config_maps_may_not_be_written(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    pod("review")
    api.forbidden = {"patch configmaps"}
    with pytest.raises(CannotDoError, match="you may not write configmaps") as caught:
        gates.decide(gates.find(RUN, "review"), Decision("resume", "alice"), 0)
    assert (
        caught.value.help == "somebody who may has to grant you: patch and create on configmaps in namespace `kubeflow`"
    )


def _patient(gates: ClusterGates, seconds: float) -> ClusterGates:
    return ClusterGates(dataclasses.replace(gates.cluster, patience=seconds))
