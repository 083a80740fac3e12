"""What the cluster of these tests has to get right, for two who decide at once are told apart by it alone."""

from __future__ import annotations

from typing import Any

import pytest

from .apply import ConflictError, apply, merge


def config(data: dict[str, str | None], **metadata: object) -> dict[str, Any]:
    return {"metadata": {"name": "r", **metadata}, "data": data}


def test_another_value_of_another_manager_is_a_conflict_and_the_same_is_shared() -> None:
    live = apply(None, config({"a": "1"}), "alice", force=False)
    with pytest.raises(ConflictError, match=r'Apply failed with 1 conflict: conflict with "alice": \.data\.a'):
        apply(live, config({"a": "2"}), "bob", force=False)
    shared = apply(live, config({"a": "1", "b": "2"}), "bob", force=False)
    assert shared["owners"] == {"data.a": ["alice", "bob"], "data.b": ["bob"]}
    assert apply(live, config({"a": "2"}), "bob", force=True)["data"] == {"a": "2"}


def test_what_a_manager_no_longer_names_goes_unless_somebody_else_has_it() -> None:
    live = apply(None, config({"a": "1", "b": "1"}), "alice", force=False)
    live = apply(live, config({"a": "1"}), "bob", force=False)
    assert apply(live, config({"c": "1"}), "alice", force=False)["data"] == {"a": "1", "c": "1"}


def test_a_version_that_is_not_the_live_one_is_a_conflict() -> None:
    live = apply(None, config({"a": "1"}), "alice", force=False)
    version = live["metadata"]["resourceVersion"]
    gone = merge(live, config({"a": None}, resourceVersion=version), "x")
    assert gone["data"] == {}
    with pytest.raises(ConflictError, match="the object has been modified"):
        merge(gone, config({"b": "1"}, resourceVersion=version), "x")
    assert apply(gone, config({"a": "2"}), "bob", force=False)["data"] == {"a": "2"}
