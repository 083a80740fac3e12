"""Measuring: two things in turn, several times, and the medians of both, so that what else the machine does hits both."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

Measured = Callable[[], float]


def medians(repetitions: int, *measures: Measured) -> tuple[float, ...]:
    """The median of each measure. They take turns; the first turn of each is not counted (caches, byte code)."""
    rows: list[list[float]] = [[] for _ in measures]
    for turn in range(repetitions + 1):
        for row, measure in zip(rows, measures, strict=True):
            value = measure()
            if turn:
                row.append(value)
    return tuple(median(row) for row in rows)


def call(function: Callable[[], object]) -> Measured:
    """Seconds that a call in this process takes."""

    def measure() -> float:
        gc.collect()
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return measure


def process(*command: str) -> Measured:
    """Seconds of a process from its start to its end; it must end well."""

    def measure() -> float:
        start = time.perf_counter()
        run(command)
        return time.perf_counter() - start

    return measure


def run(command: Sequence[str]) -> str:
    """What a process prints on standard output. Ends the benchmark, with what the process said, where it fails."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=_environment())
        if done.returncode:
            errors.seek(0)
            sys.exit(f"{' '.join(command[:4])}: exit code {done.returncode}\n{errors.read()}")
    return done.stdout


def program(name: str) -> str:
    """A program beside this Python."""
    return str(Path(sys.executable).with_name(name))


def _environment() -> dict[str, str]:
    """The environment without what would make one of the two slower than a user has it."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
