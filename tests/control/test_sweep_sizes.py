"""How large a sweep may be: as many items as are taken, and what is said of those that KFP or Argo could not hold."""

from __future__ import annotations

import json
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from kade2kfp import api
from kade2kfp.plan.turns import MAX_ITEMS

Json = dict[str, Any]
LONG = "echo '{\"acc\": 1}' > /m.json\n" + "# a comment\n" * 200


def document(train: Json, *tasks: Json, arrow: Json | None = None, **fields: Any) -> Json:
    each = {"items": [{"seed": number} for number in range(MAX_ITEMS)]}
    train = {"id": "train", "type": "job", "forEach": each, "metrics": "/m.json", **train}
    ends = {"fromTask": "train", "fromPath": "/out", "toTask": "report", "toPath": "/in"}
    return {
        "apiVersion": "kade2kfp/v1",
        "name": "flow",
        "defaults": {"image": "python:3.11-slim"},
        "tasks": [train, *tasks],
        "arrows": [] if arrow is None else [ends | arrow],
        **fields,
    }


REPORT = {"id": "report", "type": "job", "command": ["report"]}


def said(wanted: Json) -> dict[str, str]:
    found = api.validate(api.parse(json.dumps(wanted))).diagnostics
    return {one.code: f"{one.message}; {one.help}" for one in found}


def test_256_items_compile_and_their_command_is_kept_once() -> None:
    compiled = api.compile(api.parse(json.dumps(document({"script": LONG, "args": ["{{item.seed}}"]}))))
    assert compiled.yaml is not None, compiled.diagnostics
    spec = next(yaml.load_all(compiled.yaml, Loader=yaml.CSafeLoader))
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    executors = spec["deploymentSpec"]["executors"]
    assert len(executors) == len(spec["root"]["dag"]["tasks"]) == MAX_ITEMS
    # KFP's backend keeps equal containers once.
    assert len({json.dumps(one["container"], sort_keys=True) for one in executors.values()}) == 1
    seeds = {
        name: task["inputs"]["parameters"]["item-seed"]["runtimeValue"]["constant"]
        for name, task in spec["root"]["dag"]["tasks"].items()
    }
    assert seeds == {f"train-seed-{number}": str(number) for number in range(MAX_ITEMS)}


def test_an_item_that_makes_each_command_another_one_is_told_when_all_are_too_large() -> None:
    by_env = {"script": LONG, "env": [{"name": "SEED", "value": "{{item.seed}}"}]}
    found = said(document(by_env))
    assert "the `forEach` of `train` makes 256 steps" in found["K604"]
    assert "hand them over by `args` alone" in found["K604"]
    assert "K604" not in said(document({"script": LONG, "args": ["{{item.seed}}"]}))


def test_artifacts_of_very_many_items_do_not_go_into_one_step_but_volumes_do() -> None:
    train = {"command": ["train", "{{item.seed}}"]}
    found = said(document(train, REPORT, arrow={}))
    assert "`report` takes in 256 artifacts" in found["K603"]
    assert "let a volume carry the arrow" in found["K603"]
    volumes = [{"id": "nas", "claimName": "team"}]
    assert "K603" not in said(document(train, REPORT, arrow={"volume": "nas"}, volumes=volumes))
