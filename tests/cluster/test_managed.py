from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.cluster.managed import managed

ITEM = {"name": "a", "image": "x", "args": ["1", "2"]}
FIELDS = {
    "f:metadata": {"f:labels": {"f:own": {}}},
    "f:spec": {
        "f:list": {'k:{"name":"a"}': {".": {}, "f:args": {}}, 'k:{"name":"gone"}': {".": {}}},
        "f:set": {'v:"b"': {}, 'v:"gone"': {}},
        "f:empty": {".": {}},
        "f:gone": {},
    },
}


def one(fields: Any, **more: Any) -> dict[str, Any]:
    entry = {"manager": "us", "operation": "Apply", "fieldsV1": fields, **more}
    metadata = {"labels": {"own": "1", "other": "2"}, "managedFields": [{"manager": "x"}, "y", entry]}
    spec = {"list": [ITEM, {"name": "b"}], "set": ["a", "b"], "empty": {"theirs": 1}, "replicas": 3}
    return {"metadata": metadata, "spec": spec}


def test_only_what_was_applied() -> None:
    assert managed(one(FIELDS), "us") == {
        "metadata": {"labels": {"own": "1"}},
        "spec": {"list": [{"name": "a", "args": ["1", "2"]}], "set": ["b"], "empty": {}},
    }


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"metadata": {"managedFields": 7}},
        one({}, operation="Update"),
        one({}, manager="x"),
        one({}, subresource="status"),
        one({"f:spec": {"f:list": {"k:{": {}, "v:x": {}, "i:99": {}, "i:[]": {}, "k:[]": {}}}})
        | {"spec": {"list": []}},
    ],
)
def test_nothing(found: dict[str, Any]) -> None:
    assert managed(found, "us") in ({}, {"spec": {"list": []}})
