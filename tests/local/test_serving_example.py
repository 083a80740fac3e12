"""examples/serving: a real model, a real Bento, predictions that are the model's own, and no request lost on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from running import ROOT, Ran, call
from service_sample import end_servings, gone

EXAMPLE = ROOT / "examples/serving/pipeline.json"
OWN = """
import json, sys, joblib
from sklearn.datasets import load_iris
flowers = load_iris().data
print(json.dumps({"flowers": flowers.tolist(), "own": joblib.load(sys.argv[1]).predict(flowers).tolist()}))
"""


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
        end_servings(home)
        gone(tmp_path)


def run(home: Path, change: dict[str, Any] | None = None, *more: str) -> Ran:
    """The example, with other fields of its serving task."""
    if change is None:
        return call(home, "run", str(EXAMPLE), *more, timeout=400)
    document = json.loads(EXAMPLE.read_text())
    document["tasks"][0]["files"] = [{"path": "/code/train.py", "content": (EXAMPLE.parent / "train.py").read_text()}]
    document["tasks"][1] |= change
    path = home / "changed.json"
    path.write_text(json.dumps(document))
    return call(home, "run", str(path), *more, timeout=400)


def own_predictions(done: Ran) -> tuple[list[Any], list[int]]:
    """All flowers, and what the model that the run has trained says of them itself."""
    (model,) = done.step("train").artifacts
    requirements = json.loads(EXAMPLE.read_text())["tasks"][0]["packagesToInstall"]
    from kade2kfp.local.environments import environment

    python = environment(done.home, requirements, log=None, cancelled=threading.Event()) / "bin" / "python"
    said = subprocess.run(
        [python, "-c", OWN, done.folder / model.stored], capture_output=True, check=True, text=True
    ).stdout
    found = json.loads(said)
    return found["flowers"], found["own"]


def predictions(home: Path, flowers: list[Any]) -> list[int]:
    done = call(home, "predict", "last", "serve", "--json", json.dumps({"inputs": flowers}))
    assert done.code == 0, done.err
    found: list[int] = json.loads(done.out)
    return found


@contextmanager
def asking(url: str, flowers: list[Any]) -> Iterator[tuple[list[list[int]], list[str]]]:
    """A client that asks all the while: the predictions it got, and what failed."""
    got: list[list[int]] = []
    failed: list[str] = []
    over = threading.Event()

    def ask() -> None:
        body = json.dumps({"inputs": flowers}).encode()
        while not over.is_set():
            asked = urllib.request.Request(f"{url}/predict", body, {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(asked, timeout=30) as answer:
                    got.append(json.load(answer))
            except (OSError, ValueError) as error:
                failed.append(repr(error))
            time.sleep(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield got, failed
    finally:
        over.set()
        thread.join()


def test_what_is_served_is_the_model_and_stays_when_its_successors_fail(home: Path) -> None:
    first = run(home)
    assert first.code == 0, first.err
    flowers, own = own_predictions(first)
    assert predictions(home, flowers) == own
    version, url = (str(first.step("serve").outputs[name]) for name in ("version", "url"))
    raising = "import bentoml\n@bentoml.service\nclass S:\n    def __init__(self):\n        raise OSError('no disk')\n"
    files = {
        "pack.py": ("raise SystemExit('the model is too old')", "the model is too old"),
        "service.py": (raising, "no disk"),
    }
    with asking(url, flowers) as (got, failed):
        for name, (text, why) in files.items():
            wrong = run(home, {"files": [{"path": name, "content": text, "encoding": "utf-8"}]})
            assert wrong.code == 3, wrong.err
            assert why in wrong.err
            assert "Traceback" not in wrong.err
            assert wrong.step("serve").status == "failed"
            assert predictions(home, flowers) == own
        assert all(one == own for one in got)
        again = run(home, None, "--set", "depth=1")
        assert again.code == 0, again.err
        assert again.step("serve").outputs["url"] == url
        assert again.step("serve").outputs["version"] != version
        other = own_predictions(again)[1]
        assert other != own
        assert predictions(home, flowers) == other
    assert failed == []
    assert len(got) > 50
    assert all(one in (own, other) for one in got)
