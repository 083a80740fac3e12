"""Texts that Go's YAML readers take for something else, and PyYAML does not; tests/judge/kfp asks the reader itself."""

import json
from typing import Any

import pytest
import yaml

from kade2kfp import api
from kade2kfp.cluster.kfp.content import without_cache
from kade2kfp.lowering.yaml_text import dumped

NUMBERS = ["1e3", "1e-3", "-1E+5", ".5e1", "-.5", "+.5", "08", "0089", "1_0e1", "0o17", "0O7", "0B1", "-0b1", "0X1F"]
DATES = ["2026-1-2", "2026-1-2t3:4:5Z", "2026-01-02 3:4:5.6"]
TEXTS = ["1e", "e3", "1.2.3", "python:3.11", "v1e3", "10Gi", "2026-1", "0x", "1-2-3", "-", "--lr"]


def job(**fields: Any) -> dict[str, Any]:
    task = {"id": "a", "type": "job", "image": "busybox:1", "command": ["echo", *NUMBERS, *DATES]} | fields
    return {"apiVersion": "kade2kfp/v1", "name": "p", "tasks": [task]}


@pytest.mark.parametrize("text", [*NUMBERS, *DATES])
def test_what_go_would_read_as_a_number_or_a_date_is_quoted(text: str) -> None:
    assert dumped([[text]]) == f"- '{text}'\n"
    assert dumped([{text: [0.5, 1, 1e22]}]) == f"'{text}':\n- 0.5\n- 1\n- 1.0e+22\n"


@pytest.mark.parametrize("text", TEXTS)
def test_what_go_reads_as_a_text_is_written_as_ever(text: str) -> None:
    assert dumped([[text]]) == yaml.dump([text])


def test_only_kubectl_reads_a_letter_as_a_boolean() -> None:
    assert dumped([{"n": "y"}]) == "n: y\n"
    assert dumped([{"n": "y"}], kubectl=True) == "'n': 'y'\n"


@pytest.mark.parametrize("format", ["ir", "pipelineversion"])
def test_a_learning_rate_in_a_command_or_a_default_stays_a_text(format: Any) -> None:
    document = job(env=[{"name": "LR", "value": "1e-3"}]) | {
        "parameters": [{"name": "rate", "type": "string", "default": "1e-4"}]
    }
    found = api.compile(api.parse(json.dumps(document), "p.json"), format=format)
    assert found.yaml is not None
    for text in [*NUMBERS, *DATES, "1e-3", "1e-4"]:
        assert f" '{text}'\n" in found.yaml


def test_it_stays_one_in_what_submit_changes() -> None:
    found = api.compile(api.parse(json.dumps(job()), "p.json"))
    assert found.yaml is not None
    for text in [*NUMBERS, *DATES]:
        assert f" '{text}'\n" in without_cache(found.yaml)
