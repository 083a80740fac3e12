"""The action's own steps, for a push, a pull request and the main branch."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from kfp_server import TOKEN, Kfp, serve

from . import runner
from .runner import Done

HELLO: dict[str, Any] = {
    "apiVersion": "kade2kfp/v1",
    "name": "hello",
    "parameters": [{"name": "who", "type": "string", "default": "world"}],
    "tasks": [{"id": "greet", "type": "job", "image": "busybox:1.36", "command": ["echo", "{{params.who}}"]}],
}
WRONG = HELLO | {"tasks": [HELLO["tasks"][0] | {"imgae": "x", "command": ["echo", "{{params.whom}}"]}]}
PUSH = {"EVENT_NAME": "push", "REF": "refs/heads/topic"}
MAIN = {"EVENT_NAME": "push", "REF": "refs/heads/main"}
PULL = {"EVENT_NAME": "pull_request", "REF": "refs/pull/7/merge"}
Work = Callable[..., Done]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = tmp_path / "checked out"
    made.mkdir()
    return made


@pytest.fixture
def work(repository: Path, tmp_path: Path) -> Work:
    """The step that does the work: `work(PULL, files="*.json")`; what is no input is a variable of the job."""

    def run(github: dict[str, str], **given: str) -> Done:
        more = {name: value for name, value in given.items() if name.isupper()}
        inputs = {name.replace("_", "-"): value for name, value in given.items() if not name.isupper()}
        more |= {"KADE2KFP_HOME": str(tmp_path / "runs"), "HOME": str(tmp_path)}
        return runner.step("work", repository, github, {"files": "pipeline.json"} | inputs, more)

    return run


@pytest.fixture
def kfp() -> Iterator[Kfp]:
    with serve(execute=False, auth="token") as made:
        yield made


def write(path: Path, document: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


def test_push_compiles(work: Work, repository: Path) -> None:
    write(repository / "pipeline.json", HELLO)
    done = work(PUSH)
    assert (done.code, done.outputs) == (0, {"did": "compile"})
    assert "pipeline.json -> pipeline.yaml (1 step)" in done.log.text
    assert (repository / "pipeline.yaml").exists()
    assert done.summary == "### kade2kfp compile: fine\n\n    pipeline.json -> pipeline.yaml (1 step)\n\n\n"


def test_pull_request_gets_mistakes_at_their_lines(work: Work, repository: Path) -> None:
    write(repository / "pipelines" / "a" / "pipeline.json", WRONG)
    done = work(PULL, files="pipelines/*/pipeline.json")
    assert (done.code, done.outputs) == (1, {"did": "check"})
    second, first = done.log.annotations
    assert first.name == "error"
    assert first.properties == {
        "title": "K100", "file": "pipelines/a/pipeline.json",
        "line": "20", "endLine": "20", "col": "4", "endColumn": "11",
    }  # fmt: skip
    assert first.data == "pipelines/a/pipeline.json:20:4: unknown field `imgae`\nhelp: did you mean `image`?"
    assert second.properties["title"] == "K301"
    assert done.summary.startswith("### kade2kfp check: failed (1)\n")
    assert "    2 errors\n" in done.summary
    assert not (repository / "pipelines" / "a" / "pipeline.yaml").exists()


@pytest.mark.parametrize("stale", ["changed", "missing"])
def test_pull_request_with_yaml_that_is_not_current(work: Work, repository: Path, stale: str) -> None:
    write(repository / "pipeline.json", HELLO)
    if stale == "changed":
        assert work(PUSH).code == 0
        write(repository / "pipeline.json", HELLO | {"name": "good day"})
    before = (repository / "pipeline.yaml").read_bytes() if stale == "changed" else None
    done = work(PULL)
    assert done.code == 1
    (told,) = done.log.annotations
    assert (told.name, told.properties) == ("error", {"title": "stale", "file": "pipeline.json"})
    assert "write it by `kade2kfp compile pipeline.json -o pipeline.yaml`" in told.data
    if stale == "changed":
        assert "+# Name: good-day" in done.log.text
        assert "    +# Name: good-day\n" in done.summary
        assert (repository / "pipeline.yaml").read_bytes() == before
    else:
        assert not (repository / "pipeline.yaml").exists()


def test_pull_request_with_current_yaml_and_a_warning(work: Work, repository: Path) -> None:
    unused = {"name": "unused", "type": "integer", "default": 1}
    write(repository / "pipeline.json", HELLO | {"parameters": [*HELLO["parameters"], unused]})
    work(PUSH)
    done = work(PULL)
    assert done.code == 0
    assert [one.name for one in done.log.annotations] == ["warning"]
    assert work(PULL, args="--werror").code == 1


def test_places_are_those_of_the_repository_wherever_the_command_runs(work: Work, repository: Path) -> None:
    write(repository / "models" / "pipeline.json", WRONG)
    done = work(PULL, command="validate", working_directory="models")
    assert [one.properties["file"] for one in done.log.annotations] == ["models/pipeline.json"] * 2
    assert done.outputs == {"did": "validate"}


def test_text_of_a_document_is_no_command_to_github(work: Work, repository: Path) -> None:
    hostile = "::stop-commands::x\n::add-mask::e\r\n::error::no\u2028##[add-path]/evil %0A::warning::no"
    wrong = HELLO | {"name": hostile, "tasks": [HELLO["tasks"][0] | {hostile: 1, "command": ["echo", hostile]}]}
    name = "::stop-commands::y,line=7%0A##[add-mask]z.json"
    write(repository / name, wrong)
    write(repository / "pipeline.json", HELLO | {"tasks": [HELLO["tasks"][0] | {"command": ["echo", hostile]}]})
    (repository / "pipeline.yaml").write_text(f"old\n{hostile}\n##[warning]no\n", newline="")
    for event in (PULL, PUSH):
        done = work(event, files=f"{name}\npipeline.json")
        assert done.code == 1
        assert all(re.fullmatch("K[0-9]{3}|stale", one.properties["title"]) for one in done.log.commands)
        assert {one.name for one in done.log.commands} <= {"error", "warning"}
        assert {one.properties["file"] for one in done.log.commands} <= {name, "pipeline.json"}
        assert "add-path" in done.log.text + "".join(one.data for one in done.log.commands)
        assert not [row for row in done.summary.splitlines() if row and not row.startswith(("    ", "### kade2kfp "))]


def test_yaml_on_standard_output_is_no_command_to_github(work: Work, repository: Path) -> None:
    task = HELLO["tasks"][0] | {"command": ["echo", "{{params.who}} ##[add-path]/evil"]}
    write(repository / "pipeline.json", HELLO | {"tasks": [task]})
    done = work(PUSH, args="-o -")
    assert done.code == 0
    assert "##[add-path]/evil" in done.log.text
    assert not done.log.commands


def test_files_are_patterns_and_names(work: Work, repository: Path) -> None:
    for name in ("a b.json", "-c.json", "d[1].json", "sub/e.json", "sub/f.json"):
        write(repository / name, HELLO)
    (repository / "sub" / "not.txt").write_text("x")
    files = "\n  a b.json\n-c.json  \nd[1].json\n\nsub/*.json\nsub/e.json\n"
    done = work(PUSH, command="validate", files=files)
    assert done.code == 0, done.raw
    assert "5 files checked, nothing wrong" in done.log.text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"files": "none/*.json"}, "no file is called none/*.json"),
        ({"files": " \n"}, "files names none"),
        ({"files": "50%*\r::add-mask::x"}, "no file is called 50%*\r::add-mask::x"),
        ({"files": "a*\n::add-mask::*"}, "no file is called a*"),
        ({"command": "run"}, "command is 'run': it is validate, compile or submit"),
        ({"command": "validate; touch evil"}, "command is 'validate; touch evil'"),
        ({"args": "--set 'who=x"}, "args has a quote without its other"),
    ],
    ids=str,
)
def test_wrong_inputs(work: Work, repository: Path, given: dict[str, str], says: str) -> None:
    write(repository / "pipeline.json", HELLO)
    done = work(PUSH, **given)
    assert done.code == 2
    (told,) = done.log.commands
    assert (told.name, told.properties) == ("error", {})
    assert told.data.startswith(says)
    assert [one.name for one in repository.iterdir()] == ["pipeline.json"]


def test_inputs_are_never_part_of_a_program(work: Work, repository: Path) -> None:
    write(repository / "pipeline.json", HELLO)
    evil = "`touch evil` ; touch evil & $HOME"
    done = work(PUSH, args=f'--set "who={evil}"')
    assert done.code == 0
    assert evil in (repository / "pipeline.yaml").read_text()
    assert work(PUSH, files=evil).log.annotations[0].properties["title"] == "K001"
    assert work(PUSH, args=evil).code == 1  # words, and no such files
    assert not (repository / "evil").exists()


def test_usage_of_kade2kfp_keeps_its_exit_code(work: Work, repository: Path) -> None:
    write(repository / "pipeline.json", HELLO)
    done = work(PUSH, args="--no-such-option")
    assert done.code == 2
    assert "No such option" in done.log.text


def test_main_submits_once_per_content(work: Work, repository: Path, kfp: Kfp) -> None:
    write(repository / "pipeline.json", HELLO)
    given = {"command": "submit", "endpoint": kfp.url, "token": TOKEN}
    done = work(MAIN, args="--param 'who=all of you'", **given)
    assert done.code == 0, done.raw
    (run,) = kfp.runs.values()
    assert run.config["parameters"] == {"who": "all of you"}
    url = f"{kfp.url}/#/runs/details/{run.id}"
    assert done.outputs == {"did": "submit", "run-id": run.id, "run-url": url}
    assert url in done.summary
    assert not done.log.annotations
    assert TOKEN not in done.raw + done.summary
    assert work(MAIN, **given).code == 0
    assert (len(kfp.versions), len(kfp.runs)) == (1, 2)


def test_several_are_submitted_and_one_that_fails_is_told(work: Work, repository: Path, kfp: Kfp) -> None:
    for name in ("a", "b", "c"):
        write(repository / f"{name}.json", HELLO | {"name": name})
    write(repository / "b.json", WRONG)
    done = work(MAIN, command="submit", files="*.json", KFP_ENDPOINT=kfp.url, KFP_EXISTING_TOKEN=TOKEN)
    assert done.code == 1
    assert done.outputs["run-id"].split() == list(kfp.runs)
    assert len(kfp.runs) == 2
    assert [one.data for one in done.log.annotations] == ["kade2kfp submit failed with code 1: the log says why"]
    assert "unknown field `imgae`" in done.log.text


@pytest.mark.parametrize(
    "github",
    [
        PULL,
        PUSH,
        {"EVENT_NAME": "pull_request_target", "REF": "refs/heads/main"},
        {"EVENT_NAME": "workflow_run", "REF": "refs/heads/main"},
        {"EVENT_NAME": "push", "REF": "refs/tags/main"},
        {"EVENT_NAME": "issue_comment", "REF": "refs/heads/main"},
        {},
    ],
    ids=lambda one: "-".join(one.values()) or "nothing",
)
def test_nothing_else_submits(work: Work, repository: Path, kfp: Kfp, github: dict[str, str]) -> None:
    write(repository / "pipeline.json", HELLO)
    done = work(github, command="submit", endpoint=kfp.url, token=TOKEN, args="--param who=x")
    assert (done.code, done.outputs) == (0, {"did": "validate"})
    assert not kfp.requests
    assert TOKEN not in done.raw


def test_no_branch_submits_nothing(work: Work, repository: Path, kfp: Kfp) -> None:
    write(repository / "pipeline.json", HELLO)
    done = work({"EVENT_NAME": "push", "REF": "refs/heads/"}, command="submit", branch="", endpoint=kfp.url)
    assert done.outputs == {"did": "validate"}


def test_submit_that_kfp_refuses(work: Work, repository: Path, kfp: Kfp) -> None:
    write(repository / "pipeline.json", HELLO)
    done = work(MAIN, command="submit", endpoint=kfp.url, token="wrong-token")
    assert done.code == 3
    assert "does not accept who you are (401)" in done.summary
    assert "does not accept who you are (401)" in done.log.text
    assert "wrong-token" not in done.raw
    assert done.outputs == {"did": "submit", "run-id": "", "run-url": ""}


def test_run_that_takes_longer_than_one_waits(work: Work, repository: Path, kfp: Kfp) -> None:
    write(repository / "pipeline.json", HELLO)
    done = work(MAIN, command="submit", endpoint=kfp.url, token=TOKEN, args="--follow --timeout 1s")
    assert done.code == 124
    assert done.outputs["run-id"] == next(iter(kfp.runs))
    assert "failed with code 124" in done.log.annotations[0].data


def test_dry_run_has_no_run(work: Work, repository: Path, kfp: Kfp) -> None:
    write(repository / "pipeline.json", HELLO)
    done = work(MAIN, command="submit", endpoint=kfp.url, token=TOKEN, args="--dry-run")
    assert done.code == 0
    assert done.outputs == {"did": "submit", "run-id": "", "run-url": ""}
    assert "version hello-" in done.summary
    assert not kfp.runs


@pytest.mark.parametrize(
    ("command", "token"), [("validate", ""), ("compile", ""), ("submit", "KFP_EXISTING_TOKEN=t0ken")]
)
def test_only_submit_gets_the_token(tmp_path: Path, command: str, token: str) -> None:
    """As a variable: not as an argument, which others on the machine see."""
    told = tmp_path / "told"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\n{{ env; echo "$@"; }} >{shlex.quote(str(told))}\n')
    program.chmod(0o755)
    given = {"COMMAND": command, "FILES": "*", "BRANCH": "main", "TOKEN": "t0ken"}
    env = {"PATH": os.environ["PATH"], "KADE2KFP": str(program), "GITHUB_EVENT_NAME": "push"}
    env |= {f"INPUT_{name}": value for name, value in given.items()} | {"GITHUB_REF": "refs/heads/main"}
    script = str(runner.ROOT / "ci" / "run.sh")
    done = subprocess.run(["bash", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [row for row in told.read_text().splitlines() if "t0ken" in row] == ([token] if token else [])


def test_cancelled_job_leaves_nothing_behind(repository: Path, tmp_path: Path) -> None:
    write(repository / "pipeline.json", HELLO)
    (tmp_path / "tmp").mkdir()
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\n: >{tmp_path.as_posix()}/begun\nexec sleep 60\n")
    slow.chmod(0o755)
    env = {"PATH": os.environ["PATH"], "KADE2KFP": str(slow), "INPUT_COMMAND": "validate", "INPUT_FILES": "*.json"}
    process = subprocess.Popen(
        ["bash", str(runner.ROOT / "ci" / "run.sh")],
        cwd=repository, env=env | {"TMPDIR": str(tmp_path / "tmp")},
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    until = time.monotonic() + 20
    while not (tmp_path / "begun").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert not list((tmp_path / "tmp").iterdir())
