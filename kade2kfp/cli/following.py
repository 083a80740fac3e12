"""A run on a cluster, watched from here until it ends: what `submit --follow`, `--wait` and `stop` show and return."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kade2kfp.cli.progress import Mode, came_out, progress, waits
from kade2kfp.cli.runs import labels
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.gates.values import example
from kade2kfp.local.amounts import duration
from kade2kfp.local.state import DONE, RunState, StepState

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.client import Kfp
    from kade2kfp.cluster.kfp.runs import Detail

_PATIENCE = 600.0
"""Seconds for which KFP may be out of reach before the run is watched no more."""
_NOWHERE = Path(os.devnull)
"""The logs are on the cluster."""
_MOST_RESULTS, _MOST_TAILS, _TAIL = 20, 3, 20
LATE, STOPPED, FAILED = 124, 130, 3


def follow(kfp: Kfp, run_id: str, timeout: float | None = None, *, words: Sequence[str] = ()) -> int:
    """Show a run until it ends, live on a terminal, else a line a change; the exit code.

    0 it succeeded, 3 it did not, 124 the time was over, 130 Ctrl-C: in the last two the run goes on.

    Args:
        kfp: where it is.
        run_id: its id in KFP.
        timeout: seconds to wait at most; None for no limit.
        words: the options that say which KFP, for commands to type; else what the target says.

    Raises CannotDoError where KFP refuses, or cannot be reached for ten minutes.
    """
    return _watch(kfp, run_id, timeout, words or words_of(kfp), "auto")


def wait(kfp: Kfp, run_id: str, timeout: float | None = None, *, words: Sequence[str] = ()) -> int:
    """As `follow`, and only its end is shown."""
    return _watch(kfp, run_id, timeout, words or words_of(kfp), "none")


def words_of(kfp: Kfp) -> tuple[str, ...]:
    """The options that say which KFP this is, for commands to type."""
    target = kfp.target
    if target.context:
        words: tuple[str, ...] = ("--kfp-context", target.context)
    elif target.forward is not None:
        words = ("--port-forward",)
    else:
        words = ("--endpoint", target.endpoint)
    words += ("--namespace", target.namespace) if target.namespace else ()
    return words + (("--kube-context", target.kube_context) if target.kube_context else ())


def typed(verb: str, *words: str) -> str:
    """What the user is to type, quoted for a shell and escaped for a terminal."""
    return terminal(shlex.join(["kade2kfp", verb, *words]))


def looks(
    kfp: Kfp, run_id: str, until: float | None, *, patience: float = _PATIENCE, values: bool = False
) -> Iterator[Detail]:
    """A run, looked at again and again as seldom as one may, until it has ended or the clock `until` (time.monotonic).

    Steps that have not changed stay the same objects. While KFP cannot be reached there is no look, for so many seconds
    at the most. `values`: the last look is with artifacts and values. Raises CannotDoError.
    """
    from kade2kfp.cluster.errors import RefusedError
    from kade2kfp.cluster.kfp.client import until as within
    from kade2kfp.cluster.kfp.pace import Pace
    from kade2kfp.cluster.kfp.runs import look, run_of, valued, watched

    watch = watched(kfp, run_of(kfp, run_id))
    pace = Pace()
    before: Detail | None = None
    unreached: float | None = None
    while True:
        began = time.monotonic()
        try:
            with within(until):
                detail = look(watch)
                if values and detail.state.status != "running":
                    detail = valued(detail)
            if unreached is not None:
                say(f"{terminal(kfp.target.address)} answers again")
            unreached = None
        except RefusedError as error:
            unreached = unreached or began
            if not (error.passing or error.status == 0) or began - unreached > patience:
                raise
            if unreached == began:
                say(f"note: {terminal(str(error))}; the run goes on, and so does looking for it")
            _sleep(pace.after(changed=False, took=5.0, size=0), until)
            if until is not None and time.monotonic() >= until:
                return
            continue
        took = time.monotonic() - began
        detail = replace(detail, state=_kept(before.state if before else None, detail.state))
        changed = before is None or detail.state != before.state
        before = detail
        yield detail
        if detail.state.status != "running" or (until is not None and time.monotonic() >= until):
            return
        _sleep(pace.after(changed=changed, took=took, size=detail.bytes), until)


def _sleep(seconds: float, until: float | None) -> None:
    left = seconds if until is None else min(seconds, max(0.0, until - time.monotonic()))
    time.sleep(left)


def _kept(before: RunState | None, now: RunState) -> RunState:
    known = {step.name: step for step in before.steps} if before else {}
    return replace(now, steps=tuple(known[one.name] if known.get(one.name) == one else one for one in now.steps))


def _watch(kfp: Kfp, run_id: str, timeout: float | None, words: Sequence[str], mode: Mode) -> int:
    until = None if timeout is None else time.monotonic() + timeout
    last: Detail | None = None
    asked: set[str] = set()
    try:
        with progress(_NOWHERE, mode=mode, resume=lambda state, step: resume_command(kfp, run_id, last, step)) as tell:
            for detail in looks(kfp, run_id, until, values=True):
                last = detail
                tell(detail.state)
                if mode != "auto" or _on_terminal():  # else they stand beside the line of the step
                    _ask(kfp, detail, asked)
    except CannotDoError:
        say(f"nobody has stopped the run; to see it: {typed('show', run_id, *words)}")
        raise
    except KeyboardInterrupt:
        say(f"the run goes on; to see it: {typed('show', run_id, *words)}; to stop it: {typed('stop', run_id, *words)}")
        return STOPPED
    if last is None or last.state.status == "running":
        after = f" after {duration(timeout)}" if timeout is not None else ""
        say(f"the run has not ended{after}, and goes on; to stop it: {typed('stop', run_id, *words)}")
        return LATE
    say_end(kfp, last, words)
    return 0 if last.state.status == "succeeded" else FAILED


def _on_terminal() -> bool:
    return sys.stderr.isatty()


def _ask(kfp: Kfp, detail: Detail, asked: set[str]) -> None:
    """Say of each step that waits for a person what to type, once."""
    waiting = {step.name: step for step in detail.state.steps if waits(step)}
    asked &= waiting.keys()
    names = labels(detail.state.steps) if waiting.keys() - asked else {}
    for name in waiting.keys() - asked:
        step = waiting[name]
        say(
            f"{terminal(f'{names[name]}: {step.note}')}; to go on: {resume_command(kfp, detail.found.id, detail, step)}"
        )
        asked.add(name)


def resume_command(kfp: Kfp, run_id: str, detail: Detail | None, step: StepState) -> str:
    """What lets a step go on that waits for a person, with the values that it must be given. Escaped."""
    from kade2kfp.cluster.kfp.where import DEFAULT_NAMESPACE
    from kade2kfp.cluster.pods import GATE, standing

    gate = next((one.task.gate for one in detail.placed if one.state.name == step.name), "") if detail else ""
    told = standing({"metadata": {"annotations": {GATE: gate}}})
    pairs = [word for value in told.values if value.required for word in ("--set", example(value))]
    own = kfp.target.forward.namespace if kfp.target.forward is not None else DEFAULT_NAMESPACE
    words = ["--namespace", kfp.target.namespace or own]
    words += ["--kube-context", kfp.target.kube_context] if kfp.target.kube_context else []
    return typed("resume", run_id, step.task if not step.loop else step.name, *pairs, *words)


def say_end(kfp: Kfp, detail: Detail, words: Sequence[str]) -> None:
    """Say how a run ended: results on standard output; what failed, its log's end and what to type on standard error."""
    state = detail.state
    names = labels(state.steps)
    failed = [(step, step.failure) for step in state.steps if step.failure is not None]
    for number, (step, failure) in enumerate(failed[:_MOST_RESULTS]):
        say(f"{terminal(f'{names[step.name]}: {failure.message}')}")
        for row in tail_of(kfp, detail, step) if number < _MOST_TAILS else ():
            say(f"  | {terminal(row)}")
    if len(failed) > _MOST_RESULTS:
        say(f"and {len(failed) - _MOST_RESULTS:,} more that failed")
    for step in state.steps:
        if step.status in DONE and (results := came_out(step)):
            more = f", and {len(results) - _MOST_RESULTS:,} more" if len(results) > _MOST_RESULTS else ""
            out(f"{terminal(names[step.name])}: {', '.join(results[:_MOST_RESULTS])}{more}\n")
    took = f" in {duration(state.ended - state.started)}" if state.ended is not None else ""
    say(f"{terminal(state.name)}: {state.status}{took}{': ' + terminal(state.note) if state.note else ''}")
    say(f"all of it: {typed('show', state.id, *words)}")
    if failed:
        say(f"a whole log: {typed('logs', state.id, names[failed[0][0].name], *words)}")
        say(f"for a fault that passes by itself: {typed('rerun', state.id, '--failed', *words)}")


def tail_of(kfp: Kfp, detail: Detail, step: StepState) -> list[str]:
    """The last lines of the log of a step that failed, if its pod still has them."""
    from kade2kfp.cluster.kfp.logs import NoLogError, from_pod

    if not step.attempts:
        return []
    text = b""
    try:
        for piece in from_pod(kfp, detail.found.id, step.attempts[-1].log):
            text = (text + piece)[-16 * 1024 :]
    except (NoLogError, CannotDoError):
        return []
    rows = text.decode("utf-8", "replace").replace("\r", "\n").splitlines()
    return [row for row in rows if row.strip()][-_TAIL:]
