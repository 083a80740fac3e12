"""Puts deliberate faults into the compiler, one at a time, and tells which test finds each.

`python scripts/mutations.py [NAME...] [--table TABLE] [--near] [--jobs N] [--list]` with the faults of
scripts/mutations-*.toml. Each goes into a copy of the checkout, where tests run until one fails. Comparisons with goldens
are not among them: a golden differs whatever the fault is, and whoever writes the goldens anew makes it right. Exits 1
where a fault survives, or where what found it proves nothing; 2 where the table does not fit the code. tests/MUTATIONS.md
gets a new row for each fault of which a try has proved something; of the others it keeps what it said of the same fault.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "tests" / "MUTATIONS.md"
# What judges a compiled pipeline without comparing it with a golden. A table that is about something else names its own.
FOLDERS = ("lowering", "steps", "ir", "judge", "whole", "control", "plan")
# What compares with a golden there, or with what is written from the code.
GOLDENS = (
    "cli/test_completion.py::test_the_words_are_those_of_the_commands",
    "cli/test_help.py::test_schema_check_compares_with_the_one_that_is_shipped",
    "description/test_descriptions.py::test_a_rich_document_is_described_as_before",
    "description/test_descriptions.py::test_the_committed_schema_is_current_and_a_schema",
    "graph/test_svg.py::test_the_pictures_of_the_manual_are_current",
    "lowering/test_services.py::test_objects_are_as_before",
    "control/test_joins.py::test_the_golden",
    "control/test_loops.py::test_the_ir_of_a_loop_is_what_was_read_and_found_right",
    "control/test_select.py::test_the_compiled_pipeline_is_as_it_was",
    "control/test_sweeps.py::test_the_ir_of_a_sweep_is_what_was_read_and_found_right",
)
TIMEOUT = 900  # seconds, for one run of pytest


class TableError(Exception):
    """The table does not fit the code, in words for the person at the terminal."""


class PytestError(Exception):
    """pytest did not come to an end, or tested nothing."""


@dataclass(frozen=True)
class Fault:
    """A replacement of text in one file of kade2kfp/, what a user would lose by it, and the tests to try first.

    `table` is the file's name between `mutations-` and `.toml`, `folders` where a test may find it.
    """

    name: str
    table: str
    folders: tuple[str, ...]
    file: str
    old: str
    new: str
    loses: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """A test that failed, by pytest's id; whether the code itself raised, and the error."""

    test: str
    raised: bool
    error: str


@dataclass(frozen=True)
class Result:
    """What became of one fault: the test that found it, or None, after so many seconds."""

    fault: Fault
    found: Failure | None
    seconds: float


def main(argv: Sequence[str]) -> int:
    """Reads the command line, and returns the exit code."""
    parser = argparse.ArgumentParser(description="Deliberate faults in the compiler: each must be found by a test.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults to try; all without any")
    parser.add_argument("--table", help="only faults of this one: cli is scripts/mutations-cli.toml")
    parser.add_argument(
        "--near", action="store_true", help="only the tests that a fault names: one that survives may not"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at the same time")
    parser.add_argument("--list", action="store_true", help="check the table against the code, and print it")
    given = parser.parse_args(argv)
    try:
        every = read_table(ROOT)
        faults = chosen(every, given.names, given.table)
        if given.list:
            print("\n".join(f"{fault.name:<28} {fault.loses}" for fault in faults))
            return 0
        with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
            results, broken = tried(faults, Path(folder), max(1, given.jobs), near=given.near)
    except (TableError, PytestError) as error:
        print(f"mutations: {error}", file=sys.stderr)
        return 2
    complaints = told(results, broken)
    before = REPORT.read_text(encoding="utf-8")
    REPORT.write_text(page(every, results, complaints, before, near=given.near), encoding="utf-8")
    print("\n".join(complaints.values()) or f"{len(results)} faults, each found by a test")
    return 1 if complaints else 0


def read_table(root: Path) -> list[Fault]:
    """The faults of scripts/mutations-*.toml, in their order.

    Raises:
        TableError: a fault's text is not in its file exactly once, changes nothing or is no Python then, or a test that
            it names is not there.
    """
    faults: list[Fault] = []
    for test in GOLDENS:
        _look_for(test, "GOLDENS", root)
    for path in sorted(root.glob("scripts/mutations-*.toml"), reverse=True):
        named = path.stem.removeprefix("mutations-")
        rows = tomllib.loads(path.read_text(encoding="utf-8"))
        folders = tuple(rows.pop("folders", FOLDERS))
        for name, fields in rows.items():
            fault = Fault(name, named, folders, **(fields | {"tests": tuple(fields["tests"])}))
            if name in {one.name for one in faults}:
                raise TableError(f"there are two faults called {name}")
            _mutated(fault, root)
            for test in fault.tests:
                _look_for(test, name, root, folders)
            faults.append(fault)
    return faults


def chosen(faults: list[Fault], names: Sequence[str], table: str | None = None) -> list[Fault]:
    """The faults of these names, or all; with `table` only those of that one.

    Raises:
        TableError: there is none of one of the names, or no such table.
    """
    if table is not None:
        faults = [fault for fault in faults if fault.table == table]
        if not faults:
            raise TableError(f"there is no table scripts/mutations-{table}.toml")
    if unknown := sorted(set(names) - {fault.name for fault in faults}):
        raise TableError(f"there is no fault called {', '.join(unknown)}")
    return [fault for fault in faults if not names or fault.name in names]


def tried(faults: Sequence[Fault], folder: Path, jobs: int, *, near: bool) -> tuple[list[Result], list[str]]:
    """Each fault tried in a copy below `folder`; and those of the tests that fail without any fault, too.

    With `near` by the tests alone that it names.
    """
    original = folder / "original"
    copy_checkout(ROOT, original)
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        copies.put(folder / str(number))
        copy_checkout(original, folder / str(number))

    def one(fault: Fault) -> Result:
        copy = copies.get()
        try:
            result = attempt(fault, original, copy, near=near)
        finally:
            copies.put(copy)  # else the other workers wait for it without end
        found = result.found.test if result.found else "SURVIVES"
        print(f"{fault.name:<28} {found}  {result.seconds:.1f} s", flush=True)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(one, faults))
    finders = sorted({result.found.test for result in results if result.found})
    broken = run_tests(finders, original, stop=False) if finders else []
    return results, [failure.test for failure in broken]


def copy_checkout(source: Path, target: Path) -> None:
    """What git would take of a checkout, roughly: no environments, caches or results."""
    ignored = shutil.ignore_patterns(
        ".git", ".venv", ".cache", ".hypothesis", ".*_cache", "__pycache__", "build", "dist"
    )
    shutil.copytree(source, target, symlinks=True, ignore=ignored)
    # The judge of pods takes a minute to build; it is kept under a hash of its sources.
    if (judge := ROOT / ".cache" / "judge").exists():
        (target / ".cache").mkdir()
        (target / ".cache" / "judge").symlink_to(judge)


def attempt(fault: Fault, original: Path, folder: Path, *, near: bool) -> Result:
    """One fault in a copy of the checkout, and the tests on it until one fails: its own first, then all that judge."""
    began = time.monotonic()
    file = folder / "kade2kfp" / fault.file
    try:
        _write(file, _mutated(fault, original))
        found = run_tests([f"tests/{test}" for test in fault.tests], folder)
        if not found and not near:
            found = run_tests([f"tests/{name}" for name in fault.folders], folder)
    finally:
        _write(file, (original / "kade2kfp" / fault.file).read_text(encoding="utf-8"))
    return Result(fault, found[0] if found else None, time.monotonic() - began)


def _write(file: Path, text: str) -> None:
    """Write a module, and forget what Python has made of it: a change within a second it may not see."""
    file.write_text(text, encoding="utf-8")
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def run_tests(tests: Iterable[str], root: Path, *, stop: bool = True) -> list[Failure]:
    """The tests that fail in a checkout; with `stop` only the first one.

    Raises:
        PytestError: pytest itself failed, took longer than TIMEOUT, or found none of the tests.
    """
    record = root / "failures.jsonl"
    record.write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--tb=no", "-p", "no:cacheprovider", "-p", "mutations_recorder"]
    command += [f"--basetemp={root / 'tmp'}", *(["-x"] if stop else []), *tests]
    command += [f"--deselect=tests/{golden}" for golden in GOLDENS]
    # PYTHONPATH comes before what the environment has installed, which is the checkout itself.
    surroundings = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "scripts")]),
        "MUTATIONS_FAILURES": str(record),
    }
    try:
        done = subprocess.run(
            command, cwd=root, env=surroundings, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PytestError(f"not finished after {TIMEOUT} seconds: {' '.join(command)}") from error
    found = [Failure(*json.loads(line)) for line in record.read_text(encoding="utf-8").splitlines()]
    if bool(done.returncode) != bool(found):
        raise PytestError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return found


def told(results: Sequence[Result], broken: Sequence[str]) -> dict[str, str]:
    """What is wrong with the results, a line each by the fault; empty if a test that holds without it found each."""
    lines = {}
    for result in results:
        name = result.fault.name
        if result.found is None:
            lines[name] = f"{name}: no test finds it. {result.fault.loses}"
        elif result.found.raised:
            # Any test at all would find it.
            error = result.found.error.splitlines()[-1]
            lines[name] = f"{name}: the compiler breaks, so nothing is proved: {error}"
        elif result.found.test in broken:
            lines[name] = f"{name}: {result.found.test} fails without the fault, too"
    return lines


def page(
    faults: Sequence[Fault], results: Sequence[Result], complaints: Mapping[str, str], before: str, *, near: bool
) -> str:
    """The table as a page. Without the seconds: they differ each time.

    A row says that nothing finds its fault only where all folders were tried; where what was found proves nothing, it stays.

    Args:
        faults: all that there are; the page has them in their order.
        results: of those that were tried now.
        complaints: as `told` gives them.
        before: the page as it was.
        near: whether only the tests that a fault names were tried: one that survived may be found by others.
    """
    now = {result.fault.name: result for result in results}
    said = {row for row in before.splitlines() if row.startswith("| ")}
    rows = []
    for fault in faults:
        begin = f"| {fault.name} | {fault.file} | {fault.loses} | "
        kept = next((row for row in said if row.startswith(begin)), f"{begin}not tried yet |")
        result = now.get(fault.name)
        if result and result.found and fault.name not in complaints:
            rows.append(f"{begin}`{result.found.test.removeprefix('tests/')}` |")
        elif result and not result.found and not near:
            rows.append(f"{begin}nothing |")
        else:
            rows.append(kept)
    head = (
        "# Faults and the tests that find them\n\n"
        "*This page is written by `make mutations`.*\n\n"
        "Each of these faults is put into `kade2kfp/` on its own (the replacements are in `scripts/mutations-*.toml`), and\n"
        "found by a test that compares nothing with a golden. The test named is the first that failed when the fault was\n"
        "tried last.\n\n"
        "| fault | in | what a user would lose | found by |\n|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def _mutated(fault: Fault, root: Path) -> str:
    """The text of the fault's file with the fault in it; a TableError where it does not fit."""
    text = (root / "kade2kfp" / fault.file).read_text(encoding="utf-8")
    if (times := text.count(fault.old)) != 1:
        raise TableError(f"{fault.name}: its text stands {times} times in kade2kfp/{fault.file}: {fault.old}")
    changed = text.replace(fault.old, fault.new)
    if changed == text:
        raise TableError(f"{fault.name}: nothing changes")
    try:
        compile(changed, fault.file, "exec")
    except SyntaxError as error:
        raise TableError(f"{fault.name}: kade2kfp/{fault.file} is no Python any more: {error}") from error
    return changed


def _look_for(test: str, whose: str, root: Path, folders: Sequence[str] = ()) -> None:
    file, _, name = test.partition("::")
    path = root / "tests" / file
    if folders and not any(Path(file).is_relative_to(folder) for folder in folders):
        raise TableError(f"{whose}: {test} is not in one of {', '.join(folders)}")
    if not path.is_file() or (name and f"def {name}(" not in path.read_text(encoding="utf-8")):
        raise TableError(f"{whose}: there is no test {test}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
