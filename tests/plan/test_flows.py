"""What an arrow carries: a file or a folder, to where exactly, as what, and by which way."""

from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.plan.flows import Flow

from .documents import Json, analysis, arrow, document, job

VOLUMES = [{"id": "nas", "claimName": "c"}, {"id": "fast", "claimName": "f"}]


def flows(*arrows: Json, **fields: Any) -> tuple[Flow, ...]:
    return analysis(document(job("a"), job("b"), arrows=arrows, **fields)).flows


def flow(*args: Any, **fields: Any) -> Flow:
    (one,) = flows(arrow("a", "b", *args, **fields))
    return one


@pytest.mark.parametrize(
    ("out", "into", "kind", "expected"),
    [
        ("/out", "/in", None, ("directory", "directory", "/in")),
        ("/out/model.pkl", "/in/m.pkl", None, ("file", "file", "/in/m.pkl")),
        ("/out/model.pkl", "/in", None, ("file", "directory", "/in/model.pkl")),  # as with cp
        ("/out/model.pkl", "/", None, ("file", "directory", "/model.pkl")),
        ("/out/llama-3.1", "/in", None, ("directory", "directory", "/in")),
        ("/out/a.b", "/in", "directory", ("directory", "directory", "/in")),
        ("/out/model", "/in/here", "file", ("file", "file", "/in/here")),
        ("/out/", "/in/", None, ("directory", "directory", "/in")),
    ],
)
def test_kinds(out: str, into: str, kind: str | None, expected: tuple[str, str, str]) -> None:
    one = flow(out, into, kind=kind)
    assert (one.from_kind, one.to_kind, one.to_path) == expected


def test_an_arrow_without_paths_is_order_only() -> None:
    one = flow()
    assert one.order_only
    assert (one.from_path, one.to_path, one.volume) == ("", "", "")


def test_an_arrow_to_a_task_that_is_not_there_is_no_flow() -> None:
    assert flows(arrow("a", "nope", "/o"), arrow("nope", "b", "/o"), arrow("a", "b", "/o"))[0].taker.id == "b"


@pytest.mark.parametrize(
    ("said", "default", "volume"),
    [
        ({}, None, ""),
        ({"volume": "nas"}, None, "nas"),
        ({}, "nas", "nas"),
        ({"volume": "fast"}, "nas", "fast"),
        ({"volume": None}, "nas", ""),  # back to an artifact
        ({"volume": None}, None, ""),
    ],
)
def test_which_way_it_goes(said: Json, default: str | None, volume: str) -> None:
    (one,) = flows(arrow("a", "b", "/o", **said), volumes=VOLUMES, defaults={"volume": default})
    assert one.volume == volume


def test_a_default_volume_carries_no_order() -> None:
    (one,) = flows(arrow("a", "b"), volumes=VOLUMES, defaults={"volume": "nas"})
    assert one.volume == ""


def test_types_of_artifacts() -> None:
    assert flow("/o").type == "Artifact"
    assert flow("/o", artifactType="Model").type == "Model"


def test_a_type_said_on_one_arrow_holds_for_all_that_leave_there() -> None:
    first, second, other = flows(
        arrow("a", "b", "/o", "/i1"), arrow("a", "b", "/o", "/i2", artifactType="Model"), arrow("a", "b", "/p", "/i3")
    )
    assert (first.type, second.type, other.type) == ("Model", "Model", "Artifact")


def test_what_is_downloaded_is_a_dataset() -> None:
    load = {"id": "l", "type": "loadData", "url": "https://x.org/a", "path": "/d"}
    doc = document(load, job("b"), arrows=(arrow("l", "b", "/d"),))
    assert analysis(doc).flows[0].type == "Dataset"
