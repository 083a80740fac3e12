"""Sweeps over known items: each item has a step of its own, and the compiled pipeline does what a local run does."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1]))
from differential import world
from differential.compare import Ground
from differential.sides import Done, differences, here, on_the_machine
from ir.machine import execute

from kade2kfp import api
from kade2kfp.cli import group
from kade2kfp.cli.running import ground_of, launch_of
from kade2kfp.local.failures import failures
from kade2kfp.local.folder import hold
from kade2kfp.local.runner import Orders, run_all
from kade2kfp.local.start import begin
from kade2kfp.local.state import DONE, RunState

Json = dict[str, Any]
GOLDENS = [Path(__file__).parent / f"sweep-{name}.json" for name in ("items", "matrix", "each")]
VOLUMES = [{"id": "nas", "claimName": "nas-claim"}]


def document(tasks: list[Json], arrows: list[Json], **fields: Any) -> Json:
    defaults = {"image": "python:3.11-slim"}
    whole = {"apiVersion": "kade2kfp/v1", "name": "flow", "defaults": defaults, "tasks": tasks, "arrows": arrows}
    return whole | fields


def arrow(giver: str, taker: str, start: str = "/out", end: str = "/in", **fields: Any) -> Json:
    return {"fromTask": giver, "fromPath": start, "toTask": taker, "toPath": end, **fields}


def after(giver: str, taker: str, **fields: Any) -> Json:
    return {"fromTask": giver, "toTask": taker, **fields}


def job(id_: str, script: str, **fields: Any) -> Json:
    return {"id": id_, "type": "job", "script": script, **fields}


def swept(script: str, items: Any = ("a", "b"), **fields: Any) -> Json:
    each = {"matrix": items} if isinstance(items, dict) else {"items": list(items)}
    return job("train", script, forEach=each | fields.pop("each", {}), **fields)


def compiled(wanted: Json) -> str:
    found = api.compile(api.parse(json.dumps(wanted), "flow.json"))
    assert found.yaml is not None, found.diagnostics
    return found.yaml


def both(on: Ground, wanted: Json) -> Done:
    """What becomes of a document without conditions, on the IR machine as on this one."""
    volumes = {one["id"]: one.get("claimName", "") for one in wanted.get("volumes", [])}
    folder = on.folder / str(next(on.numbers))
    folder.mkdir()
    folder.chmod(0o755)
    try:
        machine = on_the_machine(compiled(wanted), folder / "machine", on.store, {}, volumes)
        checked = api.for_a_run(api.validate(api.parse(json.dumps(wanted), "flow.json")))
        local = here(checked, on.home, on.store, volumes, folder / "local", read_cache=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(on.home / "runs", ignore_errors=True)
    assert differences(machine, local) == []
    return local


def executed(on: Ground, wanted: Json) -> set[str]:
    """The steps that succeed, the same on both sides; conditions are none."""
    folder = on.folder / str(next(on.numbers))
    folder.mkdir()
    folder.chmod(0o755)
    try:
        done = execute(compiled(wanted), folder)
        _, state = run_here(on, wanted)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(on.home / "runs", ignore_errors=True)
    here_ = {step.name for step in state.steps if step.status in DONE and step.type != "condition"}
    there = {path.rpartition("/")[2] for path, one in done.tasks.items() if one.exit_code == 0}
    assert there == here_
    return here_


def run_here(on: Ground, wanted: Json) -> tuple[api.Checked, RunState]:
    """A run on this machine, which stays in the home."""
    checked = api.for_a_run(api.validate(api.parse(json.dumps(wanted), "flow.json")))
    launch, found = launch_of(checked, world.objects(), "process", 2, volumes=[], copies=[], readable=[])
    assert launch is not None, found
    run, state = begin(on.home, checked.source.text, "flow.json", launch.analysis, launch.plan, {}, launch.options)
    with hold(run):
        orders = Orders(launch.engine, on.home, 2, False, {})
        ground = ground_of(launch, run, on.home)
        return checked, run_all(state, ground, orders, SimpleQueue(), lambda _: None)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_the_ir_of_a_sweep_is_what_was_read_and_found_right(path: Path) -> None:
    text = compiled(json.loads(path.read_text(encoding="utf-8")))
    golden = path.with_suffix(".yaml")
    if os.environ.get("KADE2KFP_REGEN") and (not golden.exists() or golden.read_text(encoding="utf-8") != text):
        golden.write_text(text, encoding="utf-8")
        pytest.fail(f"{golden.name} was written anew: read it")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_a_golden_runs_the_same_on_both_sides(on: Ground, path: Path) -> None:
    done = both(on, json.loads(path.read_text(encoding="utf-8")))
    assert {did.state for did in done.tasks.values()} == {"succeeded"}


def test_items_reach_commands_and_variables_each_in_its_type(on: Ground) -> None:
    items = [
        {"lr": 0.1, "on": True, "deep": {"a": [1, 2]}, "text": 'it\'s "q" $x'},
        {"lr": 3, "on": False, "deep": {}, "text": ""},
    ]
    task = swept(
        'echo "$LR" {{item.lr}} {{item.on}}; printf "%s|" "$@"',
        items,
        env=[{"name": "LR", "value": "lr={{item.lr}}"}],
        args=["{{item.deep}}", "{{item.text}}", "{{item}}"],
    )
    done = both(on, document([task], []))
    logs = [one.log for one in done.tasks.values()]
    assert logs == [
        'lr=0.1 0.1 true\n{"a":[1,2]}|it\'s "q" $x|{"deep":{"a":[1,2]},"lr":0.1,"on":true,"text":"it\'s \\"q\\" $x"}|',
        'lr=3 3 false\n{}||{"deep":{},"lr":3,"on":false,"text":""}|',
    ]


def test_a_folder_for_each_item_and_an_index_that_says_which(on: Ground) -> None:
    done = both(
        on,
        document(
            [
                swept(
                    "echo {{item.m}} > /out/model",
                    {"m": ["tree", "Forest!"], "n": [1, 2]},
                    each={"exclude": [{"m": "tree", "n": 2}]},
                ),
                job(
                    "report",
                    "cd /in; ls; cat */model; cat index.json; cat /own",
                    files=[{"path": "/own", "content": "own\n"}],
                ),
            ],
            [arrow("train", "report")],
        ),
    )
    rows = [
        {"item": {"m": "tree", "n": 1}, "path": "m-tree-n-1", "name": "m=tree, n=1"},
        {"item": {"m": "Forest!", "n": 1}, "path": "m-forest-n-1", "name": "m=Forest!, n=1"},
        {"item": {"m": "Forest!", "n": 2}, "path": "m-forest-n-2", "name": "m=Forest!, n=2"},
    ]
    log = done.tasks["report"].log or ""
    assert log.splitlines() == [
        *("index.json", "m-forest-n-1", "m-forest-n-2", "m-tree-n-1"),
        *("Forest!", "Forest!", "tree"),
        json.dumps(rows),
        "own",
    ]


@pytest.mark.parametrize("volume", [None, "nas"])
@pytest.mark.parametrize("user", [0, 1000])
def test_single_files_of_all_items_and_of_two_tasks_lie_together(on: Ground, volume: str | None, user: int) -> None:
    by = {"volume": volume} if volume else {}
    security = {"securityContext": {"runAsUser": user}}
    done = both(
        on,
        document(
            [
                swept("echo {{item}} > /out/it.txt", [1, -1], **security),
                job("evaluate", "cat /in/it.txt > /out/score.txt", forEach={"each": "train"}, **security),
                job("report", "cd /in; cat index.json; for one in */*; do echo $one `cat $one`; done", **security),
            ],
            [
                arrow("train", "evaluate", "/out/it.txt", "/in", **by),
                arrow("train", "report", "/out/it.txt", "/in", **by),
                arrow("evaluate", "report", "/out/score.txt", "/in", **by),
            ],
            volumes=VOLUMES,
        ),
    )
    rows = [{"item": 1, "path": "1", "name": "1"}, {"item": -1, "path": "minus-1", "name": "-1"}]
    assert (done.tasks["report"].log or "").splitlines() == [
        json.dumps(rows),
        *("1/it.txt 1", "1/score.txt 1", "minus-1/it.txt -1", "minus-1/score.txt -1"),
    ]


def test_folders_on_a_volume_are_each_items_own(on: Ground) -> None:
    done = both(
        on,
        document(
            [
                swept("ls /out; echo {{item}} > /out/x"),
                job("evaluate", "cat /m/x", forEach={"each": "train"}),
                job("report", "cat /in/index.json /in/*/x"),
            ],
            [arrow("train", "evaluate", end="/m", volume="nas"), arrow("train", "report", volume="nas")],
            volumes=VOLUMES,
        ),
    )
    assert done.tasks["evaluate-b"].log == "b\n"
    assert (done.tasks["report"].log or "").splitlines()[1:] == ["a", "b"]
    assert {name for name in done.volumes["nas"] if name.endswith("x")} == {
        f"pipeline/flow/RUN/train/{item}/out/x" for item in "ab"
    }


def test_values_of_all_items_are_arrays_in_their_order(on: Ground) -> None:
    """Texts need JSON's quotes, whatever is in them; numbers, booleans and what is JSON already do not."""
    outputs = [
        {"name": name, "type": type_, "path": f"/o/{name}"}
        for name, type_ in (
            ("word", "string"),
            ("whole", "integer"),
            ("yes", "boolean"),
            ("list", "array"),
            ("map", "object"),
        )
    ]
    script = """mkdir -p /o; printf '%s' "$1" > /o/word; echo {{item.n}} > /o/whole; echo true > /o/yes
echo '[{{item.n}}, "x"]' > /o/list; echo '{"k": null}' > /o/map; echo '{"acc": {{item.n}}.25}' > /o/m.json"""
    items = [{"n": 2, "w": 'say "hi"\\'}, {"n": 1, "w": "--- 한글"}]
    task = swept(script, items, args=["{{item.w}}"], outputs=outputs, metrics="/o/m.json")
    references = [f"tasks.train.outputs.{one['name']}" for one in outputs] + ["tasks.train.metrics.acc"]
    wanted = document([task, job("use", 'printf "%s\\n" "$@"', args=[f"{{{{{one}}}}}" for one in references])], [])
    log = both(on, wanted).tasks["use"].log or ""
    assert [json.loads(line) for line in log.splitlines()] == [
        [items[0]["w"], items[1]["w"]],
        [2, 1],
        [True, True],
        [[2, "x"], [1, "x"]],
        [{"k": None}, {"k": None}],
        [2.25, 1.25],
    ]


def test_only_texts_cost_a_step_that_collects() -> None:
    outputs = [{"name": "w", "type": "string", "path": "/w"}, {"name": "n", "type": "number", "path": "/n"}]

    def steps(*references: str) -> set[str]:
        use = job("use", "true", args=[f"{{{{tasks.train.outputs.{one}}}}}" for one in references])
        plan = api.validate(api.parse(json.dumps(document([swept("true", outputs=outputs), use], [])))).plan
        assert plan is not None
        return {node.name for node in plan.nodes} - {"train-a", "train-b", "use"}

    assert steps("n") == set()
    assert steps("w") == steps("w", "n") == {"train-collect"}


CHAIN = [
    swept("echo '{\"acc\": {{item}}}' > /m.json", [1, 2, 3], metrics="/m.json"),
    {
        "id": "good",
        "type": "condition",
        "forEach": {"each": "train"},
        "test": {"left": "{{tasks.train.metrics.acc}}", "operator": ">=", "right": 2},
    },
    job("deploy", "echo {{item}}", forEach={"each": "train"}),
    job("drop", "echo {{item}}", forEach={"each": "good"}),
    job("end", "true"),
]
BRANCHES = [after("good", "deploy", branch="then"), after("good", "drop", branch="else")]


def test_a_condition_is_decided_for_each_item(on: Ground) -> None:
    done = executed(on, document(CHAIN, [*BRANCHES, after("deploy", "end"), after("drop", "end")]))
    assert done == {"train-1", "train-2", "train-3", "drop-1", "deploy-2", "deploy-3", "end"}


def test_a_condition_on_the_item_and_a_join_in_the_iteration(on: Ground) -> None:
    test = {"left": "{{item}}", "operator": "!=", "right": "b"}
    tasks = [
        swept("true"),
        {"id": "pick", "type": "condition", "forEach": {"each": "train"}, "test": test},
        *(job(id_, f"echo {id_} {{{{item}}}} > /out/x", forEach={"each": "train"}) for id_ in ("yes", "no")),
        job("join", "cat /in/x; grep -qx `cat /in/x | tr ' ' -` /want", forEach={"each": "train"},
            files=[{"path": "/want", "content": "yes-a\nno-b\n"}]),
        job("all", "ls /in; test -e /in/a && test -e /in/b"),
    ]  # fmt: skip
    arrows = [
        *(after("pick", id_, branch=branch) for id_, branch in (("yes", "then"), ("no", "else"))),
        *(after("train", "pick"), arrow("yes", "join"), arrow("no", "join"), arrow("join", "all", "/in", "/in")),
    ]
    tasks[4]["script"] = "cat /in/x; cp /in/x /out/x; grep -qx `cat /in/x | tr ' ' -` /want"
    arrows[-1] = arrow("join", "all")
    assert executed(on, document(tasks, arrows)) == {"train-a", "train-b", "yes-a", "no-b", "join-a", "join-b", "all"}


def test_a_sweep_in_a_branch_and_behind_a_sweep(on: Ground) -> None:
    """Each item of the second gets all of the first."""
    tasks = [
        {"id": "pick", "type": "condition", "test": {"left": 1, "operator": "<", "right": 2}},
        swept("echo {{item}} > /out/x"),
        job("again", "test `cat /in/*/x | wc -l` = 2", forEach={"items": ["p", "q"]}),
        job("never", "false", forEach={"items": ["x", "y"]}),
    ]
    arrows = [after("pick", "train", branch="then"), after("pick", "never", branch="else"), arrow("train", "again")]
    assert executed(on, document(tasks, arrows)) == {"train-a", "train-b", "again-p", "again-q"}


def test_what_fails_for_one_item_stops_no_other_and_all_that_waits_for_it(on: Ground) -> None:
    tasks = [
        swept("test {{item}} != b", ["a", "b", "c"]),
        job("evaluate", "true", forEach={"each": "train"}),
        job("end", "true"),
    ]
    done = executed(on, document(tasks, [after("train", "evaluate"), after("train", "end")]))
    assert done == {"train-a", "train-c", "evaluate-a", "evaluate-c"}


def test_parallelism_is_held_by_lanes_of_the_items(on: Ground) -> None:
    """What fails holds up its lane, and no other: KFP has no other order between two tasks."""
    task = swept("test {{item}} != b", ["a", "b", "c", "d", "e"], each={"parallelism": 2})
    assert executed(on, document([task], [])) == {"train-a", "train-c", "train-e"}
    plan = api.validate(api.parse(json.dumps(document([task], [])))).plan
    assert plan is not None
    assert {node.name: node.after for node in plan.nodes} == {
        "train-a": (),
        "train-b": (),
        "train-c": ("train-a",),
        "train-d": ("train-b",),
        "train-e": ("train-c",),
    }


def test_lanes_go_through_the_conditions_of_the_items(on: Ground) -> None:
    chain = [dict(one) for one in CHAIN]
    chain[2]["forEach"] = {"each": "train", "parallelism": "{{params.n}}"}
    parameters = [{"name": "n", "type": "integer", "default": 1}]
    done = executed(
        on, document(chain, [*BRANCHES, after("deploy", "end"), after("drop", "end")], parameters=parameters)
    )
    assert done == {"train-1", "train-2", "train-3", "drop-1", "deploy-2", "deploy-3", "end"}


def test_commands_show_all_items_of_a_task_and_each_failure(on: Ground) -> None:
    checked, state = run_here(on, document([swept("echo of {{item}}; test {{item}} = b", ["a", "b", "c"])], []))
    try:
        printed = CliRunner().invoke(group, ["logs", state.name, "train", "--home", str(on.home)]).output
        shown = CliRunner().invoke(group, ["show", state.name, "train", "--home", str(on.home)]).output
    finally:
        shutil.rmtree(on.home / "runs", ignore_errors=True)
    assert sorted(line for line in printed.splitlines() if "of" in line) == [
        *("train-a | of a", "train-b | of b", "train-c | of c")
    ]
    assert all(f"train ({item})" in shown for item in "abc")
    assert checked.analysis is not None
    said = [one.message.partition(":")[0] for one in failures(state, checked.analysis.document)]
    assert sorted(said) == ["`train-a`", "`train-c`"]


def test_a_sweep_is_a_candidate_for_each_item(on: Ground) -> None:
    tasks = [
        swept("echo {{item}} > /out/x; echo '{\"acc\": {{item}}}' > /m.json", [2, 3, 1], metrics="/m.json"),
        {"id": "best", "type": "select", "metric": "acc", "path": "/best"},
        job("use", 'cat /in/x; echo "$@"', args=["{{tasks.best.outputs.winner}}", "{{tasks.best.outputs.score}}"]),
    ]
    done = both(on, document(tasks, [arrow("train", "best", end="/c"), arrow("best", "use", "/best")]))
    assert done.tasks["use"].log == "3\ntrain-3 3\n"
