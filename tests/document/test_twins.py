"""Words with two homes: whoever writes one in the wrong place is told of the other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kade2kfp.api import parse, validate
from kade2kfp.diagnostics.severity import errors

WAITING = {"id": "c", "type": "container", "image": "i:1"}


def said(task: dict[str, Any], **fields: Any) -> list[str]:
    """All errors of a document with one task, as one text each."""
    document = {"apiVersion": "kade2kfp/v1", "name": "demo", "tasks": [task]} | fields
    found = validate(parse(json.dumps(document))).diagnostics
    return [f"{one.code} {one.message} {one.help}" for one in found if errors([one])]


def test_the_timeout_of_the_task_where_the_gate_needs_one() -> None:
    (one,) = said(WAITING | {"timeout": "5m"})
    assert "K520" in one
    assert "the task's own `timeout`" in one


def test_a_gates_on_exit_on_the_task() -> None:
    (one,) = said(WAITING | {"gate": {"timeout": "5m"}, "onExit": "advance"})
    assert "a gate" in one
    assert "the pipeline" in one


def test_the_pipelines_on_exit_on_a_gate() -> None:
    (one,) = said(WAITING | {"gate": {"timeout": "5m", "onExit": "c"}})
    assert "the pipeline's own `onExit`" in one


def test_a_gates_timeout_of_a_condition() -> None:
    assert any("`timeout` is missing" in one for one in said({"id": "c", "type": "condition", "approval": {}}))


@pytest.mark.parametrize("address", ["https://x.org/a", "s3://b/a"])
def test_the_address_of_a_download_as_its_source(address: str) -> None:
    found = said({"id": "l", "type": "loadData", "source": address, "path": "/d"})
    assert any("`url`" in one for one in found)
    assert any("the address itself is `url`" in one for one in found)


def test_a_slip_in_a_source_is_a_slip() -> None:
    (one,) = said({"id": "l", "type": "loadData", "url": "{{params.u}}", "source": "htpp", "path": "/d"},
                  parameters=[{"name": "u", "type": "string"}])  # fmt: skip
    assert "did you mean `http`?" in one
    assert "address" not in one
