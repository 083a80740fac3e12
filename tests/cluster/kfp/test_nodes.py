"""What Argo's nodes tell of a run's steps."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from kade2kfp.cluster.kfp.nodes import nodes_of, seconds
from kade2kfp.cluster.kfp.states import steps_of
from kade2kfp.cluster.kfp.tree import pipeline_of, pipeline_seen, tasks_told
from kade2kfp.local.state import StepState

from .argo import AT, document, done, job, node, pod, spec_of, workflow

TWO = document([job("a"), job("b")], [{"fromTask": "a", "toTask": "b"}])
CHOICE = document(
    [
        job("a", "echo 3 >/n", outputs=[{"name": "n", "type": "integer", "path": "/n"}]),
        {"id": "check", "type": "condition", "test": {"left": "{{tasks.a.outputs.n}}", "operator": ">", "right": 1}},
        job("yes"),
        job("no"),
    ],
    [
        {"fromTask": "check", "toTask": "yes", "branch": "then"},
        {"fromTask": "check", "toTask": "no", "branch": "else"},
    ],
)
LOOP = document(
    [job("each", "echo {{item}}", forEach={"items": "{{params.list}}"})],
    parameters=[{"name": "list", "type": "array", "default": ["x", "y"]}],
)
COLLECTS = document(
    [job("each", "mkdir /o; echo {{item}} >/o/f", forEach={"items": "{{params.list}}"}), job("all")],
    [{"fromTask": "each", "fromPath": "/o", "toTask": "all", "toPath": "/i"}],
    parameters=[{"name": "list", "type": "array", "default": ["x", "y"]}],
)


def steps(doc: dict[str, Any], manifest: str) -> dict[str, StepState]:
    placed = steps_of(pipeline_of(spec_of(doc)), nodes_of(manifest))
    return {one.state.name: one.state for one in placed if one.is_shown}


def statuses(doc: dict[str, Any], *nodes: dict[str, Any], **more: Any) -> dict[str, str]:
    return {name: step.status for name, step in steps(doc, workflow(*nodes, **more)).items()}


@pytest.mark.parametrize("retry", ["", "(0)"])
def test_a_task_is_its_driver_a_dag_and_a_pod(retry: str) -> None:
    root = f"{retry}.root{retry}"
    found = steps(TWO, workflow(*done(f"{root}.a", retry=retry), pod(f"{root}.b-driver{retry}", "Running")))
    assert (found["a"].status, found["b"].status) == ("succeeded", "running")
    assert found["b"].note == "KFP's driver looks for its inputs"
    assert found["b"].after == ("a",)
    assert (found["a"].started, found["a"].ended) == (seconds(AT), (seconds(AT) or 0) + 10)
    assert [one.exit_code for one in found["a"].attempts] == [0]


def test_the_pods_name_is_argos_second_form_unless_the_workflow_says_the_first() -> None:
    nodes = done(".root.a")
    second = steps(TWO, workflow(*nodes))["a"].attempts[0].log
    assert second == f"wf-system-container-impl-{nodes[2]['id'].removeprefix('wf-')}"
    first = json.loads(workflow(*nodes))
    first["metadata"]["annotations"] = {"workflows.argoproj.io/pod-name-format": "v1"}
    assert steps(TWO, json.dumps(first))["a"].attempts[0].log == nodes[2]["id"]


def test_a_pod_that_cannot_start_says_why() -> None:
    why = "ImagePullBackOff: Back-off pulling image\n\tno-such:1"
    found = steps(
        TWO,
        workflow(
            pod(".root.a-driver", "Succeeded"),
            node(".root.a", "Running"),
            pod(".root.a.executor", "Pending", message=why),
        ),
    )
    assert (found["a"].status, found["a"].note) == ("running", "ImagePullBackOff: Back-off pulling image no-such:1")
    assert found["a"].attempts == ()
    assert found["b"].status == "waiting"


def test_a_driver_that_cannot_start_says_why() -> None:
    found = steps(TWO, workflow(pod(".root.a-driver", "Pending", message="Unschedulable: 0/1 nodes")))
    assert found["a"].note == "Unschedulable: 0/1 nodes"


def test_a_driver_that_failed_fails_its_step() -> None:
    found = steps(
        TWO,
        workflow(
            pod(".root.a-driver", "Failed", message="main: Error (exit code 1)", exit_code=1),
            node(".root.a", "Omitted", "Skipped"),
            node(".root.b-driver", "Omitted", "Skipped"),
            node(".root.b", "Omitted", "Skipped"),
            phase="Failed",
        ),
    )
    assert (found["a"].status, found["b"].status) == ("failed", "skipped")
    failure = found["a"].failure
    assert failure is not None
    assert failure.message.startswith("KFP's driver, which prepares it, failed")
    assert failure.code == "K714"


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"exit_code": 1, "message": "main: Error (exit code 1)"}, "K710", "the command failed; its log says why"),
        ({"exit_code": 137, "message": "OOMKilled (exit code 137)"}, "K713", "it was killed: OOMKilled"),
        ({"message": "Pod was active on the node longer than the specified deadline"}, "K712", "longer than"),
        ({"message": "pod deleted"}, "K710", "pod deleted"),
        ({}, "K710", "Argo does not say why"),
    ],
)
def test_why_a_step_failed(more: dict[str, Any], code: str, words: str) -> None:
    found = steps(
        TWO,
        workflow(
            pod(".root.a-driver", "Succeeded"),
            node(".root.a", "Failed"),
            pod(".root.a.executor", "Failed", **more),
            phase="Failed",
        ),
    )
    failure = found["a"].failure
    assert failure is not None
    assert failure.code == code
    assert words in failure.message
    assert found["b"].status == "skipped"


def test_a_stopped_run_ends_what_ran_and_what_waited() -> None:
    message = "Pod was active on the node longer than the specified deadline"
    found = steps(
        TWO,
        workflow(
            pod(".root.a-driver", "Succeeded"),
            node(".root.a", "Failed"),
            pod(".root.a.executor", "Failed", message=message),
            phase="Failed",
            stopped=True,
        ),
    )
    assert [found["a"].status, found["b"].status] == ["cancelled", "cancelled"]
    assert found["a"].failure is None


def test_a_step_that_failed_before_the_run_was_stopped_has_failed() -> None:
    found = statuses(
        TWO,
        pod(".root.a-driver", "Succeeded"),
        node(".root.a", "Failed"),
        pod(".root.a.executor", "Failed", exit_code=1, message="main: Error (exit code 1)"),
        phase="Failed",
        stopped=True,
    )
    assert found["a"] == "failed"


def test_the_driver_says_what_comes_from_the_cache() -> None:
    found = statuses(
        TWO,
        pod(".root.a-driver", "Succeeded", put={"cached-decision": "true"}),
        node(".root.a", "Succeeded"),
        node(".root.a.executor", "Skipped", "Skipped"),
    )
    assert found["a"] == "cached"


def test_starts_again_are_attempts() -> None:
    found = steps(
        TWO,
        workflow(
            pod(".root.a-driver", "Succeeded"),
            node(".root.a", "Running"),
            node(".root.a.executor", "Running", "Retry"),
            pod(".root.a.executor(1)", "Running"),
            pod(".root.a.executor(0)", "Failed", exit_code=143),
        ),
    )
    assert found["a"].status == "running"
    assert [(one.number, one.exit_code) for one in found["a"].attempts] == [(1, 143), (2, None)]


@pytest.mark.parametrize("taken", ["then", "else"])
def test_a_choice_tells_which_branch_is_taken(taken: str) -> None:
    inner = ".root.check.condition-branches-1"
    sides = {"then": ("condition-2", "yes"), "else": ("condition-3", "no")}
    yes = sides[taken]
    no = next(one for side, one in sides.items() if side != taken)
    found = steps(
        CHOICE,
        workflow(
            *done(".root.a"),
            pod(".root.check-driver", "Succeeded"),
            node(".root.check", "Running"),
            pod(f"{inner}-driver", "Succeeded"),
            node(inner, "Running"),
            pod(f"{inner}.{yes[0]}-driver", "Succeeded", put={"condition": "true"}),
            node(f"{inner}.{yes[0]}", "Running"),
            pod(f"{inner}.{no[0]}-driver", "Succeeded", put={"condition": "false"}),
            node(f"{inner}.{no[0]}", "Skipped", "Skipped", message="when 'false != false' evaluated false"),
        ),
    )
    assert (found["check"].type, found["check"].status) == ("condition", "succeeded")
    assert found["check"].outputs == {"taken": taken}
    assert (found[yes[1]].status, found[no[1]].status) == ("waiting", "not-taken")
    assert found[yes[1]].within == (("check", taken),)


def test_a_choice_that_does_not_happen_takes_what_is_in_it_along() -> None:
    found = statuses(
        CHOICE,
        pod(".root.a-driver", "Succeeded"),
        node(".root.a", "Failed"),
        pod(".root.a.executor", "Failed", exit_code=1),
        node(".root.check-driver", "Omitted", "Skipped"),
        node(".root.check", "Omitted", "Skipped"),
        phase="Failed",
    )
    assert found == {"a": "failed", "check": "skipped", "yes": "skipped", "no": "skipped"}


def test_a_loop_makes_a_step_for_each_item_once_they_are_known() -> None:
    before = steps(
        LOOP, workflow(pod(".root.for-loop-1.iteration-driver", "Running"), node(".root.for-loop-1", "Running"))
    )
    assert list(before) == ["each-loop", "each"]
    loop = ".root(0).for-loop-1(0)"
    item = loop + ".iteration-iterations({0}:{0})(0)"
    found = steps(
        LOOP,
        workflow(
            pod(f"{loop}.iteration-driver(0)", "Succeeded", put={"iteration-count": "3"}),
            node(loop, "Running"),
            node(item.format(0), "Succeeded"),
            pod(item.format(0) + ".iteration-item-driver(0)", "Succeeded"),
            node(item.format(0) + ".iteration-item(0)", "Succeeded"),
            *done(item.format(0) + ".iteration-item(0).each", retry="(0)"),
            node(item.format(1), "Running"),
            pod(item.format(1) + ".iteration-item-driver(0)", "Running"),
        ),
    )
    assert {name: step.status for name, step in found.items()} == {
        "each-loop": "running",
        "each-0": "succeeded",
        "each-1": "waiting",
    }
    assert found["each-loop"].note == "3 items"
    assert [(found[name].loop, found[name].number, found[name].node) for name in ("each-0", "each-1")] == [
        ("each-loop", 0, "each"),
        ("each-loop", 1, "each"),
    ]


def test_items_of_the_document_name_their_steps() -> None:
    doc = document([job("each", "echo {{item.a}}", forEach={"items": [{"a": 1}, {"a": 2}]})])
    spec = spec_of(doc)
    names = [one.state.display_name for one in steps_of(pipeline_of(spec), nodes_of(workflow()))]
    assert names == ["each (a=1)", "each (a=2)"]


def test_a_loop_that_collects_is_one_step_with_its_items() -> None:
    waiting = steps(COLLECTS, workflow())
    assert list(waiting) == ["each-loop", "each", "all"]
    assert waiting["all"].after == ("each-loop",)
    inner = ".root.each-loop.condition-branches-1.condition-3"
    item = inner + ".for-loop-2.iteration-iterations(0:0)"
    found = statuses(
        COLLECTS,
        pod(".root.each-loop-driver", "Succeeded"),
        node(".root.each-loop", "Running"),
        node(inner, "Running"),
        node(item, "Running"),
        node(f"{item}.iteration-item", "Running"),
        *done(f"{item}.iteration-item.each"),
        pod(f"{inner}.each-collect-driver", "Failed", message="no room"),
    )
    assert found == {"each-loop": "running", "each-0": "succeeded", "each-collect": "failed", "all": "waiting"}


def test_an_exit_task_stands_behind_all_others() -> None:
    doc = document([job("a"), job("last")], onExit="last")
    inner = ".root(0).exit-handler-1(0)"
    found = statuses(
        doc,
        node(inner, "Succeeded"),
        *done(f"{inner}.a", retry="(0)"),
        node(f"{inner}.onExit(0)", "Running"),
        pod(f"{inner}.onExit(0).last-driver(0)", "Succeeded"),
        node(f"{inner}.onExit(0).last(0)", "Running"),
        pod(f"{inner}.onExit(0).last(0).executor(0)", "Running"),
    )
    assert found == {"a": "succeeded", "last": "running"}


def test_a_gate_that_runs_waits_for_a_person() -> None:
    gate = {"id": "ask", "type": "container", "image": "busybox:1.36", "command": ["sleep", "9"]}
    gate["gate"] = {"timeout": "1h", "message": "look\nat it"}
    found = steps(
        document([gate]),
        workflow(
            pod(".root.ask-driver", "Succeeded"), node(".root.ask", "Running"), pod(".root.ask.executor", "Running")
        ),
    )
    assert found["ask"].note == "waits for a person: look at it"


def test_tasks_are_told_by_the_version_where_steps_have_names_of_their_own() -> None:
    doc = document([job("train", "echo {{item.d}}", forEach={"matrix": {"d": [1, 2]}})])
    for told in ({"train-d-1": "train", "train-d-2": "train"}, {"train": ["train-d-1", "train-d-2"]}):
        tasks = tasks_told(json.dumps({"kade2kfp": 1, "tasks": told}))
        found = pipeline_of(spec_of(doc), tasks)
        assert [(one.step, one.task) for one in found.tasks] == [("train-d-1", "train"), ("train-d-2", "train")]


@pytest.mark.parametrize("text", ["", "a sentence", "[1]", "{}", '{"kade2kfp": 2, "tasks": {"a": "b"}}', "[" * 99_999])
def test_a_description_of_somebody_elses_tells_nothing(text: str) -> None:
    assert tasks_told(text) == {}


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "no JSON",
        "[]",
        "[" * 99_999,
        '{"status": {"nodes": {"a": 7, "b": {"name": 7}, "c": {"name": "wf.("}}}}',
        '{"metadata": {"name": ["x"]}, "status": []}',
        '{"status": {"compressedNodes": "!!"}}',
        '{"status": {"compressedNodes": "aGFsbG8="}}',
    ],
)
def test_a_manifest_that_is_none_has_no_nodes(manifest: str) -> None:
    assert {one.state.status for one in steps_of(pipeline_of(spec_of(TWO)), nodes_of(manifest))} == {"waiting"}


@pytest.mark.parametrize(
    "spec", [None, 3, [], {"root": {"dag": {"tasks": []}}}, {"root": {"dag": {"tasks": {"a": 5}}}}]
)
def test_an_ir_that_is_none_is_no_traceback(spec: Any) -> None:
    steps_of(pipeline_of(spec), nodes_of(workflow(*done(".root.a"))))


def test_nodes_that_argo_has_packed() -> None:
    made = json.loads(workflow(*done(".root.a")))
    packed = gzip.compress(json.dumps(made["status"].pop("nodes")).encode())
    made["status"]["compressedNodes"] = base64.b64encode(packed).decode()
    assert steps(TWO, json.dumps(made))["a"].status == "succeeded"


def test_a_pipeline_that_nobody_has_any_more_is_what_its_nodes_look_like() -> None:
    nodes = nodes_of(
        workflow(
            *done(".root.a"),
            pod(".root.inner-driver", "Succeeded"),
            node(".root.inner", "Succeeded"),
            *done(".root.inner.b"),
            pod(".root.model", "Succeeded"),
        )
    )
    found = {one.state.name: one.state.status for one in steps_of(pipeline_seen(nodes.by_path), nodes)}
    assert found == {"a": "succeeded", "b": "succeeded", "model": "succeeded"}
