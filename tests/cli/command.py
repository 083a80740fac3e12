"""The command line as a process of its own, as a user's shell starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import warm

KADE2KFP = (sys.executable, "-m", "kade2kfp")
HELLO: dict[str, Any] = {
    "apiVersion": "kade2kfp/v1",
    "name": "hello",
    "parameters": [{"name": "who", "type": "string", "default": "world"}],
    "tasks": [{"id": "greet", "type": "job", "image": "busybox:1.36", "command": ["echo", "{{params.who}}"]}],
}
WARNED = HELLO | {"parameters": [*HELLO["parameters"], {"name": "unused", "type": "integer", "default": 1}]}
WRONG = HELLO | {"tasks": [HELLO["tasks"][0] | {"imgae": "x"}]}


def environment(**more: str) -> dict[str, str]:
    """The environment of a plain shell."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")}
    return kept | {"COLUMNS": "80", "LINES": "24"} | more


def kade2kfp(
    *words: str | bytes, cwd: Path, stdin: bytes = b"", env: dict[str, str] | None = None, **how: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end, which must come within a minute."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    return warm.run([*KADE2KFP, *words], cwd=cwd, input=stdin, env=environment(**(env or {})), timeout=60, **how)


def write(folder: Path, document: dict[str, Any], name: str = "pipeline.json") -> Path:
    """The document in a file."""
    path = folder / name
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
    return path


def no_bug(ran: subprocess.CompletedProcess[bytes]) -> None:
    """No traceback, no report of a bug, and nothing that a terminal acts upon."""
    shown = (ran.stderr or b"") + (ran.stdout or b"")
    assert b"Traceback" not in shown
    assert b"K900" not in shown
    assert b"\x1b" not in shown
    assert ran.returncode not in (70, 120)
