"""The script as it is embedded: as small as the step allows, and nothing in it that anything would replace."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from itertools import combinations
from pathlib import Path

import pytest

from kade2kfp import resources
from kade2kfp.steps.script import OPERATIONS, embed

from .step_script import SHELLS, program, step

GATE = frozenset("gVJSTU")
"""The first of them brings the others, and never comes with retries; what they do: test_gate_*.py."""
ALONE = [frozenset(letter) | (frozenset("g") if letter in GATE else frozenset()) for letter in sorted(OPERATIONS)]
WITHOUT_GATE = OPERATIONS - GATE
WITH_GATE = OPERATIONS - frozenset("t")
MOST = [frozenset(letters) for letters in ("", "e", "a+", "io+", "eiorm+k", "".join(WITHOUT_GATE), "".join(WITH_GATE))]


@pytest.mark.parametrize("operations", [*ALONE, *MOST], ids=lambda operations: "".join(sorted(operations)) or "none")
def test_nothing_in_it_is_replaced_on_the_way(operations: frozenset[str]) -> None:
    text = embed(operations)
    assert text.isascii()
    # Kubernetes: $(VAR), $$. Argo: {{...}}. KFP: {{$...}}, {"IfPresent": ...} and the like.
    for dangerous in ("$(", "$$", "{{", '{"IfPresent"', '{"Concat"'):
        assert dangerous not in text
    assert "\0" not in text
    assert "\t" not in text


@pytest.mark.parametrize(
    ("operations", "limit"),
    [
        ("", 1000),
        ("e", 1050),
        ("a+", 1000),
        ("i+", 1600),
        ("io+", 2800),
        ("eiof+", 3100),
        ("r+", 2600),
        ("eior+mk", 6900),
        ("gr+", 6600),
        ("gr+VJS", 8900),
        ("gr+TU", 7300),
    ],
)
def test_it_is_small(operations: str, limit: int) -> None:
    assert len(embed(frozenset(operations))) < limit


def test_all_of_it_is_not_much_either() -> None:
    assert len(embed(WITHOUT_GATE)) < 8800


def test_what_no_operation_needs_is_left_out() -> None:
    text = embed(frozenset("e"))
    for word in ("awk", "base64", "pip", "expr \\(", "rm -rf", "ln -sfn", "#"):
        assert word not in text.replace("$#", "")
    assert len({len(embed(operations)) for operations in ALONE}) > 10


@pytest.mark.parametrize("shell", SHELLS)
def test_every_pair_of_operations_is_a_script(shell: str) -> None:
    name, *options = SHELLS[shell]
    whole = "".join(
        f"part{n}() {{\n{embed(frozenset(pair))}\n}}\n"
        for letters in (WITHOUT_GATE, WITH_GATE)
        for n, pair in enumerate(combinations(sorted(letters), 2))
        if letters is WITHOUT_GATE or "g" in pair
    )
    # Read from a file, for an argument of that length is refused.
    done = subprocess.run(
        [program(name), *options, "-n", "/dev/stdin"], input=whole, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("letter", sorted(WITHOUT_GATE - set("+v")))
def test_each_operation_brings_all_it_calls(letter: str, tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    register = {
        "r": f"string\nn\n{tmp_path}/r",
        "m": f"n\nu\n{tmp_path}/m",
        "j": str(tmp_path),
        "i": f"{tmp_path}/in",
        "e": "A=",
        "f": "eA==",
        "a": "",
    }
    value = {"t": "0 0 1 0", "a": "true"}.get(letter, f"{tmp_path}/x/y")
    if letter == "q":
        (tmp_path / "python3").write_text("#!/bin/sh\n")
        (tmp_path / "python3").chmod(0o755)
        value = "numpy"
    words = ("+", register.get(letter, f"{tmp_path}/register"), letter, value, "--", "true")
    done = step("dash", *(words[2:] if letter in "qt" else words), env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert "not found" not in done.err
    assert done.code in (0, 65), done.err


def test_an_operation_that_is_none_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="no operation Z"):
        embed(frozenset("eZ"))


@pytest.mark.parametrize("name", ["step.sh", "gate.sh"])
def test_every_section_names_operations(name: str) -> None:
    lines = resources.read_text(f"templates/{name}").splitlines()
    sections = [line.strip() for line in lines if line.strip().startswith("#:")]
    depth = 0
    for line in sections:
        if line.startswith(("#:if ", "#:unless ")):
            assert not set(line.split(" ")[1]) - OPERATIONS, line
            depth += 1
        elif line == "#:end":
            depth -= 1
        assert depth in (0, 1), line
    assert depth == 0


def test_each_operation_is_described() -> None:
    head = resources.read_text("templates/step.sh").split("\n_n=")[0]
    for letter in OPERATIONS:
        assert f" {letter} " in head or f"`{letter}`" in head


@pytest.mark.parametrize("letters", [WITHOUT_GATE, WITH_GATE], ids=["job", "gate"])
def test_shellcheck_finds_nothing_else(letters: frozenset[str]) -> None:
    # Backticks, and expr, since $( would be replaced; functions that eval calls; A && B || C, meant so; empty
    # assignments in a row; single quotes around what another shell expands; words that have no spaces, or are split;
    # subshells that keep their variables to themselves.
    meant = "SC2006,SC2003,SC2317,SC2015,SC1007,SC2016,SC2086,SC2030,SC2031"
    text = embed(letters)
    done = subprocess.run(
        [program("shellcheck"), "-s", "sh", "-e", meant, "-f", "gcc", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


@pytest.mark.parametrize("packed", [False, True], ids=["installed", "zip"])
def test_resources_are_found_where_the_package_was_installed(packed: bool, tmp_path: Path) -> None:
    package = tmp_path / "lib" / "kade2kfp"
    for folder in (package / "steps", package / "_resources" / "templates"):
        folder.mkdir(parents=True)
    source = Path(resources.__file__).parent
    for name in ("resources.py", "steps/script.py"):
        shutil.copy(source / name, package / name)
    (package / "__init__.py").touch()
    (package / "steps" / "__init__.py").touch()
    (package / "_resources" / "templates" / "step.sh").write_text("#:if e\nécho\n#:end\n", encoding="utf-8")
    place = tmp_path / "lib"
    if packed:
        place = tmp_path / "lib.zip"
        with zipfile.ZipFile(place, "w") as file:
            for path in package.rglob("*"):
                file.write(path, path.relative_to(tmp_path / "lib"))
    script = """if True:
        from kade2kfp.resources import read_text, resource
        from kade2kfp.steps.script import embed
        assert embed(frozenset("e")) == "\\u00e9cho\\n"
        assert sorted(entry.name for entry in resource("templates").iterdir()) == ["step.sh"]
        try:
            read_text("templates/nothing")
        except FileNotFoundError as error:
            print(error)
    """
    env = {"PYTHONPATH": str(place), "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "no file templates/nothing was installed with kade2kfp\n"
