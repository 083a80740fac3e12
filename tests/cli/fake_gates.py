"""Gates in memory, in the place of a run's, for what the commands say and do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Decision, Gates, Standing

NOW = 1_760_000_000.0


def standing(task: str = "train", **more: Any) -> Standing:
    """A step that waits."""
    fields: dict[str, Any] = {"run": "iris-1", "step": task, "display_name": task, "type": "container", "pod": "uid-1"}
    return Standing(**(fields | {"task": task, "since": NOW} | more))


@dataclass
class Fake:
    """Implements Gates. `files` are those of every step; a list is what one look after the other finds."""

    steps: list[Standing] = field(default_factory=list)
    files: dict[str, Any] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)
    error: CannotDoError | None = None
    decided: list[tuple[str, Decision, float]] = field(default_factory=list)

    def waiting(self, run: str | None) -> Sequence[Standing]:
        self._fail()
        return [one for one in self.steps if one.waits and run in (None, one.run, "last")]

    def find(self, run: str, task: str, *, gate: bool = True) -> Standing:
        self._fail()
        for one in self.steps:
            if run in (one.run, "last") and task in (one.task, one.step) and (one.waits or not gate):
                return one
        raise CannotDoError(f"the run {run} has no task '{task}'", "did you mean `train`?")

    def who(self) -> str:
        return "ada"

    def decide(self, standing: Standing, decision: Decision, seconds: float) -> str:
        self._fail()
        self.decided.append((standing.task, decision, seconds))
        return f"'{standing.task}' is decided"

    def read(self, standing: Standing, path: str) -> bytes | None:
        self._fail()
        found = self.files.get(path)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        return found.encode("utf-8", "surrogateescape") if isinstance(found, str) else None

    @contextmanager
    def forward(self, standing: Standing, port: int, local: int | None = None) -> Iterator[int]:
        self._fail()
        yield self.ports.get(port, port)

    def shell(self, standing: Standing, command: Sequence[str]) -> int:
        return subprocess.run(command, check=False).returncode

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


def main(gates: Gates) -> None:
    """The command line with these gates, in a process of its own."""
    from kade2kfp import cli
    from kade2kfp.cli.gates import Where

    Where.gates = lambda self: gates
    cli.main(sys.argv[1:])
