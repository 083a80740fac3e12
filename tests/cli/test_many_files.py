"""Several files in one call: what is shown of which, how many, and that none of them stays in memory."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import warm

from .command import HELLO, KADE2KFP, WARNED, WRONG, environment, kade2kfp, no_bug, write

MANY = HELLO | {f"field{number}": 1 for number in range(30)}
NEITHER = WARNED | {"extra": 1}  # an error, then a warning: the text has the warning first


def files(folder: Path, **documents: dict[str, Any]) -> list[str]:
    return [write(folder, document, f"{name}.json").name for name, document in documents.items()]


def codes(text: str) -> list[tuple[str, str]]:
    """File and code of each diagnostic that is shown."""
    rows = [row.split(":", 3) for row in text.splitlines() if "[K" in row]
    return [(row[0], row[3].partition("[")[2][:4]) for row in rows]


@pytest.mark.parametrize(
    ("documents", "line"),
    [
        ({"a": WRONG}, "1 error"),
        ({"a": WRONG, "b": WRONG}, "2 errors in 2 files"),
        ({"a": WRONG, "b": HELLO}, "1 error in 1 file; 1 file is fine"),
        ({"a": HELLO, "b": NEITHER, "c": WARNED, "d": HELLO}, "1 error and 2 warnings in 2 files; 2 files are fine"),
        ({"a": HELLO, "b": HELLO}, "2 files checked, nothing wrong"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_last_line_counts(tmp_path: Path, documents: dict[str, dict[str, Any]], line: str) -> None:
    names = files(tmp_path, **documents)
    for output in ("text", "github"):
        ran = kade2kfp("validate", *names, "--output-format", output, cwd=tmp_path)
        assert ran.stderr.decode().splitlines()[-1] == line


def test_a_file_that_is_named_twice_is_one_file(tmp_path: Path) -> None:
    files(tmp_path, a=WRONG)
    ran = kade2kfp("validate", "a.json", "a.json", cwd=tmp_path)
    assert ran.stderr.decode().splitlines()[-1] == "1 error"
    ran = kade2kfp("validate", "-", "-", cwd=tmp_path, stdin=json.dumps(HELLO).encode())
    assert (ran.returncode, ran.stderr) == (0, b"1 file checked, nothing wrong\n")


def test_a_folder_says_what_to_name(tmp_path: Path) -> None:
    files(tmp_path, a=HELLO)
    ran = kade2kfp("validate", ".", cwd=tmp_path)
    assert ran.returncode == 1
    assert b"it is a folder" in ran.stderr
    assert b"pipeline.json" in ran.stderr


def test_at_most_so_many_of_all_files_together(tmp_path: Path) -> None:
    names = files(tmp_path, a=MANY, b=MANY)
    ran = kade2kfp("validate", *names, "--max-diagnostics", "40", cwd=tmp_path)
    said = ran.stderr.decode()
    assert codes(said) == [("a.json", "K100")] * 30 + [("b.json", "K100")] * 10
    assert said.endswith("\nand 20 more: --max-diagnostics 0 shows all\n60 errors in 2 files\n")
    assert ran.returncode == 1


def test_no_error_gives_way_to_a_warning(tmp_path: Path) -> None:
    names = files(tmp_path, a=WARNED, b=NEITHER, c=WRONG, d=WARNED)
    for most, shown in (
        (1, [("b.json", "K100")]),
        (2, [("b.json", "K100"), ("c.json", "K100")]),
        (3, [("a.json", "K242"), ("b.json", "K100"), ("c.json", "K100")]),
        (9, [("a.json", "K242"), ("b.json", "K242"), ("b.json", "K100"), ("c.json", "K100"), ("d.json", "K242")]),
    ):
        for command in ("validate", "compile"):
            ran = kade2kfp(command, *names, "--max-diagnostics", str(most), cwd=tmp_path)
            assert codes(ran.stderr.decode()) == shown
            assert (b" more:" in ran.stderr) is (most < 5)


def test_what_is_left_out_counts(tmp_path: Path) -> None:
    names = files(tmp_path, a=WARNED, b=NEITHER)
    ran = kade2kfp("validate", *names, "--max-diagnostics", "1", "--output-format", "json", cwd=tmp_path)
    whole = json.loads(ran.stdout)
    assert [one["code"] for one in whole["diagnostics"]] == ["K100"]
    assert (whole["errors"], whole["warnings"], whole["leftOut"]) == (1, 2, 2)
    ran = kade2kfp("validate", *names, "--max-diagnostics", "1", "--output-format", "github", cwd=tmp_path)
    assert ran.stdout.count(b"\n") == 1
    assert ran.stderr.startswith(b"and 2 more: ")
    ran = kade2kfp("validate", *names, "--max-diagnostics", "1", "--output-format", "sarif", cwd=tmp_path)
    run = json.loads(ran.stdout)["runs"][0]
    assert len(run["results"]) == 1
    assert "2 more" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    # Only warnings are left out, and they count as errors.
    ran = kade2kfp("validate", "a.json", "b.json", "--max-diagnostics", "1", "--werror", cwd=tmp_path)
    assert ran.returncode == 1


def test_zero_is_all(tmp_path: Path) -> None:
    names = files(tmp_path, a=MANY)
    assert len(codes(kade2kfp("validate", *names, cwd=tmp_path).stderr.decode())) == 20
    ran = kade2kfp("validate", *names, "--max-diagnostics", "0", cwd=tmp_path)
    assert len(codes(ran.stderr.decode())) == 30
    assert b" more" not in ran.stderr
    for word in ("-1", "x", ""):
        refused = kade2kfp("validate", *names, "--max-diagnostics", word, cwd=tmp_path)
        assert refused.returncode == 2
        no_bug(refused)


def test_the_team_says_how_many_unless_the_command_line_does(tmp_path: Path) -> None:
    (tmp_path / "kade2kfp.toml").write_text("max-diagnostics = 3\nwerror = true\n")
    names = files(tmp_path, a=MANY, b=WARNED)
    for words, count in (((), 3), (("--max-diagnostics", "5"), 5), (("--max-diagnostics", "0"), 31)):
        ran = kade2kfp("validate", *names, *words, cwd=tmp_path)
        assert len(codes(ran.stderr.decode())) == count
    for command in ("validate", "compile"):
        assert kade2kfp(command, "b.json", cwd=tmp_path).returncode == 1
        assert kade2kfp(command, "b.json", "--no-config", cwd=tmp_path).returncode == 0


def test_of_two_teams_the_smaller_number_holds(tmp_path: Path) -> None:
    for team, most in (("one", 4), ("other", 2)):
        (tmp_path / team).mkdir()
        (tmp_path / team / "kade2kfp.toml").write_text(f"max-diagnostics = {most}\n")
        files(tmp_path / team, a=MANY)
    ran = kade2kfp("validate", "one/a.json", "other/a.json", cwd=tmp_path)
    assert len(codes(ran.stderr.decode())) == 2


def test_what_is_found_is_shown_before_the_next_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, WRONG, "a.json")
    process = warm.Popen(
        [*KADE2KFP, "validate", "a.json", "-"],
        cwd=tmp_path, env=environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        assert select.select([process.stderr], [], [], 60)[0]
        assert os.read(process.stderr.fileno(), 100).startswith(b"a.json:")
        said = process.communicate(json.dumps(HELLO).encode(), timeout=60)[1]
    finally:
        process.kill()
        process.wait()
    assert said.endswith(b"1 error in 1 file; 1 file is fine\n")


# The memory in use after each file of `validate`, as Python counts what it gives out.
WATCHED = """
import sys, tracemalloc
from kade2kfp.cli import showing, validate_command
used = []
def add(self, source, found, add=showing.Showing.add):
    add(self, source, found)
    used.append(tracemalloc.get_traced_memory()[0])
showing.Showing.add = add
tracemalloc.start()
try:
    validate_command.command(sys.argv[1:], standalone_mode=True)
except SystemExit:
    print(*used, file=sys.stderr)
"""


@pytest.mark.parametrize(("output", "limit"), [("text", ()), ("text", ("5",)), ("sarif", ("5",))], ids=str)
def test_memory_does_not_grow_with_the_files(tmp_path: Path, output: str, limit: tuple[str, ...]) -> None:
    tasks = [HELLO["tasks"][0] | {"env": [{"name": "X", "value": "x" * 50_000}]}]
    names = [write(tmp_path, WARNED | {"tasks": tasks}, f"{number}.json").name for number in range(30)]
    words = [word for number in limit for word in ("--max-diagnostics", number)]
    command = [sys.executable, "-c", WATCHED, *names, "--output-format", output, *words]
    ran = warm.run(command, cwd=tmp_path, env=environment(), capture_output=True, timeout=120)
    used = [int(word) for word in ran.stderr.splitlines()[-1].split()]
    assert len(used) == len(names)
    # The text of such a document alone takes 50 kB.
    assert used[-1] - used[10] < 200_000
