"""Names that people see become names that KFP takes: readable, unique, and the same every time."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.document.pipeline import Envelope
from kade2kfp.plan.names import MAX_NAME, pipeline_slug, slug, step_names, unique
from kade2kfp.tasks.job import Job
from kade2kfp.tasks.load_data import LoadData

from .documents import document, job, plan

LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def named(*tasks: tuple[str, str | None]) -> list[str]:
    """The names of steps of jobs with these ids and names."""
    jobs = [Job.model_validate({"id": id_, "type": "job", "name": name}) for id_, name in tasks]
    return list(step_names(jobs).values())


@pytest.mark.parametrize(
    ("id_", "name", "expected"),
    [
        ("a", "Train the model", "train-the-model"),
        ("a", None, "a"),
        ("Train_1", None, "train-1"),
        ("con1", "학습", "con1"),  # nothing of the name is left: the id's slug
        ("con1", "학습 v2", "v2"),
        ("con1", "🚀", "con1"),
        ("a", "  --  ", "a"),
        ("a", "", "a"),
        ("a", "1st run", "t-1st-run"),
        ("4b0c9c1e-9c2e-4d56-8d2e-6d1f4f0f2b11", None, "t-4b0c9c1e-9c2e-4d56-8d2e-6d1f4f0f2b11"),
        ("7", "학습", "t-7"),
        ("a", "Ünïcode straße", "n-code-stra-e"),
        ("a", "a{{params.x}}b", "a-params-x-b"),
        ("a", "x" * 200, "x" * MAX_NAME),
        ("a", "x" * (MAX_NAME - 1) + "-y", "x" * (MAX_NAME - 1)),
    ],
)
def test_slugs_of_steps(id_: str, name: str | None, expected: str) -> None:
    assert named((id_, name)) == [expected]


def test_collisions_are_numbered_in_document_order() -> None:
    assert named(("a", "Train"), ("b", "train"), ("c", "TRAIN!"), ("train", None)) == [
        "train",
        "train-2",
        "train-3",
        "train-4",
    ]


def test_a_number_that_is_taken_is_passed_over() -> None:
    assert named(("a", "train-2"), ("b", "train"), ("c", "train")) == ["train-2", "train", "train-3"]


def test_ids_that_differ_only_in_what_is_sanitised() -> None:
    assert named(("a-b", None), ("a_b", None), ("A-B", None)) == ["a-b", "a-b-2", "a-b-3"]


def test_numbers_fit_within_the_length() -> None:
    names = named(*((f"i{i}", "x" * 80) for i in range(12)))
    assert len(set(names)) == 12
    assert max(map(len, names)) == MAX_NAME
    assert names[-1].endswith("-12")


@given(st.lists(st.text(max_size=70), min_size=1, max_size=8))
def test_every_name_is_one_that_argo_takes_and_none_comes_twice(names: list[str]) -> None:
    made = named(*((f"id{i}", name) for i, name in enumerate(names)))
    assert len(set(made)) == len(made)
    assert all(LABEL.fullmatch(one) and len(one) <= MAX_NAME and "--" not in one for one in made)
    # A task that is added at the end changes no name before it: KFP's cache and a user's bookmarks hold.
    assert named(*((f"id{i}", name) for i, name in enumerate([*names, names[0]])))[: len(made)] == made


def test_equal_ids_are_one_name() -> None:
    assert len(named(("a", "x"), ("a", "y"))) == 1


def _store(id_: str, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "type": "loadData", "url": "s3://bucket/data", "path": "/data"} | fields


@pytest.mark.parametrize("first", [True, False])
def test_an_import_never_takes_the_name_of_another_step(first: bool) -> None:
    both = [_store("get"), job("get-import")]
    names = [one.name for one in plan(document(*(both if first else reversed(both)))).nodes]
    assert len(names) == 3
    assert len(set(names)) == 3


def test_two_imports_of_one_name() -> None:
    names = [one.name for one in plan(document(_store("a", name="Get"), _store("b", name="get"))).nodes]
    assert names == ["get-import", "get", "get-2-import", "get-2"]


def test_an_http_download_reserves_nothing() -> None:
    load = LoadData.model_validate({"id": "get", "type": "loadData", "url": "https://x.org/a", "path": "/d"})
    other = Job.model_validate({"id": "get-import", "type": "job"})
    assert list(step_names([load, other]).values()) == ["get", "get-import"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Iris model", "iris-model"),
        ("내 파이프라인 (1)", "p-1"),
        ("2024 run", "p-2024-run"),
        ("x" * 100, "x" * 63),
        ("x" * 62 + " y", "x" * 62),
    ],
)
def test_slugs_of_pipelines(name: str, expected: str) -> None:
    assert pipeline_slug(Envelope(apiVersion="kade2kfp/v1", name=name, tasks=[])) == expected


def test_a_pipeline_whose_name_has_no_letter_gets_digits_of_its_hash() -> None:
    one, other = (
        pipeline_slug(Envelope(apiVersion="kade2kfp/v1", name=name, tasks=[])) for name in ("파이프라인", "학습")
    )
    assert re.fullmatch(r"pipeline-\d{8}", one)
    assert re.fullmatch(r"pipeline-\d{8}", other)
    assert one != other


def test_a_slug_of_ones_own_is_taken_as_it_is() -> None:
    assert plan(document(job("a"), name="학습", slug="training")).name == "training"


@given(st.text(max_size=80))
def test_slug_is_a_fixed_point(text: str) -> None:
    assert slug(slug(text)) == slug(text)


@given(st.lists(st.sampled_from(["a", "a-2", "b", "a-2-2"]), max_size=12))
def test_unique_never_repeats(names: list[str]) -> None:
    assert len(set(unique(names, ["b"]))) == len(names)
    assert "b" not in unique(names, ["b"])


@pytest.mark.parametrize("ids", [("spark", "spark-driver"), ("spark-driver", "spark")])
def test_no_name_meets_the_driver_that_kfp_adds_to_another(ids: tuple[str, str]) -> None:
    tasks = [Job.model_validate({"id": id_, "type": "job", "command": ["x"]}) for id_ in ids]
    first, second = step_names(tasks).values()
    assert {f"{first}-driver", f"{second}-driver"}.isdisjoint({first, second})
