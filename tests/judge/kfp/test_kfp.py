"""What is compiled goes through KFP's API server, Argo's validation and KFP's drivers, their own code: tests/README.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kade2kfp import api

from .kfp import Json, Kfp, built

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted([*ROOT.glob("examples/*/pipeline.json"), *ROOT.glob("templates/new/*/pipeline.json")])
_VALUES: Json = {"STRING": "a", "NUMBER_DOUBLE": 1.5, "NUMBER_INTEGER": 2, "BOOLEAN": True, "LIST": ["a"], "STRUCT": {}}
# Texts that Go reads as something else where they have no quotes.
TEXTS = ["1e3", "1e-3", "08", "0o17", "0X1F", "0B1", "-.5", "2026-1-2", "1_0", "1:30", "y", "null", "~", "<<", "0.0.1"]


@pytest.fixture(scope="session")
def kfp() -> Kfp:
    return built()


def question(text: str) -> Json:
    spec = next(yaml.safe_load_all(text))
    defined = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    needed = {
        name: one.get("literals", [_VALUES[one["parameterType"]]])[0]
        for name, one in defined.items()
        if "defaultValue" not in one and not one.get("isOptional")
    }
    return {"name": "p", "text": text, "walk": True, "parameters": needed, "cron": "0 0 2 * * *"}


def failed(answer: Json) -> list[Any]:
    """What KFP and Argo have against a pipeline: at once, and in its tasks."""
    found: list[Any] = [answer[key] for key in ("error", "refused") if answer.get(key)]
    return found + [(path, one) for path, one in answer.get("tasks", {}).items() if one.get("error")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: f"{path.parent.name}")
def test_kfp_and_argo_take_it_and_every_driver_succeeds(kfp: Kfp, document: Path) -> None:
    text = document.with_suffix(".yaml") if document.parts[-3] == "examples" else None
    found = api.compile(document).yaml if text is None else text.read_text(encoding="utf-8")
    assert found is not None
    (answer,) = kfp([question(found)])
    assert not failed(answer)
    assert len(answer["tasks"]) > 1


def test_go_reads_every_text_as_a_text(kfp: Kfp) -> None:
    env = [{"name": f"E{number}", "value": text} for number, text in enumerate(TEXTS)]
    task = {"id": "a", "type": "job", "image": "busybox:1", "command": ["echo", *TEXTS], "env": env}
    found = api.compile(api.parse(json.dumps({"apiVersion": "kade2kfp/v1", "name": "p", "tasks": [task]}), "p.json"))
    assert found.yaml is not None
    (answer,) = kfp([question(found.yaml)])
    assert not failed(answer)
    (main,) = answer["tasks"]["a"]["podSpecPatch"]["containers"]
    assert main["args"] == ["echo", *TEXTS]
    assert [one["value"] for one in main["env"]] == TEXTS


def test_what_argo_refuses_is_told(kfp: Kfp) -> None:
    document: Json = {"apiVersion": "kade2kfp/v1", "name": "p", "tasks": [{"id": "a", "type": "job", "image": "b:1"}]}
    document["tasks"][0] |= {"command": ["true"], "annotations": {"x": "HERE"}}
    found = api.compile(api.parse(json.dumps(document), "p.json"))
    assert found.yaml is not None
    (answer,) = kfp([question(found.yaml.replace("HERE", '"a\\x01"'))])
    assert answer["stage"] == "validate"
    assert "the result was invalid JSON" in answer["error"]
