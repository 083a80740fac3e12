"""Services whose boxes are containers of their images."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.local.services import view_again

from .engines import IMAGE, podman
from .running import arrow, call, document, job
from .service_sample import get, services

# What the image has of busybox by name is little; all of it is in its program.
TOOL = 'echo $WORD; exec busybox httpd -f -p "$HOST:$PORT" -h /logs'


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with podman() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found


def containers(variables: dict[str, str]) -> list[str]:
    done = subprocess.run(
        ["podman", "ps", "--all", "--quiet"], env=os.environ | variables, capture_output=True, check=True, text=True
    )
    return done.stdout.split()


def test_a_viewer_is_a_container_that_goes_with_its_run(
    home: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    board: dict[str, Any] = {
        "id": "board",
        "type": "viewer",
        "logPath": "/logs",
        "image": IMAGE,
        "command": ["sh", "-c", TOOL],
        "env": [{"name": "WORD", "value": "hello"}],
    }
    tasks = [job("work", "echo 1 >/logs/n; sleep 4"), board]
    path = document(
        home,
        tasks,
        [arrow("work", "/logs", "board", "/logs", volume="nas")],
        defaults={"image": IMAGE, "imagePullPolicy": "Never"},
        volumes=[{"id": "nas", "claimName": "team"}],
    )
    done = call(home, "run", str(path), "--engine", "podman", env=variables)
    assert done.code == 0, done.err
    assert done.step("board").outputs.get("problem", "") == ""
    assert containers(variables) == []
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with view_again(home, services(home).find("viewer", "last", "board")) as port:
        until = time.monotonic() + 30
        while get(port, "/n") != (200, "1\n"):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert services(home).log(services(home).find("viewer", "last", "board"), 5) == ("hello",)
        assert len(containers(variables)) == 1
    until = time.monotonic() + 20
    while containers(variables):
        assert time.monotonic() < until
        time.sleep(0.2)
