"""The workflow files, the action, GitLab's job and the hooks: right for those who read them, and their commands work."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .actionlint import built
from .runner import ACTION, ROOT, STEPS, program

WORKFLOWS = sorted((ROOT / "examples" / "ci" / "github").glob("*.yml"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8"))
OURS = "OWNER/kade2kfp@v0.1.0"
HELLO: dict[str, Any] = {
    "apiVersion": "kade2kfp/v1",
    "name": "hello",
    "tasks": [{"id": "greet", "type": "job", "image": "busybox:1.36", "command": ["true"]}],
}


@pytest.fixture(scope="session")
def actionlint() -> Path:
    return built()


def lint(actionlint: Path, folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Of a workflow in a repository of its own, which has the action, too."""
    (folder / ".git").mkdir(exist_ok=True)
    (folder / "action.yml").write_bytes((ROOT / "action.yml").read_bytes())
    command = [str(actionlint), "-no-color", name]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def workflow(folder: Path, text: str) -> str:
    path = folder / ".github" / "workflows" / "x.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path.relative_to(folder).as_posix()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_pass_actionlint(actionlint: Path, tmp_path: Path, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for uses in (OURS, "./"):  # with the action beside it, its inputs and outputs are checked as well
        done = lint(actionlint, tmp_path, workflow(tmp_path, text.replace(f"uses: {OURS}", f"uses: {uses}")))
        assert (done.returncode, done.stdout) == (0, "")
    assert text.count(f"uses: {OURS}") == 1


def test_actionlint_finds_an_input_that_the_action_does_not_have(actionlint: Path, tmp_path: Path) -> None:
    text = WORKFLOWS[0].read_text(encoding="utf-8").replace(f"uses: {OURS}", "uses: ./").replace("files:", "filse:")
    done = lint(actionlint, tmp_path, workflow(tmp_path, text))
    assert 'missing input "files"' in done.stdout
    assert 'input "filse" is not defined' in done.stdout


def test_steps_of_the_action_pass_actionlint(actionlint: Path, tmp_path: Path) -> None:
    """As the steps of a job, since actionlint reads workflows only; with shellcheck."""
    given = {name: {"type": "string"} for name in ACTION["inputs"]}
    job = {"runs-on": "ubuntu-latest", "steps": ACTION["runs"]["steps"]}
    text = yaml.safe_dump({"on": {"workflow_call": {"inputs": given}}, "jobs": {"x": job}}, sort_keys=False)
    done = lint(actionlint, tmp_path, workflow(tmp_path, text))
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_from_outside_is_part_of_a_script() -> None:
    texts = [step["run"] for step in STEPS.values()]
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            texts += [step["run"] for step in job["steps"] if "run" in step]
    assert len(texts) >= 3
    assert not [text for text in texts if "${{" in text]


def test_the_action_says_what_its_scripts_read() -> None:
    for id_, script in (("install", "install.sh"), ("work", "run.sh")):
        text = (ROOT / "ci" / script).read_text(encoding="utf-8")
        assert set(re.findall(r"\bINPUT_[A-Z_]+", text)) - {"INPUT_"} == {
            name for name in STEPS[id_]["env"] if name.startswith("INPUT_")
        }
        assert STEPS[id_]["run"] == f'bash "$GITHUB_ACTION_PATH/ci/{script}"'
    assert all(one["description"] for one in (*ACTION["inputs"].values(), *ACTION["outputs"].values()))


@pytest.mark.parametrize("script", ["install.sh", "run.sh"])
def test_shellcheck_finds_nothing(script: str) -> None:
    done = subprocess.run(["shellcheck", "-f", "gcc", str(ROOT / "ci" / script)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def in_shell(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """As GitLab and pre-commit call commands: with kade2kfp on PATH."""
    beside = folder.parent / "bin"
    beside.mkdir(exist_ok=True)
    if not (beside / "kade2kfp").exists():
        program(beside).rename(beside / "kade2kfp")
    env = os.environ | {"PATH": f"{beside}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder.parent)}
    env = {
        name: value
        for name, value in env.items()
        if not name.startswith(("KFP_", "KF_PIPELINES", "KADE2KFP", "KUBE", "XDG_"))
    }
    return subprocess.run(
        ["sh", "-euc", script], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_gitlabs_jobs_do_what_they_say(tmp_path: Path) -> None:
    here = tmp_path / "repository"
    (here / "pipelines").mkdir(parents=True)
    (here / "pipelines" / "train.json").write_text(json.dumps(HELLO), encoding="utf-8")
    check = "\n".join(GITLAB["check"]["script"])
    assert in_shell(here, check).returncode == 1
    assert in_shell(here, "kade2kfp compile pipelines/*.json").returncode == 0
    assert in_shell(here, check).returncode == 0
    submit = in_shell(here, "\n".join(GITLAB["submit"]["script"]))
    assert "no Kubeflow Pipelines is known" in submit.stderr  # all of the options are there
    assert {"check", "submit"} == {name for name in GITLAB if not name.startswith(".")}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_hooks(tmp_path: Path, hook: dict[str, Any]) -> None:
    assert {"id", "name", "entry", "language", "files"} <= set(hook)
    here = tmp_path / "repository"
    (here / "a").mkdir(parents=True)
    names = ["a/pipeline.json", "pipeline.json"]
    for name in names:
        (here / name).write_text(json.dumps(HELLO), encoding="utf-8")
    assert [bool(re.search(hook["files"], name)) for name in [*names, "package.json", "my-pipeline.json"]] == [
        True, True, False, False,
    ]  # fmt: skip
    assert in_shell(here, f"kade2kfp compile {names[0]} {names[1]}").returncode == 0
    entry = f"{hook['entry']} {shlex.join(names)}"
    done = in_shell(here, entry)
    assert done.returncode == 0, done.stderr
    wrong = "{" if "fmt" in hook["id"] else json.dumps(HELLO | {"name": 1})  # fmt takes all that can be read
    (here / names[0]).write_text(wrong, encoding="utf-8")
    assert in_shell(here, entry).returncode == 1
