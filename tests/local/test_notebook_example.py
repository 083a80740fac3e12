"""examples/notebook-to-jobs: a person edits in a real JupyterLab, resumes with a value, and the jobs take both."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import warm
from running import COMMAND, ROOT, Ran, alive, call, environment

EXAMPLE = ROOT / "examples/notebook-to-jobs/pipeline.json"
EDIT = "look-and-edit"
TRAIN = ("train-without-momentum", "train-with-some-momentum", "train-with-much-momentum")


@contextmanager
def waiting(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """The example in the background, once its notebook waits, and what `gates` tells of it."""
    home.mkdir(exist_ok=True)
    with open(home / "out", "wb") as out:
        process = warm.Popen(
            [*COMMAND, "run", str(EXAMPLE)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(home),
        )
    try:
        # The first time, its packages are installed.
        until = time.monotonic() + 400
        while not (listed := json.loads(call(home, "gates", "--output", "json").out or "[]")):
            assert process.poll() is None, (home / "out").read_text()
            assert time.monotonic() < until, (home / "out").read_text()
            time.sleep(0.2)
        yield process, listed[0]
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def ask(url: str, token: str, path: str, body: Any = None, method: str = "GET") -> Any:
    asked = urllib.request.Request(
        f"{url}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {token}"} if token else {},
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def opened(home: Path, run: str) -> tuple[str, str]:
    """The address of the notebook's server and its token, as `open` prints them."""
    done = call(home, "open", run, "edit", "--no-browser")
    assert done.code == 0, done.err
    match = re.search(r"(http://127\.0\.0\.1:\d+)/\S*\?token=([0-9a-f]{48})\b", done.out)
    assert match, done.out
    return match[1], match[2]


def holding(mark: str, folder: Path) -> list[str]:
    """The files below a folder that hold it."""
    files = [Path(at, name) for at, _, names in os.walk(folder) for name in names]
    return [str(one) for one in files if one.is_file() and mark.encode() in one.read_bytes()]


@pytest.mark.slow
def test_what_a_person_edits_and_types_goes_to_the_jobs(home: Path) -> None:
    with waiting(home) as (process, gate):
        run = gate["run"]
        assert (gate["task"], [one["name"] for one in gate["values"]]) == ("edit", ["lr"])
        url, token = opened(home, run)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(url, "", "/api/contents")
        assert {"code", "model"} <= {one["name"] for one in ask(url, token, "/api/contents")["content"]}
        train = ask(url, token, "/api/contents/code/train.py")
        train["content"] = train["content"].replace('print(f"lr', 'print(f"edited: lr')
        ask(url, token, "/api/contents/code/train.py", train, "PUT")
        look = ask(url, token, "/api/contents/code/look.ipynb")
        look["content"]["cells"][0]["source"] = "# Seen"
        ask(url, token, "/api/contents/code/look.ipynb", look, "PUT")
        kernel = ask(url, token, "/api/kernels", {}, "POST")["id"]

        assert alive(token) == []
        assert holding(token, home / "runs") == []
        assert token not in (home / "out").read_text()
        assert token not in call(home, "show", run).out + call(home, "logs", run).out

        wrong = call(home, "resume", run, "edit", "--set", "lr=5")
        assert (wrong.code, "5 is more than the maximum 1" in wrong.err) == (2, True), wrong.err
        assert ask(url, token, "/api/contents")["type"] == "directory"

        done = call(home, "resume", run, "edit", "--set", "lr=0.05")
        assert done.code == 0, done.err
        process.wait(120)
        ran = Ran(process.returncode, (home / "out").read_text(), "", home)
    assert ran.code == 0, ran.out
    assert alive(kernel) == []
    assert holding(token, home / "runs") == []
    assert token not in ran.out
    assert ran.statuses() == dict.fromkeys((EDIT, *TRAIN, "compare"), "succeeded")
    assert ran.step(EDIT).outputs["value-lr"] == 0.05
    assert ran.step(EDIT).outputs["decision"] == "resume"
    assert ran.log(TRAIN[1]) == "edited: lr 0.05, momentum 0.5: y = 2.883 x -1.010, loss 0.0259\n"
    assert [ran.log(job)[:15] for job in TRAIN] == ["edited: lr 0.05"] * 3
    assert ran.step("compare").outputs == {"best": "some"}
    code = ran.folder / "artifacts" / EDIT / "work-code"
    assert "# Seen" in (code / "look.ipynb").read_text()
    again = call(home, "resume", run, "edit", "--set", "lr=0.1")
    assert (again.code, ran.step(EDIT).outputs["value-lr"]) == (1, 0.05), again.err


@pytest.mark.slow
def test_a_rejected_notebook_starts_no_job(home: Path) -> None:
    with waiting(home) as (process, gate):
        done = call(home, "reject", gate["run"], "--reason", "bad points")
        assert done.code == 0, done.err
        process.wait(60)
        ran = Ran(process.returncode, (home / "out").read_text(), "", home)
    assert ran.code == 3, ran.out
    assert "bad points" in ran.out
    statuses = ran.statuses()
    assert statuses.pop(EDIT) == "failed"
    assert set(statuses.values()) == {"skipped"}
