from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kade2kfp.local.containers import find
from kade2kfp.local.containers.options import memory_folders, variables
from kade2kfp.local.engine import CannotStartError


@pytest.mark.parametrize(
    "env",
    [{"A B": "1"}, {"A\nB": "1"}, {"": "1"}, {"A": "a\0b"}, {"PATH": "a\nb"}, {"https_proxy": '"x"'}, {"LD_X": "\n"}],
)
def test_a_variable_that_cannot_be_given_unseen_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(CannotStartError):
        variables(env)


def test_no_memory_for_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(disk))
    assert disk not in memory_folders()


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """What is said of a `docker` that is this script."""
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{text}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = find("docker")
    assert isinstance(found, str)
    return found


def test_why_an_engine_cannot_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"
    said = fake(tmp_path, monkeypatch, f"echo '{denied}' >&2; exit 1")
    assert said.startswith("you may not use docker: permission denied")
    away = '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?"]}'
    said = fake(tmp_path, monkeypatch, f"echo '{away}'")
    assert said.startswith("docker is installed, but does not answer: Cannot connect to the Docker daemon")
    assert "cannot be read" in fake(tmp_path, monkeypatch, "echo 1")
    assert "does not say why" in fake(tmp_path, monkeypatch, "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert find("podman") == "podman is not installed"


def test_an_engine_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kade2kfp.local.containers._PROBE_SECONDS", 0.2)
    began = time.monotonic()
    assert "does not answer" in fake(tmp_path, monkeypatch, "exec sleep 30")
    assert time.monotonic() - began < 5
