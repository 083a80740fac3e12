"""What runs after what: case by case the same set of tasks on the IR machine as in a local run, and how the run ends."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from differential.compare import Ground
from ir.machine import execute

from kade2kfp import api
from kade2kfp.cli.running import ground_of, launch_of
from kade2kfp.local.folder import hold
from kade2kfp.local.runner import Orders, run_all
from kade2kfp.local.secrets import NO_OBJECTS
from kade2kfp.local.start import begin
from kade2kfp.local.state import DONE

Json = dict[str, Any]
ALWAYS = {"runWhen": "always"}
SPLIT = [("c", "a", "then"), ("c", "e", "else")]
JOIN = [("a", "j"), ("e", "j")]


def job(id_: str, script: str = "true", **fields: Any) -> Json:
    return {"id": id_, "type": "job", "script": script, **fields}


def bad(id_: str, **fields: Any) -> Json:
    return job(id_, "exit 3", **fields)


def choice(id_: str, holds: bool) -> Json:
    return {"id": id_, "type": "condition", "test": {"left": 1, "operator": "==" if holds else "!=", "right": 1}}


def tell(script: str = "echo {{run.status}}") -> Json:
    return job("tell", script)


def jobs(ids: str) -> list[Json]:
    return [job(id_) for id_ in ids]


@dataclass(frozen=True)
class Case:
    """Arrows are (from, to) or (from, to, branch). `ran` are the tasks that are started: those that fail begin with `-`.

    `state` is the run's on a cluster, `here` the local run's where that is another; `said` is what the exit task is told,
    there and here.
    """

    tasks: list[Json]
    arrows: list[tuple[str, ...]]
    ran: str
    state: str
    here: str = ""
    said: tuple[str, str] | None = None
    more: Json = field(default_factory=dict)


EXIT: Json = {"onExit": "tell"}
OK, FAILED = ("succeeded",) * 2, ("failed",) * 2
# One that fails at first, and has succeeded at last.
SECOND = "[ -e /tmp/was ] || { touch /tmp/was; exit 3; }"
CASES = {
    "a task beside a failed one": Case([bad("a"), *jobs("bd")], [("b", "d")], "-a b d", "failed"),
    "a task behind a failed one": Case([bad("a"), *jobs("bd")], [("a", "b"), ("b", "d")], "-a", "failed"),
    "then": Case([choice("c", True), *jobs("aej")], [*SPLIT, *JOIN], "a j", "succeeded"),
    "else": Case([choice("c", False), *jobs("aej")], [*SPLIT, *JOIN], "e j", "succeeded"),
    "a lone branch not taken": Case([choice("c", False), *jobs("ab")], [SPLIT[0]], "b", "succeeded"),
    "a failed task in a branch": Case([choice("c", True), bad("a"), *jobs("ej")], [*SPLIT, *JOIN], "-a", "failed"),
    "a failed task in a branch beside others": Case(
        [choice("c", True), bad("a"), *jobs("ebd")], [*SPLIT, ("c", "b", "then"), ("b", "d")], "-a b d", "failed"
    ),
    "a failed task in the branch not taken": Case(
        [choice("c", False), bad("a"), *jobs("ej")], [*SPLIT, *JOIN], "e j", "succeeded"
    ),
    "nested, both taken": Case(
        [choice("c", True), choice("n", True), *jobs("aefj")],
        [("c", "n", "then"), ("n", "a", "then"), ("n", "f", "else"), ("c", "e", "else"), *JOIN, ("f", "j")],
        "a j",
        "succeeded",
    ),
    "nested, the inner one not taken": Case(
        [choice("c", True), choice("n", False), *jobs("ae")],
        [("c", "n", "then"), ("n", "a", "then"), ("c", "e", "then")],
        "e",
        "succeeded",
    ),
    "nested, the outer one not taken": Case(
        [choice("c", False), choice("n", True), *jobs("ab")], [("c", "n", "then"), ("n", "a", "then")], "b", "succeeded"
    ),
    "a condition behind a failed task": Case(
        [bad("b"), choice("c", True), *jobs("aej")], [("b", "c"), *SPLIT, *JOIN], "-b", "failed"
    ),
    "always after success": Case([*jobs("ab"), job("x", **ALWAYS)], [("a", "b"), ("a", "x")], "a b x", "succeeded"),
    "always after failure": Case(
        [bad("a"), *jobs("b"), job("x", **ALWAYS)], [("a", "b"), ("a", "x")], "-a x", "failed"
    ),
    "always after a task that is not run": Case(
        [bad("a"), *jobs("b"), job("x", **ALWAYS)], [("a", "b"), ("b", "x")], "-a", "failed"
    ),
    "always after failure in a branch": Case(
        [choice("c", True), bad("a"), *jobs("ej"), job("x", **ALWAYS)], [*SPLIT, *JOIN, ("a", "x")], "-a x", "failed"
    ),
    "always in the branch not taken": Case(
        [choice("c", False), bad("a"), *jobs("ej"), job("x", **ALWAYS)], [*SPLIT, *JOIN, ("a", "x")], "e j", "succeeded"
    ),
    "always after a task that was tried again": Case(
        [job("a", SECOND, retry={"limit": 1}), *jobs("b"), job("x", **ALWAYS)],
        [("a", "b"), ("a", "x")],
        "a b x",
        "succeeded",
    ),
    "always after the last attempt": Case(
        [bad("a", retry={"limit": 1}), *jobs("b"), job("x", **ALWAYS)], [("a", "b"), ("a", "x")], "-a x", "failed"
    ),
    "always after a timeout": Case(
        [job("a", "sleep 60", timeout="1s"), *jobs("b"), job("x", **ALWAYS)],
        [("a", "b"), ("a", "x")],
        "-a x",
        "failed",
    ),
    # Argo looks at a task's own phase, not at its hook's: the run succeeds there.
    "what always runs fails, and holds nobody back": Case(
        [*jobs("ab"), bad("x", **ALWAYS)], [("a", "b"), ("a", "x")], "a b -x", "succeeded", "failed"
    ),
    "what always runs fails in a branch, and holds no join back": Case(
        [choice("c", True), *jobs("aej"), bad("x", **ALWAYS)],
        [*SPLIT, *JOIN, ("a", "x")],
        "a j -x",
        "succeeded",
        "failed",
    ),
    "exit after success": Case([*jobs("ab"), tell()], [("a", "b")], "a b tell", "succeeded", "", OK, EXIT),
    "exit after failure": Case([bad("a"), *jobs("b"), tell()], [("a", "b")], "-a tell", "failed", "", FAILED, EXIT),
    "exit after the last attempt": Case(
        [bad("a", retry={"limit": 1}), tell()], [], "-a tell", "failed", "", FAILED, EXIT
    ),
    "exit after failure beside others": Case(
        [bad("a"), *jobs("bd"), tell()], [("b", "d")], "-a b d tell", "failed", "", FAILED, EXIT
    ),
    "exit after both sides of a condition": Case(
        [choice("c", True), *jobs("aej"), tell()], [*SPLIT, *JOIN], "a j tell", "succeeded", "", OK, EXIT
    ),
    "exit after failure in nested branches": Case(
        [choice("c", True), choice("n", True), bad("a"), *jobs("b"), tell()],
        [("c", "n", "then"), ("n", "a", "then")],
        "-a b tell",
        "failed",
        "",
        FAILED,
        EXIT,
    ),
    # KFP notes the end of a group when the last step in it has ended: of one without a step that ran, never.
    "exit after a lone branch not taken": Case(
        [choice("c", False), *jobs("a"), job("b"), tell()],
        [SPLIT[0]],
        "b tell",
        "succeeded",
        "",
        ("unknown", "succeeded"),
        EXIT,
    ),
    "exit after what always runs": Case(
        [bad("a"), job("x", **ALWAYS), tell()], [("a", "x")], "-a x tell", "failed", "", FAILED, EXIT
    ),
    "exit fails after success": Case(
        [*jobs("a"), tell("echo {{run.status}}; exit 4")], [], "a -tell", "succeeded", "failed", OK, EXIT
    ),
    "exit fails after failure": Case(
        [bad("a"), tell("echo {{run.status}}; exit 4")], [], "-a -tell", "failed", "", FAILED, EXIT
    ),
    "exit is tried again": Case(
        [bad("a"), tell(f"echo {{{{run.status}}}}; {SECOND}") | {"retry": {"limit": 1}}],
        [],
        "-a tell",
        "failed",
        "",
        FAILED,
        EXIT,
    ),
    "a rejected gate routes": Case(
        [
            {
                "id": "g",
                "type": "container",
                "gate": {"timeout": "1s", "onTimeout": "reject", "onReject": "route"},
            },
            {
                "id": "c",
                "type": "condition",
                "test": {"left": "{{tasks.g.decision}}", "operator": "==", "right": "resume"},
            },
            *jobs("aej"),
        ],
        [*SPLIT, *JOIN],
        "g e j",
        "succeeded",
    ),
    "a rejected gate fails": Case(
        [{"id": "g", "type": "container", "gate": {"timeout": "1s"}}, *jobs("b"), job("x", **ALWAYS), tell()],
        [("g", "b"), ("g", "x")],
        "-g x tell",
        "failed",
        "",
        FAILED,
        EXIT,
    ),
    "an approval that nobody gives": Case(
        [{"id": "c", "type": "condition", "approval": {"timeout": "1s"}}, *jobs("aej"), tell()],
        [*SPLIT, *JOIN],
        "c e j tell",
        "succeeded",
        "",
        OK,
        EXIT,
    ),
}


def of(case: Case) -> str:
    arrows = [dict(zip(("fromTask", "toTask", "branch"), one, strict=False)) for one in case.arrows]
    defaults = {"image": "python:3.11-slim"}
    return json.dumps(
        {"apiVersion": "kade2kfp/v1", "name": "flow", "defaults": defaults, "tasks": case.tasks, "arrows": arrows}
        | case.more
    )


def words(states: dict[str, bool]) -> list[str]:
    return sorted((name if well else f"-{name}") for name, well in states.items())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_machine_and_a_local_run_run_the_same(on: Ground, case: Case) -> None:
    text = of(case)
    compiled = api.compile(api.parse(text, "flow.json"))
    assert compiled.yaml is not None, [one.message for one in compiled.diagnostics]
    folder = on.folder / str(next(on.numbers))
    folder.mkdir()
    folder.chmod(0o755)
    try:
        done = execute(compiled.yaml, folder)
        ran = {path.rpartition("/")[2]: done.tasks[path].state == "succeeded" for path in dict(done.pods)}
        assert (words(ran), done.state) == (sorted(case.ran.split()), case.state), done.logs
        logs = {path.rpartition("/")[2]: log for path, log in done.logs.items()}
        here = _here(on, text)
        assert (here.ran, here.state) == (sorted(case.ran.split()), case.here or case.state), here
        if case.said is not None:
            assert (logs["tell"].split()[0], here.told.split()[0]) == case.said
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(on.home / "runs", ignore_errors=True)


@dataclass(frozen=True)
class Here:
    ran: list[str]
    state: str
    told: str


def _here(on: Ground, text: str) -> Here:
    checked = api.for_a_run(api.validate(api.parse(text, "flow.json")))
    launch, found = launch_of(checked, NO_OBJECTS, "process", 2)
    assert launch is not None, found
    run, state = begin(on.home, text, "flow.json", launch.analysis, launch.plan, launch.parameters, launch.options)
    with hold(run):
        orders = Orders(launch.engine, on.home, 2, read_cache=False)
        state = run_all(state, ground_of(launch, run, on.home), orders, SimpleQueue(), lambda _: None)
    steps = [step for step in state.steps if step.attempts]
    told = [(run / step.attempts[-1].log).read_text() for step in steps if step.name == "tell"]
    return Here(words({step.name: step.status in DONE for step in steps}), state.status, "".join(told))
