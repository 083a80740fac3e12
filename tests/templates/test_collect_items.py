"""What brings together what the iterations of a loop have left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.steps.python_text import embed_python

TEMPLATE = Path(__file__).parents[2] / "templates" / "collect_items.py"


def ran(
    folder: Path, items: list[Any], found: list[Path], what: str, *, text: str = "", uri: str = ""
) -> subprocess.CompletedProcess[str]:
    """Collect artifacts called `data` into `folder/out`."""
    artifacts = [{"uri": uri or "minio://x", "customPath": str(path)} for path in found]
    if uri:
        artifacts = [{"uri": uri} for _ in found]
    told = {
        "inputs": {"parameterValues": {"items": items}, "artifacts": {"data": {"artifacts": artifacts}}},
        "outputs": {"artifacts": {"data": {"artifacts": [{"uri": "s3://y", "customPath": str(folder / "out")}]}}},
    }
    command = [sys.executable, "-c", text or TEMPLATE.read_text(), json.dumps(told), "data", what]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def left(folder: Path, name: str, content: str) -> Path:
    path = folder / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize("text", ["", embed_python("collect_items.py")], ids=["template", "embedded"])
def test_each_folder_gets_its_number(tmp_path: Path, text: str) -> None:
    for name in ("a", "b"):
        left(tmp_path, f"{name}/deep/f", name)
    done = ran(tmp_path, [{"k": 1.5}, "b"], [tmp_path / "in/a", tmp_path / "in/b"], "folder", text=text)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out/0/deep/f").read_text() == "a"
    assert (tmp_path / "out/1/deep/f").read_text() == "b"
    assert json.loads((tmp_path / "out/index.json").read_text()) == [
        {"item": {"k": 1.5}, "path": "0", "name": "k=1.5"},
        {"item": "b", "path": "1", "name": "b"},
    ]


@pytest.mark.parametrize("name", ["model.pkl", "-rf", "it's $(x).bin", "\u00e9\u4e2d.csv"])
def test_a_file_gets_the_name_that_the_document_gives_it(tmp_path: Path, name: str) -> None:
    done = ran(tmp_path, ["a"], [left(tmp_path, "x", "data")], f"file:{name.encode().hex()}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/0" / name).read_text() == "data"


def test_what_did_not_arrive_is_in_the_index_all_the_same(tmp_path: Path) -> None:
    found = [tmp_path / "none", left(tmp_path, "b/f", "b").parent]
    assert ran(tmp_path, ["a", "b"], found, "folder").returncode == 0
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["1", "index.json"]
    assert len(json.loads((tmp_path / "out/index.json").read_text())) == 2


def test_of_nothing_comes_an_empty_index(tmp_path: Path) -> None:
    assert ran(tmp_path, [], [], "folder").returncode == 0
    assert (tmp_path / "out/index.json").read_text() == "[]\n"


def test_a_store_that_no_launcher_knows_is_an_error(tmp_path: Path) -> None:
    done = ran(tmp_path, ["a"], [tmp_path], "folder", uri="ftp://host/x")
    assert done.returncode == 1
    assert "ftp://host/x" in done.stderr


def test_values_keep_their_types(tmp_path: Path) -> None:
    told = {
        "inputs": {"parameterValues": {"items": [1], "v": ['\u00e9"<', 0.1, True, None, {"a": []}]}},
        "outputs": {"parameters": {"v": {"outputFile": str(tmp_path / "v")}, "w": {"outputFile": str(tmp_path / "w")}}},
    }
    words = [json.dumps(told), "v", "value", "w", "value"]
    subprocess.run([sys.executable, "-c", TEMPLATE.read_text(), *words], check=True)
    assert (tmp_path / "v").read_text() == '["\u00e9\\"<",0.1,true,null,{"a":[]}]'
    assert (tmp_path / "w").read_text() == "[]"
