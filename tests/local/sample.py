"""A run's folder made by hand, for tests of what reads one. The runs that the runner makes are tested beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from kade2kfp.local.folder import new_run
from kade2kfp.local.state import Artifact, Attempt, Failure, RunState, StepState, to_json

START = 1_760_000_000.0
DOCUMENT = {
    "apiVersion": "kade2kfp/v1",
    "name": "flow",
    "defaults": {"image": "python:3.11-slim"},
    "tasks": [
        {"id": "make", "type": "job", "name": "Make data", "script": "echo 1 > /out/a.txt"},
        {"id": "train", "type": "job", "script": "exit 3"},
        {"id": "report", "type": "job", "script": "true"},
    ],
    "arrows": [
        {"fromTask": "make", "fromPath": "/out", "toTask": "train", "toPath": "/in"},
        {"fromTask": "train", "toTask": "report"},
    ],
}


def sample_state(name: str = "flow", id_: str = "0c6b1c1e-3f0a-4b8e-9a55-0123456789ab") -> RunState:
    """A run with a step that succeeded, one that failed and one that was skipped for it."""
    make = StepState(
        "make-data",
        "make",
        "Make data",
        "job",
        "succeeded",
        (),
        START,
        START + 1.5,
        (Attempt(1, "logs/make-data/1.log", START, START + 1.5, 0),),
        {"rows": 3},
        {"accuracy": 0.75},
        (Artifact("out", "/out", "directory", "Dataset", "artifacts/make-data/out", 1, 2, "ab" * 32),),
    )
    failure = Failure("K710", "the command exited with code 3", "its last lines are below", ("epoch 1", "no rows"))
    train = StepState(
        "train",
        "train",
        "train",
        "job",
        "failed",
        ("make-data",),
        START + 2,
        START + 5,
        (Attempt(1, "logs/train/1.log", START + 2, START + 5, 3),),
        failure=failure,
    )
    report = StepState("report", "report", "report", "job", "skipped", ("train",), note="train failed")
    return RunState(
        id_,
        name,
        "flow",
        "flow",
        "flow.json",
        "failed",
        START,
        "process",
        {"lr": 0.1},
        (make, train, report),
        START + 5,
    )


def sample_run(home: Path, slug: str = "flow", **changes: object) -> Path:
    """The folder of such a run below `home`; `changes` are fields of its state."""
    folder, id_ = new_run(home, slug)
    state = replace(sample_state(folder.name, id_), **changes)
    (folder / "state.json").write_text(to_json(state))
    (folder / "pipeline.json").write_text(json.dumps(DOCUMENT))
    (folder / "lock").touch()
    for step, text in (("make-data", "made\n"), ("train", "epoch 1\nno rows\n")):
        (folder / "logs" / step).mkdir(parents=True)
        (folder / "logs" / step / "1.log").write_text(text)
    (folder / "artifacts/make-data/out").mkdir(parents=True)
    (folder / "artifacts/make-data/out/a.txt").write_text("1\n")
    return folder
