"""runs, show, stop and rerun on a cluster: over HTTP, with the real kfp.Client, against tests/kfp_server."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from kfp_server import Kfp, serve
from kfp_server.fixtures import kfp
from kfp_server.proxy import between

from kade2kfp.cluster.kfp.client import kfp_of
from kade2kfp.cluster.kfp.runs import find, list_runs, look, run_state, status_of, watched
from kade2kfp.diagnostics.cannot import CannotDoError

from .argo import document, job
from .flows import FLOW, HOSTILE, STATUSES, ended, start
from .side import Ran, quick, write

__all__ = ["kfp"]
Cli = Callable[..., Ran]
PLAIN = document([job("a", "echo a")])
LONG = document([job("a", "trap 'exit 143' TERM; sleep 60 & wait"), job("b")], [{"fromTask": "a", "toTask": "b"}])


@pytest.fixture
def still(plain: Path) -> Iterator[Kfp]:
    """A KFP that executes nothing."""
    with serve(execute=False) as made:
        yield made


# --- lists


def test_a_thousand_runs_are_listed_by_few_requests(still: Kfp, cli: Cli) -> None:
    still.made_runs(1000, _ir())
    before = len(still.requests)
    all_ = cli("runs", "--endpoint", still.url, "--limit", "0", "--output", "json")
    assert all_.code == 0
    assert len(all_.json) == 1000
    assert all_.json[0]["name"] == "run 1000"
    lists = [one for one in still.requests[before:] if one.path.endswith("/runs")]
    assert len(lists) == 5
    assert len(still.requests) - before <= 7
    before = len(still.requests)
    few = cli("runs", "--endpoint", still.url)
    assert len(few.out.splitlines()) == 21
    assert "and 980 more: --limit 0 lists all" in few.err
    assert len(still.requests) - before <= 3


def test_runs_of_a_pipeline(still: Kfp, cli: Cli) -> None:
    first = start(still, PLAIN, "one")
    start(still, {**PLAIN, "name": "other"}, "two")
    found = cli("runs", "--endpoint", still.url, "--pipeline", "flow", "--output", "json").json
    assert [one["id"] for one in found] == [first]
    assert found[0]["pipeline"] == "flow"
    assert found[0]["path"] == f"{still.url}/#/runs/details/{first}"
    wrong = cli("runs", "--endpoint", still.url, "--pipeline", "flaw")
    assert (wrong.code, "there is no pipeline 'flaw'" in wrong.err, "did you mean `flow`?" in wrong.err) == (
        1,
        True,
        True,
    )


def test_no_runs(still: Kfp, cli: Cli) -> None:
    none = cli("runs", "--endpoint", still.url)
    assert (none.code, none.out) == (0, "")
    assert f"kade2kfp submit pipeline.json --endpoint {still.url}" in none.err


def test_archived_runs_are_not_listed(still: Kfp, cli: Cli) -> None:
    made = still.made_runs(2, _ir())
    with kfp_of(quick(still.url)) as kfp_:
        kfp_.client._run_api.run_service_archive_run(made[1].id)
        assert [one.id for one in list_runs(kfp_)[0]] == [made[0].id]
        assert find(kfp_, "last").id == made[0].id


def test_prune_is_for_this_machine(still: Kfp, cli: Cli) -> None:
    refused = cli("runs", "--endpoint", still.url, "prune", "--keep", "1")
    assert (refused.code, "prune is for the runs of this machine" in refused.err) == (2, True)
    assert still.requests == []


# --- which run


def test_a_run_by_its_id_the_beginning_of_it_its_name_and_last(still: Kfp) -> None:
    made = still.made_runs(12, _ir())
    with kfp_of(quick(still.url)) as kfp_:
        for wanted in (made[3].id, made[3].id[:12], "run 4"):
            assert find(kfp_, wanted).id == made[3].id
        assert find(kfp_, "last").id == made[-1].id
        assert find(kfp_, "n 12").id == made[-1].id
        with pytest.raises(CannotDoError, match="'run' fits 12 runs: run 12") as several:
            find(kfp_, "run")
        assert "last" in several.value.help
        for wanted in ("nothing", "", "00000000-0000-0000-0000-000000000000", "' OR 1=1"):
            with pytest.raises(CannotDoError, match="there is no run"):
                find(kfp_, wanted)


def test_last_of_none(still: Kfp, cli: Cli) -> None:
    none = cli("show", "last", "--endpoint", still.url)
    assert (none.code, "there are no runs at" in none.err) == (1, True)


# --- one run


def test_a_run_is_shown_as_one_here_is(kfp: Kfp, cli: Cli, tmp_path: Path) -> None:
    run = ended(kfp, FLOW, f"job {HOSTILE}")
    at = ("--endpoint", kfp.url)
    state = cli("show", run, *at, "--output", "json").json
    assert {one["name"]: one["status"] for one in state["steps"]} == STATUSES
    assert (state["status"], state["engine"], state["pipeline"]) == ("failed", "kubeflow", "flow")
    assert state["parameters"] == {"list": [{"a": 1}, {"a": 2}], "well": "no"}
    make = next(one for one in state["steps"] if one["name"] == "make")
    assert make["metrics"] == {"acc": 0.5}
    assert [one["name"] for one in make["artifacts"]] == ["metrics", "o"]
    loop = next(one for one in state["steps"] if one["name"] == "each-loop")
    assert (loop["type"], len(loop["artifacts"])) == ("loop", 1)
    assert next(one for one in state["steps"] if one["name"] == "check")["outputs"] == {"taken": "then"}

    text = cli("show", run[:8], *at)
    assert text.code == 0
    assert "\x1b" not in text.out
    assert "\u202e" not in text.out
    assert "boom: K710 the command failed" in text.out
    assert f"{kfp.url}/#/runs/details/{run}" in text.out
    assert f"kade2kfp logs {run} boom --endpoint {kfp.url}" in text.err
    full = cli("show", "last", "make", *at)
    assert "acc = 0.5" in full.out
    assert f"minio://mlpipeline/v2/artifacts/flow/{run}/make/" in full.out

    page = tmp_path / "run.html"
    assert cli("show", "last", *at, "--html", str(page)).code == 0
    html = page.read_text()
    assert "<b>\x1b" not in html
    assert "</script>" not in html
    assert "two" in html  # the log's end of what failed
    wrong = cli("show", "last", "mak", *at)
    assert (wrong.code, "did you mean `make`?" in wrong.err) == (1, True)


def test_where_kfps_older_api_is_closed_the_states_of_tasks_are_known(kfp: Kfp) -> None:
    run = ended(kfp, document([job("a"), job("b", "false")]))
    with between(kfp.url) as proxy, kfp_of(quick(proxy.url)) as kfp_:
        proxy.breaks("status", "/apis/v1beta1/", times=99, status=404, body=b'{"error": "not found", "code": 5}')
        state = run_state(kfp_, run)
    assert {one.name: one.status for one in state.steps} == {"a": "succeeded", "b": "failed"}
    assert state.status == "failed"


def test_a_run_whose_pipeline_was_deleted_is_known_by_its_own_copy(kfp: Kfp) -> None:
    run = ended(kfp, FLOW, well="yes")
    kfp.versions.clear()
    kfp.pipelines.clear()
    with kfp_of(quick(kfp.url)) as kfp_:
        state = run_state(kfp_, run)
    found = {one.name: one.status for one in state.steps}
    assert (found["make"], found["gather"], found["boom"]) == ("succeeded",) * 3


@pytest.mark.parametrize(
    ("state", "history", "status"),
    [
        ("PENDING", ["PENDING"], "running"),
        ("RUNNING", ["PENDING", "RUNNING"], "running"),
        ("CANCELING", ["RUNNING"], "running"),
        ("PAUSED", ["RUNNING"], "running"),
        ("", [], "running"),
        ("A_LATER_STATE", [], "running"),
        ("SUCCEEDED", ["RUNNING", "SUCCEEDED"], "succeeded"),
        ("SKIPPED", [], "succeeded"),
        ("FAILED", ["RUNNING", "FAILED"], "failed"),
        ("FAILED", ["RUNNING", "CANCELING", "FAILED"], "cancelled"),
        ("FAILED", ["CANCELING", "FAILED", "RUNNING", "FAILED"], "failed"),
        ("CANCELED", [], "cancelled"),
    ],
)
def test_states_of_kfp_as_here(state: str, history: list[str], status: str) -> None:
    assert status_of({"state": state, "state_history": [{"state": one} for one in history]}) == status


def test_an_exit_task_and_one_that_always_runs(kfp: Kfp, cli: Cli) -> None:
    tasks = [job("a", "false"), job("clean", "echo cleaned", runWhen="always"), job("last", "echo {{run.status}}")]
    doc = document(tasks, [{"fromTask": "a", "toTask": "clean"}], onExit="last")
    run = ended(kfp, doc)
    at = ("--endpoint", kfp.url)
    steps = cli("show", run, *at, "--output", "json").json["steps"]
    assert {one["name"]: one["status"] for one in steps} == {"a": "failed", "clean": "succeeded", "last": "succeeded"}
    assert cli("logs", run, "last", *at).out == "failed\n"


def test_a_namespace_of_many(plain: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(execute=False, multi_user=True, auth="token") as many:
        monkeypatch.setenv("KFP_EXISTING_TOKEN", next(iter(many.users)))
        path = write(tmp_path, PLAIN)
        at = ("--endpoint", many.url, "--namespace", "team-a")
        assert cli("submit", str(path), *at).code == 0
        assert len(cli("runs", *at, "--output", "json").json) == 1
        assert cli("show", "last", *at, "--output", "json").json["pipeline"] == "flow"
        foreign = cli("runs", "--endpoint", many.url, "--namespace", "team-b")
        assert (foreign.code, "you may not list runs (403)" in foreign.err) == (3, True)
        monkeypatch.setenv("KFP_EXISTING_TOKEN", "none")
        nobody = cli("show", "last", *at)
        assert (nobody.code, "does not accept who you are" in nobody.err) == (3, True)


def test_a_submitted_sweep_is_known_by_its_task(kfp: Kfp, cli: Cli, tmp_path: Path) -> None:
    sweep = document([job("train", "echo {{item.d}}", forEach={"matrix": {"d": [1, 2]}})])
    path = write(tmp_path, sweep)
    done = cli("submit", str(path), "--follow", "--endpoint", kfp.url)
    assert done.code == 0
    assert "train-d-1: succeeded" in done.err
    logs = cli("logs", "last", "train", "--endpoint", kfp.url).out.splitlines()
    assert sorted(logs) == ["train-d-1 | 1", "train-d-2 | 2"]
    steps = cli("show", "last", "train", "--endpoint", kfp.url, "--output", "json").json["steps"]
    assert [one["task"] for one in steps] == ["train", "train"]


# --- stop


def test_a_run_is_stopped_and_told_as_cancelled(kfp: Kfp, cli: Cli) -> None:
    run = start(kfp, LONG)
    with kfp_of(quick(kfp.url)) as kfp_:
        watch, until = watched(kfp_, find(kfp_, run)), time.monotonic() + 30
        while look(watch).state.step("a").attempts == () and time.monotonic() < until:
            time.sleep(0.1)
    asked = cli("stop", run, "--endpoint", kfp.url)
    assert (asked.code, "--yes stops it without" in asked.err) == (2, True)
    assert kfp.run(run).state == "RUNNING"
    done = cli("stop", run, "--endpoint", kfp.url, "--yes")
    assert (done.code, "job has stopped" in done.err) == (0, True)
    state = cli("show", run, "--endpoint", kfp.url, "--output", "json").json
    assert state["status"] == "cancelled"
    assert [one["status"] for one in state["steps"]] == ["cancelled", "cancelled"]
    again = cli("stop", run, "--endpoint", kfp.url, "--yes")
    assert (again.code, "job does not run" in again.err) == (0, True)


def test_a_run_that_does_not_stop_in_time(still: Kfp, cli: Cli) -> None:
    run = still.made_runs(1, _ir(), "RUNNING")[0]
    still.terminate = lambda run: None
    late = cli("stop", run.id, "--endpoint", still.url, "--yes", "--timeout", "1")
    assert (late.code, "still runs after 1 s" in late.err) == (124, True)


# --- rerun


def test_a_failed_run_is_gone_on_with(kfp: Kfp, cli: Cli, tmp_path: Path) -> None:
    run = ended(kfp, FLOW)
    at = ("--endpoint", kfp.url)
    done = cli("rerun", run, "--failed", "--follow", *at)
    assert done.code == 3
    assert run in done.out
    assert len(kfp.runs) == 1
    assert len(kfp.asked(":retry")) == 1


def test_an_ended_run_is_run_again(kfp: Kfp, cli: Cli) -> None:
    run = ended(kfp, FLOW, well="yes")
    at = ("--endpoint", kfp.url)
    refused = cli("rerun", run, "--failed", *at)
    assert (refused.code, "without --failed it is run again" in refused.err) == (1, True)
    first = cli("rerun", run, *at, "--output", "json").json
    assert first["name"] == "job (rerun)"
    new = kfp.wait(first["id"], seconds=60)
    assert new.state == "SUCCEEDED"
    assert cli("show", new.id, *at, "--output", "json").json["parameters"]["well"] == "yes"
    assert cli("rerun", new.id, *at, "--output", "json").json["name"] == "job (rerun 2)"


def test_options_of_this_machine_are_refused(still: Kfp, cli: Cli) -> None:
    for option in (("--jobs", "2"), ("--engine", "docker"), ("--secrets", "x.yaml")):
        assert cli("rerun", "last", "--endpoint", still.url, *option).code == 2
    assert cli("show", "last", "--endpoint", still.url, "--home", "/tmp").code == 2
    assert still.requests == []


def test_a_rerun_whose_answer_is_lost_says_how_to_look(still: Kfp, cli: Cli) -> None:
    still.made_runs(1, _ir())
    with between(still.url) as proxy:
        proxy.breaks("cut after", "POST /apis/v2beta1/runs")
        lost = cli("rerun", "last", "--endpoint", proxy.url)
    assert lost.code == 3
    assert "whether `run 1 (rerun)` was started, kade2kfp runs --endpoint" in lost.err
    assert len(still.runs) == 2


def _ir() -> str:
    from kade2kfp.api import compile, parse

    text = compile(parse(json.dumps(PLAIN))).yaml
    assert text is not None
    return text
