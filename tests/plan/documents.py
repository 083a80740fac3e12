"""Documents as data, and what the passes make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kade2kfp.api import Checked, parse, validate
from kade2kfp.diagnostics.severity import errors
from kade2kfp.plan.analysis import Analysis
from kade2kfp.steps.model import Plan, Step

Json = dict[str, Any]


def job(id_: str, **fields: Any) -> Json:
    """A job that could run; `fields` are the document's own, `image=None` leaves the image out."""
    task = {"id": id_, "type": "job", "image": "img:1", "command": ["true"]} | fields
    return {key: value for key, value in task.items() if value is not None}


def arrow(giver: str, taker: str, out: str | None = None, into: str | None = None, **fields: Any) -> Json:
    """An arrow; with one path it is `/in` at the other end, without any it is order only."""
    paths = {"fromPath": out, "toPath": into or "/in"} if out else {}
    return {"fromTask": giver, "toTask": taker, **paths, **fields}


def document(*tasks: Json, arrows: tuple[Json, ...] = (), **fields: Any) -> Json:
    """A pipeline called `demo`."""
    return {"apiVersion": "kade2kfp/v1", "name": "demo", "tasks": list(tasks), "arrows": list(arrows)} | fields


def check(doc: Json, *, folder: Path | None = None, values: Json | None = None) -> Checked:
    """What `validate` says."""
    return validate(parse(json.dumps(doc)), folder=folder, values=values)


def analysis(doc: Json, **how: Any) -> Analysis:
    """What the passes find out, also where something is wrong."""
    found = check(doc, **how).analysis
    assert found is not None
    return found


def plan(doc: Json, **how: Any) -> Plan:
    """The plan of a document without errors."""
    checked = check(doc, **how)
    assert not errors(list(checked.diagnostics)), [(one.code, one.message) for one in checked.diagnostics]
    assert checked.plan is not None
    return checked.plan


def steps(doc: Json, **how: Any) -> dict[str, Step]:
    """The steps of a document without errors, by the task's id."""
    return {node.task: node for node in plan(doc, **how).nodes if isinstance(node, Step)}


def codes(checked: Checked) -> list[str]:
    """The codes of the errors, in order."""
    return [one.code for one in checked.diagnostics if errors([one])]


def marked(doc: Json, checked: Checked) -> list[tuple[str, str]]:
    """Each error's code with the text of the document that it marks; the document stands on one line."""
    line = json.dumps(doc)
    found = []
    for one in checked.diagnostics:
        if errors([one]):
            assert one.span is not None
            found.append((one.code, line[one.span.column - 1 : one.span.end_column - 1]))
    return found
