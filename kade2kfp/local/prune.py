"""Which runs to remove, and removing them: a run is out of the list at once, or not at all.

Links are never followed: a step may have left one in an artifact or on a claim, and it may lead anywhere.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kade2kfp.local.erase import below, collected, erase, own, size_of
from kade2kfp.local.folder import Run, hold, safe_name
from kade2kfp.local.state import RunState, UnreadableError, read_state

TRASH = ".trash"
"""Below HOME/runs, so that a rename brings a run there: what is half removed holds no state, and is no run."""


class ChangedError(Exception):
    """The run is not what it was when it was selected."""


def select(
    runs: Sequence[Run], *, now: float, keep: int = 0, older_than: float = 0, pipeline: str | None = None
) -> tuple[Run, ...]:
    """The runs to remove, of `runs` with the newest first: those that fit all that is said.

    `keep` spares the newest, of that pipeline where one is named; `older_than` are seconds since the last sign of
    life. One whose state cannot be read has neither pipeline nor age, and only `keep` applies. Running ones stay.
    """
    fitting = [
        run for run in runs if pipeline is None or (run.state and pipeline in (run.state.pipeline, run.state.slug))
    ]
    return tuple(
        run
        for run in fitting[keep:]
        if (run.state is None or run.state.status != "running")
        and (not older_than or (run.state is not None and now - last_sign(run.state) >= older_than))
    )


def last_sign(state: RunState) -> float:
    """When the run ended, or the last thing that is known to have happened in it; seconds since 1970."""
    if state.ended is not None:
        return state.ended
    times = [time for step in state.steps for time in (step.started, step.ended) if time is not None]
    return max(times, default=state.started)


def measure(home: Path, run: Run) -> int:
    """Bytes that removing the run frees; files with other names elsewhere do not count."""
    return sum(map(size_of, (run.folder, *_on_claims(home, run))))


def remove_run(home: Path, run: Run) -> int:
    """Remove a run and its folders on the claims that runs share; the bytes that this freed.

    Raises BusyError where it is running, ChangedError where it has run again since it was read, and OSError, after
    all that can be removed is.
    """
    own(run.folder, os.lstat(run.folder))
    with hold(run.folder):
        _same(run)
        freed, problems = 0, list[OSError]()
        volumes = home / "volumes"
        for path in _on_claims(home, run):  # first: once the run is gone, nothing leads to them
            with collected(problems, path), below(volumes, path.relative_to(volumes).parent.parts) as slug:
                freed += erase(slug, path.name)
        trash = run.folder.parent / TRASH
        trash.mkdir(exist_ok=True)
        thrown = f"{run.name}.{uuid.uuid4().hex[:8]}"
        run.folder.rename(trash / thrown)
        with collected(problems, trash / thrown), below(trash) as handle:
            freed += erase(handle, thrown)
    if problems:
        raise problems[0]
    return freed


def empty(folder: Path) -> int:
    """Remove all that a folder of the home holds, which may not be there; the bytes that this freed.

    Raises OSError, after all that can be removed is.
    """
    freed, problems = 0, list[OSError]()
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return 0
    with below(folder) as handle:
        for name in names:
            with collected(problems, folder / name):
                freed += erase(handle, name)
    if problems:
        raise problems[0]
    return freed


def _same(run: Run) -> None:
    """Raises ChangedError where a run's state is not what it was. `interrupted` is not stored."""
    if run.state is None:
        return
    try:
        now = read_state(run.folder)
    except UnreadableError:
        raise ChangedError from None
    if replace(now, status=run.state.status) != run.state:
        raise ChangedError


def _on_claims(home: Path, run: Run) -> Iterator[Path]:
    """The folders that a run has on claims which runs share (`in_run` of steps/model.py, ClaimMount).

    The state is a file like any other: what it calls slug and id is taken only where it is the name of one file.
    """
    if run.state is None or any(safe_name(name) != name for name in (run.state.slug, run.state.id)):
        return
    try:
        claims = sorted(os.listdir(home / "volumes"))
    except FileNotFoundError:
        return
    for claim in claims:
        path = home / "volumes" / claim / "pipeline" / run.state.slug / run.state.id
        chain = (path, *path.parents[:3])
        if all(os.path.isdir(one) and not os.path.islink(one) for one in chain):
            yield path
