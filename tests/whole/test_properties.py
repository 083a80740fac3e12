"""Whatever a document holds: diagnostics or success, never a traceback; and what is valid compiles, always the same."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from kfp import compiler, components

from kade2kfp import api
from kade2kfp.document.base import alias
from kade2kfp.lowering.yaml_text import dumped

from .asking import compiled, errors, leaves, sound
from .documents import documents
from .models import objects
from .mutations import JSON, mutated, shaped_documents, text_of
from .profile import tries

HELLO = {
    "apiVersion": "kade2kfp/v1",
    "name": "p",
    "tasks": [{"id": "a", "type": "job", "image": "busybox:1", "command": ["true"]}],
}


@tries(150, 5000)
@given(st.binary(max_size=200) | st.text(max_size=100))
@example(b"\xff\xfe{\x00}\x00")
@example(b"\xef\xbb\xbf{}")
@example("\x00")
@example('{"a": "\\ud800"}')
@example("[" * 3000)
def test_any_bytes_give_diagnostics(text: str | bytes) -> None:
    sound(text)


@tries(200, 10000)
@given(JSON.map(text_of))
@example('{"tasks": [{}]}')
@example('{"tasks": {"type": "job"}, "arrows": 1, "defaults": [], "parameters": "x", "volumes": null}')
def test_any_json_gives_diagnostics(text: str) -> None:
    sound(text)


@tries(300, 20000)
@given(shaped_documents().map(text_of))
def test_any_json_in_the_shape_of_the_models_gives_diagnostics(text: str) -> None:
    sound(text)


@tries(200, 10000)
@given(mutated())
def test_a_valid_document_with_one_change_gives_diagnostics_or_compiles(text: str) -> None:
    sound(text)


@tries(30, 2000)
@given(
    shaped_documents().map(text_of).flatmap(lambda text: st.text(max_size=3).map(lambda more: (text, more))), st.data()
)
def test_a_document_that_is_torn_anywhere_gives_diagnostics(case: tuple[str, str], data: st.DataObject) -> None:
    text, more = case
    at = data.draw(st.integers(0, len(text)))
    sound(text[:at] + more + text[at + data.draw(st.integers(0, 3)) :])


@tries(60, 3000)
@given(documents())
def test_a_valid_document_compiles_loads_in_kfp_and_compiles_again_to_the_same_bytes(document: dict[str, Any]) -> None:
    found = sound(json.dumps(document))
    assert found.yaml is not None, errors(found)
    loaded = components.load_component_from_text(found.yaml)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "again.yaml")
        compiler.Compiler().compile(loaded, str(path))
        again = path.read_text(encoding="utf-8")
    # KFP writes a default's control characters into its comment as they are, which no YAML reader takes; and an object's
    # keys in the order in which protobuf's map has them, which is another after reading.
    header, body = _halves(found.yaml)
    other, rest = _halves(again)
    # It is written by the SDK, which leaves the quotes out that Go needs: see kade2kfp/lowering/yaml_text.py.
    assert dumped(yaml.load_all(rest, yaml.CSafeLoader)) == body
    parameters = document.get("parameters", [])
    objects = "{" in json.dumps([one.get("default") for one in parameters])
    if not objects and all(str(leaf).isprintable() for leaf in leaves(parameters)):
        assert other == header


def _halves(text: str) -> tuple[str, str]:
    """A compiled pipeline's comment, and what follows."""
    at = text.index("\ncomponents:") + 1
    return text[:at], text[at:]


@tries(25, 1000)
@given(documents(), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(document: dict[str, Any], random: Any) -> None:
    assert compiled(_shuffled(document, random)).yaml == compiled(document).yaml


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: _shuffled(value[key], random) for key in keys}
    return [_shuffled(one, random) for one in value] if isinstance(value, list) else value


@tries(25, 1000)
@given(documents())
def test_null_is_the_same_as_absent(document: dict[str, Any]) -> None:
    full = copy.deepcopy(document)
    for value, model in objects(full):
        names = {alias(model, name) for name in model.model_fields} - {alias(model, n) for n in model.null_means}
        value |= {name: None for name in names if name not in value}
    before, after = compiled(document), compiled(full)
    assert before.yaml is not None, errors(before)
    assert after.yaml == before.yaml, errors(after)


@tries(15, 300)
@given(documents(), st.sampled_from(["  ", "\t", None, 7]))
def test_white_space_and_escapes_of_the_file_do_not_matter(document: dict[str, Any], indent: Any) -> None:
    text = json.dumps(document, ensure_ascii=indent != 7, indent=indent)
    same = [text.encode(), text.encode("utf-8-sig"), text.replace("\n", "\r\n")]
    assert {api.compile(api.parse(one)).yaml for one in same} == {compiled(document).yaml}


@tries(10, 300)
@given(documents(most=2))
def test_the_manifests_hold_the_same_pipeline(document: dict[str, Any]) -> None:
    import yaml

    text = json.dumps(document)
    manifests = api.compile(api.parse(text), format="pipelineversion").yaml
    assert manifests is not None
    kinds = {one["kind"]: one for one in yaml.load_all(manifests, yaml.CSafeLoader)}
    spec, *platform = yaml.safe_load_all(compiled(document).yaml or "")
    assert kinds["PipelineVersion"]["spec"]["pipelineSpec"] == spec
    assert kinds["PipelineVersion"]["spec"].get("platformSpec") == (platform[0] if platform else None)
