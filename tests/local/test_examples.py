"""The examples run to their end, and what they leave is what it should be."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from running import ROOT, call


def test_hello(home: Path) -> None:
    done = call(home, "run", str(ROOT / "examples/hello/pipeline.json"), "--set", "who=Ada")
    assert done.code == 0, done.err
    assert done.log("greet") == "Hello, Ada!\n"


def test_nas(home: Path) -> None:
    done = call(home, "run", str(ROOT / "examples/nas/pipeline.json"))
    assert done.code == 0, done.err
    assert done.log("con2") == "5050\n"
    assert (home / "volumes/user-kade0-pvc/seen/con1").exists()


@pytest.mark.slow
def test_iris(home: Path) -> None:
    data = f"file://{ROOT}/examples/iris/data/iris.data"
    done = call(home, "run", str(ROOT / "examples/iris/pipeline.json"), "--set", f"data_url={data}", timeout=400)
    assert done.code == 0, done.err
    assert done.step("train-logistic-regression").metrics == {"accuracy": 42 / 45, "rows": 45}
    assert done.step("train-decision-tree").metrics == {"accuracy": 44 / 45, "rows": 45}
    assert done.step("evaluate").outputs == {"best": "decision-tree"}
    assert (done.folder / "artifacts/download/data/iris.data").read_bytes() == (
        ROOT / "examples/iris/data/iris.data"
    ).read_bytes()
    model = (done.folder / "artifacts/train-decision-tree/output-model/model.pkl").read_bytes()
    assert any("DecisionTreeClassifier" in str(one) for one in _names(model))
    assert json.loads((done.folder / "state.json").read_text())["status"] == "succeeded"


def _names(pickled: bytes) -> list[object]:
    """The texts in a pickle, without loading it: its classes are not installed here."""
    import pickletools

    return [argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str)]
