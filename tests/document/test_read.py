"""From JSON to a typed document: one mistake is one diagnostic at its place, and all around it is still read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.read import Document, read
from kade2kfp.source import read_source
from kade2kfp.tasks import TASK_TYPES

JOB = {"id": "a", "type": "job", "image": "img:1", "command": ["true"]}


def read_of(**fields: Any) -> tuple[Document, list[Diagnostic]]:
    """The document with these fields, and what is wrong with its shape."""
    whole = {"apiVersion": "kade2kfp/v1", "name": "demo", "tasks": [JOB]} | fields
    source = read_source(json.dumps(whole).encode(), "-")
    assert source.diagnostics == ()
    document, found = read(source, TASK_TYPES)
    assert document is not None
    return document, found


def task(**fields: Any) -> tuple[Any, list[Diagnostic]]:
    """The one task of a document, a job, and what is wrong with it."""
    document, found = read_of(tasks=[JOB | fields])
    return (document.tasks[0] if document.tasks else None), found


def brief(found: list[Diagnostic]) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(one.code, one.pointer) for one in found]


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"command": "true"}, "K102", ("command",)),
        ({"command": ["a", 5, "b"]}, "K102", ("command", 1)),
        ({"command": [None]}, "K102", ("command", 0)),
        ({"image": 5}, "K102", ("image",)),
        ({"image": ""}, "K105", ("image",)),
        ({"imagePullPolicy": "always"}, "K103", ("imagePullPolicy",)),
        ({"env": {"A": "b"}}, "K102", ("env",)),
        ({"env": ["A=b"]}, "K102", ("env", 0)),
        ({"env": [5]}, "K102", ("env", 0)),
        ({"env": [{"name": "A-B"}]}, "K104", ("env", 0, "name")),
        ({"env": [{"name": "A", "valeu": "x"}]}, "K100", ("env", 0, "valeu")),
        ({"env": [{"value": "x"}]}, "K101", ("env", 0)),
        ({"resources": {"limits": {"cpu": True}}}, "K102", ("resources", "limits", "cpu")),
        ({"resources": {"limits": {"cpu": "1 core"}}}, "K107", ("resources", "limits", "cpu")),
        ({"resources": {"requests": "1"}}, "K102", ("resources", "requests")),
        ({"timeout": 5}, "K102", ("timeout",)),
        ({"timeout": "soon"}, "K106", ("timeout",)),
        ({"retry": {}}, "K101", ("retry",)),
        ({"retry": {"limit": -1}}, "K105", ("retry", "limit")),
        ({"retry": {"limit": True}}, "K102", ("retry", "limit")),
        ({"retry": 3}, "K102", ("retry",)),
        ({"volumes": [{"id": "v"}]}, "K101", ("volumes", 0)),
        ({"volumes": [{"id": "v", "mountPath": "data"}]}, "K108", ("volumes", 0, "mountPath")),
        ({"forEach": {"items": 5}}, "K102", ("forEach", "items")),
        ({"forEach": {"items": {}}}, "K102", ("forEach", "items")),
        ({"forEach": {"matrix": {"a": 5}}}, "K102", ("forEach", "matrix", "a")),
        ({"forEach": {"matrix": []}}, "K102", ("forEach", "matrix")),
        ({"forEach": {"parallelism": "many"}}, "K102", ("forEach", "parallelism")),
        ({"forEach": {"parallelism": 1.5}}, "K102", ("forEach", "parallelism")),
        ({"labels": {"a": 1}}, "K102", ("labels", "a")),
        ({"tolerations": [{"operator": "Is"}]}, "K103", ("tolerations", 0, "operator")),
        ({"tolerations": [[]]}, "K102", ("tolerations", 0)),
        ({"imagePullSecrets": [5]}, "K102", ("imagePullSecrets", 0)),
        ({"imagePullSecrets": ["UP"]}, "K109", ("imagePullSecrets", 0)),
        ({"securityContext": {"runAsUser": "root"}}, "K102", ("securityContext", "runAsUser")),
        ({"inherit": "no"}, "K102", ("inherit",)),
        ({"cache": 1}, "K102", ("cache",)),
        ({"outputs": [{"name": "n", "type": "int", "path": "/n"}]}, "K103", ("outputs", 0, "type")),
        ({"files": [{"source": "a"}]}, "K101", ("files", 0)),
        ({"xfoo": 1}, "K100", ("xfoo",)),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_one_mistake_is_one_diagnostic_and_the_rest_is_read(
    fields: dict[str, Any], code: str, pointer: tuple[str | int, ...]
) -> None:
    mended, found = task(**fields, workingDir="/w")
    assert [(one.code, one.pointer[2 : 2 + len(pointer)]) for one in found] == [(code, pointer)]
    assert mended is not None
    assert (mended.id, mended.working_dir) == ("a", "/w")


def test_elements_beside_a_wrong_one_are_read_and_know_their_place() -> None:
    mended, found = task(
        env=[{"name": "A", "value": "1"}, 5, {"name": "B", "value": "2"}, {"valu": "x"}, {"name": "C"}]
    )
    assert len(found) >= 2
    assert [(one.name, one.at[-1]) for one in mended.env] == [("A", 0), ("B", 2), ("C", 4)]


def test_words_behind_a_wrong_one_keep_their_place() -> None:
    mended, _ = task(command=["sh", 5, "{{params.x}}"])
    assert mended.command[2] == "{{params.x}}"


def test_many_mistakes_in_one_task_are_all_said() -> None:
    _, found = task(command="x", timeout="soon", retry={"limit": -1}, env=[{"name": "1A"}, {}], colour="red")
    assert sorted(one.code for one in found) == ["K100", "K101", "K102", "K104", "K105", "K106"]


def test_two_missing_fields_of_one_object_are_two_mistakes() -> None:
    _, found = read_of(arrows=[{"fromPath": "/a", "toPath": "/b"}])
    assert [(one.code, one.message) for one in found] == [
        ("K101", "`fromTask` is missing"),
        ("K101", "`toTask` is missing"),
    ]


def test_the_same_mistake_twice_is_said_twice() -> None:
    _, found = task(env=[{"name": "1"}, {"name": "2"}])
    assert brief(found) == [("K104", ("tasks", 0, "env", 0, "name")), ("K104", ("tasks", 0, "env", 1, "name"))]


@pytest.mark.parametrize("value", [5, "x", True, None, []])
def test_a_task_that_is_no_object(value: Any) -> None:
    document, found = read_of(tasks=[value, JOB])
    assert brief(found) == [("K102", ("tasks", 0))]
    assert [one.id for one in document.tasks] == ["a"]


@pytest.mark.parametrize("type_", ["Job", "jobs", "JOB", "j-o-b"])
def test_a_type_that_is_nearly_right_is_said_and_its_task_is_read(type_: str) -> None:
    document, found = read_of(tasks=[JOB | {"id": "odd", "type": type_}, JOB])
    assert brief(found) == [("K103", ("tasks", 0, "type"))]
    assert [(one.id, one.type, one.at) for one in document.tasks] == [
        ("odd", "job", ("tasks", 0)),
        ("a", "job", ("tasks", 1)),
    ]


@pytest.mark.parametrize("type_", ["jbo", "train", "", None, 5, ["job"]])
def test_what_all_tasks_have_is_checked_whatever_the_type_is(type_: Any) -> None:
    odd = {
        "id": "Odd one",
        "type": type_,
        "timeout": "x",
        "labels": {"a": 5},
        "image": "i",
        "inputs": ["of another tool"],
    }
    document, found = read_of(tasks=[odd, JOB])
    assert {(code, at[2:]) for code, at in brief(found)} == {
        ("K101" if type_ is None else "K103" if isinstance(type_, str) else "K102", ("type",)),
        ("K104", ("id",)),
        ("K106", ("timeout",)),
        ("K102", ("labels", "a")),
    }
    assert document.damaged["tasks"] == {"Odd one"}
    assert read_of(tasks=[{"type": type_, "script": "true"}, JOB])[1][-1].code == "K101"


@pytest.mark.parametrize("type_", ["jbo", "train", ""])
def test_an_unknown_type_is_said_and_its_id_is_known_as_damaged(type_: str) -> None:
    document, found = read_of(tasks=[JOB | {"id": "odd", "type": type_}, JOB])
    assert brief(found) == [("K103", ("tasks", 0, "type"))]
    assert document.damaged["tasks"] == {"odd"}


def test_a_task_without_an_id_stays_to_be_checked() -> None:
    document, found = read_of(tasks=[{"type": "job", "command": ["true"]}])
    assert brief(found) == [("K101", ("tasks", 0))]
    assert len(document.tasks) == 1


@pytest.mark.parametrize(
    ("type_", "missing"),
    [
        ("loadData", {"url", "path"}),
        ("select", {"metric", "path"}),
        ("viewer", {"logPath"}),
        ("serving", {"framework"}),
    ],
)
def test_required_fields_of_each_type(type_: str, missing: set[str]) -> None:
    document, found = read_of(tasks=[{"id": "a", "type": type_}])
    assert {one.message for one in found} == {f"`{field}` is missing" for field in missing}
    assert [one.id for one in document.tasks] == ["a"]


@pytest.mark.parametrize("value", [5, "x", [], True])
def test_an_envelope_with_one_wrong_field_is_read_all_the_same(value: Any) -> None:
    document, found = read_of(schedule=value, parameters=[{"name": "p", "type": "string"}])
    assert brief(found) == [("K102", ("schedule",))]
    assert [one.name for one in document.parameters] == ["p"]


@pytest.mark.parametrize("field", ["tasks", "parameters", "volumes", "arrows"])
def test_a_list_that_is_none(field: str) -> None:
    _, found = read_of(**{field: {"a": 1}})
    assert brief(found) == [("K102", (field,))]


def test_a_missing_name_and_version_are_two_mistakes() -> None:
    document, found = read(read_source(json.dumps({"tasks": [JOB]}).encode(), "-"), TASK_TYPES)
    assert [one.message for one in found] == ["`apiVersion` is missing", "`name` is missing"]
    assert document is not None
    assert len(document.tasks) == 1


@pytest.mark.parametrize("version", ["v1", "kade2kfp/v2", "", "kade2kfp/v1 "])
def test_an_unknown_version_is_one_mistake(version: str) -> None:
    document, found = read_of(apiVersion=version)
    assert brief(found) == [("K110", ("apiVersion",))]
    assert len(document.tasks) == 1


# null is the same as absent.


def test_nulls_are_absent_everywhere() -> None:
    fields = dict.fromkeys(
        ["name", "env", "volumes", "resources", "retry", "timeout", "cache", "inherit", "forEach", "position", "files"]
    )
    mended, found = task(**fields)
    assert found == []
    assert mended.inherit is True
    assert not mended.given("env")


def test_nulls_inside_are_absent_too() -> None:
    mended, found = task(
        volumes=[{"id": "v", "mountPath": "/v", "subPath": None, "acl": None}], retry={"limit": 1, "on": None}
    )
    assert found == []
    assert mended.volumes[0].sub_path is None


@pytest.mark.parametrize("lists", ["parameters", "volumes", "arrows", "defaults", "schedule", "labels"])
def test_nulls_of_the_pipeline(lists: str) -> None:
    assert read_of(**{lists: None})[1] == []


def test_null_for_a_required_field_is_missing() -> None:
    _, found = read_of(name=None)
    assert [one.code for one in found] == ["K101"]
    assert "null" in found[0].message  # which is there to be seen
    _, found = task(id=None)
    assert [one.code for one in found] == ["K101"]


def test_null_for_a_volume_of_an_arrow_means_something() -> None:
    document, _ = read_of(arrows=[{"fromTask": "a", "toTask": "a", "volume": None}, {"fromTask": "a", "toTask": "a"}])
    assert [one.given("volume") for one in document.arrows] == [True, False]


def test_a_default_of_null_is_no_default() -> None:
    document, found = read_of(parameters=[{"name": "p", "type": "string", "default": None}])
    assert found == []
    assert not document.parameters[0].given("default")


# The editor's own keys.


@pytest.mark.parametrize("key", ["x-", "x-color", "x-한글", "x-a.b/c"])
def test_keys_of_the_editor_are_kept_out_of_the_way(key: str) -> None:
    assert task(**{key: {"any": [1, None]}})[1] == []
    assert read_of(**{key: 5})[1] == []
    assert read_of(arrows=[{"fromTask": "a", "toTask": "a", key: []}])[1] == []


@pytest.mark.parametrize("key", ["X-color", "xcolor", "x_color", "", "-x"])
def test_other_keys_are_not(key: str) -> None:
    assert [one.code for one in task(**{key: 1})[1]] == ["K100"]


@pytest.mark.parametrize("value", [5, "x", [], {"x": 1, "nested": {"{{": 2}}])
def test_position_and_ui_may_hold_anything(value: Any) -> None:
    assert task(position=value, ui=value)[1] == []
    assert read_of(position=value, ui=value)[1] == []


# What was meant.


def helps(found: list[Diagnostic]) -> str:
    (one,) = found
    return one.help


def test_a_misspelt_field_is_suggested() -> None:
    assert "`command`" in helps(task(comand=["x"])[1])
    assert "`mountPath`" in helps(task(volumes=[{"id": "v", "mountpath": "/v"}])[1])


def test_a_misspelt_required_field_is_one_mistake() -> None:
    assert [one.code for one in task(volumes=[{"id": "v", "mountpath": "/v"}])[1]] == ["K100"]


def test_a_field_of_another_type_says_whose_it_is() -> None:
    assert "container" in helps(task(ssh={"port": 2222})[1])


def test_a_number_for_a_text_says_how_to_write_it() -> None:
    assert '"5"' in helps(task(image=5)[1])
    assert '"true"' in helps(task(image=True)[1])


def test_hostile_field_names_are_quoted_as_data() -> None:
    (one,) = task(**{"{value}%s{{params.x}}": 1})[1]
    assert one.message == "unknown field `{value}%s{{params.x}}`"


@pytest.mark.parametrize("text", ["{value}", "%s", "{0}", "{help}", "}{", "{"])
def test_hostile_values_are_quoted_as_data(text: str) -> None:
    (one,) = task(timeout=text)[1]
    assert one.message == f"`{text}` is not a duration"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(-2, 2)
    | st.sampled_from(["", "a", "/a", "{{", "5m", "job"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "path", "value", "limit", "items", "x-a", "matrix", "key"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
FIELDS = sorted(
    {alias for model in TASK_TYPES for alias in (one.alias for one in model.model_fields.values()) if alias}
)


@given(st.sampled_from([str(one.model_fields["type"].annotation.__args__[0]) for one in TASK_TYPES]),
       st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))  # fmt: skip
def test_any_value_in_any_field_is_read_or_said(type_: str, fields: dict[str, Any]) -> None:
    document, found = read_of(tasks=[{"id": "a"} | fields | {"type": type_}])
    again = read_of(tasks=[{"id": "a"} | fields | {"type": type_}])[1]
    assert brief(found) == brief(again)
    # A task goes only where nothing of it can be kept; one with wrong fields is mended.
    assert len(document.tasks) == 1


def test_thousands_of_mistakes_are_no_burden() -> None:
    document, _ = read_of(tasks=[{"id": "a", "type": "job", "image": "a:1", "comand": ["x"]}])
    assert document.is_torn(("tasks", 0))
    assert document.is_torn(("arrows",), ("tasks", 0, "comand"))
    assert not document.is_torn(("tasks", 0, "image"))
    assert not document.is_torn(("tasks", 0, "comand", 0))
    # Each of the tasks asks whether something of it is among what is torn: by pairs that would take minutes.
    many = replace(document, torn=frozenset(("tasks", number, "comand") for number in range(40_000)))
    assert all(many.is_torn(("tasks", number)) for number in range(40_000))
    assert not any(many.is_torn(("arrows", number)) for number in range(40_000))
