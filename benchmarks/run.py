"""Measures kade2kfp against KFP's own compiler, and its local runs against make, as ratios within one run: `run.py [--strict] [--quick]`.

Every figure is the ratio of two medians; both sides take turns, so that a busy machine hits both. Exits 0 whatever the
figures are, with --strict 1 where a goal is missed. --quick repeats less, for a look.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import alike
import gate_idle
import graphs
import many_files
from clock import call, medians, process, program, run

from kade2kfp import api
from kade2kfp.steps.python_text import embed_python

HERE = Path(__file__).parent
IRIS = HERE.parent / "examples" / "iris"
SIZES = (10, 100, 500)
STEPS = 200
FILES = (20, 200)
TOO_LARGE = {"K604"}  # what 1,000 tasks are for Argo, and said so; `validate` has done all its work by then


@dataclass(frozen=True)
class Figure:
    """A row of the table: a ratio, what it came from, and the most that it may be (None: only shown)."""

    name: str
    ratio: float
    goal: float | None
    details: str
    aim: float | None = None

    @property
    def met(self) -> bool:
        """Whether the ratio is within its goal."""
        return self.goal is None or self.ratio <= self.goal

    def row(self) -> str:
        """The row as text."""
        goal = "no goal" if self.goal is None else f"goal {self.goal:.2f}"
        said = "" if self.goal is None else "met" if self.met else "MISSED"
        if self.aim is not None:
            said += f", aim {self.aim:.2f} {'met' if self.ratio <= self.aim else 'missed'}"
        return f"{self.name:46} {self.ratio:6.2f}   {goal:10} {said:24} {self.details}"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strict", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--quick", action="store_true", help="repeat less")
    options = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="kade2kfp-bench-") as folder:
        for figure in figures(Path(folder), 3 if options.quick else 11):
            print(figure.row(), flush=True)
            missed += not figure.met
    print(f"{missed} missed" if missed else "all goals met")
    return 1 if missed and options.strict else 0


def figures(folder: Path, repetitions: int) -> Iterator[Figure]:
    """All figures, one after the other."""
    yield cold_compile(folder, repetitions)
    yield from cold_starts(folder, repetitions)
    yield from warm_compile(folder, repetitions)
    yield many_tasks(max(3, repetitions // 2))
    yield from validate_files(folder, max(3, repetitions // 3))
    yield memory()
    yield from local_steps(folder, max(3, repetitions // 3))
    yield from gates(20 if repetitions > 3 else 5)


def cold_compile(folder: Path, repetitions: int) -> Figure:
    """`kade2kfp compile` of the example against `kfp dsl compile` of the same pipeline."""
    ours, theirs = folder / "ours.yaml", folder / "by-hand.yaml"
    for file in (HERE / "iris_by_hand.py", IRIS / "train.py", IRIS / "evaluate.py"):
        shutil.copy(file, folder)
    (folder / "load_data.py").write_text(embed_python("load_data.py"), encoding="utf-8")
    by_hand = str(folder / "iris_by_hand.py")
    one, other = medians(
        repetitions,
        process(program("kade2kfp"), "compile", str(IRIS / "pipeline.json"), "-o", str(ours)),
        process(program("kfp"), "dsl", "compile", "--py", by_hand, "--output", str(theirs)),
    )
    must_be_alike("iris", ours, theirs)
    sizes = f"IR {ours.stat().st_size:,} and {theirs.stat().st_size:,} bytes"
    return Figure("compile cold / kfp dsl compile", one / other, 1.2, f"{seconds(one, other)}; {sizes}")


def cold_starts(folder: Path, repetitions: int) -> Iterator[Figure]:
    """Commands that make no KFP of it, on a copy of the example, against the import of kfp alone.

    A copy, since the checkout's own pyproject.toml would be read for a team's rules.
    """
    document = str(shutil.copytree(IRIS, folder / "iris") / "pipeline.json")
    commands = {
        "validate": ["validate", document],
        "describe": ["describe", document],
        "graph": ["graph", document],
        "fmt --check": ["fmt", "--check", document],
        "validate --help": ["validate", "--help"],
        "explain": ["explain", "K301"],
    }
    calls = [process(program("kade2kfp"), *words) for words in commands.values()]
    *ours, other = medians(repetitions, *calls, process(sys.executable, "-c", "import kfp"))
    for name, one in zip(commands, ours, strict=True):
        goal, aim = (1 / 3, 1 / 4) if name == "validate" else (None, None)
        yield Figure(f"{name} cold / import kfp", one / other, goal, seconds(one, other), aim=aim)


def warm_compile(folder: Path, repetitions: int) -> Iterator[Figure]:
    """The library's compile of generated pipelines against KFP's own Compiler on the same graph."""
    times: list[tuple[float, float]] = []
    for tasks in SIZES:
        ours, theirs = folder / f"ours-{tasks}.yaml", folder / f"by-hand-{tasks}.yaml"
        text = graphs.document(tasks)

        def compile_ours(text: str = text, out: Path = ours) -> None:
            compiled = api.compile(api.parse(text))
            if compiled.yaml is None:
                sys.exit(f"the generated pipeline has errors: {compiled.diagnostics}")
            out.write_text(compiled.yaml, encoding="utf-8")

        def compile_theirs(tasks: int = tasks, out: Path = theirs) -> None:
            graphs.by_hand(tasks, out)

        turns = repetitions if tasks < 500 else max(3, repetitions // 3)
        one, other = medians(turns, call(compile_ours), call(compile_theirs))
        times.append((one, other))
        must_be_alike(f"{tasks} tasks", ours, theirs)
        yield Figure(f"library compile of {tasks} tasks / kfp's Compiler", one / other, 1.25, seconds(one, other))
    growth = [times[-1][side] / times[-2][side] for side in (0, 1)]
    details = f"from 100 to 500 tasks {growth[0]:.1f} times, kfp's own {growth[1]:.1f} times"
    yield Figure("growth / kfp's own growth", growth[0] / growth[1], None, details)
    bytes_ = [(folder / f"{who}-{SIZES[-1]}.yaml").stat().st_size / SIZES[-1] for who in ("ours", "by-hand")]
    details = f"{bytes_[0]:,.0f} and {bytes_[1]:,.0f} bytes a task, at {SIZES[-1]} tasks"
    yield Figure("bytes of IR / written by hand", bytes_[0] / bytes_[1], None, details)


def many_tasks(repetitions: int) -> Figure:
    """What four times the tasks cost `validate`, all its work done in this process."""
    few, many = graphs.document(250), graphs.document(1000)

    def validate(text: str) -> None:
        checked = api.validate(api.parse(text))
        if checked.analysis is None or {one.code for one in checked.diagnostics} - TOO_LARGE - {"K605"}:
            sys.exit(f"the generated pipeline has errors: {checked.diagnostics}")

    one, other = medians(repetitions, call(lambda: validate(many)), call(lambda: validate(few)))
    return Figure("validate 1,000 tasks / 250 tasks", one / other, 5, seconds(one, other))


def validate_files(folder: Path, repetitions: int) -> Iterator[Figure]:
    """`validate` of 200 files in one process: the time of a file, and how memory grows from 20 files on."""
    few, many = FILES
    paths = many_files.written(folder, many)
    validate = program("kade2kfp"), "validate", "--max-diagnostics", "1"

    def parse() -> None:
        for path in paths:
            json.loads(Path(path).read_text(encoding="utf-8"))

    all_, some, one, parsing = medians(
        repetitions,
        process(*validate, *paths),
        process(*validate, *paths[:few]),
        process(*validate, paths[0]),
        call(parse),
    )
    file = (all_ - some) / (many - few)
    details = f"{file * 1000:.1f} ms and {one * 1000:.0f} ms"
    yield Figure(f"validate, a file of {many} / a process a file", file / one, 0.1, details)
    details = f"{file * 1000:.1f} ms and {parsing / many * 1000:.2f} ms, of {many_files.TASKS} tasks"
    yield Figure(f"validate, a file of {many} / json.loads of it", file * many / parsing, None, details)
    peaks = [int(run([sys.executable, str(HERE / "many_files.py"), str(count)])) / 2**20 for count in FILES]
    details = f"{peaks[1]:.1f} and {peaks[0]:.1f} MiB"
    yield Figure(f"peak memory, {many} files / {few} files", peaks[1] / peaks[0], 1.05, details)


def memory() -> Figure:
    """The peak memory of a compile of 500 tasks, in processes of their own."""
    peak = {
        who: int(run([sys.executable, str(HERE / "peak.py"), who, "500"])) / 2**20
        for who in ("ours", "by-hand", "nothing")
    }
    ratio = peak["ours"] / peak["by-hand"]
    details = f"{peak['ours']:.0f} and {peak['by-hand']:.0f} MiB, of which {peak['nothing']:.0f} MiB after the imports"
    return Figure("peak memory, 500 tasks / kfp's Compiler", ratio, None, details)


def local_steps(folder: Path, repetitions: int) -> Iterator[Figure]:
    """`kade2kfp run` of 200 independent steps of 10 ms against `make -j` of the same; what a step costs above its 10 ms."""
    names = [f"t{number}" for number in range(STEPS)]
    document, makefile, home = folder / "many.json", folder / "many.mk", folder / "runs"
    tasks = [{"id": name, "type": "job", "command": ["sleep", "0.01"]} for name in names]
    whole = {"apiVersion": "kade2kfp/v1", "name": "many", "defaults": {"image": "busybox", "cache": False}}
    document.write_text(json.dumps({**whole, "tasks": tasks}), encoding="utf-8")
    rules = "".join(f"{name}:\n\t@sleep 0.01\n" for name in names)
    makefile.write_text(f"all: {' '.join(names)}\n{rules}.PHONY: all {' '.join(names)}\n", encoding="utf-8")
    for jobs in (1, 8):
        start, one, other = medians(
            repetitions,
            process(program("kade2kfp"), "run", str(IRIS.parent / "hello" / "pipeline.json"), "--home", str(home)),
            process(program("kade2kfp"), "run", str(document), "--jobs", str(jobs), "--home", str(home)),
            process("make", "-s", "-f", str(makefile), f"-j{jobs}", "all"),
        )
        step = f"a step {(one - start) / STEPS * 1000:.1f} ms to {other / STEPS * 1000:.1f}; start {start:.2f} s"
        yield Figure(
            f"run --jobs {jobs}, {STEPS} steps / make -j{jobs}", one / other, None, f"{seconds(one, other)}; {step}"
        )


def gates(wait: int) -> Iterator[Figure]:
    """An open gate that nobody decides, measured for `wait` seconds, against a loop of `sleep 1` in the same shell."""
    for idle in gate_idle.idle(wait):
        cpu, memory = idle.cpu, idle.memory
        details = f"{cpu[0]:.1f} and {cpu[1]:.1f} s of CPU an hour"
        yield Figure(f"open gate, {idle.shell} / while sleep 1: CPU", cpu[0] / cpu[1], None, details)
        details = f"{memory[0]:.2f} and {memory[1]:.2f} MiB"
        yield Figure(f"open gate, {idle.shell} / while sleep 1: memory", memory[0] / memory[1], None, details)


def must_be_alike(name: str, ours: Path, theirs: Path) -> None:
    """Ends the benchmark where the two sides have not compiled the same graph."""
    found = alike.differences(ours.read_text("utf-8"), theirs.read_text("utf-8"))
    if found:
        sys.exit("\n".join([f"{name}: the two sides are not the same pipeline", *found[:10]]))


def seconds(one: float, other: float) -> str:
    """Two medians."""
    return f"{one:.3f} s and {other:.3f} s"


if __name__ == "__main__":
    sys.exit(main())
