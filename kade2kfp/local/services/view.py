"""What the runner does for viewers: each has a keeper that ends with the run, and nothing waits for it, or fails by it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import JsonValue

from kade2kfp.local.boxes import CannotRunError
from kade2kfp.local.environments import environment, is_made
from kade2kfp.local.environments.errors import EnvironmentCancelledError, EnvironmentFailedError
from kade2kfp.local.folder import safe_name
from kade2kfp.local.services.client import KeeperError, NoKeeperError, TakenBackError, ask, kept
from kade2kfp.local.services.folders import Record, is_kept, make_folder, write_record
from kade2kfp.local.services.make import Material, version_name, version_of_step, with_python
from kade2kfp.local.services.serve import deploy_command, url
from kade2kfp.local.services.version import Version
from kade2kfp.local.state import RunState, StepState

_ENDS = 4.0
"""Seconds that viewers have for their end when the run is over; they end without being waited for, too."""
_PREPARING = "preparing its Python and packages, once for each set"


@dataclass(slots=True)
class Viewers:
    """The viewers of a run. `over` is set when nothing else runs any more: those that are not there yet do not come."""

    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    pipe: tuple[int, int] | None = None
    keepers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def keep(self, folder: Path) -> None:
        """Have a keeper for a folder, which ends with the run. Raises KeeperError, OSError."""
        with self.lock:
            if self.over.is_set():
                raise TakenBackError
            # Whatever ends this process closes its end of the pipe; nobody else has that.
            self.pipe = self.pipe or os.pipe()
            started = kept(folder, self.pipe[0])
            if started is not None:
                self.keepers.append(started)

    def end(self) -> None:
        """End all viewers."""
        self.over.set()
        with self.lock:
            for one in self.pipe or ():
                os.close(one)
            self.pipe = None
            until = time.monotonic() + _ENDS
            for keeper in self.keepers:
                with suppress(subprocess.TimeoutExpired):
                    keeper.wait(max(0.0, until - time.monotonic()))
            self.keepers.clear()


def viewer_folder(run: Path, step: str) -> Path:
    """Where a viewer of a run lies."""
    return run / "services" / safe_name(step)


def view(of: Material, state: StepState, viewers: Viewers, report: Callable[[StepState], None]) -> StepState:
    """Let a viewer stand beside the run.

    Args:
        of: the step.
        state: its state, `running`.
        viewers: those of the run, to which it is added.
        report: told when its port listens, by which the step has succeeded.

    Returns:
        its state, with what was wrong with it by the time its tool answered, or the run was over.
    """
    folder = viewer_folder(of.ground.folder, of.step.name)
    try:
        version = version_of_step(of, version_name())
        make_folder(folder)
        if not is_kept(folder):
            # For `viewer open`, should the run be over before the rest is done.
            write_record(folder, Record((version,), version.name))
        log = of.ground.folder / "logs" / safe_name(of.step.name) / "packages.log"
        if not of.engine.uses_images and not is_made(of.home, version.requirements):
            report(replace(state, note=_PREPARING))
        version = ready(version, of.home, log, viewers.over)
        viewers.keep(folder)
        port = ask(folder, deploy_command(version, of.wanted, paused=of.paused)).port
    except (EnvironmentCancelledError, TakenBackError):
        return replace(_done(state, "", ""), note=_too_late(of))
    except (CannotRunError, EnvironmentFailedError, KeeperError, NoKeeperError, OSError) as error:
        return _done(state, "", _in_words(error))
    report(_done(state, url(port), ""))
    return _done(state, url(port), _problem(folder, viewers.over))


def ready(version: Version, home: Path, log: Path, cancelled: threading.Event) -> Version:
    """The version with its environment, made if need be. Raises EnvironmentFailedError, EnvironmentCancelledError."""
    if version.engine != "process":
        return version
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as file:
        python = environment(home, version.requirements, log=file.fileno(), cancelled=cancelled)
    return with_python(version, python)


def _problem(folder: Path, over: threading.Event) -> str:
    """What is wrong with a viewer when it has been started, or the run is over."""
    while not over.wait(0.2):
        try:
            now = ask(folder, {"do": "status"})
        except NoKeeperError:
            return ""  # somebody has deleted it
        if now.state != "starting":
            return now.problem
    return ""


def _done(state: StepState, address: str, problem: str) -> StepState:
    # A file's name in it may be no text; the state's JSON is.
    problem = problem.encode("utf-8", "replace").decode()
    outputs: dict[str, JsonValue] = {"url": address, "problem": problem}
    note = f"no viewer: {problem}" if problem else address
    return replace(state, status="succeeded", ended=time.time(), outputs=outputs, note=note)


def _in_words(error: Exception) -> str:
    said = (
        f"this machine failed: {(error.strerror or str(error)).lower()}" if isinstance(error, OSError) else str(error)
    )
    help_ = getattr(error, "help", "")
    return f"{said} ({help_})" if help_ else said


def _too_late(of: Material) -> str:
    run, task = of.ground.folder.name, of.step.task
    return f"the run was over before it was ready: kade2kfp viewer open {run} {task}"


def closed(state: RunState, names: frozenset[str]) -> RunState:
    """The state of a run that is over, with its viewers gone; `names` are those of their nodes."""
    for step in state.steps:
        if (step.node or step.name) in names and step.status == "succeeded" and step.outputs.get("url"):
            problem = step.outputs.get("problem")
            note = step.note if problem else f"it ended with the run: kade2kfp viewer open {state.name} {step.task}"
            state = state.with_step(replace(step, outputs={"problem": problem} if problem else {}, note=note))
    return state
