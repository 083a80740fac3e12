"""Nothing that a user writes is lost: every field is found in the compiled pipeline, or a diagnostic says why not."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from kade2kfp import api

from .asking import errors, leaves
from .examples_of_fields import CHANGES, EDITORS, HOLDS, LOGS, Found, Row
from .examples_of_types import OTHERS, TYPES
from .models import ROOTS, paths

BASES: dict[str, dict[str, Any]] = {
    "loadData": {"url": "https://example.org/a", "path": "/data"},
    "job": {"image": "busybox:1", "command": ["run"]},
    "container": {"image": "busybox:1", "command": ["run"], "advance": "auto"},
    "notebook": {"image": "busybox:1", "advance": "auto", "notebook": "/a.ipynb"},
    "viewer": {"logPath": "/logs", "^arrows": [LOGS]},
    "serving": {
        "framework": "sklearn",
        "volume": "models",
        "^volumes": [{"id": "nas", "claimName": "the-claim"}, {"id": "models", "claimName": "the-models"}],
        "^arrows": [{"fromTask": "before", "fromPath": "/a", "toTask": "t", "toPath": "/model"}],
    },
    "condition": {
        "test": {"left": 1, "operator": "==", "right": 1},
        "^behind": [{"id": "behind", "type": "job", "image": "busybox:1", "command": ["end"]}],
        "^arrows": [{"fromTask": "before", "toTask": "t"}, {"fromTask": "t", "toTask": "behind", "branch": "then"}],
    },
    "select": {"metric": "a", "path": "/a", "^arrows": [{"fromTask": "before", "fromPath": "/a", "toTask": "t", "toPath": "/b"}], "^before": {"metrics": "/m.json"}},
}  # fmt: skip
ROWS = {**OTHERS, **TYPES}


def whole(root: str, patch: dict[str, Any], drop: str = "") -> dict[str, Any]:
    """A small document with a patch in it, at the model that `root` names; without one of its fields again."""
    own = {key: value for key, value in patch.items() if not key.startswith("^")}
    kind = root if root in TYPES else "job"
    base = copy.deepcopy(BASES[kind])
    more = {key: base.pop(key) for key in list(base) if key.startswith("^")} | patch
    before = {"id": "before", "type": "job", "image": "busybox:1", "command": ["begin"]} | more.get("^before", {})
    made: dict[str, dict[str, Any]] = {
        "task": {"id": "t", "type": kind} | base | more.get("^t", {}),
        "arrow": {"fromTask": "before", "toTask": "t"},
        "parameter": {"name": "p", "type": "string"},
        "volume": {"id": "nas", "claimName": "the-claim"},
        "defaults": {},
        "pipeline": {"apiVersion": "kade2kfp/v1", "name": "p"},
    }
    changed = "task" if root in TYPES else root
    made[changed] |= own
    if drop:
        made[changed] = without(made[changed], drop.split("."))
    if root == "volume":
        made["task"]["volumes"] = [{"id": "nas", "mountPath": "/nas"}]
    return {
        "tasks": [before, made["task"], *more.get("^behind", [])],
        "arrows": more.get("^arrows", [made["arrow"]]),
        "parameters": [made["parameter"]],
        "volumes": more.get("^volumes", [made["volume"]]),
        "defaults": made["defaults"],
        **made["pipeline"],
    }


def without(value: Any, path: list[str]) -> Any:
    """The value without a field, in all elements of lists on the way; a KeyError where none has it."""
    if isinstance(value, list):
        if not any(_has(one, path) for one in value):
            raise KeyError(path)
        return [without(one, path) if _has(one, path) else one for one in value]
    head, *rest = path
    if not rest:
        return {key: one for key, one in value.items() if key != head}
    return value | {head: without(value[head], rest)}


def _has(value: Any, path: list[str]) -> bool:
    if not path:
        return True
    if isinstance(value, list):
        return any(_has(one, path) for one in value)
    return isinstance(value, dict) and value.get(path[0]) is not None and _has(value[path[0]], path[1:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file that a document may name."""
    made = tmp_path_factory.mktemp("sources")
    (made / "source.txt").write_text("the source\n")
    return made


def compile_(document: dict[str, Any], folder: Path) -> tuple[api.Compiled, list[Any]]:
    return _compiled(json.dumps(document), folder)


@functools.lru_cache(64)  # the fields of one example are tested one after the other
def _compiled(text: str, folder: Path) -> tuple[api.Compiled, list[Any]]:
    found = api.compile(api.parse(text), folder=folder)
    return found, list(_all_leaves(list(yaml.load_all(found.yaml, yaml.CSafeLoader)))) if found.yaml else []


def _all_leaves(value: Any) -> Iterator[Any]:
    """Every scalar, those of objects too that stand in the YAML as JSON texts."""
    for leaf in leaves(value):
        yield leaf
        if isinstance(leaf, str) and leaf.startswith("{"):
            with suppress(ValueError):
                yield from _all_leaves(json.loads(leaf))


def holds(there: list[Any], wanted: object) -> bool:
    """Whether a value is among the leaves: a text also as a part of a longer one."""
    if isinstance(wanted, str):
        return any(isinstance(leaf, str) and wanted in leaf for leaf in there)
    return any(str(leaf) == str(wanted) or str(leaf) == f"{wanted}.0" for leaf in there)


def _is_code(wanted: Found) -> bool:
    return isinstance(wanted, str) and wanted[1:].isdigit()


def cases() -> Iterator[Any]:
    for root, rows in ROWS.items():
        for row in rows:
            for path, found in row[1].items():
                yield pytest.param(root, row, path, found, id=f"{root}.{path}")


@pytest.mark.parametrize("root", ROOTS)
def test_every_field_has_an_example(root: str) -> None:
    known = {path for _, found in ROWS[root] for path in found}
    fields = set(paths(ROOTS[root]))
    assert sorted(fields - known) == [], "add them to examples_of_types.py"
    assert sorted(known - fields) == [], "there are no such fields"


@pytest.mark.parametrize(("root", "row", "path", "wanted"), list(cases()))
def test_a_field_is_found(root: str, row: Row, path: str, wanted: Found, folder: Path) -> None:
    patch = row[0]
    assert _has(patch, path.split(".")), "the example does not set the field"
    found, there = compile_(whole(root, patch), folder)
    codes = {one.code for one in found.diagnostics}
    other, left = compile_(whole(root, patch, drop=path), folder)
    if _is_code(wanted):
        assert wanted in codes, errors(found)
        assert "." in path or wanted not in {one.code for one in other.diagnostics}
    else:
        assert found.yaml is not None, errors(found)
        if wanted in (EDITORS, HOLDS):
            assert found.yaml == other.yaml
            return
        assert found.yaml != other.yaml
        for one in wanted if wanted != CHANGES else ():
            assert holds(there, one), f"{one!r} is nowhere in the compiled pipeline"
        if wanted != CHANGES and other.yaml is not None:
            assert not all(holds(left, one) for one in wanted), "it is there without the field too"
