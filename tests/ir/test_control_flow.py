"""The machine walks DAGs, branches, loops and exit hooks as KFP 2.17 on Argo does."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.components import (
    compiled,
    make,
    numbers,
    paths,
    say,
    shell,
    show,
    show_list,
    show_number,
    status,
    use,
)
from ir.machine import Outcome, execute


def run(folder: Path, function: Callable[..., Any], **given: Any) -> Outcome:
    return execute(compiled(function), folder, parameters=given)


def test_values_and_artifacts_go_into_a_sub_pipeline_and_come_out(folder: Path) -> None:
    @dsl.pipeline
    def inner(word: str, data: dsl.Input[dsl.Dataset], end: str = "!") -> str:
        use(script='printf "in %s" "$(cat "$1")"', data=data)
        show(x=end)
        return say(x=word).outputs["o"]

    def outer(word: str = "from-the-run"):
        data = make(script='printf d > "$1"').outputs["data"]
        show(x=inner(word=word, data=data).output)

    done = run(folder, outer)
    assert done.state == "succeeded", done.logs
    assert done.logs["inner/use"] == "in d"
    assert done.logs["inner/show"] == "!"
    assert done.logs["show"] == "from-the-run"


@pytest.mark.parametrize(("mode", "number", "taken"), [("a", 0, "one"), ("b", 3, "two"), ("b", 2, "three")])
def test_one_branch_runs_and_one_of_joins(folder: Path, mode: str, number: int, taken: str) -> None:
    def flow(mode: str, number: int):
        first = say(x=mode)
        with dsl.If(first.outputs["o"] == "a"):
            one = say(x="one")
        with dsl.Elif(number > 2):
            two = say(x="two")
        with dsl.Else():
            three = say(x="three")
        show(x=dsl.OneOf(one.outputs["o"], two.outputs["o"], three.outputs["o"]))

    done = run(folder, flow, mode=mode, number=number)
    assert done.logs["show"] == taken
    assert sorted(state for path, state in done.states().items() if path.count("/") == 1) == [
        "skipped",
        "skipped",
        "succeeded",
    ]
    assert done.state == "succeeded"


def test_what_follows_a_branch_that_is_not_taken_does_not_run(folder: Path) -> None:
    def after(spec: Any, _: Any) -> None:
        spec["root"]["dag"]["tasks"]["show-2"]["dependentTasks"] = ["condition-1"]

    def flow(mode: str):
        with dsl.If(mode == "yes"):
            show(x="taken")
        show(x="after")

    text = compiled(flow, after)
    done = execute(text, folder / "no", parameters={"mode": "no"})
    assert done.states() == {"condition-1": "skipped", "show-2": "not-run"}
    assert done.state == "succeeded"
    assert execute(text, folder / "yes", parameters={"mode": "yes"}).logs["show-2"] == "after"


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("inputs.parameter_values['pipelinechannel--mode'] < 3", "overload"),
        ("inputs.parameter_values['nobody'] == 'a'", "Key not found"),
        ("inputs.parameter_values['pipelinechannel--mode'] == 'it's'", "Syntax error"),
        ("inputs.parameter_values['pipelinechannel--mode']", "a"),
    ],
)
def test_a_condition_that_cel_cannot_judge_fails_the_driver(folder: Path, condition: str, why: str) -> None:
    def flow(mode: str):
        with dsl.If(mode == "yes"):
            show(x="taken")

    def change(spec: Any, _: Any) -> None:
        spec["root"]["dag"]["tasks"]["condition-1"]["triggerPolicy"]["condition"] = condition

    done = execute(compiled(flow, change), folder, parameters={"mode": "a"})
    assert done.states() == {"condition-1": "failed"}
    assert why in done.logs["condition-1"]


def test_loops_over_given_and_over_found_items(folder: Path) -> None:
    def flow():
        with dsl.ParallelFor(["a", "b"], parallelism=1) as letter:
            show(x=letter)
        with dsl.ParallelFor(numbers().outputs["o"]) as number:
            show(x=number)

    done = run(folder, flow)
    logs = {path: log for path, log in done.logs.items() if "show" in path}
    assert logs == {
        "for-loop-2/iteration-0/show": "a",
        "for-loop-2/iteration-1/show": "b",
        "for-loop-3/iteration-0/show-2": "1",
        "for-loop-3/iteration-1/show-2": "2.5",
        "for-loop-3/iteration-2/show-2": "1000",
    }
    assert done.tasks["for-loop-2"].parallelism == 1


def test_outputs_of_all_iterations_are_collected_in_their_order(folder: Path) -> None:
    def flow(items: list):
        with dsl.ParallelFor(items) as item:
            word = say(x=item)
            data = make(script='printf d > "$1"')
        show_list(x=dsl.Collected(word.outputs["o"]))
        paths(data=dsl.Collected(data.outputs["data"]))

    done = run(folder / "two", flow, items=["<a>", "b"])
    assert done.logs["show-list"] == '["\\u003ca\\u003e","b"]'  # as Go's JSON has it
    assert done.logs["paths"].count('"uri":"minio://') == 3  # two come in, and the log's own
    none = run(folder / "none", flow, items=[])
    assert none.tasks["for-loop-1"].state == "succeeded"
    assert none.tasks["show-list"].state == "failed"
    assert "which had no iteration" in none.logs["show-list"]


def test_an_item_of_another_type_fails_its_iteration_alone(folder: Path) -> None:
    def flow(items: list):
        with dsl.ParallelFor(items) as item:
            show_number(x=item)

    def change(spec: Any, _: Any) -> None:
        definitions = spec["components"]["comp-for-loop-1"]["inputDefinitions"]["parameters"]
        definitions["pipelinechannel--items-loop-item"]["parameterType"] = "NUMBER_DOUBLE"

    done = execute(compiled(flow, change), folder, parameters={"items": [1, "two", 3]})
    assert done.tasks["for-loop-1/iteration-1"].state == "failed"
    assert "expect NUMBER_DOUBLE, got 'two'" in done.logs["for-loop-1/iteration-1"]
    assert done.logs["for-loop-1/iteration-2/show-number"] == "3"
    assert done.state == "failed"


def test_an_exit_task_runs_after_a_failure_and_knows_of_it(folder: Path) -> None:
    def flow(script: str):
        with dsl.ExitHandler(status()):
            first = shell(script=script)
            show(x="after").after(first)

    failed = run(folder / "failed", flow, script="exit 7")
    assert failed.states() == {
        "exit-handler-1/shell": "failed",
        "exit-handler-1/show": "not-run",
        "exit-handler-1": "failed",
        "status": "succeeded",
    }
    assert failed.codes["exit-handler-1/shell"] == 7
    assert '"state":"FAILED"' in failed.logs["status"]
    assert failed.state == "failed"
    assert '"state":"COMPLETE"' in run(folder / "fine", flow, script="true").logs["status"]


def test_an_exit_task_does_not_run_where_the_driver_before_it_fails_or_it_is_a_loop(folder: Path) -> None:
    def flow(items: list):
        with dsl.ExitHandler(show(x="bye")), dsl.ParallelFor(items) as item:
            show(x=item)

    def missing(spec: Any, _: Any) -> None:
        inputs = spec["root"]["dag"]["tasks"]["exit-handler-1"]["inputs"]["parameters"]
        inputs["pipelinechannel--items"] = {"componentInputParameter": "nobody"}

    def after_loop(spec: Any, _: Any) -> None:
        inside = spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
        inside["show"] = {**spec["root"]["dag"]["tasks"].pop("show"), "dependentTasks": ["for-loop-2"]}

    refused = execute(compiled(flow, missing), folder / "refused", parameters={"items": []})
    assert refused.states() == {"exit-handler-1": "failed", "show": "not-run"}
    loop = execute(compiled(flow, after_loop), folder / "loop", parameters={"items": ["a"]})
    assert loop.tasks["exit-handler-1/show"].state == "not-run"


def test_a_hook_reads_nothing_of_a_failed_task_as_an_empty_text(folder: Path) -> None:
    def flow():
        first = say(x="a")
        show(x=first.outputs["o"])

    def hook(spec: Any, _: Any) -> None:
        spec["root"]["dag"]["tasks"]["show"]["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
        spec["deploymentSpec"]["executors"]["exec-say"]["container"]["command"] = ["false"]

    done = execute(compiled(flow, hook), folder)
    assert done.states() == {"say": "failed", "show": "succeeded"}
    assert done.logs["show"] == ""


@pytest.mark.parametrize(("policy", "attempts"), [("OnError", 1), ("OnFailure", 3)])
def test_a_failing_command_is_tried_again_only_where_the_cluster_says_so(
    folder: Path, policy: str, attempts: int
) -> None:
    def flow():
        shell(script='[ "$KFP_RETRY_INDEX" = 2 ] && [ ! -e /tmp/x ] || { touch /tmp/x; exit 3; }').set_retry(5)

    done = execute(compiled(flow), folder, retry_policy=policy)
    assert done.tasks["shell"].attempts == attempts
    assert done.state == ("succeeded" if attempts == 3 else "failed")
    assert len({pod["metadata"]["name"] for _, pod in done.pods}) == len(done.pods) == attempts


def test_tasks_without_an_order_run_at_the_same_time(folder: Path) -> None:
    def flow():
        wait = "n=0; until [ -e /shared/%s ]; do n=$((n+1)); [ $n -lt 400 ] || exit 9; sleep 0.05; done"
        shell(script="touch /shared/a; " + wait % "b")
        shell(script="touch /shared/b; " + wait % "a")

    def change(_: Any, executors: Any) -> None:
        mount = {"pvcNameParameter": {"runtimeValue": {"constant": "both"}}, "mountPath": "/shared"}
        executors |= {name: {"pvcMount": [mount]} for name in ("exec-shell", "exec-shell-2")}

    assert execute(compiled(flow, change), folder).codes == {"shell": 0, "shell-2": 0}


def test_what_kfp_or_argo_cannot_compile_is_refused(folder: Path) -> None:
    def flow():
        show(x="a")
        show(x="b")

    def unknown(spec: Any, _: Any) -> None:
        spec["root"]["dag"]["tasks"]["show"]["dependentTasks"] = ["nobody"]

    def cycle(spec: Any, _: Any) -> None:
        spec["root"]["dag"]["tasks"]["show"]["dependentTasks"] = ["show-2"]
        spec["root"]["dag"]["tasks"]["show-2"]["dependentTasks"] = ["show"]

    with pytest.raises(AssertionError, match="unknown producer task 'nobody'"):
        execute(compiled(flow, unknown), folder)
    with pytest.raises(AssertionError, match="a cycle"):
        execute(compiled(flow, cycle), folder)
    with pytest.raises(AssertionError, match="no parameters"):
        execute(compiled(flow), folder, parameters={"x": 1})
