"""Where runs lie: one home with a folder for each run, what is shared by runs beside them.

```
HOME/runs/RUN/        pipeline.json, files/ (those the document names), state.json, events.jsonl, lock,
                      logs/STEP/ATTEMPT.log, artifacts/STEP/OUTPUT, volumes/VOLUME (made for the run), scratch/
HOME/volumes/CLAIM/   claims that exist already, shared by runs
HOME/cache/           what earlier runs left, by what it was made from
HOME/environments/    Python environments, one for each set of packages
HOME/services/NAME/   a serving, which outlives its runs (services/folders.py); a viewer lies in its run's folder
HOME/submissions/     what was asked of a cluster until its answer is known, so that a repeated submit starts no second run
```
"""

from __future__ import annotations

import fcntl
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kade2kfp.local.state import RunState, UnreadableError, read_state

# Who only looks whether a run is held, holds it for a moment.
_GLANCE = 0.3


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder with its state; `state` is None where it cannot be read, and `problem` says why."""

    folder: Path
    state: RunState | None
    problem: str = ""

    @property
    def name(self) -> str:
        """The run's name, which is its folder's."""
        return self.folder.name


class BusyError(Exception):
    """Another process has the run."""


def new_run(home: Path, slug: str) -> tuple[Path, str]:
    """A new run's folder, made, and its id, a UUID. Two runs never get one folder. Raises OSError."""
    while True:
        id_ = str(uuid.uuid4())
        name = f"{slug[:40].rstrip('-')}-{time.strftime('%Y%m%d-%H%M%S')}-{id_[:4]}"
        folder = home / "runs" / name
        # Folders of steps are open to every user that a container may run as, so nobody else may come here.
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder, id_


def all_runs(home: Path) -> list[Run]:
    """All runs below `home`, the newest first. Folders that hold no state are none."""
    try:
        names = sorted(os.listdir(home / "runs"))
    except FileNotFoundError:
        return []
    runs = [read_run(home / "runs" / name) for name in names if os.path.exists(home / "runs" / name / "state.json")]
    return sorted(runs, key=lambda run: (run.state.started if run.state else 0.0, run.name), reverse=True)


def read_run(folder: Path) -> Run:
    """The run of a folder. One that is said to run, but whose runner is gone, is `interrupted`."""
    try:
        state = read_state(folder)
        if state.status == "running" and not is_held(folder):
            # Between the two looks it may have ended.
            state = read_state(folder)
            if state.status == "running":
                state = replace(state, status="interrupted")
    except UnreadableError as error:
        return Run(folder, None, str(error))
    return Run(folder, state)


def find(home: Path, wanted: str) -> Run | str:
    """The run that `wanted` means: a name or a part of one, an id, or `last`; else a sentence that says why not."""
    runs = all_runs(home)
    if not runs:
        return f"there are no runs below {home}; `kade2kfp run pipeline.json` starts one"
    if wanted == "last":
        return runs[0]
    exact = [run for run in runs if wanted in (run.name, run.state.id if run.state else "")]
    part = exact or [run for run in runs if wanted and wanted in run.name]
    if len(part) == 1:
        return part[0]
    if part:
        names = ", ".join(run.name for run in part[:5]) + (" ..." if len(part) > 5 else "")
        return f"'{wanted}' fits {len(part)} runs; write more of the name, or `last`: {names}"
    return f"there is no run '{wanted}'; `kade2kfp runs` lists them, and `last` is the newest: {runs[0].name}"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Have a run for oneself, until the block or the process ends, however that ends. Raises BusyError, OSError."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        until = time.monotonic() + _GLANCE
        while not locked(handle, fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise BusyError
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def locked(handle: int, kind: int) -> bool:
    """Whether a file's lock of that kind could be had at once (flock); it is held then until the file is closed."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(folder: Path) -> bool:
    """Whether some process has the run at this moment."""
    try:
        handle = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not locked(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def safe_name(text: str) -> str:
    """A text as the name of one file: what could leave the folder, or be none, is replaced."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:100]
    return name if name.strip(".") else f"_{name}"
