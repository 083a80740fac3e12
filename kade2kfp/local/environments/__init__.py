"""Python environments of this machine, one for each set of packages: made once, bound read-only into boxes afterwards.

```
HOME/environments/KEY/              an environment, complete: it gets its name last
HOME/environments/.making-KEY-*/    one that is being made, or whose maker was killed
HOME/environments/.lock-KEY         held by the maker
```
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from kade2kfp.local.engine import Bind
from kade2kfp.local.environments.box import run_boxed
from kade2kfp.local.environments.errors import (
    EnvironmentCancelledError,
    EnvironmentFailedError,
    explain,
    explain_os,
    mask,
)
from kade2kfp.local.environments.settings import BOX_HOME, settings
from kade2kfp.local.trees import remove

# Raised when environments are made in another way, so that none of the old ones is taken.
_RECIPE = 1
_UV = "/home/uv"
_PATH = "/usr/local/bin:/usr/bin:/bin"


def environment(
    home: Path,
    requirements: Sequence[str],
    *,
    log: int | None,
    cancelled: threading.Event,
    environ: Mapping[str, str] | None = None,
) -> Path:
    """The virtual environment with these packages, made when there is none; with no requirements, the base environment.

    Args:
        home: where runs lie; the environment lies below.
        requirements: as of PEP 508. Their order, and the spelling of names, do not count.
        log: file descriptor that the installer's output goes to, without passwords.
        cancelled: ends the wait for another maker, and the installation.
        environ: where settings for pip and uv come from, such as PIP_INDEX_URL; the process's own if None.

    Raises EnvironmentFailedError, EnvironmentCancelledError. Any number of threads and processes may ask at once.
    """
    wanted = _normalised(requirements)
    try:
        # Scripts in the environment begin with its path, so a link must not lead to it under several names.
        folder = (home / "environments").resolve()
        target = folder / _key(wanted)
        if _usable(target):
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder, target.name, cancelled):
            if not _usable(target):
                _sweep(folder, target.name)
                _make(target, wanted, log, cancelled, os.environ if environ is None else environ)
    except OSError as error:
        raise explain_os(error) from None
    return target


def is_made(home: Path, requirements: Sequence[str]) -> bool:
    """Whether the environment with these packages is there already. What is no requirement has none."""
    try:
        return _usable(home / "environments" / _key(_normalised(requirements)))
    except EnvironmentFailedError:
        return False


def python_version() -> str:
    """The Python that environments are made of, for the reader: `Python 3.11.7`."""
    name = platform.python_implementation()
    return f"{'Python' if name == 'CPython' else name} {platform.python_version()}"


def python_mounts() -> tuple[Bind, ...]:
    """What a box must see, beside bubblewrap.root_arguments, for environments to work; outer folders first, read-only.

    It is the Python that runs kade2kfp, without its own environment. Nothing where that is the machine's, in /usr.
    """
    home = os.path.realpath(os.path.expanduser("~"))
    places: set[str] = {str(_executable())}
    for prefix in (sys.base_prefix, sys.base_exec_prefix):
        real = os.path.realpath(prefix)
        if Path(home).is_relative_to(real) or real == os.path.join(home, ".local"):
            places.update(_parts(real))
        else:
            # Both: programs of the prefix may name it by either.
            places.update((real, os.path.abspath(prefix)))
    kept: list[str] = []
    for place in sorted(places):
        if os.path.exists(place) and not any(Path(place).is_relative_to(outer) for outer in ("/usr", *kept)):
            kept.append(place)
    return tuple(Bind(Path(os.path.realpath(place)), place, True) for place in kept)


def _executable() -> Path:
    """The interpreter itself, behind all links: a link may lie where no box sees it."""
    given: str = getattr(sys, "_base_executable", "") or sys.executable
    return Path(given).resolve()


def _parts(prefix: str) -> Iterator[str]:
    """What is Python's of a prefix that holds other things too, such as ~/.local."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for folder in {"lib", "lib64", sys.platlibdir, "include"}:
        yield os.path.join(prefix, folder, name)
    library = sysconfig.get_config_var("INSTSONAME")
    if library:
        yield os.path.join(str(sysconfig.get_config_var("LIBDIR")), str(library))


def _normalised(requirements: Sequence[str]) -> list[str]:
    """Requirements sorted, names in one spelling, each once. Raises EnvironmentFailedError."""
    found = set()
    for text in requirements:
        try:
            requirement = Requirement(text.strip())
        except InvalidRequirement:
            shown = mask(text, ())[:60]
            raise EnvironmentFailedError(
                f"`{shown}` is not a Python package as pip takes it", "write it as `name==version` (PEP 508)"
            ) from None
        requirement.name = canonicalize_name(requirement.name)
        found.add(str(requirement))
    return sorted(found)


def _key(wanted: Sequence[str]) -> str:
    """A name for what an environment is made of. The interpreter is in it, since the environment links to it."""
    made_of = [
        _RECIPE,
        platform.python_implementation(),
        sys.version,
        sysconfig.get_platform(),
        str(_executable()),
        *wanted,
    ]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:24]


def _usable(target: Path) -> bool:
    """Whether it is there, and its Python too: that may have been removed from the machine and come back since."""
    return (target / "bin/python").exists()


@contextmanager
def _lock(folder: Path, key: str, cancelled: threading.Event) -> Iterator[None]:
    """Be the only maker of an environment, in all threads and processes. Raises EnvironmentCancelledError, OSError."""
    handle = os.open(folder / f".lock-{key}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while not _locked(handle):
            if cancelled.wait(0.1):
                raise EnvironmentCancelledError
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(folder: Path, held: str) -> None:
    """Remove what killed makers left: of the key that is held by the caller, and of those that nobody holds."""
    for left in folder.glob(".making-*"):
        key = left.name.removeprefix(".making-").rpartition("-")[0]
        if key == held:
            _remove(left)
            continue
        handle = os.open(folder / f".lock-{key}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if _locked(handle):
                _remove(left)
        finally:
            os.close(handle)


def _make(
    target: Path, wanted: Sequence[str], log: int | None, cancelled: threading.Event, environ: Mapping[str, str]
) -> None:
    """Make an environment beside its place, then move it there. Raises EnvironmentFailedError and the like."""
    work = Path(tempfile.mkdtemp(prefix=f".making-{target.name}-", dir=target.parent))
    try:
        made = work / "environment"
        for folder in (made, work / "tmp", work / "home"):
            folder.mkdir()
            folder.chmod(0o755)
        _install(work, target, wanted, log, cancelled, environ)
        _remove(made / ".uv-cache")
        if not _usable(made):
            raise EnvironmentFailedError("the installation left no Python in the environment")
        if target.is_symlink() or target.exists():
            os.rename(target, work / "unusable")
        os.rename(made, target)
    finally:
        _remove(work)


def _install(
    work: Path,
    target: Path,
    wanted: Sequence[str],
    log: int | None,
    cancelled: threading.Event,
    environ: Mapping[str, str],
) -> None:
    """Fill the environment in a box, which sees it at its final place: environments hold absolute paths."""
    given = settings(environ, (Path(os.path.expanduser("~")), Path(environ.get("HOME") or "/"), target.parent))
    uv = shutil.which("uv", path=environ.get("PATH"))
    binds = [
        Bind(work / "tmp", "/tmp"),
        Bind(work / "tmp", "/var/tmp"),
        Bind(work / "home", BOX_HOME),
        *python_mounts(),
        *given.binds,
        *([Bind(Path(uv).resolve(), _UV, True)] if uv else []),
        Bind(work / "environment", str(target)),
    ]
    run = partial(
        run_boxed,
        binds=binds,
        env=_variables(target, given.env),
        cancelled=cancelled,
        masked=partial(mask, secrets=given.secrets),
    )
    python = f"{target}/bin/python"
    # A uv that starts only with the help of the user's home, such as a shim of pyenv, is none in the box.
    has_uv = uv is not None and run([_UV, "--version"], log=None)[0] == 0
    has_pip = importlib.util.find_spec("ensurepip") is not None
    _succeed(run([str(_executable()), "-I", "-m", "venv", "--without-pip", str(target)], log=log))
    if has_pip:
        _succeed(run(_pip(python, has_uv), env=_variables(target, {}), log=log))
    if not wanted:
        return
    (work / "tmp/requirements.txt").write_text("".join(f"{line}\n" for line in wanted))
    if has_uv and not (given.only_pip and has_pip):
        command = [*_uv(python), "--strict"]
    elif has_pip:
        command = [python, "-m", "pip", "install"]
    else:
        raise EnvironmentFailedError(
            f"neither uv nor ensurepip is there to install packages for {python_version()}",
            "install uv, or the package python3-venv of the machine",
        )
    _succeed(run([*command, "-r", "/tmp/requirements.txt"], log=log))


def _uv(python: str) -> list[str]:
    return [_UV, "pip", "install", "--python", python, "--compile-bytecode"]


def _pip(python: str, has_uv: bool) -> list[str]:
    """What installs the pip that comes with Python, without a network. uv does in one second what takes ensurepip seven."""
    # Debian has the wheels elsewhere, and ensurepip knows where.
    bundled = os.path.join(sysconfig.get_path("stdlib"), "ensurepip/_bundled")
    names = sorted({wheel.name.split("-")[0] for wheel in Path(bundled).glob("*.whl")})
    if has_uv and "pip" in names:
        return [*_uv(python), "--no-config", "--offline", "--no-index", "--find-links", bundled, *names]
    return [python, "-I", "-m", "ensurepip", "--upgrade", "--default-pip"]


def _variables(target: Path, given: Mapping[str, str]) -> dict[str, str]:
    return {
        **given,
        "HOME": BOX_HOME,
        "PATH": f"{target}/bin:{_PATH}",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        "NO_COLOR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        # No cache is shared: what one document's packages leave there, another's would run.
        "PIP_NO_CACHE_DIR": "1",
        "PIP_PROGRESS_BAR": "off",
        # Within the environment, so that files get there by links instead of copies.
        "UV_CACHE_DIR": f"{target}/.uv-cache",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }


def _succeed(done: tuple[int, tuple[str, ...]]) -> None:
    code, tail = done
    if code:
        raise explain(tail, code)


def _remove(path: Path) -> None:
    """Remove what a build has written, as far as that can be: folders may be closed, and links lead anywhere."""
    with suppress(OSError):
        remove(path)
