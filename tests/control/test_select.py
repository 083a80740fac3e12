"""A select does the same on the IR machine as in a local run, and what it hands on is the winner's."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from differential.compare import Ground
from differential.sides import Did, Done, differences, here, on_the_machine
from ir.machine import execute

from kade2kfp import api
from kade2kfp.cli.running import ground_of, launch_of
from kade2kfp.local.folder import hold
from kade2kfp.local.runner import Orders, run_all
from kade2kfp.local.secrets import Objects
from kade2kfp.local.start import begin

Json = dict[str, Any]
_JOBS = {"a", "net", "best", "use"}
GOLDEN = Path(__file__).parent / "select.json"
VOLUMES = [
    {"id": "nas", "claimName": "nas-claim"},
    {"id": "work", "create": {"size": "1Gi"}},
]


def trained(id_: str, accuracy: str, *, path: str = "/model", more: str = "", **fields: Any) -> Json:
    """A job that leaves a folder, or a file, which says whose it is, and metrics."""
    target = path if path.endswith(".txt") else f"{path}/who"
    metrics = f'{{"accuracy": {accuracy}, "rows": {len(id_)}{more}}}'
    script = f"echo {id_} > {target}\necho '{metrics}' > /m/metrics.json"
    return {"id": id_, "type": "job", "script": script, "metrics": "/m/metrics.json", **fields}


def best(**fields: Any) -> Json:
    return {"id": "best", "type": "select", "metric": "accuracy", "path": "/best", **fields}


USE = {
    "id": "use",
    "type": "job",
    "script": 'cat /in/who; echo "$@"',
    "args": ["{{tasks.best.outputs.winner}}", "{{tasks.best.outputs.score}}", "{{tasks.best.metrics.rows}}"],
}


def arrow(giver: str, taker: str = "best", start: str = "/model", end: str = "/c", **fields: Any) -> Json:
    return {"fromTask": giver, "fromPath": start, "toTask": taker, "toPath": end, **fields}


def document(tasks: list[Json], arrows: list[Json], **fields: Any) -> Json:
    defaults = {"image": "python:3.11-slim"}
    whole = {"apiVersion": "kade2kfp/v1", "name": "flow", "defaults": defaults, "tasks": tasks, "arrows": arrows}
    return whole | fields


def both(on: Ground, wanted: Json) -> Done:
    """What becomes of a document, on the IR machine as on this one."""
    text = json.dumps(wanted)
    compiled = api.compile(api.parse(text, "flow.json"))
    assert compiled.yaml is not None, compiled.diagnostics
    volumes = {one["id"]: one.get("claimName", "") for one in wanted.get("volumes", [])}
    folder = on.folder / str(next(on.numbers))
    folder.mkdir()
    folder.chmod(0o755)
    try:
        machine = on_the_machine(compiled.yaml, folder / "machine", on.store, {}, volumes)
        checked = api.for_a_run(api.validate(api.parse(text, "flow.json")))
        local = here(checked, on.home, on.store, volumes, folder / "local", read_cache=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(on.home / "runs", ignore_errors=True)
    assert differences(machine, local) == []
    return local


def used(done: Done) -> str | None:
    task: Did = done.tasks["use"]
    assert task.state == "succeeded", done
    return task.log


@pytest.mark.parametrize(
    ("mode", "accuracies", "said"),
    [
        ("min", ["0.5", "0.75", "-0.25"], "ccc\nccc -0.25 3\n"),
        (None, ["9", "10", "-11"], "bb\nbb 10 2\n"),
        ("max", ["2", "2.0", "1e0"], "a\na 2 1\n"),
        ("max", ["0.3", "0.30000000000000004", "0.1"], "bb\nbb 0.30000000000000004 2\n"),
    ],
)
def test_the_same_wins_on_both_sides(on: Ground, mode: str | None, accuracies: list[str], said: str) -> None:
    tasks = [trained(id_, accuracy) for id_, accuracy in zip(("a", "bb", "ccc"), accuracies, strict=True)]
    arrows = [arrow("a"), arrow("bb", end="/elsewhere"), arrow("ccc"), arrow("best", "use", "/best", "/in")]
    assert used(both(on, document([*tasks, best(mode=mode), USE], arrows))) == said


def test_the_order_of_the_arrows_settles_a_tie(on: Ground) -> None:
    arrows = [arrow("bb"), arrow("a"), arrow("best", "use", "/best", "/in")]
    done = both(on, document([trained("a", "1"), trained("bb", "1"), best(), USE], arrows))
    assert used(done) == "bb\nbb 1 2\n"


def test_folders_in_folders_and_all_metrics_of_the_winner_arrive(on: Ground) -> None:
    made = trained("bb", "2", more=', "only-here": -3.5')
    made["script"] += "\nmkdir -p /model/a/b; echo deep > /model/a/b/c; ln -s who /model/link"
    use = USE | {"script": 'cat /in/who /in/a/b/c /in/link; echo "$@"', "args": ["{{tasks.best.metrics.only-here}}"]}
    arrows = [arrow("a"), arrow("bb"), arrow("best", "use", "/best", "/in")]
    done = both(on, document([trained("a", "1"), made, best(), use], arrows))
    assert used(done) == "bb\ndeep\nbb\n-3.5\n"
    assert done.tasks["best"].metrics == {"accuracy": 2, "rows": 2, "only-here": -3.5}


@pytest.mark.parametrize(
    ("path", "start", "end", "user"),
    [
        ("/best", "/best/model.txt", "/in/who.txt", 1000),
        ("/best/it.txt", "/best/it.txt", "/in/who.txt", 0),
        ("/best", "/best", "/in", 1000),
    ],
)
def test_single_files(on: Ground, path: str, start: str, end: str, user: int) -> None:
    tasks = [trained(id_, accuracy, path="/m/model.txt") for id_, accuracy in (("a", "1"), ("bb", "2"))]
    use = USE | {"script": "cat /in/*"}
    chosen = best(path=path, securityContext={"runAsUser": user})
    arrows = [arrow("a", start="/m/model.txt"), arrow("bb", start="/m/model.txt"), arrow("best", "use", start, end)]
    assert used(both(on, document([*tasks, chosen, use], arrows))) == "bb\n"


@pytest.mark.parametrize(
    ("volume", "comes", "leaves", "accuracy", "user"),
    [
        ("nas", True, True, "3", 1000),
        ("nas", True, False, "3", 0),
        ("nas", False, True, "1", 1000),
        ("work", True, True, "1", 0),
        ("work", True, True, "3", 1000),
    ],
)
def test_volumes(on: Ground, volume: str, comes: bool, leaves: bool, accuracy: str, user: int) -> None:
    coming, leaving = ({"volume": volume} if one else {} for one in (comes, leaves))
    tasks = [trained("a", accuracy), trained("bb", "2"), best(securityContext={"runAsUser": user}), USE]
    arrows = [arrow("a", **coming), arrow("bb"), arrow("best", "use", "/best", "/in", **leaving)]
    done = both(on, document(tasks, arrows, volumes=[one for one in VOLUMES if one["id"] == volume]))
    assert used(done) == ("a\na 3 1\n" if accuracy == "3" else "bb\nbb 2 2\n")


def test_the_winner_may_stay_on_a_volume_of_the_users(on: Ground) -> None:
    chosen = best(path="/nas/kept", volumes=[{"id": "nas", "mountPath": "/nas"}])
    tasks = [trained("a", "1"), trained("bb", "2"), chosen]
    done = both(on, document(tasks, [arrow("a"), arrow("bb")], volumes=VOLUMES[:1]))
    assert done.volumes["nas"]["kept/who"][0] == b"bb\n"


def test_only_what_won_is_of_interest(on: Ground) -> None:
    use = USE | {"script": 'echo "$@"'}
    arrows = [arrow("a"), arrow("bb"), {"fromTask": "best", "toTask": "use"}]
    done = both(on, document([trained("a", "1"), trained("bb", "2"), best(), use], arrows))
    assert used(done) == "bb 2 2\n"
    assert set(done.tasks["best"].artifacts or {}) == {"metrics"}


def test_a_winner_is_a_candidate_of_the_next_select(on: Ground) -> None:
    tasks = [trained("a", "1"), trained("bb", "2"), trained("ccc", "3")]
    first = best(id="first", metric="rows", mode="min", path="/first")
    arrows = [arrow("a", "first"), arrow("bb", "first"), arrow("first", start="/first"), arrow("ccc")]
    done = both(on, document([*tasks, first, best(mode="min"), USE], [*arrows, arrow("best", "use", "/best", "/in")]))
    assert used(done) == "a\nfirst 1 1\n"


def test_names_that_run_into_each_other(on: Ground) -> None:
    tasks = [trained(id_, accuracy) for id_, accuracy in (("x", "1"), ("x-metrics", "3"), ("x_metrics", "2"))]
    arrows = [*(arrow(one["id"]) for one in tasks), arrow("best", "use", "/best", "/in")]
    assert used(both(on, document([*tasks, best(), USE], arrows))) == "x-metrics\nx-metrics 3 9\n"


@pytest.mark.parametrize("key", ["--to", "$(HOME) {x} $$ größe's \""])
def test_a_metric_may_be_called_anything(on: Ground, key: str) -> None:
    tasks = [trained(id_, "0") for id_ in ("a", "bb")]
    for one in tasks:
        metrics = {"accuracy": 0, key: -2 if one["id"] == "a" else -1}
        one["files"] = [{"path": "/code/metrics.json", "content": json.dumps(metrics)}]
        one["script"] = f"echo {one['id']} > /model/who; cp /code/metrics.json /m/"
    use = USE | {"args": ["{{tasks.best.outputs.winner}}"]}
    arrows = [arrow("a"), arrow("bb"), arrow("best", "use", "/best", "/in")]
    assert used(both(on, document([*tasks, best(metric=key), use], arrows))) == "bb\nbb\n"


def test_the_items_of_a_sweep_are_candidates_each(on: Ground) -> None:
    sweep = trained("train", "{{item}}", forEach={"items": [1, 3, 2]})
    sweep["script"] = "echo {{item}} > /model/who\n" + sweep["script"].partition("\n")[2]
    arrows = [arrow("train"), arrow("other"), arrow("best", "use", "/best", "/in")]
    done = both(on, document([sweep, trained("other", "2.5"), best(), USE], arrows))
    assert used(done) == "3\ntrain-3 3 5\n"


@pytest.mark.parametrize(("rows", "log"), [(5000, "net\nnet 2 3\n"), (5, None)])
def test_in_a_branch_it_runs_only_with_the_branch(on: Ground, folder: Path, rows: int, log: str | None) -> None:
    test = {"left": "{{params.rows}}", "operator": ">", "right": 1000}
    condition = {"id": "large", "type": "condition", "test": test}
    into = {"fromTask": "large", "toTask": "net", "branch": "then"}
    arrows = [into, arrow("a"), arrow("net"), arrow("best", "use", "/best", "/in")]
    text = json.dumps(
        document(
            [condition, trained("a", "1"), trained("net", "2"), best(), USE],
            arrows,
            parameters=[{"name": "rows", "type": "integer"}],
        )
    )
    compiled = api.compile(api.parse(text, "flow.json"))
    assert compiled.yaml is not None, compiled.diagnostics
    machine = execute(compiled.yaml, folder, parameters={"rows": rows})
    assert machine.state == "succeeded", machine.logs
    logs = {path.rpartition("/")[2]: one for path, one in machine.logs.items() if path.rpartition("/")[2] in _JOBS}
    checked = api.for_a_run(api.validate(api.parse(text, "flow.json"), values={"rows": rows}))
    launch, found = launch_of(checked, Objects({}, {}), "process", 2, volumes=[], copies=[], readable=[])
    assert launch is not None, found
    run, state = begin(on.home, text, "flow.json", launch.analysis, launch.plan, launch.parameters, launch.options)
    with hold(run):
        orders = Orders(launch.engine, on.home, 2, False, {})
        state = run_all(state, ground_of(launch, run, on.home), orders, SimpleQueue(), lambda _: None)
    assert {one.name for one in state.steps if one.status == "succeeded"} & _JOBS == set(logs)
    assert logs.get("use") == log
    if log is not None:
        assert (run / state.step("use").attempts[-1].log).read_text() == log


def test_a_metric_that_is_missing_fails_the_task_that_lacks_it(on: Ground) -> None:
    tasks = [trained("a", "1"), trained("bb", "2", more=', "f1": 1'), best(metric="f1"), USE]
    done = both(on, document(tasks, [arrow("a"), arrow("bb"), arrow("best", "use", "/best", "/in")]))
    assert {name: one.state for name, one in done.tasks.items()} == {"a": "failed", "bb": "succeeded"}
    assert "metrics: f1 is not among the finite numbers: accuracy, rows" in (done.tasks["a"].log or "")


def test_a_metric_that_the_winner_lacks_fails_the_select(on: Ground) -> None:
    use = USE | {"args": ["{{tasks.best.metrics.f1}}"]}
    tasks = [trained("a", "1", more=', "f1": 1'), trained("bb", "2"), best(), use]
    done = both(on, document(tasks, [arrow("a"), arrow("bb"), arrow("best", "use", "/best", "/in")]))
    assert {name: one.state for name, one in done.tasks.items()} == {
        "a": "succeeded",
        "bb": "succeeded",
        "best": "failed",
    }
    assert "metrics: f1 is not among the finite numbers" in (done.tasks["best"].log or "")


def test_a_winner_of_empty_folders_alone_fails_the_select(on: Ground) -> None:
    made = trained("a", "3")
    made["script"] = made["script"].replace("echo a > /model/who", "mkdir -p /model/deep/er")
    tasks = [made, trained("bb", "2"), best(), USE]
    done = both(on, document(tasks, [arrow("a"), arrow("bb"), arrow("best", "use", "/best", "/in")]))
    assert done.tasks["best"].state == "failed"
    assert "select: the winner a has left no file" in (done.tasks["best"].log or "")


def test_the_compiled_pipeline_is_as_it_was() -> None:
    """KADE2KFP_REGEN=1 writes the golden anew (and fails), to be read before it is committed."""
    compiled = api.compile(api.parse(GOLDEN.read_bytes(), GOLDEN.name))
    assert compiled.yaml is not None, compiled.diagnostics
    text = _without_scripts(compiled.yaml)
    golden = GOLDEN.with_suffix(".yaml")
    if os.environ.get("KADE2KFP_REGEN") and (not golden.exists() or golden.read_text() != text):
        golden.write_text(text)
        pytest.fail(f"{golden.name} was written anew: read it")
    assert text == golden.read_text()


def _without_scripts(text: str) -> str:
    """The pipeline without what templates/ puts into it: those have tests of their own."""
    spec, *platform = yaml.load_all(text, yaml.CSafeLoader)
    for executor in spec["deploymentSpec"]["executors"].values():
        words = executor["container"]
        for key in ("command", "args"):
            words[key] = [word if word.count("\n") < 5 else "SCRIPT" for word in words[key]]
    return yaml.safe_dump_all([spec, *platform], sort_keys=True)
