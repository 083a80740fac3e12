"""actionlint, built from the module beside this file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent / "actionlint"
_CACHE = HERE.parents[2] / ".cache" / "actionlint"
_PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"


def built() -> Path:
    """The program, built where its version or the compiler has changed. Where it cannot be, tests are skipped; in CI they fail."""
    go = shutil.which("go")
    if go is None:
        _not_here("there is no `go` here: install Go 1.26, or leave these tests out")
    version = subprocess.run([go, "env", "GOVERSION", "GOOS", "GOARCH"], capture_output=True, check=True).stdout
    name = hashlib.sha256(version + (HERE / "go.mod").read_bytes() + (HERE / "go.sum").read_bytes()).hexdigest()[:16]
    _CACHE.mkdir(parents=True, exist_ok=True)
    # The workers of pytest-xdist all come here: the first one builds, the others wait for it.
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (_CACHE / name).exists():
            _build(go, _CACHE / name)
    return _CACHE / name


def _build(go: str, path: Path) -> None:
    made = path.with_name("new")
    command = [go, "build", "-trimpath", "-mod=readonly", "-o", str(made), _PACKAGE]
    surroundings = os.environ | {"GOWORK": "off", "CGO_ENABLED": "0"}
    try:
        subprocess.run(command, cwd=HERE, env=surroundings, capture_output=True, text=True, timeout=600, check=True)
    except subprocess.CalledProcessError as wrong:
        _not_here(f"actionlint cannot be built:\n{wrong.stderr[-2000:]}")
    except subprocess.TimeoutExpired:
        _not_here("actionlint is not built within ten minutes: is there a Go module proxy?")
    made.rename(path)


def _not_here(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
