"""Tasks that wait for a person in a plan: what they take from the defaults, where a decision may lie, what else may be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import ClaimMount

from .documents import Json, check, codes, document, job, marked, plan, steps

GATE = {"timeout": "2h"}
NAS = [{"id": "nas", "claimName": "c"}]


def desk(**fields: Any) -> Json:
    return {"id": "desk", "type": "container", "image": "img:1", "gate": GATE} | fields


def step(task: Json, **fields: Any) -> Step:
    return steps(document(task, **fields))[task["id"]]


def test_retries_times_and_caches_of_the_defaults_are_not_for_who_waits() -> None:
    defaults = {"retry": {"limit": 3}, "timeout": "5m", "cache": True}
    waits = step(desk(), defaults=defaults)
    assert (waits.retry, waits.cache_key) == (None, None)
    assert waits.timeout > 2 * 3600
    works = step(desk(gate=None, advance="auto", command=["true"]), defaults=defaults)
    assert works.retry is not None
    assert (works.timeout, works.cache_key) == (300, "")


def test_a_timeout_of_its_own_counts_and_the_longest_is_one_that_kubernetes_takes() -> None:
    assert step(desk(timeout="3h")).timeout == 3 * 3600
    assert step(desk(gate={"timeout": f"{2**31 - 1}s"})).timeout == 2**31 - 1


def test_a_gates_timeout_may_be_a_parameter() -> None:
    parameters = [{"name": "patience", "type": "string", "default": "90s"}]
    gate = step(desk(gate={"timeout": "{{params.patience}}"}), parameters=parameters).gate
    assert gate is not None
    assert gate.timeout == 90


def test_a_decision_may_lie_on_a_volume_where_there_is_one_and_nobody_prepares_its_folder() -> None:
    mounts = [{"secret": "s", "mountPath": "/s"}, {"id": "nas", "mountPath": "/nas", "subPath": "data"}]
    made = plan(document(desk(volumes=mounts), desk(id="other"), volumes=NAS))
    there, none = (node for node in made.nodes if isinstance(node, Step))
    assert [mount for mount in there.mounts if isinstance(mount, ClaimMount)][1:] == [
        ClaimMount("nas", "/kade/shared", ".gates/desk", in_run=True, read_only=True)
    ]
    assert there.gate is not None
    assert none.gate is not None
    assert (there.gate.ways, none.gate.ways) == ("csl", "cl")
    assert made.claims[0].run_folders == ()


@pytest.mark.parametrize(
    ("gate", "wanted"),
    [
        ({"onTimeout": "resume"}, ["K523"]),
        ({"onReject": "route"}, ["K523"]),
        ({"onExit": "advance"}, ["K523"]),
        ({"onTimeout": "resume", "onReject": "route", "onExit": "advance"}, ["K523"]),
        ({"onTimeout": "reject", "onReject": "fail", "onExit": "wait"}, []),
        ({"onExit": "fail"}, []),
    ],
)
def test_a_value_without_a_default_needs_somebody_who_types_it(gate: Json, wanted: list[str]) -> None:
    asked = {"values": [{"name": "lr", "type": "number"}, {"name": "note", "type": "string", "default": ""}]}
    assert codes(check(document(desk(gate=GATE | gate | asked, command=["work"])))) == wanted


def test_a_container_without_a_command_never_ends_by_itself() -> None:
    found = check(document(desk(gate=GATE | {"onExit": "advance", "values": [{"name": "lr", "type": "number"}]})))
    assert [one.code for one in found.diagnostics] == ["K209"]


def test_a_null_default_is_none() -> None:
    values = [{"name": "lr", "type": "number", "default": None}]
    doc = document(desk(gate=GATE | {"onTimeout": "resume", "values": values}))
    assert marked(doc, check(doc)) == [("K523", '"lr"')]


@pytest.mark.parametrize("name", ["decision", "by", "value-lr", "value-"])
def test_names_of_what_a_person_says_are_free_where_nobody_is_asked(name: str) -> None:
    outputs = [{"name": name, "type": "string", "path": "/tmp/o"}]
    assert codes(check(document(desk(outputs=outputs)))) == ["K200"]
    assert codes(check(document(job("a", outputs=outputs)))) == []


def test_sshds_port_is_its_own_in_one_task_and_free_in_another() -> None:
    keys = {"authorizedKeysFrom": {"secretKeyRef": {"name": "people", "key": "k"}}}
    ports = {"ports": [{"containerPort": 2222}]}
    assert codes(check(document(desk(ssh=keys, **ports)))) == ["K524"]
    assert codes(check(document(desk(ssh=keys | {"port": 2223}, **ports)))) == []
    assert codes(check(document(desk(ssh=keys), desk(id="other", **ports)))) == []


def test_a_notebook_may_lie_in_an_inherited_folder() -> None:
    before = job("make", workingDir="/work")
    task = {"id": "run", "type": "notebook", "image": "img:1", "advance": "auto", "notebook": "a/b.ipynb"}
    flow = {"fromTask": "make", "fromPath": "/out", "toTask": "run", "toPath": "/in"}
    assert codes(check(document(before, task))) == ["K522"]
    made = steps(document(before, task, arrows=(flow,)))["run"]
    assert ("/work/a/b.ipynb",) in made.command


def test_references_in_parameters_of_a_notebook_are_whole_values_or_texts() -> None:
    task = {"id": "run", "type": "notebook", "image": "img:1", "advance": "auto", "notebook": "/b.ipynb"}
    parameters = {"a": "{{run.id}}", "b": "run {{run.id}}", "c": {"d": ["{{run.id}}"]}, "e": ["{{{{"]}
    doc = document(task | {"parameters": parameters})
    assert marked(doc, check(doc)) == [("K302", "{{run.id}}")]
    assert codes(check(document(task | {"parameters": {"c": ["{{nothing}}"]}}))) == ["K300"]
