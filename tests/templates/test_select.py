"""templates/select_best.py, as it travels into a pod: a real process, real files."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
import warm

from kade2kfp.steps.python_text import embed_python

PATH = "/usr/local/bin:/usr/bin:/bin"
# What the tests' own Python has read at its start: a fork of it (tests/warm.py) can only have the same.
START = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "LC_", "LANG"))}


@dataclass(frozen=True)
class Chosen:
    code: int
    out: str
    keep: Path
    to: Path

    @property
    def winner(self) -> str:
        return (self.keep / "winner").read_text()

    @property
    def score(self) -> str:
        return (self.keep / "score").read_text()


def candidate(home: Path, name: str, value: str, files: dict[str, str] | None = None) -> list[str]:
    """A folder with files, by default one that says whose it is; its metrics; and the arguments for it."""
    data, metrics = home / "in" / name, home / "in" / f"{name}.json"
    for path, content in ({"m": name} if files is None else files).items():
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).write_text(content)
    metrics.parent.mkdir(parents=True, exist_ok=True)
    metrics.write_text(f'{{"of": {json.dumps(name)}}}')
    return [name, value, str(data), "", str(metrics)]


def choose(
    home: Path,
    *candidates: list[str],
    mode: str = "max",
    how: str = "link",
    metric: str = "accuracy",
    to: str = "out",
    env: dict[str, str] | None = None,
) -> Chosen:
    keep, target = home / "keep", home / to
    words = [mode, metric, str(keep), how, str(target), *(word for one in candidates for word in one)]
    done = (subprocess if env else warm).run(
        [sys.executable, "-c", embed_python("select_best.py"), *words],
        capture_output=True,
        text=True,
        env=env or {"PATH": PATH, **START},
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Chosen(done.returncode, done.stdout + done.stderr, keep, target)


def tree(folder: Path) -> dict[str, str]:
    found = [Path(here, name) for here, _, names in os.walk(folder) for name in names]
    return {str(one.relative_to(folder)): one.read_text() for one in found}


@pytest.mark.parametrize(
    ("mode", "values", "winner", "score"),
    [
        ("max", ["0.5", "0.75", "0.25"], "c1", "0.75"),
        ("min", ["0.5", "0.75", "0.25"], "c2", "0.25"),
        ("max", ["9", "10"], "c1", "10"),
        ("min", ["-9", "-10"], "c1", "-10"),
        ("max", ["-0.5", "-0.25"], "c1", "-0.25"),
        ("max", ["1", "1.0", "1e0"], "c0", "1"),
        ("min", ["3", "2", "2.0", "2"], "c1", "2"),
        ("max", ["0", "-0"], "c0", "0"),
        ("max", ["1e300", "1e-300"], "c0", "1e+300"),
        ("max", ["0.1", "0.30000000000000004", "0.3"], "c1", "0.30000000000000004"),
        ("max", ["nan", "0.5", "inf"], "c1", "0.5"),
        ("min", ["-inf", "0.5", "NaN"], "c1", "0.5"),
        ("max", ["", "none", "-3"], "c2", "-3"),
        ("max", ["7"], "c0", "7"),
    ],
)
def test_the_best_one_wins_and_of_equal_ones_the_first(
    tmp_path: Path, mode: str, values: list[str], winner: str, score: str
) -> None:
    given = [candidate(tmp_path, f"c{number}", value) for number, value in enumerate(values)]
    done = choose(tmp_path, *given, mode=mode)
    assert (done.code, done.winner, done.score) == (0, winner, score), done.out
    assert tree(done.to) == {"m": winner}
    assert json.loads((done.keep / "metrics.json").read_text()) == {"of": winner}
    assert f"the winner is {winner}: " in done.out


def test_the_log_names_who_is_no_candidate_and_why(tmp_path: Path) -> None:
    done = choose(tmp_path, candidate(tmp_path, "a", "nan"), candidate(tmp_path, "b", "0.5"))
    assert done.out.splitlines() == [
        "a is no candidate: its accuracy is not a finite number: nan",
        "b: 0.5",
        "the winner is b: the greatest accuracy of 2",
    ]


@pytest.mark.parametrize("values", [["nan"], ["inf", "-inf"], ["", "x"], []])
def test_without_any_number_nothing_is_handed_on(tmp_path: Path, values: list[str]) -> None:
    done = choose(tmp_path, *(candidate(tmp_path, f"c{number}", value) for number, value in enumerate(values)))
    assert done.code == 1
    assert done.out.splitlines()[-1] == "select: no candidate has a finite accuracy"
    assert not done.to.exists()
    assert not done.keep.exists()


def test_a_hundred_candidates(tmp_path: Path) -> None:
    given = [candidate(tmp_path, f"c{number}", str(number * 37 % 101)) for number in range(1, 101)]
    done = choose(tmp_path, *given)
    best = max(range(1, 101), key=lambda number: number * 37 % 101)
    assert (done.winner, done.score) == (f"c{best}", "100")
    assert tree(done.to) == {"m": f"c{best}"}


@pytest.mark.parametrize("how", ["link", "copy"])
def test_folders_in_folders_and_all_names_arrive(tmp_path: Path, how: str) -> None:
    files = {"-rf": "1", "a b/--help": "2", "a b/.hidden/x": "3", "new\nline": "4", "größe/ü": "5", "*": "6"}
    done = choose(tmp_path, candidate(tmp_path, "a", "1", files), candidate(tmp_path, "b", "0"), how=how)
    assert done.code == 0, done.out
    assert tree(done.to) == files
    assert {one.is_symlink() for one in done.to.rglob("*") if one.is_file()} == {how == "link"}
    assert not any(one.is_symlink() for one in done.to.rglob("*") if one.is_dir())


def test_copies_outlive_the_candidates_and_take_the_place_of_older_files(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/m").symlink_to("/etc/hostname")
    (tmp_path / "out/other").write_text("mine")
    given = candidate(tmp_path, "a", "1")
    (tmp_path / "in/a/same").symlink_to("m")
    (tmp_path / "in/a/lost").symlink_to("nowhere")
    (tmp_path / "in/a/round").symlink_to(".")
    done = choose(tmp_path, given, how="copy")
    assert done.code == 0, done.out
    (tmp_path / "in").rename(tmp_path / "gone")
    assert not (done.to / "m").is_symlink()
    assert [(done.to / one).read_text() for one in ("m", "same", "other")] == ["a", "a", "mine"]
    assert (done.to / "lost").readlink() == Path("nowhere")
    assert (done.to / "round").readlink() == Path()


def test_a_file_becomes_the_path_or_keeps_its_name_in_it(tmp_path: Path) -> None:
    given = candidate(tmp_path, "a", "1", {"model.pkl": "weights"})
    given[2] += "/model.pkl"
    done = choose(tmp_path, given, to="best/it.pkl")
    assert (done.code, done.to.read_text()) == (0, "weights"), done.out
    given[3] = "model.pkl"
    done = choose(tmp_path, given, to="folder")
    assert (done.code, tree(done.to)) == (0, {"model.pkl": "weights"}), done.out


def test_nothing_is_handed_on_where_nobody_takes_it(tmp_path: Path) -> None:
    done = choose(tmp_path, candidate(tmp_path, "a", "1"), how="none")
    assert (done.code, done.winner, done.to.exists()) == (0, "a", False)


@pytest.mark.parametrize("metric", ["--to", "-", "", "a b", "ü\n\x1b[31m", "%s", "mode=max"])
def test_no_argument_is_an_option_and_no_key_reaches_the_terminal(tmp_path: Path, metric: str) -> None:
    done = choose(tmp_path, candidate(tmp_path, "a", "-1"), candidate(tmp_path, "b", "-2"), metric=metric)
    assert (done.code, done.winner, done.score) == (0, "a", "-1"), done.out
    assert len(done.out.splitlines()) == 3
    assert "\x1b" not in done.out


def test_any_name_is_written_under_any_locale(tmp_path: Path) -> None:
    given = candidate(tmp_path, "größe", "1", {"ü": "1"})
    done = choose(tmp_path, given, metric="précision", env={"PATH": PATH, "LC_ALL": "POSIX"})
    assert done.code == 0, done.out
    assert (done.keep / "winner").read_bytes() == "größe".encode()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("missing", "the winner a has left no file"),
        ("empty", "the winner a has left no file"),
        ("metrics", "No such file or directory"),
        ("in the way", "Is a directory"),
    ],
)
def test_what_cannot_be_handed_on_fails_in_one_line(tmp_path: Path, spoil: str, said: str) -> None:
    given = candidate(tmp_path, "a", "1", {} if spoil in ("missing", "empty") else None)
    if spoil == "empty":
        (tmp_path / "in/a/deep/er").mkdir(parents=True)
    elif spoil == "metrics":
        Path(given[4]).unlink()
    elif spoil == "in the way":
        (tmp_path / "out/m").mkdir(parents=True)
    done = choose(tmp_path, given, candidate(tmp_path, "b", "0"))
    assert done.code == 1
    assert done.out.splitlines()[-1].startswith("select: ")
    assert said in done.out.splitlines()[-1]


def test_it_needs_nothing_newer_than_python_3_8() -> None:
    ast.parse(embed_python("select_best.py"), feature_version=(3, 8))
