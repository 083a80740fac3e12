"""What `run` shows on standard error while steps run: a table that is drawn anew, or a line for each change.

Whatever becomes of standard error (closed, full, its reader gone or asleep), the run goes on.
"""

from __future__ import annotations

import io
import json
import os
import re
import select
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Literal, TextIO, cast

from kade2kfp.cli.runs import labels
from kade2kfp.cli.tries import Tries
from kade2kfp.diagnostics.escape import terminal, width
from kade2kfp.local.amounts import duration, number
from kade2kfp.local.state import DONE, ENDED, WAITS, RunState, StepState
from kade2kfp.steps.sources import Json

if TYPE_CHECKING:
    from rich.segment import Segments

Mode = Literal["auto", "live", "plain", "none"]
Tell = Callable[[RunState], None]
Resume = Callable[[RunState, StepState], str]
"""What to type so that a step goes on that waits for a person. Escaped."""
SIGNS = {
    "succeeded": ("✓", "green"),
    "cached": ("=", "green"),
    "reused": ("=", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("!", "yellow"),
    "interrupted": ("!", "yellow"),
    "running": ("▸", "cyan"),
    "waiting": ("·", "bright_black"),
    "skipped": ("-", "bright_black"),
    "not-taken": ("-", "bright_black"),
}
"""A symbol and a colour, by the name that click and rich share, for each word of StepStatus and RunStatus."""
_TAIL = 4096
_LOOK = 0.5  # seconds between looks at what loads data
_LONGEST = 300
# What colours a log or moves the cursor (ECMA-48, 5.4 and 8.3): it says nothing in one line of text.
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@contextmanager
def progress(folder: Path, *, mode: Mode = "auto", resume: Resume | None = None) -> Iterator[Tell]:
    """Show a run while the block lasts. `folder` is the run's, where its logs are; `resume` what lets a gate go on.

    The callable takes each new state, the first one at the start and the last one at the end, from one thread; it
    neither waits for standard error nor raises. The block's end waits until all is written, so Ctrl-C should end the
    process by then. `auto` is `live` on a terminal that can be drawn on, else `plain`.
    """
    shown = ("live" if _drawable() else "plain") if mode == "auto" else mode
    if shown == "none":
        yield lambda state: None
        return
    how: AbstractContextManager[Tell] = _live(folder) if shown == "live" else _plain(folder, resume or _resume)
    with how as tell:
        yield tell


def came_out(step: StepState, *, most: int = 40) -> list[str]:
    """`rows=3`, `accuracy=0.978`: the outputs and metrics of a step, values of at most `most` characters. Escaped."""
    named = {
        name: short_value(value, most)
        for name, value in step.outputs.items()
        if value != ""
        if not (name.startswith("metric-") and name.removeprefix("metric-") in step.metrics)
    }
    named |= {name: number(value) for name, value in step.metrics.items()}
    return [terminal(f"{cut(name, 60)}={value}") for name, value in named.items()]


def cut(text: str, columns: int) -> str:
    """The beginning of a text that takes at most so many columns; `…` ends it where something is left out."""
    head = text[: columns + 1]
    if len(head) == len(text) and width(head) <= columns:
        return text
    used = 0
    for position, char in enumerate(head):
        used += width(char)
        if used >= columns:
            return head[:position] + "…"[:columns]
    return head + "…"


def short_value(value: Json, most: int) -> str:
    """A text as it is, other values as JSON, cut to at most so many columns. Not escaped."""
    if isinstance(value, str):
        return cut(value, most)
    text = ""
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):  # piece by piece: it may be very long
        text += piece
        if len(text) > most:
            break
    return cut(text, most)


def counts(steps: Sequence[StepState]) -> str:
    """`2 succeeded, 1 failed`."""
    found = Counter[str](step.status for step in steps)
    return ", ".join(f"{found[status]} {status}" for status in SIGNS if found[status])


def _drawable() -> bool:
    try:
        on_terminal = sys.stderr.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False
    return on_terminal and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "") and not os.environ.get("CI")


def _writer() -> Callable[[str], None]:
    """Write to standard error as it is now; what cannot be written is lost, and nothing is raised.

    Python's own stream is passed by: a thread that waits inside of it would keep the interpreter from its end.
    """
    stream = sys.stderr
    with suppress(AttributeError, OSError, ValueError):
        stream.flush()
    try:
        target = stream.fileno()
    except (AttributeError, OSError, ValueError):  # none, closed, or a buffer in memory

        def to_stream(text: str) -> None:
            with suppress(AttributeError, OSError, ValueError):
                stream.write(text)
                stream.flush()

        return to_stream

    def to_file(text: str) -> None:
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            try:
                data = data[os.write(target, data) :]
            except BlockingIOError:  # whoever shares the terminal or pipe has made it so
                waiter = select.poll()  # one poll object serves one thread only
                waiter.register(target, select.POLLOUT)
                waiter.poll()
            except OSError:
                return

    return to_file


@contextmanager
def _plain(folder: Path, resume: Resume) -> Iterator[Tell]:
    """A line a change. A thread writes them, for a pipe that nobody reads makes its writer wait."""
    write = _writer()
    rows: SimpleQueue[str | None] = SimpleQueue()
    before: RunState | None = None
    tries = Tries(folder)

    def tell(state: RunState) -> None:
        nonlocal before
        clock = time.strftime("%H:%M:%S")
        for row in changes(before, state, resume):
            rows.put(f"{clock} {row}\n")
        before = state
        if tries.watched(state):  # nobody says anything, it may be, but there is something to look at from now on
            rows.put("")

    def pump() -> None:
        row: str | None = ""
        while row is not None:
            try:
                row = rows.get(timeout=_LOOK if tries.watched(before) else None)
            except Empty:
                row = ""
            state = before
            for step, said in tries.new(state):
                name = terminal(labels(state.steps)[step.name]) if state is not None else ""
                write(f"{time.strftime('%H:%M:%S')} {name}: {said}\n")
            if row:
                write(row)

    thread = Thread(target=pump, name="progress", daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        rows.put(None)
        thread.join()


def _resume(state: RunState, step: StepState) -> str:
    return terminal(f"kade2kfp resume {state.name} {step.task}")


def changes(before: RunState | None, state: RunState, resume: Resume = _resume) -> list[str]:
    """A line for each thing that happened between two states; None is before the first. Escaped."""
    known = {step.name: step for step in before.steps} if before else {}
    changed = [step for step in state.steps if known.get(step.name) is not step]
    names = labels(state.steps) if changed else {}
    said = ((step, _change(known.get(step.name), step)) for step in changed)
    rows = [f"{terminal(names[step.name])}: {text}" for step, text in said if text]
    rows += [
        f"{terminal(names[step.name])}: to go on: {resume(state, step)}  (`kade2kfp gates` tells all that can be typed)"
        for step in changed
        if waits(step) and not ((old := known.get(step.name)) and waits(old))
    ]
    if state.status != "running" and before is not None and before.status == "running":
        took = f" in {duration(state.ended - state.started)}" if state.ended is not None else ""
        rows.append(f"{terminal(state.name)}: {state.status}{took} ({counts(state.steps)})")
    return rows


def waits(step: StepState) -> bool:
    """Whether it waits for a person."""
    return step.status == "running" and bool(step.attempts) and step.note.startswith(WAITS)


def _change(old: StepState | None, step: StepState) -> str:
    if step.status in ENDED:
        return _end(step) if old is None or old.status != step.status else ""
    if step.status != "running":
        return ""
    attempt = step.attempts[-1].number if step.attempts else 1
    if attempt > 1 and (old is None or len(old.attempts) < len(step.attempts)):
        last = step.attempts[-2] if len(step.attempts) > 1 else None
        why = f", {last.number} exited with code {last.exit_code}" if last and last.exit_code is not None else ""
        return f"attempt {attempt} started{why}"
    if step.note and not step.attempts and (old is None or old.note != step.note):
        return terminal(step.note)
    if not step.attempts or (old is not None and old.attempts):
        return ""
    return terminal(step.note) if waits(step) else "started"


def _end(step: StepState) -> str:
    text: str = step.status
    if step.status == "succeeded" and step.started is not None and step.ended is not None:
        text += f" in {duration(step.ended - step.started)}"
    if why := (step.failure.message if step.failure else step.note):
        text += f": {terminal(why)}"
    if step.status in DONE and (values := came_out(step)):
        text += f" ({', '.join(values[:8])}{', …' if len(values) > 8 else ''})"
    return text


class _Sink(io.TextIOBase):
    """The file that rich writes to."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._put = write

    def write(self, text: str) -> int:
        """Write, and never fail."""
        self._put(text)
        return len(text)


@contextmanager
def _live(folder: Path) -> Iterator[Tell]:
    """A table that rich's thread draws 8 times a second from the latest state: a change costs nothing."""
    from rich.console import Console
    from rich.live import Live
    from rich.segment import Segment, Segments
    from rich.style import Style

    latest: RunState | None = None
    console = Console(file=cast(TextIO, _Sink(_writer())), force_terminal=True, force_jupyter=False)
    styles = {colour: Style(color=colour) for _, colour in SIGNS.values()} | {"": None}

    def draw() -> Segments:
        columns, lines = console.size
        rows = frame(latest, folder, time.time(), columns - 1, lines) if latest else []
        segments = []
        for row in rows:
            segments += [Segment(text, styles[colour]) for text, colour in row]
            segments.append(Segment.line())
        return Segments(segments)

    def tell(state: RunState) -> None:
        nonlocal latest
        latest = state

    # Standard output is left alone: it may be for a machine. What others say on standard error appears above the table.
    with Live(console=console, get_renderable=draw, refresh_per_second=8, redirect_stdout=False):
        yield tell


def frame(state: RunState, folder: Path, now: float, columns: int, lines: int) -> list[list[tuple[str, str]]]:
    """The table at the moment `now`: lines of texts, each with its colour; no wider than `columns`, fewer than `lines`."""
    shown, rest = _fold(state.steps, max(1, lines - 2))
    names = {name: terminal(text) for name, text in labels(state.steps).items()}
    widest = min(max((width(names[step.name]) for step in shown), default=0), max(8, columns // 3))
    rows = []
    for step in shown:
        symbol, colour = SIGNS[step.status]
        name = cut(names[step.name], widest)
        name += " " * (widest - width(name))
        took = "" if step.started is None else duration((step.ended or now) - step.started)
        head = cut(f"{symbol} {name}  ", columns)
        state_ = cut(f"{step.status:<9}", columns - width(head))
        time_ = cut(f"  {took:>5}  ", columns - width(head + state_))
        detail = cut(_detail(step, folder), columns - width(head + state_ + time_))
        rows.append(
            [(head, colour), (state_, colour), (time_, ""), (detail, "red" if step.failure else "bright_black")]
        )
    if rest:
        left = counts(rest)
        more = f"  and {len(rest)} more: {left}" if "," in left else f"  and {left.replace(' ', ' more ', 1)}"
        rows.append([(cut(more, columns), "bright_black")])
    elapsed = duration((state.ended or now) - state.started)
    text = f"{terminal(state.name)}: {counts(state.steps) or 'no steps'}, {elapsed}"
    rows.append([(cut(text, columns), "" if state.status == "running" else SIGNS[state.status][1])])
    return rows


def _fold(steps: Sequence[StepState], room: int) -> tuple[list[StepState], list[StepState]]:
    """The steps that a table of `room` lines shows, and the others, both in the plan's order."""
    if len(steps) <= room:
        return list(steps), []
    urgent = {"running": 0, "failed": 1, "cancelled": 2}
    numbered = sorted(
        enumerate(steps),
        key=lambda one: (urgent.get(one[1].status, 3), -(one[1].ended or 0.0)),
    )
    kept = {position for position, _ in numbered[: room - 1]}
    return (
        [step for position, step in enumerate(steps) if position in kept],
        [step for position, step in enumerate(steps) if position not in kept],
    )


def _detail(step: StepState, folder: Path) -> str:
    """What a step says of itself in one line."""
    if waits(step):
        return terminal(step.note[:_LONGEST])
    if step.status == "running":
        return last_line(folder / step.attempts[-1].log) if step.attempts else terminal(step.note)
    if step.failure is not None:
        return terminal(step.failure.message[:_LONGEST])
    return ", ".join(came_out(step)) or terminal(step.note[:_LONGEST])


def last_line(log: Path) -> str:
    """The last line of a log that says anything, escaped; of a progress bar, its last state. Empty where there is none."""
    for row in reversed(re.split(r"[\r\n]", tail(log))):
        if said := row.strip():
            return terminal(said.replace("\t", " ")[:_LONGEST])
    return ""


def tail(log: Path) -> str:
    """The last bytes of a log as text without colours, or nothing where it cannot be read. Not escaped."""
    try:
        with open(log, "rb", buffering=0) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            data = file.read(_TAIL)
    except OSError:
        return ""
    return _SEQUENCES.sub("", data.decode("utf-8", "replace"))
