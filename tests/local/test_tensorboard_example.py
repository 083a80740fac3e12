"""examples/tensorboard: a real TensorBoard shows what a step is still writing, and the run does not notice it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import warm
from running import COMMAND, ROOT, call, environment
from service_sample import gone

EXAMPLE = ROOT / "examples/tensorboard/pipeline.json"
SCALARS = "data/plugin/scalars/scalars?tag=loss&run=run"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    home.mkdir()
    shared = ROOT / ".cache" / "test-environments"
    shared.mkdir(parents=True, exist_ok=True)
    (home / "environments").symlink_to(shared)
    try:
        yield home
    finally:
        gone(tmp_path)


def until(process: subprocess.Popen[bytes], said: Path, wanted: Callable[[], Any]) -> Any:
    """What is wanted, when it is there; packages may have to be installed first."""
    end = time.monotonic() + 400
    while not (found := wanted()):
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < end, said.read_text()
        time.sleep(0.2)
    return found


def steps_shown(url: str) -> int:
    """How many steps of the loss TensorBoard shows."""
    try:
        with urllib.request.urlopen(f"{url}/{SCALARS}", timeout=10) as answer:
            return len(json.load(answer))
    except (OSError, ValueError):
        return 0


def viewer(home: Path) -> dict[str, Any]:
    listed = json.loads(call(home, "viewer", "list", "--output", "json").out or "[]")
    return listed[0] if listed else {}


def test_it_shows_what_is_still_written_and_changes_nothing(home: Path) -> None:
    said = home / "said"
    with open(said, "wb") as out:
        process = warm.Popen(
            [*COMMAND, "run", str(EXAMPLE), "--set", "epochs=100000", "--set", "pause=0.2"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(home),
        )
    try:
        url = str(until(process, said, lambda: viewer(home).get("url"))).rstrip("/")
        first = until(process, said, lambda: steps_shown(url))
        assert until(process, said, lambda: steps_shown(url) > first)  # of a step that still runs
        assert call(home, "viewer", "pause", "last", "board").code == 0
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{url}/", timeout=10)
        assert viewer(home)["state"] == "paused"
        assert call(home, "viewer", "resume", "last", "board").code == 0
        assert until(process, said, lambda: steps_shown(url) > first)
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(60)


def test_a_run_ends_as_it_would_without_its_viewer(home: Path) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["tasks"][0]["files"] = [{"path": "/code/train.py", "content": (EXAMPLE.parent / "train.py").read_text()}]
    (home / "with.json").write_text(json.dumps(document))
    document["tasks"][1] |= {"command": ["false"]}
    (home / "failing.json").write_text(json.dumps(document))
    del document["tasks"][1], document["arrows"][0]
    (home / "without.json").write_text(json.dumps(document | {"volumes": []}))
    ends = {}
    for name in ("with", "failing", "without"):
        done = call(
            home, "run", str(home / f"{name}.json"), "--set", "epochs=3", "--set", "pause=0", "--no-cache", timeout=400
        )
        ends[name] = done.code, done.step("train").outputs, done.log("report"), done.statuses()["report"]
    assert ends["with"] == ends["failing"] == ends["without"]
    assert ends["with"][0] == 0
