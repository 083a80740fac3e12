"""kade2kfp new: each template is a document without a fault, which runs; nothing of the user's is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm

from kade2kfp.api import compile, load
from kade2kfp.cli.new_command import templates, write_all
from kade2kfp.diagnostics.severity import severity

from .command import KADE2KFP, environment, kade2kfp, no_bug

TEMPLATES = Path(__file__).parents[2] / "templates" / "new"
NAMES = sorted(one.name for one in TEMPLATES.iterdir())
GATED = {"approval": ("review", "drop", "release"), "notebook": ("look", None, "count")}
NEEDS_PACKAGES = {"notebook", "serving"}
"""Those that take packages from an index the first time; their runs are tried elsewhere, or are slow."""


def content(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home for runs, whose Python environments are those of other tests."""
    shared = Path(__file__).parents[2] / ".cache" / "test-environments"
    shared.mkdir(parents=True, exist_ok=True)
    made = tmp_path / "home"
    made.mkdir()
    (made / "environments").symlink_to(shared)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_a_template_compiles_without_a_warning(tmp_path: Path, name: str) -> None:
    ran = kade2kfp("new", name, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.decode().splitlines()[-1] == f"next: kade2kfp run {name}/pipeline.json"
    assert content(tmp_path / name) == content(TEMPLATES / name)
    compiled = compile(load(tmp_path / name / "pipeline.json"), folder=tmp_path / name)
    assert compiled.yaml
    assert [one for one in compiled.diagnostics if severity(one.code).value != "note"] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_a_model_to_follow(name: str) -> None:
    files = content(TEMPLATES / name)
    document = json.loads(files["pipeline.json"])
    assert "$schema" not in document  # no file that is not there
    assert document["name"] == name
    assert document["description"].endswith(".")
    readme = files["README.md"].decode()
    assert readme.startswith(f"# {name}\n")
    assert "kade2kfp run pipeline.json" in readme
    sources = {one["source"] for task in document["tasks"] for one in task.get("files", ()) if "source" in one}
    assert sources | {"pipeline.json", "README.md"} == set(files)


@pytest.mark.parametrize("name", sorted(set(NAMES) - NEEDS_PACKAGES - set(GATED)))
def test_a_template_runs_at_once(tmp_path: Path, home: Path, name: str) -> None:
    kade2kfp("new", name, "mine", cwd=tmp_path)
    ran = kade2kfp("run", "mine/pipeline.json", "--home", str(home), "--output", "json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr.decode()
    steps = {one["status"] for one in json.loads(ran.stdout)["steps"]}
    assert steps <= {"succeeded", "not-taken"}


def test_the_other_branch_of_train(tmp_path: Path, home: Path) -> None:
    kade2kfp("new", "train", cwd=tmp_path)
    ran = kade2kfp("run", "train/pipeline.json", "--set", "max_error=1", "--home", str(home), cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr.decode()
    shown = kade2kfp("logs", "last", "report", "--home", str(home), cwd=tmp_path).stdout.decode()
    assert shown.startswith("not published: line has an error of 2.78")


@pytest.mark.parametrize(
    ("name", "decided", "runs"),
    [
        ("approval", ("resume", "--set", "channel=everybody"), "release"),
        ("approval", ("reject",), "drop"),
        pytest.param("notebook", ("resume", "--set", "threshold=60"), "count", marks=pytest.mark.slow),
    ],
)
def test_a_template_that_waits_goes_on_as_a_person_decides(
    tmp_path: Path, home: Path, name: str, decided: tuple[str, ...], runs: str
) -> None:
    task = GATED[name][0]
    kade2kfp("new", name, cwd=tmp_path)
    with open(tmp_path / "log", "wb") as log:
        process = warm.Popen(
            [*KADE2KFP, "run", f"{name}/pipeline.json", "--home", str(home)],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
    try:
        until = time.monotonic() + 400  # JupyterLab is installed the first time
        while (
            json.loads(kade2kfp("gates", "--home", str(home), "--output", "json", cwd=tmp_path).stdout or b"[]") == []
        ):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.1)
        word, *more = decided
        done = kade2kfp(word, "last", task, *more, "--home", str(home), cwd=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
        assert process.wait(60) == 0, (tmp_path / "log").read_text()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
    assert f"{runs}: succeeded" in (tmp_path / "log").read_text()


def test_the_list_says_how_to_go_on(tmp_path: Path) -> None:
    ran = kade2kfp("new", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    *rows, _, last = ran.stdout.decode().splitlines()
    assert sorted(row.split()[0] for row in rows) == NAMES
    assert rows[0].startswith("hello ")
    assert max(map(len, rows)) <= 100
    assert "kade2kfp new TEMPLATE [FOLDER]" in last
    assert kade2kfp("new", "--list", cwd=tmp_path).stdout == ran.stdout
    assert list(templates()) == [row.split()[0] for row in rows]


def test_nothing_is_overwritten_unless_it_is_said(tmp_path: Path) -> None:
    kade2kfp("new", "train", "mine", cwd=tmp_path)
    (tmp_path / "mine" / "pipeline.json").write_text("my own")
    (tmp_path / "mine" / "notes.txt").write_text("notes")
    before = content(tmp_path)
    ran = kade2kfp("new", "train", "mine", cwd=tmp_path)
    assert ran.returncode == 1
    said = ran.stderr.decode()
    assert "mine/README.md, mine/pipeline.json, mine/rows.csv, mine/train.py would be replaced" in said
    assert "--force" in said
    assert content(tmp_path) == before
    assert kade2kfp("new", "train", "mine", "--force", cwd=tmp_path).returncode == 0
    assert content(tmp_path / "mine") == content(TEMPLATES / "train") | {"notes.txt": b"notes"}


def test_it_goes_beside_other_files(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("1")
    ran = kade2kfp("new", "hello", ".", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.decode().splitlines() == ["README.md", "pipeline.json", "next: kade2kfp run pipeline.json"]
    assert sorted(os.listdir(tmp_path)) == ["README.md", "code.py", "pipeline.json"]


def test_a_link_that_leads_nowhere_is_a_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "pipeline.json").symlink_to(tmp_path / "elsewhere.json")
    assert kade2kfp("new", "hello", "mine", cwd=tmp_path).returncode == 1
    (tmp_path / "hello").symlink_to(tmp_path / "nowhere")
    assert kade2kfp("new", "hello", cwd=tmp_path).returncode == 1
    assert sorted(os.listdir(tmp_path)) == ["hello", "mine"]


def test_what_fails_half_way_leaves_all_as_it_was(tmp_path: Path) -> None:
    files = {"a": b"new a", "b": b"new b", "c/d": b"there is no folder c"}
    for target in (tmp_path / "fresh" / "deep", tmp_path / "old"):
        if target.name == "old":
            target.mkdir()
            (target / "a").write_bytes(b"old a")
        with pytest.raises(OSError, match="c/d"):
            write_all(target, files, force=True)
    assert content(tmp_path) == {"old/a": b"old a"}
    assert sorted(os.listdir(tmp_path)) == ["old"]
    assert os.listdir(tmp_path / "old") == ["a"]


@pytest.mark.parametrize(
    "name",
    ["Ä \"x\" \\ 'y'", "two\nlines", "{{params.who}}", "\x1b[31mred", "]](http://x) <b>", "名前", " x ", "\u202ex"],
)
def test_any_name_is_written_as_it_is(tmp_path: Path, name: str) -> None:
    ran = kade2kfp("new", "hello", "--name", name, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr.decode()
    text = (tmp_path / "hello" / "pipeline.json").read_text(encoding="utf-8")
    assert json.loads(text)["name"] == name
    there, here = text.splitlines(), (TEMPLATES / "hello" / "pipeline.json").read_text().splitlines()
    assert [a for a, b in zip(there, here, strict=True) if a != b] == [there[2]]
    assert kade2kfp("validate", "hello/pipeline.json", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["helo"], 2, "did you mean `hello`?"),
        (["../../etc"], 2, "There is no template '../../etc'"),
        (["zzz\x1b[31m"], 2, "known templates: `approval`"),
        (["hello", ""], 2, "FOLDER is empty"),
        (["hello", "--name", ""], 2, "`name` is empty"),
        (["hello", "--name", b"\xff"], 2, "not text in UTF-8"),
        (["hello", "file"], 1, "file is there and is no folder"),
        (["hello", "file/deeper"], 1, "not a directory"),
        (["hello", "x" * 300], 1, "name too long"),
        (["hello", "a", "b"], 2, "b"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(tmp_path: Path, words: list[str], code: int, says: str) -> None:
    (tmp_path / "file").write_text("mine")
    ran = kade2kfp("new", *words, cwd=tmp_path)
    assert ran.returncode == code, ran.stderr.decode()
    assert says in ran.stderr.decode()
    assert content(tmp_path) == {"file": b"mine"}
    assert os.listdir(tmp_path) == ["file"]
    no_bug(ran)


@pytest.mark.parametrize("folder", ["a b", "-x", "$(touch hacked)", "x\x1b[31m"])
def test_what_is_to_be_typed_next_can_be_typed(tmp_path: Path, folder: str) -> None:
    ran = kade2kfp("new", "--", "hello", folder, cwd=tmp_path)
    assert ran.returncode == 0
    no_bug(ran)
    typed = ran.stdout.decode().splitlines()[-1].removeprefix("next: kade2kfp run ")
    if "\x1b" not in folder:
        said = subprocess.run(["sh", "-c", f"ls {typed}"], cwd=tmp_path, capture_output=True, text=True)
        assert (said.returncode, said.stdout.strip()) == (0, f"{'./' if folder == '-x' else ''}{folder}/pipeline.json")


def test_the_folder_is_as_others_are(tmp_path: Path) -> None:
    ran = warm.run(
        [
            sys.executable,
            "-c",
            "import os; os.umask(0o27); os.execvp(os.sys.executable, [os.sys.executable, '-m', 'kade2kfp', 'new', 'hello'])",
        ],
        cwd=tmp_path,
        env=environment(),
    )
    assert ran.returncode == 0
    assert (tmp_path / "hello").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "hello" / "pipeline.json").stat().st_mode & 0o777 == 0o640
