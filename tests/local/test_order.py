"""What starts when: the order of steps, failed branches, how many at a time, attempts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.local.order import next_move
from kade2kfp.local.state import RunState, StepState

sys.path.insert(0, str(Path(__file__).parent))
from faults import ended, said, start_impatient
from running import Ran, arrow, document, job, run, then

OUTCOMES = ["succeeded", "cached", "reused", "failed", "cancelled"]


def _state(graph: Mapping[str, tuple[str, ...]], known: Mapping[str, Any]) -> RunState:
    steps = tuple(StepState(n, n, n, "job", known.get(n, "waiting"), after) for n, after in graph.items())
    return RunState("i", "n", "p", "s", "d", "running", 1.0, "process", {}, steps)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, tuple[str, ...]], dict[str, str], frozenset[str], list[int]]:
    """Steps with those before them, how each would end, those that run always, and in which order they end."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 9)))]
    graph = {
        name: tuple(draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=3))) if at else ()
        for at, name in enumerate(names)
    }
    outcomes = {name: draw(st.sampled_from(OUTCOMES)) for name in names}
    shown = draw(st.permutations(names))
    always = draw(st.frozensets(st.sampled_from(names)))
    order = draw(st.lists(st.integers(0, 99), min_size=len(names), max_size=len(names)))
    return {name: graph[name] for name in shown}, outcomes, always, order


def _reference(
    graph: Mapping[str, tuple[str, ...]], outcomes: Mapping[str, str], always: frozenset[str]
) -> dict[str, str]:
    """How every step ends, by recursion over what is before it; time plays no part."""
    ends: dict[str, str] = {}

    def end(name: str) -> str:
        if name not in ends:
            # What always runs is a hook of another task's: nobody is held back by it.
            before = {end(one) for one in graph[name] if one not in always}
            passable = {"succeeded", "cached", "reused"} | ({"failed"} if name in always else set())
            ends[name] = outcomes[name] if before <= passable else "skipped"
        return ends[name]

    for name in graph:
        end(name)
    return ends


@given(graphs())
def test_any_order_of_ends_leads_to_what_the_graph_says(
    case: tuple[dict[str, tuple[str, ...]], dict[str, str], frozenset[str], list[int]],
) -> None:
    graph, outcomes, always, order = case
    known: dict[str, str] = {}
    running: list[str] = []
    for pick in [*order, 0]:
        while True:
            move = next_move(_state(graph, known), always)
            assert not set(move.start) & {name for name, _ in move.skip}
            for name in move.start:
                assert known.get(name) is None
                ended = ("succeeded", "cached", "reused", "failed")
                assert all(
                    known.get(one) in ended or (one in always and known[one] != "running") for one in graph[name]
                )
                known[name] = "running"
                running.append(name)
            for name, reason in move.skip:
                assert reason.split()[0] in graph[name]
                known[name] = "skipped"
            if not move.start and not move.skip:
                break
        if running:
            ending = running.pop(pick % len(running))
            known[ending] = outcomes[ending]
    assert known == _reference(graph, outcomes, always)


def test_always_runs_after_a_failure_but_not_after_a_skip(home: Path) -> None:
    always = {"runWhen": "always"}
    done = run(
        home,
        [
            job("fine", "echo fine > /out/a"),
            job("bad", "exit 1"),
            job("skipped", "true"),
            job("sibling", "cat /in/a"),
            job("after-fine", "true", **always),
            job("after-bad", "echo tidy", **always),
            job("after-skipped", "true", **always),
        ],
        [
            arrow("fine", "/out", "sibling", "/in"),
            then("bad", "skipped"),
            then("fine", "after-fine"),
            then("bad", "after-bad"),
            then("skipped", "after-skipped"),
        ],
    )
    assert done.code == 3
    assert done.statuses() == {
        "fine": "succeeded",
        "bad": "failed",
        "skipped": "skipped",
        "sibling": "succeeded",
        "after-fine": "succeeded",
        "after-bad": "succeeded",
        "after-skipped": "skipped",
    }
    assert done.step("skipped").note == "bad failed"
    assert done.step("after-skipped").note == "skipped was skipped"
    assert list(said(done)) == ["bad"]


def _at_once(home: Path, jobs: int, steps: int) -> Ran:
    """Each step notes that it runs, and waits until as many as may run have done so at one time."""
    # mkdir either makes a folder or does not: a place is taken by one step.
    script = (
        "cd /v; n=$(ls -d in.* 2>/dev/null | wc -l); mkdir in.$$.$1; n=$(ls -d in.* | wc -l); echo $n >> /v/seen\n"
        f"while [ $n -lt {jobs} ] && [ ! -e full ]; do sleep 0.02; n=$(ls -d in.* | wc -l); done; touch full\n"
        "sleep 0.1; ls -d in.* | wc -l >> seen; rmdir in.$$.$1"
    )
    mount = [{"id": "v", "mountPath": "/v"}]
    tasks = [job(f"s{number}", script, args=[str(number)], volumes=mount) for number in range(steps)]
    return run(home, tasks, None, "--jobs", str(jobs), volumes=[{"id": "v", "claimName": "v"}])


def test_as_many_at_a_time_as_are_wanted(home: Path) -> None:
    for jobs in (1, 3):
        done = _at_once(home, jobs, 6)
        assert done.code == 0, done.err
        seen = [int(line) for line in (home / "volumes/v/seen").read_text().split()]
        assert max(seen) == jobs
        for name in ("seen", "full"):
            (home / "volumes/v" / name).unlink()


def test_attempts_in_the_same_box_find_what_the_first_one_left(home: Path) -> None:
    script = "echo x >> /tmp/tries; echo x >> /out/o; cat /tmp/tries; [ $(wc -l < /tmp/tries) = 3 ]"
    task = job("a", script, retry={"limit": 2})
    done = run(home, [task, job("use", "cat /in/o")], [arrow("a", "/out", "use", "/in")])
    assert done.code == 0, done.err
    assert len(done.step("a").attempts) == 1
    assert [line for line in done.log("a").splitlines() if line == "x"] == ["x"] * 6
    assert done.log("a").count("trying again in 0 s") == 2
    # What it declares begins empty each time.
    assert done.log("use") == "x\n"


def test_attempts_in_new_boxes_find_nothing(home: Path) -> None:
    script = (
        "test ! -e /tmp/x || exit 9; touch /tmp/x; echo x >> /v/tries; wc -l < /v/tries; [ $(wc -l < /v/tries) = 3 ]"
    )
    task = job(
        "a",
        script,
        retry={"limit": 5, "on": "pod", "backoff": "1s", "factor": 1},
        volumes=[{"id": "v", "mountPath": "/v"}],
    )
    done = run(home, [task], volumes=[{"id": "v", "claimName": "v"}])
    assert done.code == 0, done.err
    attempts = done.step("a").attempts
    assert [one.exit_code for one in attempts] == [1, 1, 0]
    assert [done.log("a", number).split()[0] for number in range(3)] == ["1", "2", "3"]
    for first, second in pairwise(attempts):
        assert first.ended is not None
        assert 1 <= second.started - first.ended < 5
    assert "attempt 2 started, 1 exited with code 1" in done.err
    assert done.err.count(": failed") == 0


def test_the_last_attempt_tells(home: Path) -> None:
    task = job("a", "echo $KADE2KFP_STEP; exit 4", retry={"limit": 1, "on": "pod"})
    boxed = job("b", "echo again; exit 5", retry={"limit": 2})
    done = run(home, [task, boxed])
    assert done.code == 3
    told = said(done)
    assert (told["a"].text, told["a"].log) == ("the command exited with code 4", ["a"])
    assert (told["b"].text, told["b"].log) == ("the command exited with code 5", ["again"] * 3)
    assert len(done.step("a").attempts) == 2
    assert len(done.step("b").attempts) == 1


def test_a_timeout_counts_each_box(home: Path) -> None:
    slow = job(
        "slow",
        "echo x >> /v/x; [ $(wc -l < /v/x) = 2 ] || sleep 60",
        timeout="1s",
        volumes=[{"id": "v", "mountPath": "/v"}],
    )
    tasks = [
        slow | {"retry": {"limit": 1, "on": "pod"}},
        job("boxed", "exit 1", timeout="1s", retry={"limit": 9, "backoff": "30s"}),
    ]
    path = document(home, tasks, volumes=[{"id": "v", "claimName": "v"}])
    done = ended(start_impatient(home, 2, "run", str(path), "--jobs", "2"))
    assert done.code == 3
    assert done.statuses() == {"slow": "succeeded", "boxed": "failed"}
    assert len(done.step("slow").attempts) == 2
    assert said(done)["boxed"].code == "K712"
