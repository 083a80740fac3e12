"""Documents of older versions become the present one, and lose nothing on the way."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kade2kfp import api
from kade2kfp.document.pipeline import API_VERSION
from kade2kfp.document.versions import OLDER_VERSIONS
from kade2kfp.rewrite import upgrade as upgrades
from kade2kfp.rewrite.changes import Changes, Look
from kade2kfp.rewrite.fmt import formatted
from kade2kfp.rewrite.upgrade import UPGRADES, Upgrade, upgraded
from tests.cli.command import HELLO, kade2kfp, no_bug
from tests.whole.asking import errors, leaves
from tests.whole.profile import tries

from .any_text import KEYS, TREES, VALID, exact, spelt

Json = Any
OLD = "kade2kfp/v1beta1"
TWO: Json = {
    "apiVersion": OLD,
    "name": "two steps",
    "params": [{"name": "rate", "type": "number", "default": 0.5}],
    "defaults": {"image": "python:3.11-slim", "envVars": {"LEVEL": "info"}},
    "tasks": [
        {"id": "prepare", "kind": "job", "script": "echo 1 > /out/a.csv", "x-note": {"b": 1, "a": 2}},
        {"id": "train", "kind": "job", "envVars": {"EPOCHS": 20, "FAST": True}, "command": ["t", "{{params.rate}}"]},
    ],
    "edges": [
        {"from": {"task": "prepare", "path": "/out"}, "to": {"task": "train", "path": "/in"}, "ui": {"z": 1, "a": 2}}
    ],
}
NEW = """{
  "apiVersion": "kade2kfp/v1",
  "name": "two steps",
  "parameters": [
    {"name": "rate", "type": "number", "default": 0.5}
  ],
  "defaults": {"image": "python:3.11-slim", "env": [{"name": "LEVEL", "value": "info"}]},
  "tasks": [
    {"id": "prepare", "type": "job", "script": "echo 1 > /out/a.csv", "x-note": {"b": 1, "a": 2}},
    {
      "id": "train",
      "type": "job",
      "command": ["t", "{{params.rate}}"],
      "env": [{"name": "EPOCHS", "value": "20"}, {"name": "FAST", "value": "true"}]
    }
  ],
  "arrows": [
    {
      "fromTask": "prepare",
      "fromPath": "/out",
      "toTask": "train",
      "toPath": "/in",
      "ui": {"z": 1, "a": 2}
    }
  ]
}
"""


def read(document: Json) -> api.Source:
    return api.parse(document if isinstance(document, str) else json.dumps(document, indent=1), "old.json")


def older(document: Json) -> Json:
    """A document of kade2kfp/v1 as kade2kfp/v1beta1 had it."""
    names = {"arrows": "edges", "parameters": "params"}
    old = {names.get(key, key): value for key, value in document.items()} | {"apiVersion": OLD}
    old["tasks"] = [
        with_vars({("kind" if key == "type" else key): one for key, one in task.items()}) for task in old["tasks"]
    ]
    if "defaults" in old:
        old["defaults"] = with_vars(old["defaults"])
    if "edges" in old:
        old["edges"] = [edge(arrow) for arrow in old["edges"]]
    return old


def edge(arrow: Json) -> Json:
    ends: Json = {"from": {}, "to": {}}
    for key, value in arrow.items():
        end, part = ("from" if key.startswith("from") else "to"), key[-4:].lower()
        if key in ("fromTask", "fromPath", "toTask", "toPath"):
            ends[end][part] = value
        else:
            ends[key] = value
    return ends


def with_vars(owner: Json) -> Json:
    env = owner.get("env")
    if not env or len({one["name"] for one in env}) < len(env) or any(len(one) > 2 for one in env):
        return owner
    values = {one["name"]: one.get("value", one.get("valueFrom")) for one in env}
    return {("envVars" if key == "env" else key): (values if key == "env" else one) for key, one in owner.items()}


def test_the_worked_example() -> None:
    found = upgraded(read(TWO))
    assert found.text == NEW
    assert found.changes == (
        "`envVars` is now `env`, 2 times",
        "`kind` is now `type`, 2 times",
        "`from` of an edge is now `fromTask` and `fromPath`",
        "`to` of an edge is now `toTask` and `toPath`",
        "`edges` is now `arrows`",
        "`params` is now `parameters`",
    )
    assert [text for text, _ in found.looks] == [
        '`EPOCHS` was `20`: it is now the text `"20"`',
        '`FAST` was `true`: it is now the text `"true"`',
    ]
    checked = api.validate(read(NEW))
    assert not checked.diagnostics
    assert formatted(read(NEW)) == NEW


@tries(25, 3000)
@given(VALID.flatmap(lambda one: st.tuples(st.just(one), spelt(older(copy.deepcopy(one))))))
def test_an_older_document_means_what_it_meant(two: tuple[Json, str]) -> None:
    document, text = two
    found = upgraded(read(text))
    assert found.text is not None, found.conflicts
    before, after = api.validate(read(document)), api.validate(read(found.text))
    assert errors(after) == []
    assert before.plan == after.plan
    assert formatted(read(found.text)) == found.text


@tries(60, 5000)
@given(st.dictionaries(KEYS | st.sampled_from(["edges", "params", "defaults"]), TREES, max_size=4), st.data())
def test_every_leaf_is_there_afterwards(any_: Json, data: st.DataObject) -> None:
    words = st.sampled_from(["from", "to", "kind", "envVars", "env", "task", "path", "x-a", "toTask", "A"])
    part = st.dictionaries(words, TREES | st.dictionaries(words, TREES, max_size=3), max_size=4)
    document = any_ | {
        "apiVersion": OLD,
        "tasks": data.draw(st.lists(part | TREES, max_size=3)),
        "edges": data.draw(st.lists(part | TREES, max_size=3)),
    }
    source = read(data.draw(spelt(document)))
    assume(not source.diagnostics)
    found = upgraded(source)
    if found.text is None:
        assert all(one.code == "K111" and one.span is not None for one in found.conflicts)
        return
    left = Counter(map(plain, leaves(exact(source.text))))
    left.subtract(map(plain, leaves(exact(found.text))))
    names = {"edges", "params", "kind", "envVars", "from", "to", "task", "path", plain(OLD)}
    assert {one for one, count in left.items() if count > 0} <= names


def plain(leaf: Json) -> str:
    """A leaf as the text that it is as the value of a variable."""
    return "true" if leaf is True else "false" if leaf is False else str(getattr(leaf, "text", leaf))


@pytest.mark.parametrize(
    ("change", "message", "row"),
    [
        ({"arrows": []}, "both `edges` and `arrows` are there", '"edges"'),
        ({"parameters": None}, "both `params` and `parameters` are there", '"params"'),
        ({"defaults": {"env": [], "envVars": {}}}, "both `envVars` and `env` are there", '"envVars"'),
        ({"defaults": {"envVars": "A=B"}}, "`envVars` is an object of names and values", '"envVars"'),
        ({"defaults": {"envVars": {"A": ["b"]}}}, "the value of `A` is a list", '"A"'),
        ({"tasks": [{"id": "a", "kind": "job", "type": "job"}]}, "both `kind` and `type` are there", '"kind"'),
        ({"edges": [{"from": "a"}]}, "`from` of an edge is an object with `task` and `path`", '"from"'),
        ({"edges": [{"to": ["a"]}]}, "`to` of an edge is an object with `task` and `path`", '"to"'),
        ({"edges": [{"toTask": "a", "to": {"task": "b"}}]}, "`task` in `to` becomes `toTask`", '"task"'),
        ({"edges": [{"to": {"task": "b"}, "toTask": "a"}]}, "`task` in `to` becomes `toTask`", '"task"'),
        ({"edges": [{"to": {"x-a": 1}, "from": {"x-a": 1}}]}, "`x-a` in `from` becomes `x-a`", '"x-a"'),
        ({"edges": [{"from": {"kind": "file"}, "kind": "file"}]}, "`kind` in `from` becomes `kind`", '"kind"'),
    ],
)
def test_conflicts_are_told_at_their_place(change: Json, message: str, row: str) -> None:
    source = read(TWO | change)
    found = upgraded(source)
    assert found.text is None
    (one,) = found.conflicts
    assert one.code == "K111"
    assert one.message.startswith(message)
    assert one.help
    assert one.span is not None
    assert source.line(one.span.line)[one.span.column - 1 : one.span.end_column - 1] == row
    assert all(other.span is not None for other in one.related)


@pytest.mark.parametrize("part", ["edges", "params", "defaults", "tasks"])
@pytest.mark.parametrize("wrong", [None, 7, "x", [], {}, [7, None, "x", []], {"kind": 1}])
def test_what_has_a_wrong_shape_is_left_to_validate(part: str, wrong: Json) -> None:
    found = upgraded(read(TWO | {part: wrong}))
    new = {"edges": "arrows", "params": "parameters"}.get(part, part)
    assert found.text is not None
    assert json.loads(found.text)[new] == wrong


@pytest.mark.parametrize(
    ("value", "written", "looks"),
    [
        ("20", {"value": "20"}, 0),
        ("", {"value": ""}, 0),
        (20, {"value": "20"}, 1),
        (False, {"value": "false"}, 1),
        (None, {"value": None}, 1),
        ({"secretKeyRef": {"name": "n", "key": "k"}}, {"valueFrom": {"secretKeyRef": {"name": "n", "key": "k"}}}, 0),
    ],
)
def test_variables(value: Json, written: Json, looks: int) -> None:
    found = upgraded(read(TWO | {"defaults": {"envVars": {"A": value}}, "tasks": []}))
    assert found.text is not None
    assert json.loads(found.text)["defaults"] == {"env": [{"name": "A", **written}]}
    assert len(found.looks) == looks
    assert all(span is not None for _, span in found.looks)


def test_a_document_that_would_be_too_deep_is_left_as_it_is(tmp_path: Path) -> None:
    deepest: Json = "x"
    for _ in range(96):
        deepest = {"a": deepest}
    for value, code in (({"b": deepest}, 1), (deepest, 0)):
        path = tmp_path / "old.json"
        path.write_text(json.dumps(TWO | {"defaults": {"envVars": {"A": value}}}))
        assert not api.parse(path.read_bytes()).diagnostics
        before = path.read_text()
        _, err = call("old.json", cwd=tmp_path, code=code)
        assert ("Error: old.json: it would have more than 100 objects" in err) is bool(code)
        assert (path.read_text() == before) is bool(code)


def test_the_steps_lead_from_every_older_version_to_the_present_one() -> None:
    assert tuple(one.old for one in UPGRADES) == OLDER_VERSIONS
    for step in UPGRADES:
        assert step.new == API_VERSION or step.new in OLDER_VERSIONS[OLDER_VERSIONS.index(step.old) + 1 :]


def test_steps_follow_each_other() -> None:
    def first(document: Json, changes: Changes) -> Json:
        changes.note("first")
        changes.looks.append(Look("here", ("name",)))
        return document | {"x-first": 1}

    def second(document: Json, changes: Changes) -> Json:
        changes.note("first")
        changes.looks.append(Look("there", ("x-first",)))
        if document["name"] == "no":
            changes.conflict("no", ("x-first",), "")
        return document | {"x-second": document["apiVersion"]}

    steps = (Upgrade("a", "b", first), Upgrade("b", "c", second))
    found = upgraded(read({"name": "n", "apiVersion": "a"}), steps)
    assert json.loads(found.text or "") == {"apiVersion": "c", "name": "n", "x-first": 1, "x-second": "b"}
    assert found.changes == ("first, 2 times",)
    assert [(text, span is not None) for text, span in found.looks] == [("here", False), ("there", True)]
    found = upgraded(read({"name": "no", "apiVersion": "a"}), steps)
    assert (found.text, [one.span for one in found.conflicts]) == (None, [None]), "a place that the user's text has not"


def call(*words: str, cwd: Path, code: int = 0, stdin: bytes = b"") -> tuple[str, str]:
    ran = kade2kfp("upgrade", *words, cwd=cwd, stdin=stdin)
    no_bug(ran)
    assert ran.returncode == code, ran.stderr.decode()
    return ran.stdout.decode(), ran.stderr.decode()


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(TWO, indent=2))
    before = path.read_bytes()
    for words in (["--check"], ["--diff"]):
        out, err = call("old.json", *words, cwd=tmp_path, code=1)
        assert path.read_bytes() == before
        assert "old.json: would be upgraded\n  `envVars` is now `env`, 2 times\n" in err
        assert err.endswith("\n1 file would be upgraded by `kade2kfp upgrade`\n")
        assert ('+  "apiVersion": "kade2kfp/v1",\n' in out) is (words == ["--diff"])
    out, err = call("old.json", cwd=tmp_path)
    assert (out, path.read_text()) == ("", NEW)
    assert '  look at old.json:14:43 `EPOCHS` was `20`: it is now the text `"20"`\n' in err
    assert err.endswith("\n1 file upgraded\n")
    assert call("old.json", cwd=tmp_path) == ("", "1 file unchanged\n")
    assert call("old.json", "--check", cwd=tmp_path) == ("", "1 file unchanged\n")
    assert kade2kfp("fmt", "--check", "old.json", cwd=tmp_path).returncode == 0


def test_a_document_of_the_present_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    text = b"\xef\xbb\xbf" + json.dumps(HELLO).encode() + b"\r\n"
    path.write_bytes(text)
    assert call("new.json", cwd=tmp_path) == ("", "1 file unchanged\n")
    assert path.read_bytes() == text
    plain_text = json.dumps(HELLO)
    assert call("-", cwd=tmp_path, stdin=plain_text.encode()) == (plain_text, "")
    out, err = call("-", cwd=tmp_path, stdin=json.dumps(TWO).encode())
    assert out == NEW
    assert "look at <stdin>:14:43 `EPOCHS`" in err


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"apiVersion": "kade2kfp/v2"}, "error[K110]: the version `kade2kfp/v2` is not known"),
        ({"apiVersion": None}, "error[K101]: `apiVersion` is null"),
        ({"apiVersion": 1}, "error[K102]: expected one of `kade2kfp/v1`"),
        ({"apiversion": OLD}, "did you mean `apiVersion`?"),
        ({}, "error[K101]: `apiVersion` is missing"),
        (TWO | {"arrows": []}, "error[K111]: both `edges` and `arrows` are there"),
    ],
)
def test_what_cannot_be_upgraded_is_not_written(tmp_path: Path, document: Json, says: str) -> None:
    path, good = tmp_path / "old.json", tmp_path / "good.json"
    text = json.dumps({"name": "p", "tasks": HELLO["tasks"]} | document)
    path.write_text(text)
    good.write_text(json.dumps(TWO))
    _, err = call("old.json", "good.json", cwd=tmp_path, code=1)
    assert says in err
    assert err.count("error[") == 1
    assert path.read_text() == text
    assert good.read_text() == NEW


def test_what_is_said_harms_no_terminal(tmp_path: Path) -> None:
    hostile = "A\x1b[2J\n::error::\u202e"
    (tmp_path / "old.json").write_text(json.dumps(TWO | {"defaults": {"envVars": {hostile: 1}}}))
    _, err = call("old.json", cwd=tmp_path)
    assert "`A\\x1b[2J\\x0a::error::\\u202e` was `1`" in err
    (tmp_path / "old.json").write_text(json.dumps(TWO | {"defaults": {"envVars": {hostile: []}}}))
    _, err = call("old.json", cwd=tmp_path, code=1)
    assert "\u202e" not in err
    assert "\n::error" not in err


def test_validate_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps(HELLO | {"apiVersion": OLD}))
    ran = kade2kfp("validate", "old.json", cwd=tmp_path)
    assert b"`kade2kfp upgrade FILE`" in ran.stderr
    assert upgrades.UPGRADES[0].old == OLD
