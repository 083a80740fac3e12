"""What comes before a serving's new version, and what comes after: the command, and the example."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.steps.model import Example, Step

from .applying import NAME, PLAIN, Bench, bench, pod, serving, version, wait_for

__all__ = ["bench"]


def of_port(port: int, **fields: Any) -> Step:
    return serving(autoscale=None, port=port, example=Example("/predict", '{"inputs": [["é"]]}'), **fields)


def test_a_pod_of_the_new_version_answers_the_example(bench: Bench) -> None:
    with pod() as (port, seen):
        assert bench.run(of_port(port)).code == 0
    assert seen == [("/predict", f"{NAME}.team.svc:{port}", '{"inputs": [["é"]]}'.encode())]


@pytest.mark.parametrize(("status", "body"), [(400, b"no column 5\n"), (500, b"<b>oh</b>"), (302, b"")])
def test_an_example_that_is_refused(bench: Bench, status: int, body: bytes) -> None:
    bench.run(PLAIN)
    first = version(bench.kube)
    with pod(status, body) as (port, _):
        done = bench.run(of_port(port))
    said = f"the example was answered with {status}: {body.decode().strip()}".rstrip(": ")
    assert done.last.endswith(f"did not get ready: {said}; {first} answers as before")
    assert version(bench.kube) == first


def test_an_example_that_nobody_answers(bench: Bench) -> None:
    with pod() as (port, _):
        pass
    done = bench.run(of_port(port), patience=0.3)
    assert "the example got no answer: [Errno 111] Connection refused; no version has answered before" in done.last


PACK = "import os, sys; print(os.environ['KADE2KFP_VERSION'], os.environ['KADE2KFP_KEEP']); sys.exit(int(sys.argv[1]))"


def test_the_command_knows_its_version_and_those_to_keep(bench: Bench) -> None:
    first = bench.run(PLAIN, pack=(sys.executable, "-c", PACK, "0"))
    assert first.out == f"{first.outputs['version']} \n"
    second = bench.run(PLAIN, pack=(sys.executable, "-c", PACK, "0"))
    assert second.out.split()[:2] == [second.outputs["version"], first.outputs["version"]]


@pytest.mark.parametrize(("code", "ends"), [("7", 7), ("-9", 247)])
def test_a_command_that_fails_changes_nothing(bench: Bench, code: str, ends: int) -> None:
    done = bench.run(PLAIN, pack=(sys.executable, "-c", PACK, code))
    assert done.code == ends
    assert not any(request.startswith(("PATCH", "DELETE")) for request in bench.kube.asked)


def test_a_command_that_is_killed(bench: Bench) -> None:
    assert bench.run(PLAIN, pack=("sh", "-c", "kill -9 $$")).code == 137


def test_a_command_that_is_not_there(bench: Bench) -> None:
    done = bench.run(PLAIN, pack=("/no/such",))
    assert (done.code, done.said) == (1, ("kade2kfp: cannot start /no/such: No such file or directory",))


def test_term_goes_to_the_command(bench: Bench) -> None:
    mark = bench.folder / "mark"
    script = f"trap 'echo got >{mark}.got; exit 3' TERM; : >{mark}; while :; do sleep 0.02; done"
    process = bench.start(PLAIN, pack=("sh", "-c", script))
    wait_for(mark.exists)
    process.send_signal(signal.SIGTERM)
    assert bench.end(process).code == 143
    assert Path(f"{mark}.got").exists()
    assert bench.kube.names("Deployment") == []
