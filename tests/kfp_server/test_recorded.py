"""The 39 exchanges of a real KFP 2.17, in order, against this server: the same statuses, keys and types."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from kfp_server import serve

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "recorded.json").read_text())
_KEYS = ("run_id", "recurring_run_id", "pipeline_version_id", "experiment_id", "pipeline_id")
# Between these exchanges something happened to a run that no request tells of.
BETWEEN = {20: (14, "SUCCEEDED"), 24: (12, "FAILED")}


def test_the_recorded_exchanges() -> None:
    ids: dict[str, str] = {}
    with serve(execute=False) as kfp:
        for number, one in enumerate(RECORDED):
            if number in BETWEEN:
                source, state = BETWEEN[number]
                kfp.end(ids[RECORDED[source]["reply"]["run_id"]], state)
            status, got = ask(kfp.url, one, ids)
            assert status == one["status"], (number, got)
            same(one["reply"], got, ids, f"{number} {one['method']} {one['url']}")


def ask(url: str, one: dict[str, Any], ids: dict[str, str]) -> tuple[int, Any]:
    query = urllib.parse.urlencode([(key, mapped(str(value), ids)) for key, value in one["query"]])
    whole = f"{url}{mapped(one['url'], ids)}" + (f"?{query}" if query else "")
    headers, data = {"Accept": "application/json"}, None
    if one["files"]:
        boundary = uuid.uuid4().hex
        field, name = one["files"][0]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
        data = f"{head}{content(name)}\r\n--{boundary}--\r\n".encode()
        headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
    elif one["body"] is not None:
        data = mapped(json.dumps(one["body"]), ids).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(whole, data, headers, method=one["method"])
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.headers["Content-Type"] == "application/json"
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def content(name: str) -> str:
    """The file that was uploaded, as far as its answer tells it."""
    if name != "k8s.yaml":
        return "apiVersion: v1\nkind: ConfigMap\n"
    spec = RECORDED[3]["reply"]["pipeline_spec"]
    return str(yaml.safe_dump_all([spec["pipeline_spec"], spec["platform_spec"]]))


def mapped(text: str, ids: dict[str, str]) -> str:
    for theirs, ours in ids.items():
        text = text.replace(theirs, ours)
    return text


def is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def same(theirs: Any, ours: Any, ids: dict[str, str], place: str) -> None:
    """The same keys, types and values; ids and times of theirs stand for ours."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), place
        assert sorted(theirs) == sorted(ours), place
        for key in theirs:
            same(theirs[key], ours[key], ids, f"{place} {key}")
    elif isinstance(theirs, list):
        assert isinstance(ours, list), place
        assert len(theirs) == len(ours), place
        # Rows of the same second come in the order of their ids, which are random.
        key = next((one for one in _KEYS if theirs and one in theirs[0]), "")
        known = {one[key]: one for one in ours} if key else {}
        for index, one in enumerate(theirs):
            fits = known.get(ids.get(one[key], ""), ours[index]) if key else ours[index]
            if key and one[key] not in ids:
                fits = next(row for id_, row in known.items() if id_ not in ids.values())
            same(one, fits, ids, f"{place} {index}")
    elif isinstance(theirs, str) and is_id(theirs):
        assert is_id(str(ours)), place
        assert ids.setdefault(theirs, ours) == ours, place
    elif isinstance(theirs, str) and theirs.endswith("Z") and theirs[:2] in ("19", "20"):
        assert len(theirs) == len(ours), place
        assert (theirs[:4] == "1970") == (ours[:4] == "1970"), place
    else:
        assert type(theirs) is type(ours), place
        assert theirs == ours, place


@pytest.mark.parametrize("number", [0, 15, 38])
def test_the_comparison_finds_what_differs(number: int) -> None:
    for changed in ({"new": 1}, {next(iter(RECORDED[number]["reply"])): 5.5}):
        with pytest.raises(AssertionError):
            same(RECORDED[number]["reply"], RECORDED[number]["reply"] | changed, {}, "")
