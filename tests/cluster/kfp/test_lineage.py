"""lineage of runs on a cluster, and of runs here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from kfp_server import Kfp
from kfp_server.fixtures import kfp

from .flows import FLOW, HOSTILE, ended
from .side import Ran, write

__all__ = ["kfp"]
Cli = Callable[..., Ran]


def ways(said: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["from"], one["to"]) for one in said["ways"]}


HERE = {
    ("artifact:make/o", "step:good"),
    ("artifact:make/o", "step:each-0"),
    ("artifact:make/o", "step:each-1"),
    ("artifact:each-0/e", "step:each-loop"),
    ("artifact:each-1/e", "step:each-loop"),
    ("artifact:each-loop/each-e", "step:gather"),
    ("step:each-loop", "artifact:each-loop/each-e"),
    ("step:make", "step:check"),
    ("step:make", "step:good"),
    ("parameter:list", "step:each-loop"),
    ("parameter:well", "step:boom"),
}


def test_what_was_made_of_what(kfp: Kfp, cli: Cli) -> None:
    run = ended(kfp, FLOW, f"job {HOSTILE}")
    at = ("--endpoint", kfp.url)
    said = cli("lineage", run, *at, "--output", "json").json
    assert ways(said) >= HERE
    assert not [one for one in ways(said) if one[1] in ("step:late", "step:bad")]
    things = {one["id"]: one for one in said["things"]}
    assert things["artifact:make/o"]["where"].startswith("minio://")
    assert things["step:boom"]["note"] == "failed"

    tree = cli("lineage", f"{run}/gather/x", *at)
    assert (tree.code, "has no artifact 'gather/x'" in tree.err) == (1, True)
    tree = cli("lineage", f"{run}/make/o", *at)
    assert "made of:\n└─ make  succeeded" in tree.out
    assert "each-loop/each-e" in tree.out
    assert "boom" not in tree.out
    by_uri = cli("lineage", things["artifact:make/o"]["where"] + "/f", *at)
    assert by_uri.out == tree.out
    chart = cli("lineage", f"{run[:8]}/make/o", *at, "--output", "mermaid").out
    assert chart.startswith("flowchart LR\n")
    assert '-->|"rows"|' in chart
    assert cli("lineage", "minio://mlpipeline/x/y", *at).code == 1


def test_a_run_here_has_the_same_lineage(kfp: Kfp, cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path, FLOW)
    ran = cli("run", str(path), "--no-cache")
    if ran.code == 1:
        pytest.skip("no steps can be run on this machine")
    assert ran.code == 3
    said = cli("lineage", "last", "--output", "json")
    assert ways(said.json) >= HERE
    things = {one["id"]: one for one in said.json["things"]}
    folder = Path(cli("show", "last").out.split("folder")[1].split()[0])
    by_path = cli("lineage", str(folder / things["artifact:make/o"]["where"] / "f"))
    assert by_path.out == cli("lineage", "last/make/o").out
    assert "used by:" in by_path.out


def test_texts_cannot_leave_their_boxes_in_a_chart() -> None:
    from kade2kfp.cli.lineage_text import mermaid
    from kade2kfp.local.lineage import Lineage, Thing, Way

    evil = 'x"]; click n0 "javascript:alert(1)" %% <script>\n'
    things = {"step:a": Thing("step:a", "step", "a", "a", note=evil), "step:b": Thing("step:b", "step", "b", "b")}
    chart = mermaid(Lineage.of(things, iter([Way("step:a", "step:b", evil)])), {"a": evil, "b": "b"})
    assert len(chart.splitlines()) == 4
    for line in chart.splitlines()[1:]:
        assert line.count('"') <= 2
        assert "<" not in line
        assert "%" not in line


def test_a_circle_ends() -> None:
    from kade2kfp.cli.lineage_text import trees
    from kade2kfp.local.lineage import Lineage, Thing, Way

    things = {f"step:{one}": Thing(f"step:{one}", "step", one, one) for one in "ab"}
    lineage = Lineage.of(things, iter([Way("step:a", "step:b"), Way("step:b", "step:a")]))
    assert len(trees(lineage, {}, "step:a").splitlines()) < 20
    assert json.dumps(lineage.around("step:a").things is not None)
