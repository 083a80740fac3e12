"""packagesToInstall: as root and as a user without a home, where packages can be written and where nothing can."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from .step_script import SHELLS, Box, Done, each_shell, each_user, environment, program, step

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"


def wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """A wheel with a module of its name that knows its version, and a program of its name that says it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\ndef main():\n    print({name!r}, version)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
        for path, text in files.items()
    )
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            file.writestr(path, text)


def where_packages_go(prefix: Path) -> str:
    script = "import sysconfig; print(sysconfig.get_path('purelib'), end='')"
    python = [str(prefix / "bin" / "python3"), "-S", "-c", script]
    return subprocess.run(python, env={"PYTHONHOME": str(prefix)}, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `python`, an installation that holds pip and `there` 1.0 and is managed by others (PEP 668), and
    `wheels`, with `new`, which needs `there`, and `there` 2.0.
    """
    folder = tmp_path_factory.mktemp("image")
    wheels = folder / "wheels"
    wheels.mkdir()
    wheel(wheels, "new", "1.5", "Requires-Dist: there\n")
    wheel(wheels, "there", "2.0")
    library = folder / "python" / "lib" / VERSION
    library.mkdir(parents=True)
    for entry in os.scandir(sysconfig.get_path("stdlib")):
        if entry.name not in ("site-packages", "dist-packages", "EXTERNALLY-MANAGED"):
            (library / entry.name).symlink_to(entry.path)
    (library / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=managed by others\n")
    python = folder / "python" / "bin" / "python3"
    python.parent.mkdir()
    python.symlink_to(os.path.realpath(sys.executable))
    packages = Path(where_packages_go(folder / "python"))
    packages.mkdir(parents=True)
    (bundled,) = Path(ensurepip.__file__).parent.joinpath("_bundled").glob("pip-*.whl")
    wheel(folder, "there", "1.0")
    for path in (bundled, folder / "there-1.0-py3-none-any.whl"):
        with zipfile.ZipFile(path) as file:
            file.extractall(packages)
    # Compiles what of pip an installation needs.
    install = [python, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", wheels, "new"]
    subprocess.run([*install, "--target", folder / "aside"], env={"PYTHONHOME": str(folder / "python")}, check=True)
    shutil.rmtree(folder / "aside")
    return folder


@pytest.fixture
def image(built: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    shutil.copytree(built, tmp_path / "image", symlinks=True)
    return tmp_path / "image"


def install(
    box: Box,
    *words: str,
    path: str = "/box/python/bin",
    env: Mapping[str, str] | None = None,
    closed: tuple[str, ...] = (),
) -> Done:
    """Runs a step whose pip finds the wheels and nothing else; folders that are `closed` are read-only."""
    own = {
        "PATH": f"{path}:{environment(box.shell)['PATH']}",
        "PYTHONHOME": "/box/python",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "/box/wheels",
    }
    more = [word for name in closed for word in ("--ro-bind", str(box.folder / name), f"/box/{name}")]
    return box(*words, env={name: value for name, value in {**own, **(env or {})}.items() if value}, more=more)


# What is there of both, from where, by import and by program.
SAY = ("sh", "-c", "new; python3 -c 'import there; print(there.version, there.__file__)'")


@pytest.mark.parametrize("shell", ["dash", "busybox"])
def test_packages_go_to_the_images_own_where_they_can(shell: str, image: Path) -> None:
    done = install(Box(shell, image), "q", "new", "--", *SAY)
    assert (done.code, done.err) == (0, "")
    new, there = done.out.decode().splitlines()
    assert new == "new 1.5"
    assert there.startswith("1.0 /box/python/"), "what is there already is not installed again"


@pytest.mark.parametrize(("shell", "user"), [*((shell, 1000) for shell in SHELLS), ("dash", 0)])
def test_packages_go_below_tmp_where_nothing_else_can_be_written(shell: str, user: int, image: Path) -> None:
    done = install(Box(shell, image, user), "q", "new >= 1", "--", *SAY, closed=("python",))
    assert (done.code, done.err) == (0, "")
    new, there = done.out.decode().splitlines()
    assert new == "new 1.5"
    assert there.startswith("1.0 /box/python/"), "what is there already is not installed again"


@each_user
def test_a_newer_version_stands_in_front_of_the_images(user: int, image: Path) -> None:
    words = ("q", "there>=2; python_version > '3'", "q", "new", "--", *SAY)
    done = install(Box("dash", image, user), *words, closed=("python",))
    assert (done.code, done.err) == (0, "")
    assert done.out.decode().splitlines()[1].startswith("2.0 /tmp/")


@each_user
def test_a_virtual_environment_that_cannot_be_written(user: int, image: Path) -> None:
    venv = image / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python3").symlink_to(os.path.realpath(sys.executable))
    home = Path(os.path.realpath(sys.executable)).parent
    (venv / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    (venv / "lib" / VERSION).mkdir(parents=True)
    (venv / "lib" / VERSION / "site-packages").symlink_to(
        where_packages_go(image / "python").replace(str(image), "/box")
    )
    (image / "mine").mkdir()
    (image / "mine" / "mine.py").write_text("name = 'mine'")
    env = {"PYTHONHOME": "", "PYTHONPATH": "/box/mine", "PIP_USER": "1"}
    script = "new && python3 -c 'import mine, new, there; print(mine.name, new.__file__)'; echo $PYTHONPATH"
    words = ("q", "new", "--", "sh", "-c", script)
    done = install(Box("dash", image, user), *words, path="/box/venv/bin", env=env, closed=("venv", "python"))
    assert (done.code, done.err) == (0, "")
    new, mine, path = done.out.decode().splitlines()
    assert new == "new 1.5"
    assert mine.startswith("mine /tmp/")
    assert path.startswith("/tmp/")
    assert path.endswith(":/box/mine")


def test_a_package_that_cannot_be_had(image: Path) -> None:
    done = install(Box("dash", image, 1000), "q", "no-such-package==1", "--", "echo", "ran", closed=("python",))
    assert (done.code, done.out) == (64, b"")
    assert "No matching distribution found for no-such-package==1" in done.err
    assert done.own == ["pip failed, see above"]


def test_a_closed_tmp_is_said(image: Path) -> None:
    env = {"PATH": "/box/python/bin:/usr/bin:/bin", "PYTHONHOME": "/box/python"}
    done = Box("dash", image, 1000)("q", "new", "--", "echo", "ran", env=env, more=("--remount-ro", "/tmp"))
    assert (done.code, done.out) == (64, b"")
    assert done.own == ["cannot write /tmp as user 1000: mount an emptyDir there, or set securityContext.runAsUser"]


@each_shell
@pytest.mark.parametrize("text", ["", "exit 1"])
def test_no_python_or_one_without_pip(shell: str, text: str, tmp_path: Path) -> None:
    for name in ("env", "tr", "id", "mktemp", "echo"):
        (tmp_path / name).symlink_to(program(name))
    if text:
        (tmp_path / "python3").write_text(f"#!{program('dash')}\n{text}\n")
        (tmp_path / "python3").chmod(0o755)
    done = step(shell, "q", "numpy", "--", "echo", "ran", env={"PATH": str(tmp_path)})
    assert (done.code, done.out, done.own) == (64, b"", ["the image has no python with pip"])


@each_shell
def test_one_call_of_pip_with_the_variables_of_the_step_outside_the_commands_folder(shell: str, tmp_path: Path) -> None:
    # By the name of python, for some images have no python3; whose pip module is not taken for the real one.
    (tmp_path / "bin").mkdir()
    script = f'#!/bin/sh\ncase $* in *install*) printf "%s\\n" "$PWD" "$INDEX" "$@" >>{tmp_path}/calls;; esac\n'
    (tmp_path / "bin" / "python").write_text(script)
    (tmp_path / "bin" / "python").chmod(0o755)
    for name in ("env", "tr", "mkdir", "mktemp", "cat", "sh", "true"):
        (tmp_path / "bin" / name).symlink_to(program(name))
    words = ("e", "INDEX=https://u:p@x y", "w", str(tmp_path), "q", "a[x,y]>=1; os_name == 'posix'")
    words += ("+", "b @ https://x/", "q", "{{$(b)$$", "--", "true")
    done = step(shell, *words, env={"PATH": f"{tmp_path}/bin"})
    assert (done.code, done.err) == (0, "")
    lines = (tmp_path / "calls").read_text().splitlines()
    assert lines[:5] == ["/", "https://u:p@x y", "-m", "pip", "install"]
    assert lines[-3:] == ["--", "a[x,y]>=1; os_name == 'posix'", "b @ https://x/{{$(b)$$"]
    assert lines.count("install") == 1


def test_the_commands_own_variables_win(image: Path) -> None:
    words = (
        "e",
        "PATH=/box/python/bin:/usr/bin:/bin",
        "q",
        "new",
        "--",
        "sh",
        "-c",
        "python3 -c 'import new'; echo $PATH",
    )
    done = install(Box("dash", image, 1000), *words, path="/nowhere", closed=("python",))
    assert (done.code, done.out) == (0, b"/box/python/bin:/usr/bin:/bin\n")
