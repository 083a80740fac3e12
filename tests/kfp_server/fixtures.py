"""A KFP for a test: `from kfp_server.fixtures import kfp`, where `tests/` is on sys.path."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from .kfp import Kfp, serve


@pytest.fixture
def kfp(tmp_path: Path) -> Iterator[Kfp]:
    """A KFP that executes what is submitted, in a folder that every user may enter; pytest's own are closed to others."""
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_mode & 0o005 != 0o005 and above != Path("/"):
            above.chmod(0o755)
    folder = tmp_path / "kfp"
    folder.mkdir()
    with serve(folder) as made:
        yield made
    shutil.rmtree(folder, ignore_errors=True)


def ask(
    kfp: Kfp | str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """A plain request: the status, and the answer as JSON, or as text where it is none."""
    url = kfp if isinstance(kfp, str) else kfp.url
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url}{path}", data, {"Content-Type": "application/json", **(headers or {})}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, content = error.code, error.read()
    try:
        return status, json.loads(content)
    except ValueError:
        return status, content.decode()


def nodes(kfp: Kfp, run_id: str) -> dict[str, dict[str, Any]]:
    """The nodes of a run's workflow, as v1beta1 tells it, by name, where the workflow is called `wf`."""
    _, found = ask(kfp, "GET", f"/apis/v1beta1/runs/{run_id}")
    workflow = json.loads(found["pipeline_runtime"]["workflow_manifest"])
    name = workflow["metadata"]["name"]
    return {one["name"].replace(name, "wf", 1): one for one in workflow["status"]["nodes"].values()}
