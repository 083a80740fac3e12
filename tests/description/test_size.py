"""The size that a description tells is about that of what is compiled: whoever is near the limit goes by it."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from kade2kfp import api
from kade2kfp.plan.build import build
from kade2kfp.plan.size import estimate

from .documents import EXAMPLES, Json, data, document, job

LIMIT = 1_048_576  # what Argo holds of a run: maxWorkflowSize in its workflow/packer/packer.go
WORDS = ("train", "model", "data", "epoch", "loss", "layer", "file", "rate", "score")


def size(given: Json | api.Checked) -> Json:
    found: Json = data(given)["size"]
    return found


def compiled(path: Path) -> tuple[api.Checked, int]:
    """An example, and the bytes of its compiled pipeline as JSON."""
    made = api.compile(path)
    assert made.yaml is not None
    return made.checked, len(json.dumps(next(iter(yaml.safe_load_all(made.yaml)))))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_it_is_about_what_is_compiled(path: Path) -> None:
    checked, whole = compiled(path)
    found = size(checked)
    # Argo keeps what the YAML has several times once, and adds the state of each step.
    assert whole / 2 < found["bytes"] < 7 * whole + 10_000
    assert found["share"] == pytest.approx(found["bytes"] / LIMIT, abs=0.001)


def test_each_step_takes_its_part_also_where_it_says_nothing() -> None:
    # Argo's templates, and their state while it runs: some KiB each, however short a command is.
    few, many = (size(document([job(f"t{number}") for number in range(count)]))["bytes"] for count in (1, 101))
    assert 150_000 < many - few < 600_000


def test_the_script_of_a_sweep_counts_once_and_one_beside_the_items_value_each_time() -> None:
    def bytes_(items: int, **fields: Any) -> int:
        each = {"forEach": {"items": [{"seed": number} for number in range(items)]}}
        task = {"id": "t", "type": "job", "script": "echo " + "x" * 30_000} | each | fields
        found: int = size(document([task]))["bytes"]
        return found

    handed_over = {"args": ["{{item.seed}}"]}
    assert bytes_(5, **handed_over) - bytes_(1, **handed_over) < 45_000
    set_before = {"env": [{"name": "SEED", "value": "{{item.seed}}"}]}
    assert bytes_(5, **set_before) - bytes_(1, **set_before) > 4 * 30_000


def script(seed: int, length: int) -> str:
    """Lines of random words, as commands are: gzip takes about two thirds of them away."""
    of = random.Random(seed)
    line = "echo {}{} {}{} {}{} {}{} {}{} {}{}\n"
    return "".join(
        line.format(*(part for _ in range(6) for part in (of.choice(WORDS), of.randrange(100))))
        for _ in range(length // 40)
    )[:length]


def chain(tasks: list[Json]) -> list[Json]:
    return [
        {"fromTask": one["id"], "fromPath": "/out", "toTask": other["id"], "toPath": "/in"}
        for one, other in pairwise(tasks)
    ]


def scripts(count: int, length: int) -> list[Json]:
    return [{"id": f"t{n}", "type": "job", "image": "busybox:1", "script": script(n, length)} for n in range(count)]


def short(count: int) -> list[Json]:
    return [
        {"id": f"t{n}", "type": "job", "image": "busybox:1", "command": ["echo", f"step {n}"]} for n in range(count)
    ]


def sweep(count: int, **fields: Any) -> list[Json]:
    each = {"items": [{"seed": number} for number in range(count)]}
    return [{"id": "t0", "type": "job", "image": "busybox:1", "forEach": each, "script": script(1, 20_000)} | fields]


SEED = {"env": [{"name": "SEED", "value": "{{item.seed}}"}]}


# What Argo's packer keeps of the run of each, all of it compressed: tests/judge/kfp has the program that tells it.
@pytest.mark.parametrize(
    ("tasks", "arrows", "kept"),
    [
        (short(90), False, 234_990),
        (short(300), False, 777_528),
        (scripts(60, 3000), False, 760_020),
        (scripts(20, 3000), True, 376_396),
        (scripts(60, 3000), True, 1_173_386),
        (sweep(60, **SEED), False, 2_049_512),
    ],
    ids=["short", "many-short", "scripts", "some-chained", "chained", "sweep"],
)
def test_it_is_about_what_argo_keeps_of_a_run(tasks: list[Json], arrows: bool, kept: int) -> None:
    whole = document(tasks, arrows=chain(tasks) if arrows else [])
    found = api.validate(api.parse(json.dumps(whole)))
    assert found.analysis is not None
    assert {one.code for one in found.diagnostics} <= {"K207", "K604", "K605"}
    assert 0.9 * kept < estimate(build(found.analysis)).total < 1.25 * kept
