"""Documents that have a bit of everything, and starting them with the real kfp.Client."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

from kfp_server import Kfp

from kade2kfp.api import compile, parse

from .argo import document, job

Json = dict[str, Any]
HOSTILE = "a <b>\x1b[31m</script>\u202e"
FLOW = document(
    [
        job(
            "make",
            """mkdir -p /o; echo hi >/o/f; echo 7 >/rows; echo '{"acc": 0.5, "loss": 1.25}' >/m.json; echo made""",
            outputs=[{"name": "rows", "type": "integer", "path": "/rows"}],
            metrics="/m.json",
        ),
        job("each", "mkdir -p /e; echo {{item.a}} >/e/x; cat /i/f", forEach={"items": "{{params.list}}"}),
        job("gather", "cat /all/index.json"),
        {
            "id": "check",
            "type": "condition",
            "test": {"left": "{{tasks.make.outputs.rows}}", "operator": ">", "right": 5},
        },
        job("good", "echo good {{tasks.make.outputs.rows}} {{tasks.make.metrics.acc}}; cat /i/f"),
        job("bad", "echo bad"),
        job("boom", "echo one; echo two; test {{params.well}} = yes"),
        job("late", "echo late"),
    ],
    [
        {"fromTask": "make", "fromPath": "/o", "toTask": "each", "toPath": "/i"},
        {"fromTask": "each", "fromPath": "/e", "toTask": "gather", "toPath": "/all"},
        {"fromTask": "check", "toTask": "good", "branch": "then"},
        {"fromTask": "check", "toTask": "bad", "branch": "else"},
        {"fromTask": "make", "fromPath": "/o", "toTask": "good", "toPath": "/i"},
        {"fromTask": "make", "toTask": "boom"},
        {"fromTask": "boom", "toTask": "late"},
    ],
    parameters=[
        {"name": "list", "type": "array", "default": [{"a": 1}, {"a": 2}]},
        {"name": "well", "type": "string", "default": "no"},
    ],
)
STATUSES = {
    "make": "succeeded",
    "boom": "failed",
    "check": "succeeded",
    "good": "succeeded",
    "bad": "not-taken",
    "each-loop": "succeeded",
    "each-0": "succeeded",
    "each-1": "succeeded",
    "gather": "succeeded",
    "late": "skipped",
}


def client_of(kfp: Kfp) -> Any:
    from kfp import Client

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Client(host=kfp.url)


def start(kfp: Kfp, doc: Json, name: str = "job", **parameters: Any) -> str:
    """Upload a document and run it; the run's id. A document that was uploaded is taken again."""
    text = compile(parse(json.dumps(doc))).yaml
    assert text is not None
    client = client_of(kfp)
    pipeline = client.get_pipeline_id(doc["name"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.yaml")
        path.write_text(text)
        if pipeline is None:
            pipeline = client.upload_pipeline(str(path), pipeline_name=doc["name"]).pipeline_id
            version = client.list_pipeline_versions(pipeline).pipeline_versions[0]
        else:
            count = len(client.list_pipeline_versions(pipeline).pipeline_versions)
            version = client.upload_pipeline_version(str(path), f"v{count}", pipeline_id=pipeline)
    experiment = client.get_experiment(experiment_name="Default").experiment_id
    run = client.run_pipeline(
        experiment, name, pipeline_id=pipeline, version_id=version.pipeline_version_id, params=parameters
    )
    return str(run.run_id)


def ended(kfp: Kfp, doc: Json, name: str = "job", **parameters: Any) -> str:
    """Run a document to its end; the run's id."""
    run = start(kfp, doc, name, **parameters)
    kfp.wait(run, seconds=90)
    return run
