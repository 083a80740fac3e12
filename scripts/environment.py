"""The project's environment, made from nothing but Python, and commands run in it.

`python3 scripts/environment.py [--python VERSION] COMMAND ARG...` brings the environment up to date with
uv.lock and becomes the command. Where nothing is to do, that costs a few milliseconds. Standard library only,
and syntax that an older python3 reads too: uv finds or fetches the right one.

The environment is .venv, for another Python .cache/venv-VERSION; uv, where there is none, .cache/uv-VERSION.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
UV = "0.13.8"  # what is installed where there is no uv
OLDEST_UV = (0, 8)  # an older one cannot keep the lock file as it is
SUPPORTED = ((3, 11), (3, 14))  # as requires-python in pyproject.toml
PREFERRED = ("3.13", "3.12", "3.11", "3.14")
STAMP = "up-to-date-with"
OWN_VARIABLES = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON")


class SetupError(Exception):
    """What is missing, in words for the person at the terminal."""


def main(argv: Sequence[str]) -> int:
    """Runs argv in the environment; comes back only when there is nothing to run or something is missing."""
    spec, command = "", list(argv)
    if command[:1] == ["--python"]:
        spec, command = command[1].strip(), command[2:]
    try:
        environment = prepare(spec)
    except (SetupError, OSError) as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    if not command:
        return 0
    variables = clean_variables()
    variables["VIRTUAL_ENV"] = str(environment)
    variables["PATH"] = str(environment / "bin") + os.pathsep + variables.get("PATH", os.defpath)
    try:
        os.execvpe(command[0], command, variables)
    except OSError as error:
        print(f"set-up: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127


def prepare(spec: str = "") -> Path:
    """Brings the environment of a Python up to date, and returns its folder.

    The Python is a version, a command or a path; empty is the usual one. Raises SetupError.
    """
    name = re.sub(r"[^A-Za-z0-9.]+", "-", spec).strip("-")
    environment = CACHE / f"venv-{name}" if spec else ROOT / ".venv"
    wanted = state(spec)
    if read(environment / STAMP) == wanted and (environment / "bin" / "python").exists():
        return environment
    with alone():
        found = read(environment / STAMP)
        if found == wanted and (environment / "bin" / "python").exists():
            return environment
        if found and found.splitlines()[0] != wanted.splitlines()[0]:
            # The checkout was moved: each script of the environment names the old place.
            shutil.rmtree(environment)
        uv = find_uv()
        print(f"set-up: {environment.relative_to(ROOT)}", file=sys.stderr)
        sync = [uv, "sync", "--locked", "--quiet", "--project", str(ROOT)]
        if spec or not (environment / "bin" / "python").exists():
            sync += ["--python", find_python(spec)]
        variables = {**clean_variables(), "UV_PROJECT_ENVIRONMENT": str(environment)}
        # Away before and written last: an interrupted set-up is done again.
        (environment / STAMP).unlink(missing_ok=True)
        if subprocess.run(sync, env=variables, cwd=ROOT, stdin=subprocess.DEVNULL).returncode:
            raise SetupError("uv sync failed (see above)")
        (environment / STAMP).write_text(wanted, encoding="utf-8")
    return environment


def state(spec: str) -> str:
    """What an environment is up to date with: the place of the checkout, the lock, the Python asked for."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "uv.lock"):
        digest.update((ROOT / name).read_bytes() + b"\0")
    return f"{ROOT}\n{digest.hexdigest()}\n{spec}\n"


def find_uv() -> str:
    """The command uv: the one on PATH when it is new enough, else one of our own, installed once."""
    found = shutil.which("uv")
    if found and uv_version(found) >= OLDEST_UV:
        return found
    home = CACHE / f"uv-{UV}"
    own = home / "bin" / "uv"
    if uv_version(str(own)) >= OLDEST_UV:
        return str(own)
    print(f"set-up: uv {UV} into {home.relative_to(ROOT)}", file=sys.stderr)
    CACHE.mkdir(exist_ok=True)
    # Made aside and renamed: half an installation is never taken for a whole one.
    with tempfile.TemporaryDirectory(prefix="uv-", dir=CACHE) as aside:
        install_uv(Path(aside) / "venv")
        shutil.rmtree(home, ignore_errors=True)
        os.replace(Path(aside) / "venv", home)
    return str(own)


def install_uv(folder: Path) -> None:
    """Makes a virtual environment with uv in it."""
    make = [sys.executable, "-m", "venv", str(folder)]
    made = subprocess.run(make, capture_output=True, text=True, check=False)
    if made.returncode:
        raise SetupError(
            f"{sys.executable} cannot make a virtual environment (on Debian: apt-get install python3-venv)\n"
            + (made.stdout + made.stderr).strip()
        )
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, f"uv=={UV}"], env=clean_variables(), stdin=subprocess.DEVNULL).returncode:
        raise SetupError("pip could not install uv (see above)")


def uv_version(uv: str) -> tuple[int, ...]:
    """The version of a uv; () where it does not run."""
    with contextlib.suppress(OSError):
        told = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
        found = re.match(r"uv (\d+)\.(\d+)", told.stdout)
        if told.returncode == 0 and found:
            return int(found[1]), int(found[2])
    return ()


def find_python(spec: str) -> str:
    """What to give uv as --python for a version, command or path; without a spec, for any supported version.

    A version is looked for on PATH and in pyenv, where uv does not look. One that is not there is left to uv,
    which may have it or download it.
    """
    asked = re.fullmatch(r"3\.\d+(\.\d+)?", spec)
    if spec and not asked:
        return spec
    if asked and not SUPPORTED[0] <= numbers(spec)[:2] <= SUPPORTED[1]:
        raise SetupError(f"Python {spec} is not supported: see requires-python in pyproject.toml")
    versions = (spec,) if asked else PREFERRED
    names = [f"python{'.'.join(version.split('.')[:2])}" for version in versions]
    on_path = [found for name in ([] if asked else ["python3"]) + names if (found := shutil.which(name))]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    in_pyenv = [
        str(folder / "bin" / "python")
        for version in versions
        for folder in sorted(pyenv.glob(f"{version}*"), key=lambda folder: numbers(folder.name), reverse=True)
    ]
    wanted = numbers(spec)
    for candidate in on_path + in_pyenv:
        version = python_version(candidate)
        if version[: len(wanted)] == wanted and SUPPORTED[0] <= version[:2] <= SUPPORTED[1]:
            return candidate
    return spec or f">={SUPPORTED[0][0]}.{SUPPORTED[0][1]},<{SUPPORTED[1][0]}.{SUPPORTED[1][1] + 1}"


def python_version(python: str) -> tuple[int, ...]:
    """The version of an interpreter; () where it does not run, as pyenv's shims of versions not chosen."""
    code = "import sys; print(*sys.version_info[:3])"
    with contextlib.suppress(OSError):
        told = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        if told.returncode == 0:
            return tuple(int(part) for part in told.stdout.split())
    return ()


def numbers(version: str) -> tuple[int, ...]:
    """`3.13.0` as (3, 13, 0), for comparing."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def clean_variables() -> dict[str, str]:
    """This process's variables without those by which another environment would reach into ours."""
    return {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Holds the set-up's lock: two shells do it one after the other. A dead process holds none."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read(path: Path) -> str:
    """A small file's text; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
