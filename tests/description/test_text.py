"""A description as text: readable on narrow terminals, whole, and no text of a document acts upon the terminal."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.description.full import in_full
from kade2kfp.description.schema import as_json
from kade2kfp.description.table import clipped, duration, some, table, wrap
from kade2kfp.description.text import overview
from kade2kfp.diagnostics.escape import terminal, width

from .documents import RICH, checked, described, document, job, sound

Json = dict[str, Any]
HOSTILE = [
    "\x1b[2J\x1b]0;title\x07",
    "%0A::error::x",
    "<script>alert(1)</script>",
    "](http://evil.example)",
    "--> <!--",
    "\"quotes' `and`",
    "one\ntwo\r\nthree",
    "\u202egnp.exe\u2066",
    "\u0000nul",
    "x" * 3000,
    "模型" * 400,
    "e\u0301" * 50,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_a_document_acts_upon_the_terminal(text: str) -> None:
    given = document(
        [
            job("a", name=text, description=text, env=[{"name": "E", "value": text}], annotations={"note": text}),
            {"id": "s", "type": "select", "metric": text, "path": "/m"},
            job("b", metrics="/m.json"),
        ],
        description=text,
        name=text[:200],
        parameters=[{"name": "p", "type": "string", "default": text, "description": text, "enum": [text]}],
        arrows=[
            {"fromTask": "b", "fromPath": "/o", "toTask": "s", "toPath": "/c"},
            {"fromTask": "b", "fromPath": "/o", "toTask": "a", "toPath": "/i"},
        ],
    )
    try:
        found = checked(given)
    except AssertionError:  # the document may not hold it at all there: less of it then
        given["tasks"][0].pop("annotations")
        given["tasks"][0]["env"] = []
        given["tasks"][1]["metric"] = "m"
        given["parameters"] = []
        found = checked(given)
    sound(found)
    told = described(found)
    for shown in (overview(told, 80), *(in_full(told, one, 80) for one in told.tasks)):
        assert "\x1b" not in shown
        assert terminal(shown.replace("\n", " ")) == shown.replace("\n", " ")
        assert len(shown) < 12_000
    assert json.loads(as_json(told))["pipeline"]["name"] == text[:200]


def test_long_values_are_shown_by_their_beginning_alone() -> None:
    value = "s3cr3t" * 50
    told = described(document([job("a", env=[{"name": "E", "value": value}])]))
    shown = in_full(told, told.tasks[0], 80)
    assert value not in "".join(shown.split())
    assert "(300 characters)" in shown
    assert value in as_json(told)


def test_rows_that_are_too_many_are_counted() -> None:
    told = described(document([job(f"t{number}") for number in range(80)]))
    shown = overview(told, 80)
    assert "  t59 " in shown
    assert "  t60 " not in shown
    assert "and 20 more tasks: --json tells all" in shown


def test_sections_that_have_nothing_are_left_out() -> None:
    shown = overview(described(document([job("a")])), 80)
    assert shown.splitlines() == [
        "flow",
        "",
        "Tasks",
        "  id  type  image or what it does",
        "  a   job   busybox:1",
        "",
        "Images",
        "  busybox:1  a",
        "",
        "Size: about 10 KiB, 1.0% of what Argo holds; largest: a 501 B",
    ]


def test_a_task_in_full_says_all_of_it() -> None:
    told = described(RICH.read_text(encoding="utf-8"))
    shown = {one.id: re.sub(" +", " ", in_full(told, one, 80)) for one in told.tasks}
    for id_, words in {
        "clean": [
            "retry 2 times in the same pod, after 10s at first",
            "resources cpu 2, memory 4Gi (at most 8Gi), nvidia.com/gpu at most 1",
            "env PASSWORD secret {{params.token_name}}, key token",
            "volumes /nas volume nas, folder raw, RO",
            "labels team churn pipeline 6",
        ],
        "train": [
            "repeated 2 items, 1 at a time",
            "cache off: the document says so",
            "timeout 2h",
            "task clean",
        ],
        "tune": ["repeated for each item of {{params.grid}}", "tune-nothing collect"],
        "polish": ["branch in `then` of good"],
        "look": ["asks Look at it", "ssh: 2222"],
        "serve": ["{{tasks.serve.outputs.version}}", "2 replicas"],
        "tell": ["runs at the end, whatever happened"],
    }.items():
        for one in words:
            assert one in shown[id_], shown[id_]


@given(
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=200), st.text(max_size=30)), max_size=5),
    st.integers(60, 120),
)
def test_a_table_keeps_every_character_and_its_width(rows: list[tuple[str, str, str]], columns: int) -> None:
    lines = list(table(rows, columns))
    assert all(width(line) <= columns for line in lines)
    there = "".join(sorted("".join(lines).replace(" ", "")))
    assert there == "".join(sorted("".join(terminal(cell) for row in rows for cell in row).replace(" ", "")))


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("", 10, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("one twothreefour five", 6, ["one", "twothr", "eefour", "five"]),
        ("模型模型", 5, ["模型", "模型"]),
    ],
)
def test_lines_break_at_spaces_if_they_can(text: str, room: int, lines: list[str]) -> None:
    assert wrap(text, room) == lines


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (90, "1m30s"), (86400, "1d"), (9000, "2h30m"), (0.5, "0.5s")])
def test_times_are_as_the_document_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_is_left_out_is_counted() -> None:
    assert some(["a", "b", "c"], 2) == "a, b and 1 more"
    assert some(["a", "b"], 2) == "a, b"
    assert clipped("abcdef", 3) == "abc... (6 characters)"
