"""Documents run through the command line, as a user would: what the tests of runs share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import warm

from kade2kfp.local.state import RunState, StepState, from_json

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "kade2kfp"]


@dataclass(frozen=True)
class Ran:
    """A command that has ended, and the newest run of its home."""

    code: int
    out: str
    err: str
    home: Path

    @property
    def state(self) -> RunState:
        folders = sorted((self.home / "runs").iterdir(), key=lambda one: (one / "pipeline.json").stat().st_mtime_ns)
        return from_json((folders[-1] / "state.json").read_text())

    @property
    def folder(self) -> Path:
        return self.home / "runs" / self.state.name

    def step(self, name: str) -> StepState:
        return self.state.step(name)

    def log(self, name: str, attempt: int = -1) -> str:
        return (self.folder / self.step(name).attempts[attempt].log).read_text()

    def statuses(self) -> dict[str, str]:
        return {step.name: step.status for step in self.state.steps}


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "CI")}
    return {**kept, "KADE2KFP_HOME": str(home), "PYTHONPATH": str(ROOT), **(more or {})}


def call(home: Path, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120, **more: Any) -> Ran:
    done = warm.run(
        [*COMMAND, *arguments],
        capture_output=True,
        env=environment(home, env),
        timeout=timeout,
        **({"stdin": subprocess.DEVNULL} if "input" not in more else {}),
        **more,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode(), home)


def document(home: Path, tasks: list[dict[str, Any]], arrows: list[dict[str, Any]] | None = None, **more: Any) -> Path:
    whole = {
        "apiVersion": "kade2kfp/v1",
        "name": "flow",
        "defaults": {"image": "python:3.11-slim"},
        "tasks": tasks,
        "arrows": arrows or [],
    } | more
    home.mkdir(parents=True, exist_ok=True)
    path = home / "flow.json"
    path.write_text(json.dumps(whole, indent=1))
    return path


def run(
    home: Path, tasks: list[dict[str, Any]], arrows: list[dict[str, Any]] | None = None, *options: str, **more: Any
) -> Ran:
    return call(home, "run", str(document(home, tasks, arrows, **more)), *options)


def job(id_: str, script: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "job", "script": script, **more}


def arrow(from_task: str, from_path: str, to_task: str, to_path: str, **more: Any) -> dict[str, Any]:
    return {"fromTask": from_task, "fromPath": from_path, "toTask": to_task, "toPath": to_path, **more}


def then(from_task: str, to_task: str) -> dict[str, Any]:
    return {"fromTask": from_task, "toTask": to_task}


@dataclass
class Started:
    """A command that runs."""

    process: subprocess.Popen[bytes]
    home: Path

    def wait_for(self, path: Path | str, seconds: float = 30) -> None:
        """Until a file below the home is there (a pattern of glob)."""
        until = time.monotonic() + seconds
        while not list(self.home.glob(str(path))):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until, f"no {path}"
            time.sleep(0.02)

    def end(self, number: int = signal.SIGINT, seconds: float = 30) -> Ran:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=seconds)
        return Ran(self.process.returncode, out.decode(), err.decode(), self.home)


def start(home: Path, *arguments: str) -> Started:
    process = warm.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(home),
    )
    return Started(process, home)


def alive(mark: str) -> list[int]:
    """The processes whose command line holds a mark, this one left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
