"""What a task that loads data has tried in vain, and when it tries next: lines of its log, while it runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.state import RunState, StepState

_SAID = re.compile(rb"kade2kfp: ([^\n]*; trying again in \d+ s)\n")
"""As templates/load_data.py says it (fetch)."""
_MOST = 64 * 1024


@dataclass(slots=True)
class Tries:
    """What was read of the logs of a run, whose folder this is."""

    folder: Path
    read: dict[str, int] = field(default_factory=dict)
    """How many bytes of each log."""

    def watched(self, state: RunState | None) -> Sequence[StepState]:
        """The steps that load data, and have begun to, or just were."""
        return [
            step
            for step in (state.steps if state is not None else ())
            if step.type == "loadData"
            and step.attempts
            and (step.status == "running" or step.attempts[-1].log in self.read)
        ]

    def new(self, state: RunState | None) -> list[tuple[StepState, str]]:
        """What was said since the last time, by which step. Escaped."""
        found = []
        for step in self.watched(state):
            log = step.attempts[-1].log
            data = self._more(log)
            found += [(step, terminal(said[1].decode("utf-8", "replace"))) for said in _SAID.finditer(data)]
            if step.status != "running":
                del self.read[log]
        return found

    def _more(self, log: str) -> bytes:
        """What whole lines there are more of a log than were read."""
        start = self.read.setdefault(log, 0)
        try:
            with open(self.folder / log, "rb", buffering=0) as file:
                file.seek(start)
                data = file.read(_MOST)
        except OSError:
            return b""
        whole = data[: data.rfind(b"\n") + 1] or (data if len(data) == _MOST else b"")
        self.read[log] = start + len(whole)
        return whole
