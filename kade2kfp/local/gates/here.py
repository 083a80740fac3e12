"""What the commands do with the gates of runs on this machine (gates.model.Gates): all of it on files and processes."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.gates.model import Decision, Standing
from kade2kfp.local.folder import Run, all_runs, find
from kade2kfp.local.gates.inside import Inside, inside_of
from kade2kfp.local.gates.standing import DATA, gate_folder, read_standing
from kade2kfp.local.state import DONE, RunState, StepState

_LONGEST = 1024 * 1024
"""Bytes of a file that is read out of a step."""


def local_gates(home: Path) -> LocalGates:
    """The gates of the runs below `home`."""
    return LocalGates(home)


@dataclass(frozen=True, slots=True)
class LocalGates:
    """See gates.model.Gates."""

    home: Path

    def waiting(self, run: str | None) -> list[Standing]:
        """The gates that wait, the oldest first."""
        runs = [self._run(run)] if run is not None else self._all()
        found = [one for each in runs for one in _standing(each) if one.waits and not _said(each.folder, one)]
        return sorted(found, key=lambda one: one.since)

    def find(self, run: str, task: str, *, gate: bool = True) -> Standing:
        """The step of a task that can be reached now."""
        found = self._run(run)
        state = _state(found)
        step = _step(found, state, task)
        standing = read_standing(found.folder, step.name) if state.status == "running" else None
        if standing is None or step.status != "running":
            raise CannotDoError(*_why_not(found, state, step))
        if gate and not standing.waits:
            raise CannotDoError(f"'{step.task}' waits for nobody")
        if gate and (said := _said(found.folder, standing)):
            raise CannotDoError(f"'{step.task}' has been decided: {said}")
        return standing

    def who(self) -> str:
        """The user of this machine."""
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return f"user {os.getuid()}"

    def decide(self, standing: Standing, decision: Decision, seconds: float) -> str:
        """Write the decision where the step looks for it, unless one is there."""
        run = self._run(standing.run)
        folder = gate_folder(run.folder, standing.step)
        texts = {f"value-{name}": text for name, text in decision.values.items()}
        texts |= {"by": f"{decision.by}\n", "reason": f"{decision.reason}\n"}
        texts["decision"] = f"{decision.verdict} {standing.pod}\n"
        try:
            made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
            try:
                made.chmod(0o755)
                for name, text in texts.items():
                    (made / name).write_bytes(text.encode())
                # Whoever is first: a folder does not take the place of one that has something in it.
                os.rename(made, folder / DATA)
            finally:
                shutil.rmtree(made, ignore_errors=True)
        except OSError as error:
            if said := _said(run.folder, standing):
                raise CannotDoError(f"'{standing.task}' has been decided: {said}") from None
            raise CannotDoError(f"cannot write the decision: {(error.strerror or str(error)).lower()}") from None
        return self._closed(standing, decision, seconds)

    def _closed(self, standing: Standing, decision: Decision, seconds: float) -> str:
        done = "resumed" if decision.verdict == "resume" else "rejected"
        until = time.monotonic() + seconds
        while True:
            run = self._run(standing.run)
            now = read_standing(run.folder, standing.step)
            if now is None or now.pod != standing.pod or _state(run).step(standing.step).status != "running":
                return f"'{standing.task}' is {done}"
            if _state(run).status != "running":
                raise CannotDoError(f"the run {run.name} has ended before '{standing.task}' saw it")
            if time.monotonic() > until:
                return f"'{standing.task}' is {done}; after {seconds:.0f} s what ran in it has not ended yet"
            time.sleep(0.1)

    def read(self, standing: Standing, path: str) -> bytes | None:
        """A small file of the step's."""
        inside = self._inside(standing)
        try:
            done = subprocess.run(
                inside.command(["cat", path], tty=False),
                env=dict(inside.env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=30,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotDoError(f"cannot read {path} in '{standing.task}': {error}") from None
        return done.stdout[:_LONGEST] if done.returncode == 0 else None

    @contextmanager
    def forward(self, standing: Standing, port: int, local: int | None = None) -> Iterator[int]:
        """The port itself: the step's loopback is this machine's."""
        here = self._inside(standing).ports.get(port, port)
        if local is not None and local != here:
            raise CannotDoError(f"port {port} of '{standing.task}' is {here} here, and cannot be another")
        yield here

    def shell(self, standing: Standing, command: Sequence[str]) -> int:
        """Run a command in the step's box, with this terminal."""
        inside = self._inside(standing)
        try:
            return subprocess.run(inside.command(command, tty=True), env=dict(inside.env), check=False).returncode
        except OSError as error:
            raise CannotDoError(f"cannot enter '{standing.task}': {(error.strerror or str(error)).lower()}") from None

    def _inside(self, standing: Standing) -> Inside:
        return inside_of(standing, _state(self._run(standing.run)).engine)

    def _run(self, wanted: str) -> Run:
        try:
            found = find(self.home, wanted)
        except OSError as error:
            raise CannotDoError(f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}") from None
        if isinstance(found, str):
            raise CannotDoError(found)
        return found

    def _all(self) -> list[Run]:
        try:
            return all_runs(self.home)
        except OSError as error:
            raise CannotDoError(f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}") from None


def _state(run: Run) -> RunState:
    if run.state is None:
        raise CannotDoError(f"cannot read the state of {run.name}: {run.problem}")
    return run.state


def _standing(run: Run) -> Iterator[Standing]:
    if run.state is None or run.state.status != "running":
        return
    for step in run.state.steps:
        if step.status == "running" and (found := read_standing(run.folder, step.name)):
            yield found


def _step(run: Run, state: RunState, wanted: str) -> StepState:
    """The step that is meant; of a task's several the one that can be reached, or could have been."""
    for field in ("task", "name", "display_name"):
        if found := [step for step in state.steps if getattr(step, field) == wanted]:
            told = [step for step in found if read_standing(run.folder, step.name) or step.outputs.get("decision")]
            return [*found, *told][-1]
    hint = did_you_mean(wanted, [step.task for step in state.steps], noun="tasks")
    raise CannotDoError(f"the run {state.name} has no task '{wanted}'", hint)


def _why_not(run: Run, state: RunState, step: StepState) -> tuple[str, str]:
    """Why a step cannot be reached, and what to do."""
    if step.status in DONE or step.status == "failed":
        verdict, by = step.outputs.get("decision"), step.outputs.get("by")
        if verdict:
            return f"'{step.task}' has ended: {'resumed' if verdict == 'resume' else 'rejected'} by {by}", ""
        return f"'{step.task}' has ended: {step.failure.message if step.failure else step.status}", ""
    if state.status != "running":
        help_ = f"kade2kfp rerun {run.name}" if state.status in ("interrupted", "cancelled", "failed") else ""
        return f"the run {run.name} is not running any more: it is {state.status}", help_ and f"to go on: {help_}"
    if step.status == "running":
        return f"'{step.task}' is being prepared", "try again in a moment"
    if step.status == "waiting":
        return f"'{step.task}' has not started yet", f"`kade2kfp show {run.name}` tells what runs"
    return f"'{step.task}' was {step.status}", ""


def _said(run: Path, standing: Standing) -> str:
    """Who has decided what at a gate that has not closed yet; empty where nobody has."""
    folder = gate_folder(run, standing.step)
    try:
        verdict, _, pod = (folder / f"{standing.step}.decision").read_text(encoding="utf-8").strip().partition(" ")
        if pod != standing.pod:
            return ""
        by = (folder / f"{standing.step}.by").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
    return f"{'resumed' if verdict == 'resume' else 'rejected'} by {by}"
