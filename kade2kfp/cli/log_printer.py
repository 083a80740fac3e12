"""Logs on their way to standard output, which may be a terminal, a file, or gone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from kade2kfp.cli.runs import cannot_read, labels
from kade2kfp.cli.streams import lost, say
from kade2kfp.diagnostics.escape import terminal, width
from kade2kfp.local.logs.reading import Lines, pieces, start_of_tail
from kade2kfp.local.state import Attempt, RunState, StepState


class Printer:
    """Logs on their way to standard output; how much of each is there already."""

    def __init__(self, folder: Path, state: RunState, steps: Sequence[StepState], *, every: bool) -> None:
        """For logs of those steps; `every` tells of each attempt where it begins."""
        self._folder = folder
        self._several = len(steps) > 1
        self._every = every
        names = labels(state.steps)
        self._labels = {step.name: terminal(names[step.name]) for step in steps}
        self._columns = max(map(width, self._labels.values()), default=0)
        self._escaped = sys.stdout.isatty()
        self._shown: dict[tuple[str, int], int] = {}
        self._lines: dict[tuple[str, int], Lines] = {}

    def begin(self, step: StepState, attempt: Attempt, tail: int | None) -> bool:
        """Open a log, if it is not; whether it is there. `tail` are the lines to show of what it holds by now."""
        key = (step.name, attempt.number)
        if key in self._shown:
            return True
        path = self._folder / attempt.log
        try:
            start = start_of_tail(path, tail)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise cannot_read(error) from None
        name = self._labels[step.name]
        if not self._several and (self._every or self._shown):
            say(f"==> {name}, attempt {attempt.number} <==")
        if self._several:
            name += f"/{attempt.number}" if attempt.number > 1 else ""
            prefix = name + " " * (self._columns - width(name)) + " | "
            self._lines[key] = Lines(prefix.encode(), escaped=self._escaped)
        elif self._escaped:
            self._lines[key] = Lines(b"", escaped=True)
        self._shown[key] = start
        return True

    def more(self, step: StepState, attempt: Attempt, most: int | None) -> bool:
        """Show what has come to a log since, of at most that many bytes; whether there was any."""
        key = (step.name, attempt.number)
        lines = self._lines.get(key)
        try:
            before = self._uncut(step, attempt)
            for data in pieces(self._folder / attempt.log, before, most):
                self._shown[key] += len(data)
                _write(lines.feed(data) if lines else data)
        except OSError as error:
            raise cannot_read(error) from None
        _write(b"", flush=True)
        return self._shown[key] > before

    def _uncut(self, step: StepState, attempt: Attempt) -> int:
        """How much of a log is shown. One that grows too long is cut back (local/logs.py): then its last lines follow."""
        key = (step.name, attempt.number)
        path = self._folder / attempt.log
        if path.stat().st_size < self._shown[key]:
            say(f"the log of {self._labels[step.name]} was too long, not all of it is here")
            self._shown[key] = start_of_tail(path, 10)
        return self._shown[key]

    def end(self, step: StepState, attempt: Attempt) -> None:
        """Show a last line that has no end."""
        if lines := self._lines.get((step.name, attempt.number)):
            _write(lines.end(), flush=True)

    def end_all(self) -> None:
        """Show the last lines of all."""
        _write(b"".join(lines.end() for lines in self._lines.values()), flush=True)


def _write(data: bytes, *, flush: bool = False) -> None:
    """Write to standard output. Raises what `lost` gives."""
    try:
        sys.stdout.buffer.write(data)
        if flush:
            sys.stdout.flush()
    except OSError as error:
        raise lost(error) from None
