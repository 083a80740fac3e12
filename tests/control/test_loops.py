"""Loops over lists that only a run knows: the same steps run on the IR machine as in a local run, and leave the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from differential.compare import Ground
from differential.sides import tree
from ir.machine import Outcome, execute

from kade2kfp import api
from kade2kfp.cli.running import ground_of, launch_of
from kade2kfp.local.folder import hold
from kade2kfp.local.order import next_move
from kade2kfp.local.runner import Orders, run_all
from kade2kfp.local.secrets import NO_OBJECTS
from kade2kfp.local.start import again, begin
from kade2kfp.local.state import RunState, from_json, to_json

Json = dict[str, Any]
GOLDEN = Path(__file__).parent / "loop.json"
_ITERATION = re.compile(r"/iteration-(\d+)/")


@dataclass(frozen=True)
class Both:
    """A document that was run on both sides: logs of the steps that ran, with a `-` before the names of those that failed."""

    logs: dict[str, str]
    state: RunState
    machine: Outcome
    files: Mapping[str, Mapping[str, Any]]
    """What lies in the artifacts of the local run, by `STEP/ARTIFACT`."""


def job(id_: str, script: str = "true", **fields: Any) -> Json:
    return {"id": id_, "type": "job", "script": script, **fields}


def looped(script: str, **fields: Any) -> Json:
    each = {"items": "{{params.grid}}"} | fields.pop("each", {})
    return job("train", script, forEach=each, **fields)


def beside(id_: str, script: str, **fields: Any) -> Json:
    return job(id_, script, forEach={"each": "train"}, **fields)


def arrow(giver: str, taker: str, start: str = "/out", end: str = "/in", **fields: Any) -> Json:
    return {"fromTask": giver, "fromPath": start, "toTask": taker, "toPath": end, **fields}


def after(giver: str, taker: str, **fields: Any) -> Json:
    return {"fromTask": giver, "toTask": taker, **fields}


def document(tasks: list[Json], arrows: list[Json], **fields: Any) -> str:
    whole = {"apiVersion": "kade2kfp/v1", "name": "flow", "defaults": {"image": "python:3.11-slim"}}
    parameters = [{"name": "grid", "type": "array"}]
    return json.dumps(whole | {"parameters": parameters, "tasks": tasks, "arrows": arrows} | fields)


def both(on: Ground, text: str, grid: list[Any] | None = None) -> Both:
    values = {} if grid is None else {"grid": grid}
    compiled = api.compile(api.parse(text, "flow.json"))
    assert compiled.yaml is not None, compiled.diagnostics
    folder = on.folder / str(next(on.numbers))
    folder.mkdir()
    folder.chmod(0o755)
    checked = api.for_a_run(api.validate(api.parse(text, "flow.json"), values=values))
    try:
        machine = execute(compiled.yaml, folder, parameters=values, at_once=2)
        launch, found = launch_of(checked, NO_OBJECTS, "process", 2)
        assert launch is not None, found
        run, state = begin(on.home, text, "flow.json", launch.analysis, launch.plan, launch.parameters, launch.options)
        with hold(run):
            orders = Orders(launch.engine, on.home, 2, False)
            state = run_all(state, ground_of(launch, run, on.home), orders, SimpleQueue(), lambda _: None)
        logs = {}
        for step in state.steps:
            if step.attempts:
                name = f"{'-' if step.status == 'failed' else ''}{step.name}"
                logs[name] = (run / step.attempts[-1].log).read_text()
        files = {f"{step.name}/{one.name}": tree(run / one.stored) for step in state.steps for one in step.artifacts}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(on.home / "runs", ignore_errors=True)
    assert there(machine) == logs
    assert machine.state == state.status
    return Both(logs, state, machine, files)


def there(machine: Outcome) -> dict[str, str]:
    """The logs on the machine, by the names that the steps have here; what collects is no step here."""
    found = {}
    for path, task in machine.tasks.items():
        name = path.rpartition("/")[2]
        if task.exit_code is not None and not name.endswith(("-collect", "-nothing")):
            number = _ITERATION.search(path)
            own = f"{name}-{number[1]}" if number else name
            found[f"{'-' if task.state == 'failed' else ''}{own}"] = task.log
    return found


LEAVES = 'mkdir -p /out/deep; printf "%s" "$1" > /out/deep/it; echo "$1" > /value; echo "{\\"acc\\": $2}" > /m.json'
LEAVING = {
    "args": ["{{item.name}}", "{{item.acc}}"],
    "outputs": [{"name": "v", "type": "string", "path": "/value"}],
    "metrics": "/m.json",
}
SEEN = 'cd /in; cat index.json; for f in */deep/it; do echo "$f $(cat $f)"; done; echo "$1 $2"'
SEES = {"args": ["{{tasks.train.outputs.v}}", "{{tasks.train.metrics.acc}}"]}


@pytest.mark.parametrize("grid", [["a"], ["a", "b b", "q\"$x'<é>"], [1, 2.5, 1e-7, 1e21, True], []])
def test_scalar_items(on: Ground, grid: list[Any]) -> None:
    done = both(on, document([looped('echo "$1"', args=["{{item}}"]), job("end")], [after("train", "end")]), grid)
    assert len(done.logs) == len(grid) + 1
    assert done.state.status == "succeeded"


def test_items_that_are_objects(on: Ground) -> None:
    grid = [{"lr": 0.1, "of": [1, {"x": "<"}], "two words": "é"}, {"lr": 1e-7, "of": {}, "two words": ""}]
    args = ["{{item.lr}}", "{{item.of}}", "{{item.two words}}", "{{item}}"]
    done = both(on, document([looped('for a in "$@"; do echo "$a"; done', args=args)], []), grid)
    assert done.logs["train-0"].splitlines()[:3] == ["0.1", '[1,{"x":"\\u003c"}]', "é"]


def test_an_item_in_a_variable(on: Ground) -> None:
    task = looped("echo $RATE", env=[{"name": "RATE", "value": "r={{item}}"}])
    assert both(on, document([task], []), ["1"]).logs == {"train-0": "r=1\n"}


def test_all_items_come_together_in_their_order(on: Ground) -> None:
    grid = [{"name": f"n{number}", "acc": number / 8} for number in range(11)]
    tasks = [looped(LEAVES, **LEAVING), job("report", SEEN, **SEES)]
    done = both(on, document(tasks, [arrow("train", "report")]), grid)
    index, *rows, values = done.logs["report"].splitlines()
    assert json.loads(index) == [
        {"item": item, "path": str(number), "name": f"acc={json.dumps(item['acc']).removesuffix('.0')}, name=n{number}"}
        for number, item in enumerate(grid)
    ]
    assert sorted(rows) == sorted(f"{number}/deep/it n{number}" for number in range(11))
    assert values == f"{json.dumps([one['name'] for one in grid], separators=(',', ':'))} " + json.dumps(
        [one["acc"] if one["acc"] % 1 else int(one["acc"]) for one in grid], separators=(",", ":")
    )


def test_nothing_comes_together_of_an_empty_list(on: Ground) -> None:
    tasks = [looped(LEAVES, **LEAVING), job("report", 'cat /in/index.json; ls -A /in; echo "$1 $2"', **SEES)]
    done = both(on, document(tasks, [arrow("train", "report")]), [])
    assert done.logs == {"report": "[]\nindex.json\n[] []\n"}


def test_a_single_file_keeps_its_name_in_the_folder_of_its_item(on: Ground) -> None:
    tasks = [
        looped("echo {{item}} > /out/m.bin", files=[{"path": "/out/x", "content": ""}]),
        job("report", "cat /in/*/m.bin"),
    ]
    done = both(on, document(tasks, [arrow("train", "report", "/out/m.bin", "/in")]), ["a", "b"])
    assert done.logs["report"] == "a\nb\n"


def test_each_sees_its_own_item_and_no_other(on: Ground) -> None:
    tasks = [
        looped(LEAVES, **LEAVING),
        beside("check", 'cat /in/deep/it; echo " $1 $2"', args=["{{tasks.train.outputs.v}}", "{{item.acc}}"]),
        beside("last", "echo {{item.name}}"),
    ]
    grid = [{"name": "a", "acc": 1}, {"name": "b", "acc": 2}]
    done = both(on, document(tasks, [arrow("train", "check"), after("check", "last")]), grid)
    assert (done.logs["check-0"], done.logs["check-1"], done.logs["last-1"]) == ("a a 1\n", "b b 2\n", "b\n")


def test_a_list_of_a_task_and_data_from_outside(on: Ground) -> None:
    tasks = [
        job(
            "make",
            "echo '[3,1]' > /list; echo x > /out/f",
            outputs=[{"name": "list", "type": "array", "path": "/list"}],
        ),
        looped("cat /in/f; echo {{item}} {{params.word}}", each={"items": "{{tasks.make.outputs.list}}"}),
    ]
    parameters = [{"name": "word", "type": "string", "default": "w"}]
    done = both(on, document(tasks, [arrow("make", "train")], parameters=parameters))
    assert done.logs == {"make": "", "train-0": "x\n3 w\n", "train-1": "x\n1 w\n"}


def test_a_failed_item_lets_the_others_go_on_and_fails_the_loop(on: Ground) -> None:
    tasks = [
        looped("echo {{item}} > /out/f; test {{item}} != b"),
        beside("check", "true"),
        job("report"),
        job("end"),
        job("alone"),
    ]
    arrows = [after("train", "check"), arrow("train", "report"), after("check", "end")]
    done = both(on, document(tasks, arrows), ["a", "b", "c"])
    assert set(done.logs) == {"train-0", "-train-1", "train-2", "check-0", "check-2", "alone"}
    assert {one: done.state.step(one).status for one in ("train-loop", "check-1", "report", "end")} == {
        "train-loop": "failed",
        "check-1": "skipped",
        "report": "skipped",
        "end": "skipped",
    }
    assert done.state.step("train-loop").note == "failed for 1 of 3 items"


@pytest.mark.parametrize("item", [{"x": 1}, "text", 3, ["lr"]])
def test_an_item_without_the_key_fails_alone_and_says_so(on: Ground, item: Any) -> None:
    done = both(on, document([looped("echo {{item.lr}}")], []), [{"lr": "a"}, item])
    assert done.logs == {"train-0": "a\n"}
    failure = done.state.step("train-1").failure
    assert failure is not None
    assert failure.code == "K725"
    assert "`lr`" in failure.message


CONDITION = {
    "id": "good",
    "type": "condition",
    "forEach": {"each": "train"},
    "test": {"left": "{{tasks.train.outputs.v}}", "operator": "==", "right": "{{item.name}}"},
}


def test_a_condition_is_decided_for_each_item(on: Ground) -> None:
    script = 'echo "$1" > /value; test "$1" != b || echo other > /value'
    tasks = [
        looped(script, args=["{{item.name}}"], outputs=LEAVING["outputs"]),
        CONDITION,
        beside("yes", "echo {{item.name}} > /out/f"),
        beside("no", "echo not > /out/f"),
        beside("both", "cat /in/f"),
        job("end"),
    ]
    arrows = [
        after("good", "yes", branch="then"),
        after("good", "no", branch="else"),
        arrow("yes", "both"),
        arrow("no", "both"),
        after("both", "end"),
    ]
    done = both(on, document(tasks, arrows), [{"name": "a"}, {"name": "b"}])
    assert (done.logs["both-0"], done.logs["both-1"]) == ("a\n", "not\n")
    assert {"yes-0", "no-1", "end"} <= set(done.logs)
    assert done.state.step("no-0").status == done.state.step("yes-1").status == "not-taken"


@pytest.mark.parametrize("side", ["then", "else"])
def test_a_loop_in_a_branch(on: Ground, side: str) -> None:
    tasks = [
        {"id": "c", "type": "condition", "test": {"left": 1, "operator": "==", "right": 1}},
        looped(LEAVES, **LEAVING),
        job("report", SEEN, **SEES),
    ]
    arrows = [after("c", "train", branch=side), arrow("train", "report")]
    done = both(on, document(tasks, arrows), [{"name": "a", "acc": 0.5}])
    assert set(done.logs) == ({"train-0", "report"} if side == "then" else set())
    assert done.state.step("train-loop").status == ("succeeded" if side == "then" else "not-taken")


def test_two_loops_over_one_list_and_one_over_what_the_other_collects(on: Ground) -> None:
    tasks = [
        looped("echo {{item}}{{item}} > /value", outputs=LEAVING["outputs"]),
        job("more", "echo {{item}}", forEach={"items": "{{tasks.train.outputs.v}}"}),
        job("other", "echo {{item}}", forEach={"items": "{{params.grid}}"}),
    ]
    done = both(on, document(tasks, []), ["a", "b"])
    assert {name: log for name, log in done.logs.items() if log} == {
        "more-0": "aa\n",
        "more-1": "bb\n",
        "other-0": "a\n",
        "other-1": "b\n",
    }


def test_a_loop_beside_an_exit_task(on: Ground) -> None:
    tasks = [looped("echo {{item}} > /out/f; test {{item}} != b"), job("report"), job("tell", "echo {{run.status}}")]
    text = document(tasks, [arrow("train", "report")], onExit="tell")
    assert both(on, text, ["a"]).logs["tell"] == "succeeded\n"
    assert both(on, text, ["b", "a"]).logs["tell"] == "failed\n"


def test_not_more_items_run_at_a_time_than_the_document_allows(on: Ground) -> None:
    tasks = [looped("sleep 0.2", each={"parallelism": 1}), beside("check", "true")]
    done = both(on, document(tasks, [after("train", "check")]), ["a", "b", "c"])
    assert done.machine.tasks["for-loop-1"].parallelism == 1
    spans = []
    for number in range(3):
        own = [step for step in done.state.steps if step.loop and step.number == number]
        spans.append((min(one.started or 0 for one in own), max(one.ended or 0 for one in own)))
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def test_names_of_steps_that_are_taken_already() -> None:
    tasks = [job("train-0", "echo mine"), job("train-loop"), looped("echo {{item}}")]
    checked = api.validate(api.parse(document(tasks, [])), values={"grid": ["a"]})
    assert checked.plan is not None
    names = [node.name for node in checked.plan.nodes]
    assert len(set(names)) == len(names) == 4
    assert "K900" not in {one.code for one in api.compile(api.parse(document(tasks, []))).diagnostics}


def test_going_on_keeps_the_items_that_are_done(on: Ground) -> None:
    tasks = [looped("echo {{item}} > /out/f; test {{item}} != b"), beside("check", "true"), job("report")]
    text = document(tasks, [after("train", "check"), arrow("train", "report")])
    done = both(on, text, ["a", "b"])
    plan = api.validate(api.parse(text), values={"grid": ["a", "b"]}).plan
    assert plan is not None
    state = again(from_json(to_json(done.state)), plan)
    statuses = {step.name: step.status for step in state.steps}
    assert statuses == {
        "train-loop": "waiting",
        "train-0": "succeeded",
        "check-0": "succeeded",
        "train-1": "waiting",
        "check-1": "waiting",
        "report": "waiting",
    }
    assert next_move(state, frozenset()).start == ("train-loop",)  # nothing in a loop begins before it
    assert len(state.step("train-1").attempts) == 1


@pytest.mark.parametrize(
    ("arrows", "codes"),
    [
        ([arrow("yes", "end")], {"K505"}),
        ([arrow("yes", "end"), after("no", "end")], {"K510"}),
        ([arrow("yes", "end"), arrow("no", "end")], {"K511"}),
    ],
)
def test_what_is_made_for_some_items_only_does_not_leave_the_loop(arrows: list[Json], codes: set[str]) -> None:
    tasks = [
        looped("true", outputs=LEAVING["outputs"]),
        CONDITION,
        beside("yes", "true"),
        beside("no", "true"),
        job("end"),
    ]
    behind = [after("good", "yes", branch="then"), after("good", "no", branch="else")]
    found = api.validate(api.parse(document(tasks, [*behind, *arrows]))).diagnostics
    assert {one.code for one in found} == codes


def test_the_ir_of_a_loop_is_what_was_read_and_found_right() -> None:
    text = api.compile(api.parse(GOLDEN.read_bytes(), GOLDEN.name)).yaml
    golden = GOLDEN.with_suffix(".yaml")
    assert text is not None
    if os.environ.get("KADE2KFP_REGEN") and (not golden.exists() or golden.read_text(encoding="utf-8") != text):
        golden.write_text(text, encoding="utf-8")
        pytest.fail(f"{golden.name} was written anew: read it")
    assert text == golden.read_text(encoding="utf-8")
