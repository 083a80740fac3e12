"""Builds wheel and sdist into dist/, installs the wheel in a clean environment and tests what was installed.

The environment is new, lies outside of the checkout and holds only what the wheel's metadata asks for, in the
versions of uv.lock. tests/packaging then runs against it, and against the very files in dist/.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from environment import ROOT, clean_variables, find_uv


def main() -> int:
    """Builds, installs, tests; quiet when all is well."""
    with tempfile.TemporaryDirectory(prefix="kade2kfp-wheel-") as folder:
        built, venv, constraints = Path(folder, "dist"), Path(folder, "venv"), Path(folder, "constraints.txt")
        python = str(venv / "bin" / "python")
        # The build backend is the locked one. uv makes the wheel from the sdist, so that both are whole.
        uv("build", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(built), str(ROOT))
        export = (
            "export",
            "--locked",
            "--no-dev",
            "--no-emit-project",
            "--extra",
            "local",
            "--no-hashes",
            "--no-header",
            "--no-annotate",
        )
        uv(*export, "--project", str(ROOT), "--output-file", str(constraints))
        (wheel,) = built.glob("*.whl")
        uv("venv", "--python", sys.executable, str(venv))
        uv("pip", "install", "--python", python, "--constraints", str(constraints), f"{wheel}[local]")
        uv("pip", "check", "--python", python)
        if not tested(built, venv):
            return 1
        publish(built)
    return 0


def uv(*arguments: str) -> None:
    """Runs uv, showing what it printed only when it failed, and ends the program then."""
    command = [find_uv(), *arguments]
    # The working directory is the checkout, the project's environment is not touched.
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_variables(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        sys.exit(f"wheel: uv {' '.join(arguments)}\n{done.stdout}{done.stderr}")


def tested(built: Path, venv: Path) -> bool:
    """Whether tests/packaging passes on the built files and on what is installed."""
    variables = {**os.environ, "KADE2KFP_DIST": str(built), "KADE2KFP_VENV": str(venv)}
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/packaging"]
    done = subprocess.run(pytest, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr, end="", file=sys.stderr)
    return done.returncode == 0


def publish(built: Path) -> None:
    """Moves what was built to dist/, each file at once, and names it."""
    dist = ROOT / "dist"
    dist.mkdir(exist_ok=True)
    for file in sorted(built.glob("kade2kfp-*")):
        aside = dist / f".{file.name}.{os.getpid()}"
        aside.write_bytes(file.read_bytes())
        aside.replace(dist / file.name)
        print(f"dist/{file.name}: {(dist / file.name).stat().st_size / 1024:.0f} KiB, tested")


if __name__ == "__main__":
    sys.exit(main())
