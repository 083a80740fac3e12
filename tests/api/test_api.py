"""What a program gets by `import kade2kfp`."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, cast

import pytest
import warm

import kade2kfp

TOP = Path(__file__).parents[2]
IRIS = TOP / "examples" / "iris" / "pipeline.json"
TASK = {"id": "greet", "type": "job", "image": "busybox:1.36", "command": ["echo", "hi"]}
HELLO = {"apiVersion": "kade2kfp/v1", "name": "hello", "tasks": [TASK]}
WRONG = HELLO | {"tasks": [TASK | {"imgae": "x"}]}
NEWS = HELLO | {"tasks": [TASK | {"files": [{"path": "/code/a.py", "source": "a.py"}]}]}


def written(folder: Path, document: object = HELLO, name: str = "pipeline.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path


def test_importing_it_costs_nothing() -> None:
    code = "import sys, kade2kfp; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TOP)
    assert not {"pydantic", "click", "kfp", "yaml", "json"} & set(json.loads(ran.stdout.replace("'", '"')))


def test_all_names_are_there_and_no_others() -> None:
    assert [name for name in kade2kfp.__all__ if getattr(kade2kfp, name) is None] == []
    assert dir(kade2kfp) == kade2kfp.__all__
    with pytest.raises(AttributeError, match="no attribute 'lint'"):
        _ = kade2kfp.lint


def test_files_are_sought_beside_the_document_that_names_them(tmp_path: Path) -> None:
    path = written(tmp_path, NEWS)
    assert [one.code for one in kade2kfp.validate(kade2kfp.load(path)).diagnostics] == ["K212"]
    assert kade2kfp.validate(kade2kfp.load(path), sources=False).ok
    assert kade2kfp.validate(kade2kfp.parse(NEWS)).ok
    (tmp_path / "a.py").write_text("print(1)\n", encoding="utf-8")
    assert kade2kfp.validate(kade2kfp.load(path)).ok
    assert not kade2kfp.validate(kade2kfp.load(path), folder=tmp_path / "elsewhere").ok
    assert kade2kfp.validate(kade2kfp.parse(NEWS), folder=tmp_path).ok


def test_results_tell_what_the_command_tells(tmp_path: Path) -> None:
    path = written(tmp_path, WRONG)
    ran = warm.run([sys.executable, "-m", "kade2kfp", "validate", path.name], cwd=tmp_path, capture_output=True)
    shown = repr(kade2kfp.validate(kade2kfp.load(path))).replace(str(path), path.name)
    assert shown == ran.stderr.decode().strip()
    assert "unknown field `imgae`" in shown


def test_the_yaml_is_the_command_s(tmp_path: Path) -> None:
    compiled = kade2kfp.compile(kade2kfp.load(IRIS))
    compiled.save(tmp_path / "iris.yaml")
    golden = IRIS.with_name("pipeline.yaml").read_text(encoding="utf-8")
    assert (tmp_path / "iris.yaml").read_text(encoding="utf-8") == compiled.yaml == golden


def test_what_has_errors_is_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("before", encoding="utf-8")
    compiled = kade2kfp.compile(kade2kfp.parse(WRONG))
    with pytest.raises(kade2kfp.DocumentError, match=r"error\[K100\]: unknown field `imgae`") as caught:
        compiled.save(path)
    assert [one.code for one in caught.value.diagnostics] == ["K100"]
    assert path.read_text(encoding="utf-8") == "before"
    assert isinstance(caught.value, ValueError)
    with pytest.raises(FileNotFoundError):
        kade2kfp.compile(kade2kfp.parse(HELLO)).save(tmp_path / "none" / "x.yaml")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", b"\xff", "[" * 10_000])
def test_whatever_the_text_is_nothing_is_raised_before_something_is_made_of_it(text: str | bytes) -> None:
    source = kade2kfp.parse(text)
    assert not kade2kfp.validate(source).ok
    assert kade2kfp.compile(source).yaml is None
    assert "error" in repr(kade2kfp.compile(source))
    for make in (kade2kfp.describe, kade2kfp.draw):
        with pytest.raises(kade2kfp.DocumentError):
            make(source)


def test_a_file_that_is_not_there_is_a_diagnostic(tmp_path: Path) -> None:
    checked = kade2kfp.validate(kade2kfp.load(tmp_path / "none.json"))
    assert [one.code for one in checked.diagnostics] == ["K001"]


@pytest.mark.parametrize(
    ("document", "error"), [({"name": float("nan")}, ValueError), ({"name": {1}}, TypeError), ({"x": b"y"}, TypeError)]
)
def test_a_dict_holds_what_json_holds(document: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        kade2kfp.parse(document)


def test_values_that_json_cannot_hold_are_diagnostics() -> None:
    source = kade2kfp.parse(HELLO | {"parameters": [{"name": "o", "type": "object"}]})
    itself: dict[str, object] = {}
    itself["o"] = itself
    for value in ({"a": {1}}, {1: 2}, {"a": [{None: 1}]}, {"a": object()}, {"a": b"b"}, itself):
        found = kade2kfp.compile(source, values={"o": value})
        assert found.yaml is None
        assert "K241" in [one.code for one in found.diagnostics]


def test_words_that_are_none_are_told() -> None:
    source = kade2kfp.parse(HELLO)
    with pytest.raises(ValueError, match="no format: 'yaml'"):
        kade2kfp.compile(source, format=cast(Any, "yaml"))
    with pytest.raises(ValueError, match="no theme"):
        kade2kfp.draw(source).svg(cast(Any, '"><script>'))


def test_documents_with_errors_are_drawn_as_far_as_they_can_be_read() -> None:
    assert repr(kade2kfp.draw(kade2kfp.parse(WRONG))) == "<picture of 1 task>"


def test_a_notebook_gets_a_picture_that_no_name_breaks() -> None:
    hostile = HELLO | {"tasks": [TASK | {"name": "</text><script>alert(1)</script>\u202e\x1b[31m]](http://"}]}
    picture = kade2kfp.draw(kade2kfp.parse(hostile))
    tree = ET.fromstring(picture._repr_svg_())
    assert not [one for one in tree.iter() if one.tag.endswith("script")]
    assert {picture.svg("light"), picture.svg("dark")} != {picture.svg()}
    assert picture.mermaid().startswith("flowchart LR")
    assert picture.dot().startswith("digraph")


def test_rules_hold_where_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "kade2kfp.toml").write_text('[policy]\nforbidden-types = ["job"]\n', encoding="utf-8")
    below = tmp_path / "below"
    below.mkdir()
    source = kade2kfp.load(written(below))
    assert kade2kfp.validate(source).ok
    for path in (below, below / "pipeline.json"):
        checked = kade2kfp.validate(source, rules=kade2kfp.load_rules(path))
        assert [one.code for one in checked.diagnostics] == ["K254"]
        assert kade2kfp.compile(source, rules=kade2kfp.load_rules(path)).yaml is None


def test_rules_that_are_wrong_are_told(tmp_path: Path) -> None:
    (tmp_path / "kade2kfp.toml").write_text("ignor = []\n", encoding="utf-8")
    with pytest.raises(ValueError, match="ignor"):
        kade2kfp.load_rules(tmp_path)


def test_a_path_will_do(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert kade2kfp.validate(path).ok
    assert kade2kfp.compile(str(path)).yaml == kade2kfp.compile(kade2kfp.load(path)).yaml
    assert kade2kfp.describe(path).file == str(path)
    assert repr(kade2kfp.draw(path)) == "<picture of 1 task>"


def test_words_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(ValueError, match="ir and pipelineversion"):
        kade2kfp.compile(path, format="yaml")
    with pytest.raises(ValueError, match="auto, light and dark"):
        kade2kfp.draw(path).svg("blue")


def test_threads_may_share_a_document() -> None:
    source = kade2kfp.load(IRIS)
    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.append(repr(kade2kfp.describe(source)))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(told) == 8
    assert len(set(told)) == 1
