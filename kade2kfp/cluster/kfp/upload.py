"""A pipeline, its version by content, and an experiment: each found or made, none made twice."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.client import Kfp, ask, numbers_of
from kade2kfp.cluster.kfp.errors import KfpError

_NAMES = (2, 14)  # before it, a pipeline had a display name alone (backend/api/v2beta1/pipeline.proto)
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Submission:
    """What is to be there in KFP. `ir` is the pipeline's YAML; `run_name` may be empty; `parameters` are JSON values."""

    slug: str
    display_name: str
    ir: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    experiment: str = "Default"
    run_name: str = ""
    service_account: str = ""
    tasks: str = ""
    """What the version's description says of its steps' tasks (tree.py, tasks_text)."""

    @property
    def version(self) -> str:
        """The version's name, which tells its content."""
        return f"{self.slug}-{sha256(self.ir.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something in KFP: its id, and whether this submit has made it."""

    id: str
    made: bool


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Where a submission's pipeline is in KFP."""

    pipeline: Thing
    version: Thing
    experiment: Thing


def upload(kfp: Kfp, wanted: Submission) -> Uploaded:
    """The pipeline, its version and the experiment, each made where it is not there. Raises CannotDoError."""
    pipeline = _found_or_made(kfp, lambda: find_pipeline(kfp, wanted.slug), lambda: _make_pipeline(kfp, wanted))
    version = _found_or_made(
        kfp,
        lambda: find_version(kfp, pipeline.id, wanted.version),
        lambda: _make_version(kfp, pipeline.id, wanted),
    )
    experiment = _found_or_made(
        kfp, lambda: find_experiment(kfp, wanted.experiment), lambda: _make_experiment(kfp, wanted.experiment)
    )
    return Uploaded(pipeline, version, experiment)


def find_pipeline(kfp: Kfp, slug: str) -> str | None:
    """The id of the pipeline of that name."""
    answer = ask(
        kfp,
        f"look for the pipeline {slug}",
        lambda client: client._pipelines_api.pipeline_service_list_pipelines(
            namespace=kfp.namespace, filter=equals("name", slug), page_size=_PAGE
        ),
    )
    return _named(answer.get("pipelines"), "name", slug, "pipeline_id")


def find_version(kfp: Kfp, pipeline: str, name: str) -> str | None:
    """The id of a pipeline's version of that name."""
    answer = ask(
        kfp,
        f"look for the version {name}",
        lambda client: client._pipelines_api.pipeline_service_list_pipeline_versions(
            pipeline, filter=equals("name", name), page_size=_PAGE
        ),
    )
    return _named(answer.get("pipeline_versions"), "name", name, "pipeline_version_id")


def find_experiment(kfp: Kfp, name: str) -> str | None:
    """The id of the experiment of that name."""
    answer = ask(
        kfp,
        f"look for the experiment {name}",
        lambda client: client._experiment_api.experiment_service_list_experiments(
            namespace=kfp.namespace, filter=equals("display_name", name), page_size=_PAGE
        ),
    )
    return _named(answer.get("experiments"), "display_name", name, "experiment_id")


def equals(key: str, value: str) -> str:
    """A filter for KFP's lists (backend/api/v2beta1/filter.proto)."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def _found_or_made(kfp: Kfp, find: Callable[[], str | None], make: Callable[[], str]) -> Thing:
    """What has a name that is there once only: so it may be made by anybody meanwhile, and by a request whose answer was lost."""
    if found := find():
        return Thing(found, made=False)
    try:
        return Thing(make(), made=True)
    except RefusedError as error:
        if error.status in (401, 403, 413) or not (found := find()):
            raise
        return Thing(found, made=error.status != 409)


def _make_pipeline(kfp: Kfp, wanted: Submission) -> str:
    numbers = numbers_of(kfp.version)
    named = numbers is None or numbers >= _NAMES
    body = {"display_name": wanted.display_name if named else wanted.slug, "description": wanted.description}
    body |= {"name": wanted.slug} if named else {}
    if kfp.namespace:
        body["namespace"] = kfp.namespace
    answer = ask(
        kfp,
        f"make the pipeline {wanted.slug}",
        lambda client: client._pipelines_api.pipeline_service_create_pipeline(pipeline=body),
    )
    return id_of(answer, "pipeline_id", kfp)


def _make_version(kfp: Kfp, pipeline: str, wanted: Submission) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{wanted.slug}.yaml")
        file.write_text(wanted.ir, encoding="utf-8")
        answer = ask(
            kfp,
            f"upload the version {wanted.version}",
            lambda client: client._upload_api.upload_pipeline_version(
                str(file),
                name=wanted.version,
                display_name=wanted.version,
                pipelineid=pipeline,
                **({"description": wanted.tasks} if wanted.tasks else {}),
            ),
        )
    return id_of(answer, "pipeline_version_id", kfp)


def _make_experiment(kfp: Kfp, name: str) -> str:
    body = {"display_name": name} | ({"namespace": kfp.namespace} if kfp.namespace else {})
    answer = ask(
        kfp,
        f"make the experiment {name}",
        lambda client: client._experiment_api.experiment_service_create_experiment(experiment=body),
    )
    return id_of(answer, "experiment_id", kfp)


def _named(rows: Any, key: str, name: str, id_: str) -> str | None:
    """The id of the row of that name; KFP's database may take no notice of upper case, nor does it then take two such names."""
    named = [one for one in rows or () if str(one.get(key) or one.get("display_name")).casefold() == name.casefold()]
    exact = [one for one in named if (one.get(key) or one.get("display_name")) == name]
    return next((str(one[id_]) for one in (*exact, *named) if one.get(id_)), None)


def id_of(answer: Mapping[str, Any], name: str, kfp: Kfp) -> str:
    """The id of what KFP has made. Raises KfpError where it does not say it."""
    if not isinstance(answer.get(name), str):
        raise KfpError(f"{kfp.target.address} does not say the {name} of what it has made", "is it KFP 2?", status=200)
    return str(answer[name])
