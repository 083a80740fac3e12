"""How another process of this machine gets into the box of a step that runs."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Standing
from kade2kfp.local.bubblewrap import children

_PATIENCE = 2.0  # seconds until the step of a box has begun


@dataclass(frozen=True, slots=True)
class Inside:
    """A way in: `command(words, tty=...)` is what to run here, with `env`, so that the words run there."""

    enter: Callable[[Sequence[str], bool], list[str]]
    env: Mapping[str, str]
    ports: Mapping[int, int] = field(default_factory=dict)

    def command(self, words: Sequence[str], *, tty: bool) -> list[str]:
        """What to run here; `tty` for a person at a terminal."""
        return self.enter(words, tty)


def inside_of(standing: Standing, engine: str) -> Inside:
    """The way into the box of a step, of the engine that its run has. Raises CannotDoError."""
    told = json.loads(standing.handle)
    ports = {int(own): here for own, here in told["ports"].items()}
    box: str = told["box"]
    if engine != "process":
        program = shutil.which(engine)
        if program is None:
            raise CannotDoError(f"{engine} is not installed here any more")
        return Inside(lambda words, tty: [program, "exec", *_terminal(tty), box, *words], os.environ, ports)
    return _of_process(standing, box, ports)


def _terminal(tty: bool) -> list[str]:
    return (["--interactive", "--tty"] if os.isatty(0) else ["--interactive"]) if tty else []


def _of_process(standing: Standing, box: str, ports: Mapping[int, int]) -> Inside:
    """Into the namespaces of a box of bubblewrap's, with the variables of its step; `box` is its first process."""
    program = shutil.which("nsenter")
    if program is None:
        raise CannotDoError("there is no nsenter here", "install util-linux")
    found = _step_of(standing, box)
    if not found:
        raise CannotDoError(f"'{standing.task}' cannot be entered: its box is gone, or belongs to another user")
    box, env = str(found[0]), _variables(found[0])
    # The user's own: bubblewrap maps one user, and in a user namespace of one's own one may be what one was.
    options = [program, "--target", box, "--user", "--mount", "--pid", "--ipc", "--uts", "--preserve-credentials"]
    return Inside(lambda words, tty: [*options, "--", *words], env, ports)


def _step_of(standing: Standing, box: str) -> list[int]:
    """The step's process, which a box starts a moment after it is told of; none where the box is gone or another user's."""
    until = time.monotonic() + _PATIENCE
    while box:
        # What the box's first process has started: the step, and for a moment helpers of bubblewrap's.
        found = [one for one in children(int(box)) if _variables(one).get("KFP_POD_UID") == standing.pod]
        if found or not Path("/proc", box).exists() or time.monotonic() > until:
            return found
        time.sleep(0.02)
    return []


def _variables(number: int) -> dict[str, str]:
    """The variables of a process; none where it cannot be read. They are handed over as such: a list of processes shows none."""
    try:
        raw = Path("/proc", str(number), "environ").read_bytes()
    except OSError:
        return {}
    return dict(os.fsdecode(one).split("=", 1) for one in raw.split(b"\0") if b"=" in one)
