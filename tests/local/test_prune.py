"""What is removed, and above all what is not."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import warm
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parent))
from sample import START, sample_run

from kade2kfp.cli.runs_command import command
from kade2kfp.local.erase import below, erase, size_of
from kade2kfp.local.folder import Run, all_runs, hold, read_run
from kade2kfp.local.prune import TRASH, ChangedError, remove_run, select
from kade2kfp.local.state import to_json

DAY = 86400.0
SHELL = "from kade2kfp.cli.runs_command import command; command()"


def prune(home: Path, *args: str) -> Result:
    return CliRunner().invoke(command, ["prune", "--home", str(home), *args])


def four(home: Path) -> list[Path]:
    """Runs that ended 1, 2, 3 and 4 days before START, the newest first; the last two are of another pipeline."""
    ages = [("flow", 1), ("flow", 2), ("other", 3), ("other", 4)]
    return [
        sample_run(home, slug, pipeline=slug, started=START - age * DAY - 60, ended=START - age * DAY)
        for slug, age in ages
    ]


def left(home: Path) -> set[str]:
    return {run.name for run in all_runs(home)}


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ({}, [0, 1, 2, 3]),
        ({"keep": 1}, [1, 2, 3]),
        ({"keep": 9}, []),
        ({"older_than": 2 * DAY}, [1, 2, 3]),
        ({"older_than": 2 * DAY + 1}, [2, 3]),
        ({"keep": 3, "older_than": 2 * DAY}, [3]),
        ({"pipeline": "other"}, [2, 3]),
        ({"pipeline": "other", "keep": 1}, [3]),
        ({"pipeline": "flo"}, []),
    ],
)
def test_the_runs_that_fit_all_that_is_said(tmp_path: Path, said: dict[str, float], numbers: list[int]) -> None:
    folders = four(tmp_path)
    chosen = select(all_runs(tmp_path), now=START, **said)
    assert [run.folder for run in chosen] == [folders[number] for number in numbers]


def test_the_age_of_an_interrupted_run_counts_from_its_last_sign_of_life(tmp_path: Path) -> None:
    sample_run(tmp_path, status="running", ended=None)
    runs = all_runs(tmp_path)
    assert runs[0].state
    assert runs[0].state.status == "interrupted"
    assert select(runs, now=START + 5 + 60, older_than=60) == tuple(runs)
    assert select(runs, now=START + 5 + 59, older_than=60) == ()


def test_an_unreadable_run_has_no_age_and_no_pipeline() -> None:
    run = Run(Path("x"), None, "broken")
    assert select([run], now=START) == (run,)
    assert select([run], now=START, older_than=1) == ()
    assert select([run], now=START, pipeline="flow") == ()


def test_prune_removes_what_is_chosen_and_says_how_much(tmp_path: Path) -> None:
    folders = four(tmp_path)
    (folders[3] / "artifacts/make-data/out/big").write_bytes(b"x" * 300_000)
    done = prune(tmp_path, "--keep", "2", "--yes")
    assert done.exit_code == 0, done.output
    assert left(tmp_path) == {folders[0].name, folders[1].name}
    assert [line.split()[1] for line in done.stdout.splitlines()] == [folders[2].name, folders[3].name]
    assert done.stderr.startswith("29")
    assert done.stderr.endswith("KiB freed\n")
    assert os.listdir(tmp_path / "runs" / TRASH) == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Say which runs"),
        (["--all", "--keep", "1"], "leave out"),
        (["--older-than", "soon"], "not a duration"),
        (["--older-than", "0d"], "not a duration"),
        (["--older-than", ""], "not a duration"),
        (["--keep", "-1"], "--keep"),
        (["--all"], "no terminal"),
    ],
)
def test_wrong_usage_removes_nothing(tmp_path: Path, args: list[str], words: str) -> None:
    four(tmp_path)
    done = prune(tmp_path, *args)
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(left(tmp_path)) == 4


def test_an_empty_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADE2KFP_HOME", str(tmp_path))
    four(tmp_path)
    assert CliRunner().invoke(command, ["prune", "--home", "", "--all", "--yes"]).exit_code == 2
    assert len(left(tmp_path)) == 4


def test_what_is_said_before_prune_holds_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADE2KFP_HOME", str(tmp_path / "own"))
    four(tmp_path / "own")
    folders = four(tmp_path / "named")
    said = ["--home", str(tmp_path / "named"), "--pipeline", "other", "prune", "--keep", "0", "--yes"]
    assert CliRunner().invoke(command, said).exit_code == 0
    assert len(left(tmp_path / "own")) == 4
    assert left(tmp_path / "named") == {folders[0].name, folders[1].name}
    refused = CliRunner().invoke(command, ["--limit", "1", "prune", "--all", "--yes"])
    assert refused.exit_code == 2
    assert "--limit" in refused.stderr


def test_dry_run_tells_and_leaves(tmp_path: Path) -> None:
    four(tmp_path)
    done = prune(tmp_path, "--keep", "3", "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.startswith("would remove other-")
    assert "1 run would be removed" in done.stderr
    assert len(left(tmp_path)) == 4


def test_a_run_that_is_running_stays(tmp_path: Path) -> None:
    running = sample_run(tmp_path, status="running", ended=None)
    ended = sample_run(tmp_path)
    with hold(running), hold(ended):  # the second one ended, and its runner is about to
        done = prune(tmp_path, "--all", "--yes")
    assert done.exit_code == 0
    assert f"{ended.name} stays: it is running" in done.stderr
    assert left(tmp_path) == {running.name, ended.name}


def test_a_run_that_ran_again_after_the_question_stays(tmp_path: Path) -> None:
    folder = sample_run(tmp_path, status="running", ended=None)
    before = read_run(folder)
    assert before.state is not None
    (folder / "state.json").write_text(to_json(replace(before.state, status="succeeded", ended=START + 99)))
    with pytest.raises(ChangedError):
        remove_run(tmp_path, before)
    assert left(tmp_path) == {folder.name}


def test_its_folders_on_shared_claims_go_and_nothing_else_there(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    state = read_run(folder).state
    assert state is not None
    mine, other = (tmp_path / "volumes/nas/pipeline/flow" / name for name in (state.id, "another"))
    for place in (mine / "deep", other):
        place.mkdir(parents=True)
        (place / "data").write_text("x")
    assert prune(tmp_path, "--all", "--yes").exit_code == 0
    assert not mine.exists()
    assert (other / "data").read_text() == "x"


@pytest.mark.parametrize("place", ["volumes/nas", "volumes/nas/pipeline", "volumes/nas/pipeline/flow", "id", "inside"])
def test_links_are_not_followed(tmp_path: Path, place: str) -> None:
    home, precious = tmp_path / "home", tmp_path / "precious"
    folder = sample_run(home)
    state = read_run(folder).state
    assert state is not None
    whole = home / "volumes/nas/pipeline/flow" / state.id
    link = {"id": whole, "inside": folder / "artifacts/make-data/out/link"}.get(place, home / place)
    rest = whole.relative_to(link) if whole.is_relative_to(link) else Path()
    (precious / rest).mkdir(parents=True)
    (precious / rest / "file").write_text("x")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(precious)
    assert prune(home, "--all", "--yes").exit_code == 0
    assert (precious / rest / "file").read_text() == "x"
    assert left(home) == set()


@pytest.mark.parametrize("changes", [{"slug": "../../.."}, {"id": ".."}, {"id": "/"}, {"slug": "."}, {"id": ""}])
def test_a_state_that_points_elsewhere_leads_nowhere(tmp_path: Path, changes: dict[str, str]) -> None:
    (tmp_path / "volumes/nas/pipeline/flow").mkdir(parents=True)
    (tmp_path / "volumes/nas/pipeline/flow/file").write_text("x")
    folder = sample_run(tmp_path)
    state = read_run(folder).state
    assert state is not None
    (folder / "state.json").write_text(to_json(replace(state, **changes)))
    assert prune(tmp_path, "--all", "--yes").exit_code == 0
    assert left(tmp_path) == set()
    assert (tmp_path / "volumes/nas/pipeline/flow/file").exists()


@pytest.fixture
def for_all() -> Iterator[Path]:
    """A folder that every user can reach; those of pytest are for one."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_folders_without_rights_are_removed_too(for_all: Path) -> None:
    folder = sample_run(for_all)
    for number, mode in enumerate((0, 0o200, 0o500, 0o444)):
        inner = folder / "artifacts/make-data/out" / str(number) / "inner"
        inner.mkdir(parents=True)
        (inner / "file").write_text("x")
        inner.chmod(mode)
        inner.parent.chmod(mode)
    folder.chmod(0o500)
    if (child := os.fork()) == 0:
        code = 1
        try:
            become_nobody(for_all)
            remove_run(for_all, all_runs(for_all)[0])
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert left(for_all) == set()
    assert os.listdir(for_all / "runs" / TRASH) == []


def become_nobody(folder: Path) -> None:
    """Root has all rights: become somebody who owns the folder and has rights to lack."""
    if os.getuid() != 0:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def test_a_folder_deeper_than_any_path_is_removed(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    for name in ("deep", *("d" * 100 for _ in range(1200))):
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)
    with below(tmp_path) as parent:
        assert erase(parent, "deep") == 0
    assert os.listdir(tmp_path) == []


def test_a_file_with_two_names_is_freed_with_the_last_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1").write_bytes(b"x" * 1000)
    os.link(tmp_path / "a/1", tmp_path / "a/2")
    os.link(tmp_path / "a/1", tmp_path / "elsewhere")
    with below(tmp_path) as parent:
        assert erase(parent, "a") == 0
        assert size_of(tmp_path / "elsewhere") == 1000
        assert erase(parent, "elsewhere") == 1000


def test_what_cannot_be_removed_is_named_and_the_rest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = four(tmp_path)
    (folders[1] / "artifacts/stubborn").write_text("x")
    unlink = os.unlink

    def refuse(path: str, *, dir_fd: int | None = None) -> None:
        if path == "stubborn":
            raise PermissionError(1, "Operation not permitted", path)
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    done = prune(tmp_path, "--all", "--yes")
    assert done.exit_code == 1
    assert done.stderr.count("Error: ") == 1
    assert f"cannot remove all of {folders[1].name}: operation not permitted: {tmp_path}/runs/{TRASH}/" in done.stderr
    assert left(tmp_path) == set()
    monkeypatch.undo()
    assert prune(tmp_path, "--all", "--yes").exit_code == 0  # the next one finishes it
    assert os.listdir(tmp_path / "runs" / TRASH) == []


def test_the_cache_and_the_environments_go_only_when_asked_for(tmp_path: Path) -> None:
    sample_run(tmp_path)
    for name in ("cache", "environments"):
        (tmp_path / name / "key").mkdir(parents=True)
        (tmp_path / name / "key/file").write_bytes(b"x" * 2048)
    assert prune(tmp_path, "--cache", "--environments", "--dry-run").exit_code == 0
    assert prune(tmp_path, "--cache", "--yes").stderr == "2.0 KiB freed\n"
    assert os.listdir(tmp_path / "cache") == []
    assert (tmp_path / "environments/key/file").exists()
    running = sample_run(tmp_path, status="running", ended=None)
    with hold(running):
        refused = prune(tmp_path, "--environments", "--yes")
    assert refused.exit_code == 1
    assert "is running" in refused.stderr
    assert prune(tmp_path, "--environments", "--yes").exit_code == 0
    assert os.listdir(tmp_path / "environments") == []
    assert len(left(tmp_path)) == 2


@pytest.mark.parametrize(("answer", "remain"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1)])
def test_on_a_terminal_it_asks(tmp_path: Path, answer: bytes, remain: int) -> None:
    sample_run(tmp_path)
    ours, theirs = pty.openpty()
    process = warm.Popen(
        [sys.executable, "-c", SHELL, "prune", "--all", "--home", str(tmp_path)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, answer)
    process.communicate(timeout=60)
    said = os.read(ours, 10_000)
    os.close(ours)
    assert b"Remove 1 run?" in said
    assert process.returncode == 0
    assert len(left(tmp_path)) == remain


def test_nothing_to_remove_is_fine(tmp_path: Path) -> None:
    done = prune(tmp_path, "--all", "--yes")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "there is nothing to remove\n")


def test_one_half_removed_is_in_no_list(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    (tmp_path / "runs" / TRASH).mkdir()
    folder.rename(tmp_path / "runs" / TRASH / f"{folder.name}.0")
    assert left(tmp_path) == set()
    assert prune(tmp_path, "--all").exit_code == 0  # no question: it was answered then
    assert os.listdir(tmp_path / "runs" / TRASH) == []
