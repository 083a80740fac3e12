"""Documents to describe, and what must hold of every description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from kade2kfp import api
from kade2kfp.description.build import description
from kade2kfp.description.full import in_full
from kade2kfp.description.model import Description
from kade2kfp.description.schema import as_json
from kade2kfp.description.text import overview
from kade2kfp.diagnostics.escape import terminal, width
from kade2kfp.plan.needs import needs_of
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.sources import literal

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
RICH = Path(__file__).with_name("rich.json")
SCHEMA = ROOT / "schemas/describe.v1.json"
EXAMPLES = sorted(ROOT.glob("examples/*/pipeline.json"))
CONTROL = sorted((ROOT / "tests/control").glob("*.json"))
_OWN_GROUPS = ("condition-", "for-loop-", "exit-handler-")
_RESOURCES = {
    "secret": "secrets",
    "configMap": "configmaps",
    "claim": "persistentvolumeclaims",
    "storageClass": "storageclasses",
}


def document(tasks: list[Json], **fields: Any) -> Json:
    return {"apiVersion": "kade2kfp/v1", "name": "flow", "defaults": {"image": "busybox:1"}, "tasks": tasks} | fields


def job(id_: str, **fields: Any) -> Json:
    return {"id": id_, "type": "job", "command": ["true"]} | fields


def checked(given: Json | str, folder: Path | None = None) -> api.Checked:
    found = api.validate(
        api.parse(given if isinstance(given, str) else json.dumps(given, indent=1), "p.json"), folder=folder
    )
    assert found.plan, [f"{one.code} {one.message}" for one in found.diagnostics]
    return found


def described(given: Json | str | api.Checked) -> Description:
    found = given if isinstance(given, api.Checked) else checked(given)
    assert found.analysis
    assert found.plan
    return description(found.source, found.analysis, found.plan)


def task(found: Json, id_: str) -> Json:
    return next(one for one in found["tasks"] if one["id"] == id_)


def data(given: Json | str | api.Checked) -> Json:
    """The description as whoever reads the JSON has it."""
    read: Json = json.loads(as_json(described(given)))
    return read


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def sound(found: api.Checked) -> Json:
    """The description of a document, by which all holds that holds of any."""
    first = described(found)
    text = as_json(first)
    assert as_json(described(found)) == text
    read: Json = json.loads(text)
    assert [error.message[:300] for error in validator().iter_errors(read)] == []
    _places_resolve(found.source, read)
    _needs_are_those_of_the_plan(found.plan, read)
    _images_are_those_of_the_plan(found.plan, read)
    for columns in (60, 80, 120):
        for shown in (overview(first, columns), *(in_full(first, one, columns) for one in first.tasks)):
            assert all(width(line) <= columns for line in shown.split("\n"))
            assert all(terminal(line) == line for line in shown.split("\n"))
    return read


def _places_resolve(source: api.Source, read: Json) -> None:
    for place in _places(read):
        value: Any = source.root
        for part in place["pointer"].split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            value = value[int(part)] if isinstance(value, list) else value[part]
        assert 1 <= place["line"] <= source.text.count("\n") + 1
    for one in read["tasks"]:
        for setting in one["settings"]:
            assert (setting["origin"]["place"] is None) == (setting["origin"]["kind"] == "type")
            assert (setting["origin"]["task"] is None) == (setting["origin"]["kind"] not in ("task", "inherited"))


def _places(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if set(value) == {"pointer", "line"}:
            yield value
        for one in value.values():
            yield from _places(one)
    elif isinstance(value, list):
        for one in value:
            yield from _places(one)


def _needs_are_those_of_the_plan(plan: Plan | None, read: Json) -> None:
    assert plan
    wanted = {(need.resource, need.name, need.key, frozenset(tasks)) for need, tasks in needs_of(plan, {}).items()}
    told: dict[tuple[str, str, str], set[str]] = {}
    for need in read["needs"]:
        name = need["resolved"] if need["resolved"] is not None else need["name"] or ""
        if not need["optional"] and "{{" not in name:
            told.setdefault((_RESOURCES[need["kind"]], name, need["key"] or ""), set()).update(need["tasks"])
    # Several that name the same object, one of them optionally, are one row.
    keys = {key[:3] for key in wanted}
    assert {(*key, frozenset(tasks)) for key, tasks in told.items() if key in keys} >= wanted
    assert set(told) == keys


def _images_are_those_of_the_plan(plan: Plan | None, read: Json) -> None:
    assert plan
    steps = [node for node in plan.nodes if isinstance(node, Step)]
    steps += [node.service.server for node in steps if node.service]
    known = {text for step in steps if (text := literal(step.image)) is not None}
    told = {one["image"] for one in read["images"] if "{{" not in one["image"]}
    assert known <= told <= known | {plan.toolbox_image}
    assert bool(told - known) <= any(one["toolbox"] for one in read["images"])


def kfp_names(read: Json) -> set[str]:
    """The names that a description says KFP has."""
    return {step["kfpName"] for one in read["tasks"] for step in one["steps"] if step["kfpName"]} | {
        one["kfpName"] for one in read["added"]
    }


def compiled_names(text: str) -> tuple[set[str], set[str]]:
    """The names of a compiled pipeline's tasks but for those of the SDK's own groups; and the images of its containers."""
    spec = next(iter(yaml.safe_load_all(text)))
    dags = [spec["root"]["dag"], *(one["dag"] for one in spec["components"].values() if "dag" in one)]
    groups = {name for name, one in spec["components"].items() if "dag" in one}
    names = {
        name
        for dag in dags
        for name, one in dag["tasks"].items()
        if one["componentRef"]["name"] not in groups or not name.startswith(_OWN_GROUPS)
    }
    executors = spec.get("deploymentSpec", {}).get("executors", {}).values()
    images = {one["container"]["image"] for one in executors if "container" in one}
    return names, {image for image in images if "{{" not in image}
