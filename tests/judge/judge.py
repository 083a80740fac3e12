"""Kubernetes' own judgement of pods: builds the Go program beside this file, and asks it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

HERE = Path(__file__).parent
_CACHE = HERE.parents[1] / ".cache" / "judge"
_SOURCES = ("go.mod", "go.sum", "main.go", "draft.go")

Json = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What the API server says to one pod; `pod` is what a draft became, and None for a pod that was none."""

    name: str
    errors: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    pod: Json | None

    @property
    def refused(self) -> str:
        """The errors as a text, a line each, `field: message`; empty if the pod is accepted."""
        return "\n".join(f"{field}: {message}" for field, message in self.errors)


@dataclass(frozen=True)
class Judge:
    """The program that was built."""

    path: Path

    def __call__(self, pods: Iterable[Json]) -> list[Verdict]:
        """A verdict for each pod (a Pod, or a draft of pods.py), in their order, all by one process."""
        text = "".join(json.dumps(pod) + "\n" for pod in pods)
        done = self.run(text)
        assert done.returncode == 0, done.stderr
        # Not `splitlines`: JSON may hold other line breaks, such as U+0085, as they are.
        return [_verdict(json.loads(line)) for line in done.stdout.split("\n") if line]

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """The process itself, with any text as its input."""
        return subprocess.run(
            [str(self.path)], input=text, capture_output=True, encoding="utf-8", timeout=60, check=False
        )


def _verdict(line: Json) -> Verdict:
    errors = tuple((one["field"], one["message"]) for one in line["errors"])
    return Verdict(line["name"], errors, tuple(line["warnings"]), line.get("pod"))


def built() -> Judge:
    """The program, built if its sources or the compiler have changed.

    Where it cannot be built, the tests are skipped; in CI they fail.
    """
    go = shutil.which("go")
    if go is None:
        _not_here("there is no `go` here: install Go 1.26, or leave these tests out")
    version = subprocess.run([go, "env", "GOVERSION", "GOOS", "GOARCH"], capture_output=True, check=True).stdout
    digest = hashlib.sha256(version)
    for name in _SOURCES:
        digest.update(b"\0" + (HERE / name).read_bytes())
    folder = _CACHE / digest.hexdigest()[:16]
    _CACHE.mkdir(parents=True, exist_ok=True)
    # The workers of pytest-xdist all come here: the first one builds, the others wait for it.
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "judge").exists():
            _build(go, folder)
    return Judge(folder / "judge")


def _build(go: str, folder: Path) -> None:
    for old in _CACHE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    folder.mkdir()
    command = [go, "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-o", str(folder / "judge.new"), "."]
    surroundings = os.environ | {"GOWORK": "off", "CGO_ENABLED": "0"}
    try:
        subprocess.run(command, cwd=HERE, env=surroundings, capture_output=True, text=True, timeout=600, check=True)
    except subprocess.CalledProcessError as wrong:
        _not_here(f"the judge of pods cannot be built:\n{wrong.stderr[-2000:]}")
    except subprocess.TimeoutExpired:
        _not_here("the judge of pods is not built within ten minutes: is there a Go module proxy?")
    (folder / "judge.new").rename(folder / "judge")


def _not_here(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def texts(verdicts: Sequence[Verdict]) -> str:
    """All that is said against some pods, for the message of an assertion."""
    return "\n".join(f"{one.name}: {one.refused}" for one in verdicts if one.errors)
