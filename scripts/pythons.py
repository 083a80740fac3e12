"""Runs all tests on each supported Python that is on this machine, and names those that are not.

`python scripts/pythons.py [PYTEST ARGUMENT...]`; exits 1 when a version failed or none is here.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from environment import ROOT, SUPPORTED, find_python, find_uv


def main(arguments: Sequence[str]) -> int:
    """Tests version after version; the report comes last."""
    (major, first), (_, last) = SUPPORTED
    report = {f"{major}.{minor}": test(f"{major}.{minor}", arguments) for minor in range(first, last + 1)}
    for version, result in report.items():
        print(f"Python {version}: {result}")
    results = set(report.values())
    return 0 if "passed" in results and "failed" not in results else 1


def test(version: str, arguments: Sequence[str]) -> str:
    """`passed`, `failed` or `not here`."""
    if not is_here(version):
        return "not here"
    print(f"Python {version}", flush=True)
    environment = Path(__file__).with_name("environment.py")
    pytest = ["python", "-m", "pytest", "-n", "auto", *arguments]
    command = [sys.executable, str(environment), "--python", version, *pytest]
    return "failed" if subprocess.run(command, cwd=ROOT, check=False).returncode else "passed"


def is_here(version: str) -> bool:
    """Whether an interpreter is found on PATH, in pyenv or by uv; nothing is downloaded."""
    if find_python(version) != version:
        return True
    find = [find_uv(), "python", "find", "--system", "--no-python-downloads", version]
    return subprocess.run(find, capture_output=True, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
