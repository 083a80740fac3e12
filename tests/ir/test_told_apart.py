"""What KFP's own code makes of a pipeline that looks right, as `tests/judge/kfp` has shown it."""

import sys
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl, kubernetes

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.components import compiled, make, paths, show
from ir.machine import execute


@pytest.mark.parametrize("text", ["1e-3", "08", "0o17", "-.5", "2026-1-2"])
def test_a_text_without_quotes_that_go_reads_as_a_number_is_refused(folder: Path, text: str) -> None:
    def flow():
        show(x="HERE")

    assert execute(compiled(flow).replace("HERE", f"'{text}'"), folder / "quoted").logs["show"] == text
    with pytest.raises(AssertionError, match="as a number or a date"):
        execute(compiled(flow).replace("HERE", text), folder / "plain")


@pytest.mark.parametrize("text", ["a\x01", "a\x0b", "\x1b[1m"])
def test_an_annotation_that_argo_cannot_quote_is_refused(folder: Path, text: str) -> None:
    def flow():
        kubernetes.add_pod_annotation(show(x="a"), "x", text)

    with pytest.raises(AssertionError, match="Argo breaks its own JSON"):
        execute(compiled(flow), folder)


def test_equal_containers_with_other_outputs_are_refused(folder: Path) -> None:
    def change(spec: Any, _: Any) -> None:
        spec["components"]["comp-make-2"]["outputDefinitions"]["artifacts"]["more"] = {
            "artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}
        }

    def flow():
        make(script="echo a > $1")
        make(script="echo b > $1")

    assert execute(compiled(flow), folder / "equal").state == "succeeded"
    with pytest.raises(AssertionError, match="the inputs and outputs of 'comp-make'"):
        execute(compiled(flow, change), folder / "other")


def test_a_list_of_artifacts_into_a_dag_is_refused(folder: Path) -> None:
    @dsl.pipeline
    def inner(data: dsl.Input[list[dsl.Dataset]]):
        paths(data=data)

    def flow():
        with dsl.ParallelFor(["echo a > $1", "echo b > $1"]) as item:
            made = make(script=item)
        inner(data=dsl.Collected(made.outputs["data"]))

    with pytest.raises(AssertionError, match="KFP hands on one artifact of 2 into the DAG"):
        execute(compiled(flow), folder)
