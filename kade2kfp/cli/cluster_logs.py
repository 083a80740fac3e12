"""`logs` on a cluster: KFP gives a log as a whole only, so that what was shown is skipped each time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from kade2kfp.cli.cluster_runs import detail_of
from kade2kfp.cli.kfp import Place
from kade2kfp.cli.logs_command import Wanted, say_none, wanted_logs
from kade2kfp.cli.runs import labels, the_steps
from kade2kfp.cli.streams import lost, say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal, width
from kade2kfp.local.logs.reading import Lines
from kade2kfp.local.state import ENDED, Attempt, StepState

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.client import Kfp
    from kade2kfp.cluster.kfp.objects import Objects
    from kade2kfp.cluster.kfp.runs import Detail

_LARGEST_TAIL = 16 * 1024 * 1024
Key = tuple[str, int]


def logs_on_cluster(place: Place, run: str, wanted: Wanted, tail: int | None, store: str, *, follow: bool) -> None:
    """Print what the steps of a run on a cluster wrote. Raises CannotDoError, click.ClickException."""
    from kade2kfp.cluster.kfp.objects import Objects
    from kade2kfp.cluster.kfp.pace import APART

    with place.kfp() as kfp, Objects(kfp.target, store) as objects:
        detail = detail_of(kfp, run)
        shown = _Shown(kfp, objects, detail, wanted, APART if follow else APART / 3)
        if follow:
            _follow(shown, detail, wanted, tail)
            return
        say_none(detail.state, wanted)
        for step, attempt in wanted_logs(detail.state, wanted):
            shown.more(detail, step, attempt, tail)
        shown.end()


def _follow(shown: _Shown, detail: Detail, wanted: Wanted, tail: int | None) -> None:
    """Show what is written until there is no more to come. A log is read after the state that it is shown by."""
    from kade2kfp.cluster.kfp.pace import Pace
    from kade2kfp.cluster.kfp.runs import look

    pace = Pace()
    first: set[Key] = {(step.name, one.number) for step, one in wanted_logs(detail.state, wanted)}
    later = replace(wanted, every=wanted.attempt is None)
    newest = dict(first)
    while True:
        grown = False
        for step, attempt in wanted_logs(detail.state, later):
            key = (step.name, attempt.number)
            if key in shown.done or (not wanted.every and attempt.number < newest.get(step.name, 0)):
                continue
            grown |= shown.more(detail, step, attempt, tail if key in first else None)
        steps = the_steps(detail.state, wanted.task)
        if not grown and (detail.state.status != "running" or all(step.status in ENDED for step in steps)):
            break
        began = time.monotonic()
        shown.turns.wait()
        detail = look(detail.watch)
        time.sleep(pace.after(changed=grown, took=time.monotonic() - began, size=detail.bytes))
    shown.end()
    say_none(detail.state, wanted)


class _Shown:
    """Logs on their way to standard output; how much of each is there already."""

    def __init__(self, kfp: Kfp, objects: Objects, detail: Detail, wanted: Wanted, apart: float) -> None:
        from kade2kfp.cluster.kfp.pace import Turns

        steps = the_steps(detail.state, wanted.task)
        self._kfp, self._objects = kfp, objects
        self._several, self._every = len(steps) > 1, wanted.every
        self._columns = max((width(terminal(one)) for one in labels(steps).values()), default=0)
        self._escaped = sys.stdout.isatty()
        self._seen: dict[Key, int] = {}
        self._lines: dict[Key, Lines] = {}
        self.done: set[Key] = set()
        self.turns = Turns(apart)

    def more(self, detail: Detail, step: StepState, attempt: Attempt, tail: int | None) -> bool:
        """Show what has come to a log since; whether there was any. `tail`: of what is there at first, that many lines."""
        from kade2kfp.cluster.kfp.logs import NoLogError, log

        key = (step.name, attempt.number)
        placed = next(one for one in detail.placed if one.state.name == step.name)
        self.turns.wait()
        before, total = self._seen.get(key, 0), 0
        try:
            pieces = log(self._kfp, detail, placed, attempt, lambda: self._objects)
            new = key not in self._seen
            if new and tail is not None:
                text, total = _last(pieces, tail)
                self._begin(detail, step, attempt)
                self._write(key, text)
            else:
                for piece in pieces:
                    if new:  # there is one
                        self._begin(detail, step, attempt)
                        new = False
                    total += len(piece)
                    self._write(key, piece[max(0, len(piece) - (total - before)) :] if total > before else b"")
        except (NoLogError, CannotDoError) as error:
            if isinstance(error, CannotDoError) and attempt.ended is None:
                raise
            if attempt.ended is not None:
                self._say_gone(detail, step, attempt, error)
                self.done.add(key)
            return False
        if total < before:  # kubelet keeps the newest part of a long one
            say(f"the log of {terminal(self._label(detail, step))} was too long, not all of it is here")
        self._seen[key] = total
        sys.stdout.flush()
        if attempt.ended is not None:
            self._write(key, self._lines[key].end() if key in self._lines else b"", raw=True)
            self.done.add(key)
        return total > before

    def end(self) -> None:
        """Show the last lines that have no end."""
        for key, lines in self._lines.items():
            self._write(key, lines.end(), raw=True)

    def _label(self, detail: Detail, step: StepState) -> str:
        return labels(detail.state.steps)[step.name]

    def _begin(self, detail: Detail, step: StepState, attempt: Attempt) -> None:
        key = (step.name, attempt.number)
        name = terminal(self._label(detail, step))
        if self._several:
            name += f"/{attempt.number}" if attempt.number > 1 else ""
            prefix = name + " " * (self._columns - width(name)) + " | "
            self._lines[key] = Lines(prefix.encode(), escaped=self._escaped)
            return
        if self._every or self._seen:
            say(f"==> {name}, attempt {attempt.number} <==")
        if self._escaped:
            self._lines[key] = Lines(b"", escaped=True)

    def _say_gone(self, detail: Detail, step: StepState, attempt: Attempt, error: Exception) -> None:
        say(
            f"the log of {terminal(self._label(detail, step))}, attempt {attempt.number}, cannot be had: {terminal(str(error))}"
        )
        if isinstance(error, CannotDoError) and error.help:
            say(f"  help: {terminal(error.help)}")

    def _write(self, key: Key, data: bytes, *, raw: bool = False) -> None:
        lines = self._lines.get(key)
        try:
            sys.stdout.buffer.write(data if raw or lines is None else lines.feed(data))
        except OSError as error:
            raise lost(error) from None


def _last(pieces: Iterator[bytes], lines: int) -> tuple[bytes, int]:
    """The last lines of a log and how long it is, with no more of it in memory than is needed."""
    text, total = b"", 0
    for piece in pieces:
        total += len(piece)
        text += piece
        if len(text) > 2 * _LARGEST_TAIL:
            text = text[-_LARGEST_TAIL:]
    ended = text.endswith(b"\n")
    rows = (text[:-1] if ended else text).split(b"\n")[-lines:] if lines and text else []
    return b"\n".join(rows) + (b"\n" if ended and rows else b""), total
