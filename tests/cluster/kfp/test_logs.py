"""logs of runs on a cluster."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from kfp_server import Kfp, serve
from kfp_server.fixtures import kfp
from kfp_server.made import many_tasks
from kfp_server.proxy import between

from kade2kfp.cli.cluster_logs import _last
from kade2kfp.cluster.kfp.logs import _refusal

from .argo import document, job
from .flows import FLOW, ended, start
from .side import Ran

__all__ = ["kfp"]
Cli = Callable[..., Ran]


@pytest.fixture
def still(plain: Path) -> Iterator[Kfp]:
    with serve(execute=False) as made:
        yield made


def test_logs_of_a_run_its_tasks_and_their_last_lines(kfp: Kfp, cli: Cli) -> None:
    run = ended(kfp, FLOW)
    at = ("--endpoint", kfp.url)
    assert cli("logs", run, "make", *at).out == "made\n"
    lines = cli("logs", run, *at).out.splitlines()
    assert "boom      | two" in lines
    assert "each-1    | hi" in lines
    assert cli("logs", run, "boom", "--tail", "1", *at).out.splitlines()[-1:] == lines_of(kfp, run, "boom")[-1:]
    assert cli("logs", run, "boom", "--tail", "0", *at).out == ""
    none = cli("logs", run, "late", *at)
    assert (none.code, none.out, "late has no log: it is skipped" in none.err) == (0, "", True)
    wrong = cli("logs", run, "boom", "--attempt", "4", *at)
    assert (wrong.code, "there is no attempt 4: boom had 1 attempt" in wrong.err) == (1, True)


def lines_of(kfp: Kfp, run: str, task: str) -> list[str]:
    log = next(known.log for path, known in kfp.told(run).tasks.items() if path.endswith(task))
    return str(log).splitlines()


def test_a_log_is_followed_while_it_grows(kfp: Kfp, cli: Cli) -> None:
    slow = document([job("a", "for i in 1 2 3 4; do echo line $i; sleep 1; done; printf end"), job("b", "echo b")])
    run = start(kfp, slow)
    found = cli("logs", run, "a", "-f", "--endpoint", kfp.url)
    assert found.code == 0
    assert found.out == "line 1\nline 2\nline 3\nline 4\nend"
    assert kfp.most("/log", 1.0) <= 4


def test_what_a_step_writes_acts_on_no_terminal_and_is_not_taken_for_kfps_words(kfp: Kfp, cli: Cli) -> None:
    text = '{"error_message": "mine", "error_details": "read logs"}'
    run = ended(kfp, document([job("a", f"echo '{text}'")]))
    assert cli("logs", run, "a", "--endpoint", kfp.url).out == text + "\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error_message":"Failed to read logs for run x: pod gone","error_details":"..."}', "Failed to read logs"),
        (b'{"error":"Failed to read logs for run x"}', "Failed to read logs"),
        (b'{"error_message": "mine"}', ""),
        (b'{"error_message": 5}', ""),
        (b'{"error_message": "read logs"} and more', ""),
        (b"[" * 9999, ""),
    ],
)
def test_kfps_refusal_comes_as_a_log(body: bytes, said: str) -> None:
    assert _refusal(body).startswith(said)
    assert bool(_refusal(body)) == bool(said)


def test_a_log_of_a_pod_that_is_gone_is_read_from_the_store(
    kfp: Kfp, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    kfp.archives = False
    run = ended(kfp, FLOW)
    at = ("--endpoint", kfp.url)
    kfp.gone.add(run)
    lost = cli("logs", run, "boom", *at)
    assert (lost.code, lost.out) == (0, "")
    assert "the log of boom, attempt 1, cannot be had: the object store of the run is not known" in lost.err
    access, secret = next(iter(kfp.keys.items()))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    found = cli("logs", run, "boom", *at, "--store", f"http://{kfp.s3}")
    assert (found.code, "two\n" in found.out) == (0, True)


def test_a_log_that_breaks_off_is_an_error(kfp: Kfp, cli: Cli) -> None:
    run = ended(kfp, document([job("a", "for i in $(seq 2000); do echo a long line of a log $i; done")]))
    with between(kfp.url) as proxy:
        proxy.breaks("half", "/log", times=9)
        broken = cli("logs", run, "a", "--endpoint", proxy.url)
    assert "read the log of pod" in broken.err
    assert "broke" in broken.err


def test_many_logs_are_asked_for_slowly(still: Kfp, cli: Cli) -> None:
    run = still.made_runs(1, many_tasks(30), "RUNNING")[0]
    still.pretend(run, done=5, running=20)

    def finish() -> None:
        time.sleep(3)
        still.pretend(run, done=30)

    worker = threading.Thread(target=finish)
    worker.start()
    found = cli("logs", run.id, "-f", "--endpoint", still.url)
    worker.join()
    assert found.code == 0
    assert "task-004 | task-004" in found.out
    logs = [one.at for one in still.asked("/log")]
    assert max(sum(at <= one < at + 1 for one in logs) for at in logs) <= 4
    assert still.most() <= 6


def test_the_last_lines_of_a_log() -> None:
    pieces = [b"a\nb", b"b\nc", b"\nd\n"]
    assert _last(iter(pieces), 2) == (b"c\nd\n", 9)
    assert _last(iter([b"a\nb"]), 1) == (b"b", 3)
    assert _last(iter([]), 3) == (b"", 0)
    assert _last(iter(pieces), 0) == (b"", 9)
