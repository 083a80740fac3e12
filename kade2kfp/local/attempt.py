"""One step from its start to its end: environment, cache, attempts, and what it left. Runs in a thread of its own."""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from kade2kfp.gates.model import Standing
from kade2kfp.local.boxes import CannotRunError, Ground, box_of, text_of
from kade2kfp.local.cache import Entry, keep, key_of, take
from kade2kfp.local.choices import holds
from kade2kfp.local.collect import NotLeftError, collect
from kade2kfp.local.engine import GRACE, Box, CannotStartError, Engine, Running
from kade2kfp.local.environments import environment, is_made
from kade2kfp.local.environments.errors import EnvironmentCancelledError, EnvironmentFailedError
from kade2kfp.local.folder import safe_name
from kade2kfp.local.gates.standing import Opening, opening, reachable, standing_of, told
from kade2kfp.local.logs import TAIL, LogEnd, pump, tail
from kade2kfp.local.places import Known
from kade2kfp.local.secrets import masks
from kade2kfp.local.services.make import Material, version_name
from kade2kfp.local.services.serve import ServiceFailedError, kept_versions, served
from kade2kfp.local.services.view import Viewers, view
from kade2kfp.local.state import WAITS, Attempt, Failure, StepState, StepStatus
from kade2kfp.local.trees import remove
from kade2kfp.steps.command import needs_script
from kade2kfp.steps.model import Step

NOT_LEFT, NOT_SET_UP, REJECTED, ENDED_EARLY = 65, 64, 75, 76
"""Exit codes of templates/step.sh."""
_OURS = "kade2kfp: "
_PREPARING = "preparing its Python and packages, once for each set"
_ABOUT_COMMAND = ("the command exited with code ", "the command was killed by signal ", "trying again in ")
"""What step.sh says of the command, not of itself."""
_NOT_STARTED = re.compile(
    r"(?:bwrap: execvp |step: (?:line )?(?:\d+: )?exec: (?:line \d+: )?|env: )(?P<command>.+)|bwrap: (?P<box>.+)"
)
"""What bwrap, step.sh and env say where there is nothing to start; bwrap also where it cannot mount."""
_ENGINES = re.compile(r"OCI runtime|executable file .* not found")
"""What engines say where the image has no shell."""
_CONTAINERS = "a step sees this machine's programs and /usr, read-only; its image it has with --engine docker or podman"


@dataclass(slots=True)
class Boxes:
    """The boxes that are running, so that all can be ended from another thread."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    killed: bool = False
    running: dict[str, Running] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, name: str, running: Running) -> None:
        """Add a box; one that was still being made when all were ended is ended too."""
        with self.lock:
            self.running[name] = running
            if self.killed:
                running.kill()
            elif self.cancelled.is_set():
                running.terminate()

    def leave(self, name: str) -> None:
        """Take a box out, which has ended."""
        with self.lock:
            del self.running[name]

    def terminate(self) -> None:
        """Ask all boxes to end, and let no other begin."""
        self.cancelled.set()
        with self.lock:
            for running in self.running.values():
                running.terminate()

    def kill(self) -> None:
        """End all boxes, and let no other begin."""
        self.cancelled.set()
        with self.lock:
            self.killed = True
            for running in self.running.values():
                running.kill()


@dataclass(frozen=True, slots=True)
class Work:
    """A step to run, and all it needs. `input_digests` tell what arrived; `read_cache` is off where all is to run anew.

    `version` is the name of what it leaves running; `viewers` are those of the run.
    """

    step: Step
    ground: Ground
    known: Known
    inputs: Mapping[str, Path]
    input_digests: Mapping[str, str]
    engine: Engine
    home: Path
    read_cache: bool
    version: str = ""
    viewers: Viewers = field(default_factory=Viewers)


def run_step(work: Work, state: StepState, boxes: Boxes, report: Callable[[StepState], None]) -> StepState:
    """Run a step, or take its result from the cache.

    Args:
        work: what to run.
        state: the step's state, `running`.
        boxes: where the box is entered while it runs.
        report: told of each attempt that starts.

    Returns:
        its state at the end. What goes wrong is in it; only our own bugs are raised.
    """
    scratch = work.ground.folder / "scratch" / safe_name(work.step.name)
    latest = [state]

    def tell(new: StepState) -> None:
        latest.append(new)
        report(new)

    try:
        return _run(work, state, boxes, tell, scratch)
    except _FailedError as failed:
        return _ended(failed.state or latest[-1], "failed", failure=failed.failure)
    except ServiceFailedError as failed_service:
        return _ended(latest[-1], "failed", failure=failed_service.failure)
    except OSError as error:
        return _ended(latest[-1], "failed", failure=_machine(error))
    finally:
        with suppress(OSError):
            remove(scratch)


class _FailedError(Exception):
    def __init__(self, failure: Failure, state: StepState | None = None) -> None:
        super().__init__(failure.message)
        self.failure, self.state = failure, state


def _machine(error: OSError) -> Failure:
    what = (error.strerror or str(error)).lower()
    if error.filename:
        what += f": {os.fsdecode(error.filename)}"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    help_ = "make room, for example by `kade2kfp runs prune`, or keep runs elsewhere: --home DIR" if full else ""
    return Failure("K719", f"this machine failed: {what}", help_)


def _run(work: Work, state: StepState, boxes: Boxes, report: Callable[[StepState], None], scratch: Path) -> StepState:
    step = work.step
    of = _material(work)
    if of is not None:
        work = replace(work, version=version_name())
        if of.service.kind == "viewer":
            return view(of, state, work.viewers, report)
    python = None if work.engine.uses_images else _python(work, state, boxes, report)
    if boxes.cancelled.is_set():
        return _ended(state, "cancelled")
    if of is not None and not step.command:
        return served(of, work.version, state, python, boxes.cancelled, report)
    opened = opening(step, work.ground.folder) if reachable(step) else None
    box = _box(work, _fresh(scratch), python, opened)
    key = ""
    if step.cache_key is not None and of is None:
        served_by = work.engine.image_digest(box.image) if python is None else python.name
        # An image that is not there yet cannot be told from another of its name.
        key = key_of(step, box, work.input_digests, f"{work.engine.name} {served_by}") if served_by else ""
    if key:
        taken = take(work.home / "cache", key, step, work.ground.folder) if work.read_cache else None
        if taken is not None:
            return replace(
                _ended(state, "cached"),
                artifacts=taken.artifacts,
                outputs=taken.outputs,
                metrics=taken.metrics,
                cache_key=key,
                note=f"taken from {taken.run}",
            )
    tries = 1 + (step.retry.limit if step.retry and step.retry.on == "pod" else 0)
    pause = step.retry.backoff if step.retry else 0.0
    for left in reversed(range(tries)):
        state, failure = _attempt(work, state, boxes, report, box, opened)
        if failure is None or boxes.cancelled.is_set() or not left:
            break
        if boxes.cancelled.wait(min(pause, step.retry.max_backoff) if step.retry else 0):
            break
        pause *= step.retry.factor if step.retry else 1
        opened = opening(step, work.ground.folder) if reachable(step) else None
        box = _box(work, _fresh(scratch), python, opened)
    if boxes.cancelled.is_set() and failure is not None:
        return _ended(state, "cancelled")
    if failure is not None:
        raise _FailedError(failure, state)
    done = _left(work, state, box, key)
    return done if of is None else served(of, work.version, done, python, boxes.cancelled, report)


def _material(work: Work) -> Material | None:
    """What a step needs that leaves something running; None for any other."""
    step = work.step
    if step.service is None:
        return None
    return Material(step, step.service, work.ground, work.known, work.inputs, work.engine, work.home)


def _left(work: Work, state: StepState, box: Box, key: str) -> StepState:
    """The state with what the step has left, which is kept for later runs too."""
    try:
        left = collect(work.step, box, work.ground.folder)
    except NotLeftError as error:
        log = work.ground.folder / state.attempts[-1].log
        raise _FailedError(Failure("K711", str(error), tail=tail(log, TAIL)), state) from None
    except OSError as error:
        raise _FailedError(_machine(error), state) from None
    if key:
        entry = Entry(work.ground.folder.name, left.artifacts, left.outputs, left.metrics)
        keep(work.home / "cache", key, entry, work.ground.folder)
    ended = _ended(state, "succeeded")
    return replace(ended, artifacts=left.artifacts, outputs=left.outputs, metrics=left.metrics, cache_key=key)


def _ended(state: StepState, status: StepStatus, failure: Failure | None = None) -> StepState:
    if failure is not None:
        # A file's name in it may be no text; the state's JSON is.
        failure = replace(failure, message=failure.message.encode("utf-8", "replace").decode())
    return replace(state, status=status, ended=time.time(), failure=failure)


def _python(work: Work, state: StepState, boxes: Boxes, report: Callable[[StepState], None]) -> Path | None:
    """The environment with the step's packages; None where the run was cancelled."""
    log = work.ground.folder / "logs" / safe_name(work.step.name) / "packages.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not is_made(work.home, work.step.requirements):
            report(replace(state, note=_PREPARING))
        with open(log, "ab") as file:
            return environment(work.home, work.step.requirements, log=file.fileno(), cancelled=boxes.cancelled)
    except EnvironmentCancelledError:
        return None
    except EnvironmentFailedError as error:
        raise _FailedError(Failure("K715", str(error), error.help, error.tail)) from None


def _fresh(scratch: Path) -> Path:
    remove(scratch)
    scratch.mkdir(parents=True)
    return scratch


def _box(work: Work, scratch: Path, python: Path | None, opened: Opening | None) -> Box:
    try:
        box = box_of(work.step, work.ground, work.known, work.inputs, scratch=scratch, python=python, opened=opened)
        if not work.version or work.step.service is None:
            return box
        kept = kept_versions(work.home, work.step.service.name)
        return replace(box, env={**box.env, "KADE2KFP_VERSION": work.version, "KADE2KFP_KEEP": " ".join(kept)})
    except CannotRunError as error:
        raise _FailedError(Failure(error.code, str(error), error.help)) from None


def _attempt(
    work: Work,
    state: StepState,
    boxes: Boxes,
    report: Callable[[StepState], None],
    box: Box,
    opened: Opening | None,
) -> tuple[StepState, Failure | None]:
    """One attempt: the state with it, and why it failed."""
    number = len(state.attempts) + 1
    log = Path("logs", safe_name(work.step.name), f"{number}.log")
    (work.ground.folder / log).parent.mkdir(parents=True, exist_ok=True)
    # A runner that was killed may have begun one that its state does not know.
    (work.ground.folder / log).unlink(missing_ok=True)
    attempt = Attempt(number, str(log), time.time())
    message = text_of(work.step.gate.message, work.known) if work.step.gate else ""
    waits = f"{WAITS}: {message}".removesuffix(": ") if _asks(work) else ""
    state = replace(state, attempts=(*state.attempts, attempt), note=waits)
    report(state)

    def standing(running: Running) -> Standing | None:
        if opened is None:
            return None
        run = work.ground.folder.name
        return standing_of(work.step, run, message, attempt.started, opened, running.handle())

    try:
        code, timed_out, end = _in_box(work, boxes, box, work.ground.folder / log, standing)
    except CannotStartError as error:
        return _closed(state, None), Failure("K714", str(error), error.help)
    state = replace(_closed(state, code), note=end.problem)
    if timed_out:
        return state, Failure(
            "K712", f"it took longer than its timeout of {work.step.timeout} s and was stopped", tail=end.tail
        )
    return state, why_failed(work.step, code, end, images=work.engine.uses_images) if code else None


def _asks(work: Work) -> bool:
    gate = work.step.gate
    return gate is not None and (gate.only_if is None or holds(gate.only_if, work.known))


def _closed(state: StepState, code: int | None) -> StepState:
    *earlier, last = state.attempts
    return replace(state, attempts=(*earlier, replace(last, ended=time.time(), exit_code=code)))


def _in_box(
    work: Work, boxes: Boxes, box: Box, log: Path, standing: Callable[[Running], Standing | None]
) -> tuple[int, bool, LogEnd]:
    """The exit code, whether time was up, and how the log ended."""
    read, write = os.pipe()
    ends: list[LogEnd] = []
    reader = threading.Thread(target=lambda: ends.append(pump(read, log, masks(work.ground.objects))), daemon=True)
    try:
        if boxes.cancelled.is_set():
            raise CannotStartError("the run was cancelled")
        running = work.engine.start(box, write)
    except BaseException:
        os.close(read)
        raise
    finally:
        os.close(write)
    reader.start()
    try:
        boxes.enter(work.step.name, running)
        with told(work.ground.folder, standing(running)):
            code, timed_out = _wait(running, work.step.timeout)
    finally:
        boxes.leave(work.step.name)
        reader.join()
        running.close()
        os.close(read)
    return code, timed_out, ends[0]


def _wait(running: Running, timeout: int) -> tuple[int, bool]:
    code = running.wait(timeout or None)
    if code is not None:
        return code, False
    running.terminate()
    code = running.wait(GRACE)
    if code is None:
        running.kill()
        code = running.wait(None)
    return code or 0, True


def why_failed(step: Step, code: int, end: LogEnd, *, images: bool) -> Failure:
    """What an exit code means, in words. `images`: the step ran in its own image, not on this machine's files."""
    said = [line.removeprefix(_OURS) for line in end.tail if line.startswith(_OURS)]
    said = [line for line in said if not line.startswith(_ABOUT_COMMAND)]
    if step.type in ("loadData", "serving") and said:  # its own words, of templates/load_data.py or pack.py
        return Failure("K710", said[-1], tail=tuple(said[:-1]))
    log = tuple(line for line in end.tail if not line.startswith(_OURS))
    elsewhere = "" if images else _CONTAINERS
    if code == NOT_LEFT and said and needs_script(step):
        return Failure("K711", "; ".join(said), tail=log)
    if code == NOT_SET_UP and said and needs_script(step):
        return Failure("K714", said[-1], elsewhere, log)
    if step.gate and code == REJECTED and said:
        return Failure("K716", said[-1], "who decides may be asked again: run it once more")
    if step.gate and code == ENDED_EARLY:
        return Failure("K716", "the command ended by itself while a person was waited for", tail=log)
    # Not of a script's last line, which may say the same of a command of its own: of this step's command alone.
    found = _NOT_STARTED.fullmatch(log[-1]) if len(set(log)) == 1 else None
    if found and code in (1, 126, 127):
        what = found["command"] or found["box"]
        return Failure(
            "K714",
            f"the {'command cannot be started' if found['command'] else 'box cannot be made'}: {what}",
            elsewhere,
        )
    if images and code in (125, 126, 127) and log and (not needs_script(step) or _ENGINES.search(log[-1])):
        return Failure("K714", f"the command cannot be started: {log[-1]}")
    if code - 128 in set(signal.Signals):
        name = signal.Signals(code - 128).name
        help_ = "perhaps the machine ran out of memory: `dmesg` would tell" if name == "SIGKILL" else ""
        return Failure("K713", f"the command was ended by {name} (code {code})", help_, log)
    return Failure("K710", f"the command exited with code {code}", tail=log)
