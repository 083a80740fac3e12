"""compare, on runs made by hand."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "local"))
from sample import sample_run, sample_state

from kade2kfp.cli.compare_command import command, names_of
from kade2kfp.local.comparison import Row, rows_of
from kade2kfp.local.page.comparison import comparison_page
from kade2kfp.local.state import RunState

EVIL = "</td><script>alert(1)</script>\x1b[31m\u202e$title"


def other(**changes: Any) -> RunState:
    """The sample run with other parameters, metrics and durations."""
    state = sample_state("flow-2", "11111111-3f0a-4b8e-9a55-0123456789ab")
    make = replace(state.steps[0], metrics={"accuracy": 0.875, "loss": -2.5}, ended=(state.steps[0].ended or 0) + 60)
    return replace(state, **{"parameters": {"lr": 0.2, "new": [1]}, "steps": (make, *state.steps[1:]), **changes})


def compare(home: Path, *words: str) -> Result:
    return CliRunner().invoke(command, [*words, "--home", str(home)])


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    first, second = sample_run(tmp_path), sample_run(tmp_path, "flow-2")
    state = other()
    sample = json.loads((second / "state.json").read_text())
    from kade2kfp.local.state import to_json

    (second / "state.json").write_text(to_json(replace(state, id=sample["id"], name=second.name)))
    return [first.name, second.name]


def test_what_differs_is_marked(tmp_path: Path, two: list[str]) -> None:
    done = compare(tmp_path, *two)
    assert done.exit_code == 0
    rows = {tuple(row[2:].split("  ")[0].split()[:2]): row for row in done.output.splitlines()}
    marked = [row for row in done.output.splitlines() if row.startswith("*")]
    assert any(" lr " in row and "0.1" in row and "0.2" in row for row in marked)
    assert any(" accuracy " in row and "0.75" in row and "0.875" in row for row in marked)
    assert any(" loss " in row and " - " in row and "-2.5" in row for row in marked)
    assert any("make-data" in row and " took " in row for row in marked)
    assert not any(" rows " in row for row in marked)
    assert "states and durations that hardly differ: --all" in done.output
    assert len(compare(tmp_path, *two, "--all").output.splitlines()) > len(rows)


def test_csv_has_all_values_in_full_and_no_formula(tmp_path: Path, two: list[str]) -> None:
    table = list(csv.reader(io.StringIO(compare(tmp_path, *two, "--output", "csv").output)))
    assert table[0] == ["kind", "task", "name", *two, "differs"]
    rows = {(row[0], row[1], row[2]): row[3:] for row in table[1:]}
    assert rows["metric", "make-data", "loss"] == ["", "-2.5", "yes"]
    assert rows["parameter", "", "new"] == ["", "[1]", "yes"]
    assert rows["output", "make-data", "rows"] == ["3", "3", "no"]


def test_a_text_that_a_spreadsheet_would_execute(tmp_path: Path) -> None:
    from kade2kfp.cli.compare_command import _as_csv

    text = _as_csv(["=cmd()", "b\n::error::c"], [Row("output", "@t", "-n", ("=HYPERLINK(1)", "-3"))])
    assert list(csv.reader(io.StringIO(text))) == [
        ["kind", "task", "name", "'=cmd()", "b\\x0a::error::c", "differs"],
        ["output", "'@t", "'-n", "'=HYPERLINK(1)", "-3", "yes"],
    ]


def test_json(tmp_path: Path, two: list[str]) -> None:
    said = json.loads(compare(tmp_path, *two, "--output", "json").output)
    assert [one["name"] for one in said["runs"]] == two
    row = next(one for one in said["rows"] if one["name"] == "accuracy")
    assert row == {"kind": "metric", "task": "make-data", "name": "accuracy", "values": [0.75, 0.875], "differs": True}


def test_the_page_needs_nothing_and_nothing_gets_out_of_its_place(tmp_path: Path) -> None:
    step = replace(other().steps[0], name=EVIL, metrics={EVIL: 1.0, "x": float("nan"), "y": float("inf")})
    states = [other(name=EVIL), other(name=EVIL, parameters={EVIL: EVIL}, steps=(step,))]
    page = comparison_page(names_of(states), rows_of(states))
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    assert page.count("<svg") >= 2
    assert "nan" not in page.split("<svg", 1)[1].split("</svg>")[0]


def test_plots_of_numbers_below_zero_and_of_none(tmp_path: Path) -> None:
    page = comparison_page(["a", "b", "c"], [Row("metric", "t", "loss", (-1.0, 3.0, None))])
    assert page.count("<rect") == 2
    assert 'width="-' not in page
    assert "&ndash;</text>" in page
    assert comparison_page(["a", "b"], [Row("metric", "t", "x", (1e308, -1e308))]).count("<rect") == 2


def test_the_page_is_written_whole(tmp_path: Path, two: list[str]) -> None:
    target = tmp_path / "compared.html"
    assert compare(tmp_path, *two, "--html", str(target)).exit_code == 0
    assert target.read_text().startswith("<!DOCTYPE html>")
    assert compare(tmp_path, *two, "--html", "-").output.startswith("<!DOCTYPE html>")
    assert compare(tmp_path, *two, "--html", str(tmp_path / "no/such")).exit_code == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["last"], 2, "Two runs or more"),
        (["last"] * 51, 2, "At most 50"),
        (["last", "nothing"], 1, "there is no run 'nothing'"),
        (["last", "last", "--html", "x", "--output", "csv"], 2, "leave --output out"),
    ],
)
def test_what_cannot_be_compared(tmp_path: Path, two: list[str], words: list[str], code: int, said: str) -> None:
    done = compare(tmp_path, *words)
    assert (done.exit_code, said in done.output) == (code, True)


def test_runs_of_one_name_are_told_apart() -> None:
    assert names_of([other(), other(id="2222222233"), other(name="x")]) == [
        "flow-2 (11111111)",
        "flow-2 (22222222)",
        "x",
    ]


@pytest.mark.parametrize(
    ("kind", "values", "differs"),
    [
        ("metric", (1.0, 1.0), False),
        ("metric", (float("nan"), float("nan")), False),
        ("metric", (1.0, None), True),
        ("output", (True, 1), True),
        ("output", ("1", 1), True),
        ("output", ([1], [1]), False),
        ("seconds", (100.0, 105.0), False),
        ("seconds", (100.0, 120.0), True),
        ("seconds", (0.1, 0.9), False),
        ("seconds", (1.0, None), True),
    ],
)
def test_what_counts_as_different(kind: Any, values: Any, differs: bool) -> None:
    assert Row(kind, "", "x", values).differs is differs
