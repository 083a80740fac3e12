"""The step that installs: from the action's own checkout, or a version from an index; without a network."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from . import runner
from .runner import Done

BACKEND = """
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "kade2kfp-9.9-py3-none-any.whl"
    import wheel_of
    wheel_of.write(folder + "/" + name, "9.9")
    return name
"""


def write(path: str, version: str) -> None:
    """A package that is called kade2kfp and says its version."""
    info = f"kade2kfp-{version}.dist-info"
    files = {
        "kade2kfp.py": f"def main():\n    print('kade2kfp, version {version}')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: kade2kfp\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nkade2kfp = kade2kfp:main\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))


def install(tmp_path: Path, version: str = "", **more: str) -> Done:
    """The step, with this Python as `python3`, and an index that has versions 1.2 and 1.3."""
    (tmp_path / "checkout").mkdir(exist_ok=True)
    index = tmp_path / "index"
    if not index.exists():
        index.mkdir()
        for one in ("1.2", "1.3"):
            write(f"{index}/kade2kfp-{one}-py3-none-any.whl", one)
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    python = programs / "python3"
    if not python.exists():
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
    quiet = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/dev/null", "PYTHONPATH": ""}
    path = f"{programs}:/usr/bin:/bin"
    given = {"version": version}
    return runner.step("install", tmp_path / "checkout", {}, given, quiet | {"PATH": path} | more)


def test_version_from_an_index(tmp_path: Path) -> None:
    done = install(tmp_path, "1.2")
    assert done.code == 0, done.raw
    assert "kade2kfp, version 1.2" in done.log.text
    assert Path(done.outputs["kade2kfp"]).is_file()
    again = install(tmp_path, "1.2", PIP_FIND_LINKS="/nowhere")  # it is there already
    assert (again.code, again.outputs) == (0, done.outputs)
    assert "version 1.3" in install(tmp_path, "1.3").log.text


def test_without_a_version_it_is_the_checkout_of_the_action(tmp_path: Path) -> None:
    action = tmp_path / "the action"
    action.mkdir()
    (action / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "kade2kfp"\nversion = "9.9"\n'
    )
    (action / "backend.py").write_text(BACKEND)
    (action / "wheel_of.py").write_text(
        Path(__file__)
        .read_text(encoding="utf-8")
        .partition("def install")[0]
        .replace("import pytest\n", "")
        .replace("from . import runner\nfrom .runner import Done\n", "")
    )
    (action / "ci").symlink_to(runner.ROOT / "ci")
    done = install(tmp_path, GITHUB_ACTION_PATH=str(action))
    assert done.code == 0, done.raw
    assert "kade2kfp, version 9.9" in done.log.text


@pytest.mark.parametrize("version", ["main", "1.2 evil", "1.2;touch evil", "--index-url=x", "../x", "1.2\n1.3"])
def test_what_is_no_version_is_refused(tmp_path: Path, version: str) -> None:
    done = install(tmp_path, version)
    assert done.code == 2
    assert done.log.annotations[0].data == "version is none, such as 0.1.0"
    assert not (tmp_path / "runner" / "kade2kfp").exists()


def test_version_that_is_not_there(tmp_path: Path) -> None:
    done = install(tmp_path, "7.7")
    assert done.code == 1
    assert "No matching distribution found for kade2kfp==7.7" in done.log.text
    assert done.outputs == {}
    assert install(tmp_path, "1.2").code == 0
