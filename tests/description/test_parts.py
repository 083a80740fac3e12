"""What a description says of each part of a pipeline, by value."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kade2kfp import api
from kade2kfp.description.build import description
from kade2kfp.rules.mirror import mirrored
from kade2kfp.rules.model import Policy
from tests.differential import documents as differential

from .documents import CONTROL, RICH, checked, compiled_names, data, document, job, kfp_names, sound, task

Json = dict[str, Any]
RICH_DATA = data(RICH.read_text(encoding="utf-8"))


def arrow(one: str, other: str, path: str = "", **fields: Any) -> Json:
    paths = {"fromPath": path, "toPath": f"{path}-in"} if path else {}
    return {"fromTask": one, "toTask": other} | paths | fields


def setting(found: Json, id_: str, field: str, key: str | None = None) -> Json | None:
    rows = [one for one in task(found, id_)["settings"] if (one["field"], one["key"]) == (field, key)]
    assert len(rows) < 2
    return rows[0] if rows else None


def origin(found: Json, id_: str, field: str, key: str | None = None) -> tuple[Any, ...]:
    row = setting(found, id_, field, key)
    if row is None:
        return ()
    place = row["origin"]["place"]
    return row["value"], row["origin"]["kind"], row["origin"]["task"], place and place["pointer"]


CHAIN = document(
    [
        job("a", image="one:1", env=[{"name": "A", "value": "a"}, {"name": "S", "valueFrom": {
            "secretKeyRef": {"name": "s", "key": "k"}}}], workingDir="/w", tolerations=[{"key": "gpu"}]),
        job("b", env=[{"name": "A", "value": "b"}]),
        job("c", nodeSelector={"zone": "x"}),
        job("d", inherit=False),
    ],
    arrows=[arrow("a", "b", "/o"), arrow("b", "c", "/p"), arrow("c", "d", "/q")],
    labels={"l": "pipeline", "m": "pipeline"},
    defaults={"image": "default:1", "env": [{"name": "D", "value": "d"}], "labels": {"m": "defaults"}},
)  # fmt: skip


@pytest.mark.parametrize(
    ("id_", "field", "key", "expected"),
    [
        ("a", "image", None, ("one:1", "task", "a", "/tasks/0/image")),
        ("b", "image", None, ("one:1", "inherited", "a", "/tasks/0/image")),
        ("c", "image", None, ("one:1", "inherited", "a", "/tasks/0/image")),
        ("d", "image", None, ("default:1", "defaults", None, "/defaults/image")),
        ("b", "env", "A", ({"name": "A", "value": "b"}, "task", "b", "/tasks/1/env/0")),
        ("c", "env", "A", ({"name": "A", "value": "b"}, "inherited", "b", "/tasks/1/env/0")),
        ("b", "env", "S", ()),
        ("c", "env", "D", ({"name": "D", "value": "d"}, "defaults", None, "/defaults/env/0")),
        ("c", "workingDir", None, ("/w", "inherited", "a", "/tasks/0/workingDir")),
        ("c", "tolerations", None, ([{"key": "gpu"}], "inherited", "a", "/tasks/0/tolerations")),
        ("c", "nodeSelector", None, ({"zone": "x"}, "task", "c", "/tasks/2/nodeSelector")),
        ("d", "workingDir", None, ()),
        ("d", "labels", "l", ("pipeline", "pipeline", None, "/labels/l")),
        ("d", "labels", "m", ("defaults", "defaults", None, "/defaults/labels/m")),
    ],
)
def test_a_setting_comes_from_where_it_is_said(id_: str, field: str, key: str | None, expected: Any) -> None:
    assert origin(data(CHAIN), id_, field, key) == expected


def test_a_place_has_the_line_of_the_text() -> None:
    text = json.dumps(CHAIN, indent=1)
    row = setting(data(CHAIN), "b", "image")
    assert row
    assert '"image": "one:1"' in text.splitlines()[row["origin"]["place"]["line"] - 1]


def test_tasks_that_disagree_are_named() -> None:
    tasks = [
        job("a", env=[{"name": "A", "value": "1"}]),
        job("b", env=[{"name": "A", "value": "2"}]),
        job("c", image="x:1"),
    ]
    found = data(document(tasks, arrows=[arrow("a", "c", "/o"), arrow("b", "c", "/p")]))
    assert task(found, "c")["disputed"] == [{"field": "env A", "tasks": ["a", "b"]}]
    assert setting(found, "c", "env", "A") is None


def test_a_task_called_defaults_is_not_the_defaults() -> None:
    found = data(document([job("defaults", image="x:1"), job("b")], arrows=[arrow("defaults", "b", "/o")]))
    assert origin(found, "defaults", "image") == ("x:1", "task", "defaults", "/tasks/0/image")
    assert origin(found, "b", "image") == ("x:1", "inherited", "defaults", "/tasks/0/image")


@pytest.mark.parametrize("toolbox", ["", "box:1"])
def test_the_types_own_image_is_the_toolbox(toolbox: str) -> None:
    tasks = [{"id": "a", "type": "loadData", "url": "https://e.example/x", "path": "/d"}]
    defaults = {"toolboxImage": toolbox} if toolbox else {}
    expected = (
        (toolbox, "defaults", None, "/defaults/toolboxImage") if toolbox else ("python:3.11-slim", "type", None, None)
    )
    assert origin(data(document(tasks, defaults=defaults)), "a", "image") == expected


def test_what_has_no_effect_on_a_pod_is_no_setting() -> None:
    rows = {one["field"] for one in task(RICH_DATA, "good")["settings"]}
    assert rows == {"image", "nodeSelector", "imagePullSecrets", "labels"}
    assert setting(RICH_DATA, "look", "retry") is None
    plain = {"id": "c", "type": "condition", "test": {"left": "{{params.n}}", "operator": ">", "right": 1}}
    found = data(document([plain], parameters=[{"name": "n", "type": "number", "default": 1}], labels={"a": "b"}))
    assert task(found, "c")["settings"] == []
    assert task(found, "c")["cache"] == {"state": "none", "why": None}


def test_values_known_at_compile_stand_beside_the_reference() -> None:
    row = setting(RICH_DATA, "clean", "nodeSelector")
    assert row
    assert (row["value"], row["resolved"]) == ({"zone": "{{params.zone}}"}, {"zone": "eu-1"})
    secret = setting(RICH_DATA, "clean", "env", "PASSWORD")
    assert secret
    assert secret["value"]["valueFrom"]["secretKeyRef"]["name"] == "{{params.token_name}}"
    assert secret["resolved"] is None


def test_a_sweep_has_a_step_for_each_item() -> None:
    train = task(RICH_DATA, "train")
    assert [(one["kfpName"], one["item"], one["kind"]) for one in train["steps"]] == [
        ("train-depth-2", "depth=2", "step"),
        ("train-depth-4", "depth=4", "step"),
    ]
    assert train["iteration"] == {"task": "train", "items": 2, "reference": None, "parallelism": 1}
    assert train["cache"] == {"state": "off", "why": "said"}
    assert train["steps"][0]["timeoutSeconds"] == 7200
    assert train["steps"][0]["retry"]["limit"] == 2


def test_a_loop_has_what_collects_besides() -> None:
    tune = task(RICH_DATA, "tune")
    assert [(one["name"], one["kind"]) for one in tune["steps"]] == [
        ("tune-loop", "loop"),
        ("tune", "step"),
        ("tune-collect", "collect"),
        ("tune-nothing", "collect"),
    ]
    assert tune["iteration"] == {"task": "tune", "items": None, "reference": "{{params.grid}}", "parallelism": 0}
    assert tune["steps"][1]["within"] == [{"kind": "iteration", "task": "tune", "side": None}]
    assert tune["cache"] == {"state": "off", "why": "joined"}


def test_branches_and_joins() -> None:
    assert task(RICH_DATA, "polish")["steps"][0]["within"] == [{"kind": "branch", "task": "good", "side": "then"}]
    assert task(RICH_DATA, "ship")["steps"][0]["within"] == []
    joined = {(one["fromTask"], one["joinedBy"]) for one in RICH_DATA["arrows"] if one["toTask"] == "ship"}
    assert joined == {("polish", "good"), ("patch", "good"), ("look", None)}
    assert task(RICH_DATA, "good")["does"] == "{{tasks.best.outputs.score}} >= {{params.least}}"
    assert task(RICH_DATA, "good")["gate"]["message"] == "Ship {{tasks.best.outputs.winner}}?"


def test_arrows_say_how_they_carry() -> None:
    rows = {(one["fromTask"], one["toTask"], one["fromPath"]): one for one in RICH_DATA["arrows"]}
    table = rows["clean", "tune", "/table.csv"]
    assert (table["transport"], table["kind"], table["artifactType"]) == ("artifact", "file", "Dataset")
    assert (table["toPath"], table["arrivesAt"]) == ("/in", "/in/table.csv")
    volume = rows["clean", "train", "/out"]
    assert (volume["transport"], volume["volume"], volume["artifactType"]) == ("volume", "scratch", None)
    order = rows["good", "polish", None]
    assert (order["transport"], order["branch"], order["kind"]) == ("order", "then", None)
    assert rows["load", "clean", "/data"]["id"] == "a1"
    assert rows["look", "ship", "/notes"]["inherits"] is False


def test_gates_and_services() -> None:
    gate = task(RICH_DATA, "look")["gate"]
    assert (gate["kind"], gate["timeoutSeconds"], gate["onReject"]) == ("container", 86400, "route")
    assert (gate["ports"], gate["sshPort"], gate["values"][0]["name"]) == ([8080], 2222, "note")
    board, serve = (task(RICH_DATA, id_)["service"] for id_ in ("board", "serve"))
    assert (board["kind"], board["name"], board["timeToLiveSeconds"]) == ("viewer", "churn-board", 172800)
    assert (serve["kind"], serve["replicas"], serve["readyTimeoutSeconds"]) == ("serving", 2, 600)
    assert [one["reference"] for one in task(RICH_DATA, "serve")["outputs"]] == [
        "{{tasks.serve.outputs.url}}",
        "{{tasks.serve.outputs.version}}",
    ]


def test_volumes_with_who_mounts_them() -> None:
    nas, scratch = RICH_DATA["volumes"]
    assert (nas["claim"], nas["created"]) == ("team-data", None)
    assert scratch["created"] == {"size": "20Gi", "accessModes": ["ReadWriteMany"], "storageClass": "nfs"}
    assert {
        "task": "clean",
        "path": "/nas",
        "subPath": "raw",
        "inRun": False,
        "readOnly": True,
        "server": False,
    } in nas["mounts"]
    assert {(one["task"], one["path"], one["inRun"]) for one in scratch["mounts"]} == {
        ("clean", "/out", True),
        ("train", "/in", True),
    }
    assert any(one["server"] and one["readOnly"] and one["task"] == "serve" for one in nas["mounts"])


def test_needs_name_what_must_be_there() -> None:
    rows = {(one["kind"], one["name"], one["key"]): one for one in RICH_DATA["needs"]}
    assert set(rows) == {
        ("secret", "headers", None),
        ("secret", "keys", None),
        ("secret", "pull", None),
        ("secret", "{{params.token_name}}", "token"),
        ("configMap", "site", "region"),
        ("claim", "team-data", None),
        ("storageClass", "nfs", None),
    }
    assert rows["configMap", "site", "region"]["optional"] is True
    assert rows["secret", "headers", None]["tasks"] == ["load"]
    assert rows["secret", "keys", None]["tasks"] == ["look"]


@pytest.mark.parametrize("optional", [(False, True), (True, False), (True, True)])
def test_what_one_task_cannot_do_without_must_be_there(optional: tuple[bool, ...]) -> None:
    tasks = [
        job(id_, env=[{"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": may}}}])
        for id_, may in zip("ab", optional, strict=True)
    ]
    (need,) = data(document(tasks))["needs"]
    assert (need["name"], need["optional"], need["tasks"]) == ("s", all(optional), ["a", "b"])


def test_a_parameter_that_is_set_is_known() -> None:
    source = api.parse(RICH.read_text(encoding="utf-8"))
    found = data(api.validate(source, values={"token_name": "mine"}))
    first = found["parameters"][0]
    assert (first["required"], first["default"]) == (False, "mine")
    assert [(use["task"], use["place"]["pointer"]) for use in first["used"]] == [
        ("clean", "/tasks/1/env/0/valueFrom/secretKeyRef/name")
    ]
    assert next(one for one in found["needs"] if one["key"] == "token")["resolved"] == "mine"


def test_images_with_what_the_parameters_say_now() -> None:
    rows = {one["image"]: one for one in RICH_DATA["images"]}
    assert rows["{{params.image_tag}}"]["resolved"] == "registry.example.com/ml/train:1.4"
    assert rows["{{params.image_tag}}"]["tasks"] == ["clean", "train", "tune"]
    assert rows["registry.example.com/base/toolbox:3.11"]["toolbox"] is True
    assert rows["python:3.11-slim"]["resolved"] is None


def test_images_of_a_mirror_with_the_documents_own() -> None:
    found = checked(
        document(
            [job("a"), job("b", image="busybox:1"), job("c", image="docker.io/library/busybox:1")],
            defaults={"image": "ghcr.io/team/a:1"},
        )
    )
    assert found.analysis
    assert found.plan
    plan = mirrored(found.plan, Policy(mirror=(("ghcr.io", "m.example/ghcr"), ("docker.io", "m.example/hub"))))
    told = description(found.source, found.analysis, plan, mirrored=True)
    assert [(one.image, one.originals, one.tasks) for one in told.images] == [
        ("m.example/ghcr/team/a:1", ["ghcr.io/team/a:1"], ["a"]),
        ("m.example/hub/library/busybox:1", ["busybox:1", "docker.io/library/busybox:1"], ["b", "c"]),
    ]
    assert told.tasks[0].steps[0].image == "m.example/ghcr/team/a:1"
    assert told.tasks[0].settings[0].value == "ghcr.io/team/a:1"


ONE_SIDE = document(
    [
        {"id": "a", "type": "condition", "test": {"left": "{{params.n}}", "operator": ">", "right": 1}},
        {"id": "b", "type": "condition", "test": {"left": "{{params.n}}", "operator": ">", "right": 5}},
        job("x"), job("y"), job("z"), job("j"),
    ],
    parameters=[{"name": "n", "type": "number", "default": 2}],
    arrows=[
        arrow("a", "b", branch="then"), arrow("a", "x", branch="then"), arrow("b", "y", branch="then"),
        arrow("a", "z", branch="else"),
        {"fromTask": "x", "fromPath": "/o", "toTask": "j", "toPath": "/i"},
        {"fromTask": "z", "fromPath": "/o", "toTask": "j", "toPath": "/i"},
    ],
)  # fmt: skip
NOTHING_BEHIND = document(
    [{"id": "a", "type": "condition", "test": {"left": "{{params.n}}", "operator": ">", "right": 1}}, job("b")],
    parameters=[{"name": "n", "type": "number", "default": 2}],
    arrows=[arrow("b", "a")],
)
NO_COLLECT = document(
    [job("a", forEach={"items": "{{params.l}}"}), job("b")],
    parameters=[{"name": "l", "type": "array", "default": []}],
    arrows=[arrow("a", "b")],
)
TAKEN = document(
    [job("prepare-volumes"), job("b")],
    volumes=[{"id": "v", "create": {"size": "1Gi"}}],
    arrows=[arrow("prepare-volumes", "b", "/o", volume="v")],
)


@pytest.mark.parametrize(
    ("given", "shown", "hidden"),
    [
        (ONE_SIDE, {"b-pass"}, set()),
        (NOTHING_BEHIND, {"b"}, {"a"}),
        (NO_COLLECT, {"a", "b"}, {"a-loop"}),
        (TAKEN, {"prepare-volumes", "prepare-volumes-2"}, set()),
    ],
)
def test_what_only_kfp_has_a_task_for_is_told(given: Json, shown: set[str], hidden: set[str]) -> None:
    found = sound(checked(given))
    names = kfp_names(found)
    assert shown <= names
    assert {one["name"] for t in found["tasks"] for one in t["steps"] if one["kfpName"] is None} == hidden
    assert compiled_names(api.compile(api.parse(json.dumps(given))).yaml or "")[0] == names


@pytest.mark.parametrize("seed", range(12))
def test_random_control_flow_is_told_as_it_is_compiled(seed: int) -> None:
    given = differential.document(seed)
    found = sound(checked(given))
    text = api.compile(api.parse(json.dumps(given))).yaml
    assert text
    assert compiled_names(text)[0] == kfp_names(found)


def test_nothing_here_needs_kfp() -> None:
    code = (
        "import sys; from kade2kfp.api import load, validate; from kade2kfp.description.build import description;"
        "from kade2kfp.description import full, schema, text;"
        f"found = validate(load({str(CONTROL[0])!r})); made = description(found.source, found.analysis, found.plan);"
        "text.overview(made, 80), schema.as_json(made);"
        "print(sorted({'kfp', 'kubernetes', 'google', 'yaml', 'requests', 'rich'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
