"""scripts/mutations.py, on a checkout of a few lines: it comes to an end, and writes nothing that it has not seen."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
HEAD = "| fault | in | what a user would lose | found by |\n|---|---|---|---|\n"
FOUND, BROKEN, UNTESTED = "def test_a(): assert code.value == 1", "def test_a(): assert False", "TEXT = 'def test_a('"
BEFORE = "`a/test_before.py::test_it`"


def checkout(folder: Path, near: str, far: str, faults: int = 1) -> None:
    """One module whose value is 1 unless faulty, the test that its faults name, and one that they do not."""
    files = {
        "kade2kfp/__init__.py": "",
        "kade2kfp/code.py": "value = 1\n",
        "tests/near/test_near.py": f"from kade2kfp import code\n{near}\n",
        "tests/far/test_far.py": f"from kade2kfp import code\n{far}\n",
        "tests/MUTATIONS.md": HEAD + "".join(f"| f{i} | code.py | all | {BEFORE} |\n" for i in range(faults)),
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-q --import-mode=importlib"\n',
        "scripts/mutations-a.toml": 'folders = ["near", "far"]\n'
        + "".join(
            f'[f{i}]\nfile = "code.py"\nold = "value = 1"\nnew = "value = 2"\nloses = "all"\ntests = ["near/test_near.py::test_a"]\n'
            for i in range(faults)
        ),
    }
    for name in ("mutations.py", "mutations_recorder.py"):
        files[f"scripts/{name}"] = (SCRIPTS / name).read_text(encoding="utf-8")
    for path, test in re.findall(r'^    "(\S+)::(\w+)",$', files["scripts/mutations.py"], re.M):
        files[f"tests/{path}"] = files.get(f"tests/{path}", "") + f"def {test}(): pass\n"
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/mutations.py", "--jobs", "2", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_tests_that_cannot_be_run_end_it(tmp_path: Path) -> None:
    checkout(tmp_path, UNTESTED, FOUND, faults=6)
    done = ran(tmp_path)
    assert (done.returncode, done.stderr[:11]) == (2, "mutations: ")
    assert BEFORE in (tmp_path / "tests/MUTATIONS.md").read_text()


@pytest.mark.parametrize(
    ("near", "far", "words", "says", "told"),
    [
        (FOUND, FOUND, ("--near",), "`near/test_near.py::test_a`", "1 faults, each found by a test"),
        ("def test_a(): pass", FOUND, (), "`far/test_far.py::test_a`", "1 faults, each found by a test"),
        ("def test_a(): pass", FOUND, ("--near",), BEFORE, "f0: no test finds it"),
        ("def test_a(): pass", "def test_a(): pass", (), "nothing", "f0: no test finds it"),
        (BROKEN, FOUND, (), BEFORE, "fails without the fault, too"),
    ],
    ids=["found", "found far", "survives near", "survives", "broken"],
)
def test_what_the_page_says(tmp_path: Path, near: str, far: str, words: tuple[str, ...], says: str, told: str) -> None:
    checkout(tmp_path, near, far)
    done = ran(tmp_path, *words)
    assert told in done.stdout, done.stderr
    assert done.returncode == (0 if "each found" in told else 1)
    assert (tmp_path / "tests/MUTATIONS.md").read_text().endswith(f"| f0 | code.py | all | {says} |\n")


def test_a_copy_is_as_before_when_its_tests_could_not_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("original", "copy"):
        checkout(tmp_path / name, FOUND, FOUND)
    spec = importlib.util.spec_from_file_location("scripts_mutations", tmp_path / "copy/scripts/mutations.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look there for the annotations
    spec.loader.exec_module(module)
    seen = []

    def fails(*_: object) -> None:
        seen.append((tmp_path / "copy/kade2kfp/code.py").read_text())
        raise module.PytestError("not finished")

    monkeypatch.setattr(module, "run_tests", fails)
    (fault,) = module.read_table(tmp_path / "original")
    with pytest.raises(module.PytestError):
        module.attempt(fault, tmp_path / "original", tmp_path / "copy", near=False)
    assert seen == ["value = 2\n"]
    assert (tmp_path / "copy/kade2kfp/code.py").read_text() == "value = 1\n"
