"""Where a picture leads: what is asked for, and what `auto` chooses, the same in each format."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import kade2kfp
from kade2kfp.graph import Direction, as_dot, as_mermaid, as_svg
from kade2kfp.graph.direction import flow_of

from .documents import EXAMPLES, ROOT, STARTERS, arrow, document, drawn, sixty
from .pictures import SVG, heads, rectangles, root
from .test_command import graph as command


def chain(count: int, beside: int = 1) -> dict[str, Any]:
    """Chains of tasks, one beside the other."""
    tasks = [{"id": f"t{row}-{number}"} for row in range(beside) for number in range(count)]
    arrows = [arrow(f"t{row}-{n}", f"t{row}-{n + 1}", "/o", "/i") for row in range(beside) for n in range(count - 1)]
    return document(*tasks, arrows=arrows)


def size(text: str) -> tuple[float, float]:
    picture = root(text)
    return float(picture.get("width", "0")), float(picture.get("height", "0"))


@pytest.mark.parametrize(
    ("given", "flow"),
    [
        (document({"id": "a"}), "right"),
        (document(*({"id": f"t{number}"} for number in range(30))), "right"),
        (chain(3), "right"),
        (chain(4), "down"),
        (chain(4, 5), "down"),
        (chain(4, 6), "right"),
        (sixty(), "down"),
    ],
    ids=["one", "lone", "three", "four", "four-by-five", "four-by-six", "sixty"],
)
def test_auto_leads_to_the_right_while_that_is_no_long_row(given: dict[str, Any], flow: str) -> None:
    graph = drawn(given)
    assert flow_of(graph, "auto") == flow
    assert as_mermaid(graph).split("\n")[0] == {"right": "flowchart LR", "down": "flowchart TD"}[flow]
    assert f"rankdir={ {'right': 'LR', 'down': 'TB'}[flow] }," in as_dot(graph)
    assert as_svg(graph) == as_svg(graph, direction="right" if flow == "right" else "down")


def test_auto_takes_the_less_wide_of_long_pictures() -> None:
    for given in (chain(5), chain(12, 3), chain(4, 12), sixty()):
        graph = drawn(given)
        wide = {flow: size(as_svg(graph, direction=flow))[0] for flow in ("right", "down")}
        assert size(as_svg(graph))[0] == min(wide.values())


def test_a_circle_has_a_direction() -> None:
    arrows = [arrow(f"t{number}", f"t{(number + 1) % 6}") for number in range(6)]
    graph = drawn(document(*({"id": f"t{number}"} for number in range(6)), arrows=arrows))
    assert flow_of(graph, "auto") == "down"


@pytest.mark.parametrize("path", [*EXAMPLES, *STARTERS], ids=lambda path: path.parent.name)
def test_pictures_of_examples_fit_a_page_of_github(path: Path) -> None:
    wide, _ = size(as_svg(drawn(path.read_text(encoding="utf-8"))))
    assert wide <= 1100


def test_sixty_tasks_are_no_ribbon() -> None:
    wide, high = size(as_svg(drawn(sixty())))
    assert wide < 2600
    assert wide < 1.2 * high


@pytest.mark.parametrize("flow", ["right", "down"])
def test_arrows_lead_where_it_was_asked(flow: Direction) -> None:
    picture = root(as_svg(drawn(chain(6)), direction=flow))
    boxes = [one for one in rectangles(picture) if one.kind == "task"]
    ends = heads(picture)
    assert len(ends) == 5
    along = [(one.x, one.y)[flow == "down"] for one in boxes]
    assert along == sorted(set(along))
    for box, end in zip(boxes[1:], sorted(ends), strict=True):
        assert abs(end[flow == "down"] - (box.x, box.y)[flow == "down"]) <= 1  # it comes at the side that it comes from


def test_the_funnel_grows_narrow_along_the_arrows() -> None:
    tasks = [{"id": "a", "metrics": "/m"}, {"id": "best", "type": "select", "metric": "x", "path": "/m"}]
    graph = drawn(document(*tasks, arrows=[arrow("a", "best", "/m", "/candidates")]))
    right, down = as_svg(graph, direction="right"), as_svg(graph, direction="down")
    assert 'd="M0 0L' in right
    assert 'd="M0 0H' in down


def test_what_nothing_joins_stands_below_in_rows() -> None:
    lone = [{"id": f"lone-{number}"} for number in range(9)]
    arrows = [arrow("a", "b", "/o", "/i")]
    picture = root(as_svg(drawn(document(*lone, {"id": "a"}, {"id": "b"}, {"id": "end"}, arrows=arrows, onExit="end"))))
    boxes = {one.find(f"{SVG}title").text.partition(":")[0]: one for one in picture.findall(f"{SVG}svg")}
    at = {name: (float(one.get("x", "")), float(one.get("y", ""))) for name, one in boxes.items()}
    rows = sorted({at[f"lone-{number}"][1] for number in range(9)})
    assert len(rows) == 3
    assert max(at["a"][1], at["b"][1]) < rows[0]
    assert rows[-1] < at["end"][1]
    assert size(as_svg(drawn(document(*({"id": f"t{n}"} for n in range(36))))))[1] < 600


def test_the_same_document_with_other_orders_of_keys_is_the_same_picture() -> None:
    def shuffled(value: Any, chance: random.Random) -> Any:
        if isinstance(value, list):
            return [shuffled(one, chance) for one in value]
        if not isinstance(value, dict):
            return value
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}

    refers = {"command": ["x", "{{tasks.a.outputs.u}}"], "env": [{"name": "V", "value": "{{tasks.a.outputs.v}}"}]}
    outputs = [{"name": name, "type": "string", "path": f"/o/{name}"} for name in "uv"]
    two = document({"id": "a", "outputs": outputs}, {"id": "b"} | refers)
    assert len(drawn(two).arrows) == 1
    for given in (two, sixty(), *(json.loads(path.read_text(encoding="utf-8")) for path in EXAMPLES)):
        other = shuffled(given, random.Random(len(given["tasks"])))
        assert json.dumps(other) != json.dumps(given)
        for make in (as_svg, as_mermaid, as_dot):
            assert make(drawn(other)) == make(drawn(given))


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(chain(2)), encoding="utf-8")
    for words, begins in (([], "LR"), (["--direction", "auto"], "LR"), (["--direction", "down"], "TD")):
        ran = command("p.json", *words, cwd=tmp_path)
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert ran.stdout.decode().startswith(f"flowchart {begins}\n")
    assert b"rankdir=TB," in command("p.json", "--direction", "down", "--format", "dot", cwd=tmp_path).stdout
    wide, high = size(command("p.json", "--direction", "down", "--format", "svg", cwd=tmp_path).stdout.decode())
    assert high > wide
    ran = command("p.json", "--direction", "left", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"'left' is not one of 'auto', 'right', 'down'" in ran.stderr


def test_from_python() -> None:
    source = kade2kfp.parse(chain(2))
    picture = kade2kfp.draw(source, direction="down")
    assert picture.mermaid().startswith("flowchart TD\n")
    assert "rankdir=TB," in picture.dot()
    assert picture.svg("dark") == as_svg(picture.graph, "dark", "down")
    assert picture._repr_svg_() == as_svg(picture.graph, "auto", "down")
    assert kade2kfp.draw(source).mermaid().startswith("flowchart LR\n")
    assert kade2kfp.draw(source, direction="right").svg() == kade2kfp.draw(source).svg()
    with pytest.raises(ValueError, match="no direction: 'up'; there are auto, right and down"):
        kade2kfp.draw(source, direction="up")


def test_the_rules_that_hold_are_those_of_the_other_commands(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(document({"id": "a", "image": "ghcr.io/x/y:1"})), encoding="utf-8")
    settings = '[policy]\nregistries = ["quay.io"]\n'
    mirror = '[policy.mirror]\n"ghcr.io" = "mirror.example.org/ghcr"\n'
    (tmp_path / "other.toml").write_text(settings, encoding="utf-8")
    (tmp_path / "mirror.toml").write_text(mirror, encoding="utf-8")
    assert command("p.json", cwd=tmp_path).returncode == 0
    assert command("p.json", "--config", "other.toml", cwd=tmp_path).returncode == 1
    (tmp_path / "kade2kfp.toml").write_text(settings, encoding="utf-8")
    ran = command("p.json", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.decode() == "1 error: `kade2kfp validate p.json` tells it; what could be read is drawn\n"
    plain = command("p.json", "--no-config", cwd=tmp_path)
    assert (plain.returncode, plain.stderr) == (0, b"")
    # A picture is of the document, and the document names the image as it does.
    assert command("p.json", "--config", "mirror.toml", cwd=tmp_path).stdout == plain.stdout
    assert b"ghcr.io/x/y:1" in plain.stdout
    assert command("p.json", "--config", "other.toml", "--no-config", cwd=tmp_path).returncode == 2
    assert command("p.json", "--config", "none.toml", cwd=tmp_path).returncode != 0


def test_the_help_fits_a_screen() -> None:
    lines = command("--help", cwd=ROOT).stdout.decode().rstrip("\n").split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert any("--direction [auto|right|down]" in line for line in lines)
