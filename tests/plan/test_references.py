"""References between tasks: what each form names, of which type, where it may stand, and what is known at compile."""

from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.plan.resolve import as_text
from kade2kfp.steps.parts import EnvFrom, EnvValue
from kade2kfp.steps.sources import Item, Output, Param, RunInfo, Source

from .documents import Json, analysis, check, codes, document, job, marked, plan, steps

PARAMETERS = [
    {"name": "s", "type": "string"},
    {"name": "i", "type": "integer", "default": 2},
    {"name": "n", "type": "number", "default": 0.5},
    {"name": "b", "type": "boolean", "default": True},
    {"name": "a", "type": "array", "default": [1, "x"]},
    {"name": "o", "type": "object", "default": {"b": 1, "a": "한"}},
]
MAKER = job(
    "make",
    outputs=[
        {"name": f"o-{type_}", "type": type_, "path": f"/tmp/{type_}"}
        for type_ in ("string", "integer", "number", "boolean", "array", "object")
    ],
    metrics="/tmp/m.json",
)
WAITING = {
    "id": "ask",
    "type": "container",
    "image": "img:1",
    "gate": {"timeout": "1h", "values": [{"name": "rate", "type": "number"}]},
}
SELECT = {"id": "best", "type": "select", "metric": "m", "path": "/p"}
SERVING = {"id": "serve", "type": "serving", "framework": "sklearn"}
ASKING = {"id": "cond", "type": "condition", "approval": {"timeout": "1h"}}


def using(text: str, *tasks: Json, **fields: Any) -> Json:
    """A task `use` whose command holds the text, behind others."""
    return document(*tasks, job("use", command=["echo", text]), parameters=PARAMETERS, **fields)


def target(text: str, *tasks: Json, **fields: Any) -> tuple[Source, str]:
    doc = using(text, *tasks, **fields)
    (found,) = [one for one in analysis(doc).resolution.references if one.holder == "use"]
    return found.target.source, found.target.type


@pytest.mark.parametrize(("name", "type_"), [(one["name"], one["type"]) for one in PARAMETERS])
def test_parameters(name: str, type_: Any) -> None:
    assert target(f"{{{{params.{name}}}}}") == (Param(name, type_), type_)


@pytest.mark.parametrize("type_", ["string", "integer", "number", "boolean", "array", "object"])
def test_outputs(type_: Any) -> None:
    assert target(f"{{{{tasks.make.outputs.o-{type_}}}}}", MAKER) == (Output("make", f"o-{type_}", type_), type_)


@pytest.mark.parametrize(
    ("text", "task", "source", "type_"),
    [
        ("{{tasks.make.metrics.f1.macro}}", MAKER, Output("make", "metric-f1.macro", "number"), "number"),
        ("{{tasks.best.metrics.m}}", SELECT, Output("best", "metric-m", "number"), "number"),
        ("{{tasks.best.outputs.winner}}", SELECT, Output("best", "winner", "string"), "string"),
        ("{{tasks.best.outputs.score}}", SELECT, Output("best", "score", "number"), "number"),
        ("{{tasks.serve.outputs.url}}", SERVING, Output("serve", "url", "string"), "string"),
        ("{{tasks.ask.values.rate}}", WAITING, Output("ask", "value-rate", "number"), "number"),
        ("{{tasks.ask.decision}}", WAITING, Output("ask", "decision", "string"), "string"),
        ("{{tasks.cond.decision}}", ASKING, Output("cond", "decision", "string"), "string"),
    ],
)
def test_what_tasks_put_out(text: str, task: Json, source: Source, type_: str) -> None:
    assert target(text, task) == (source, type_)


@pytest.mark.parametrize("field", ["id", "name"])
def test_the_run(field: Any) -> None:
    assert target(f"{{{{run.{field}}}}}") == (RunInfo(field), "string")


def test_the_runs_status_is_for_the_exit_task() -> None:
    doc = using("{{run.status}}", onExit="use")
    assert [one.target.source for one in analysis(doc).resolution.references] == [RunInfo("status")]
    assert codes(check(using("{{run.status}}"))) == ["K310"]


def test_a_task_by_its_name_in_kfp() -> None:
    maker = job("4b0c", name="Make it", outputs=[{"name": "n", "type": "string", "path": "/tmp/n"}])
    assert target("{{tasks.4b0c.outputs.n}}", maker)[0] == Output("make-it", "n", "string")


# Items.


def item(each: Json, text: str = "{{item}}") -> tuple[Source, str]:
    doc = document(job("use", forEach=each, command=["echo", text]), parameters=PARAMETERS)
    (found,) = [one for one in analysis(doc).resolution.references if "item" in one.expression.text]
    return found.target.source, found.target.type


@pytest.mark.parametrize(
    ("items", "type_"),
    [
        (["a", "b"], "string"),
        ([1, 2], "integer"),
        ([1, 2.5], "number"),
        ([True], "boolean"),
        ([[1], []], "array"),
        ([{"k": 1}], "object"),
        (["a", 1], "string"),
        ([True, 1], "string"),
    ],
)
def test_an_item_has_the_type_that_all_have(items: list[Any], type_: Any) -> None:
    assert item({"items": items}) == (Item(None, type_), type_)


def test_keys_of_items_and_of_a_matrix() -> None:
    assert item({"items": [{"k": 1}, {"k": 2}]}, "{{item.k}}") == (Item("k", "integer"), "integer")
    assert item({"matrix": {"m": ["x"], "n": [1, 0.5]}}, "{{item.n}}") == (Item("n", "number"), "number")
    assert item({"matrix": {"m": ["x"]}}) == (Item(None, "object"), "object")


def test_each_is_in_the_others_iteration() -> None:
    doc = document(
        job("a", forEach={"items": [1, 2]}, outputs=[{"name": "n", "type": "integer", "path": "/tmp/n"}]),
        job("b", forEach={"each": "a"}, command=["echo", "{{item}}", "{{tasks.a.outputs.n}}"]),
        job("c", forEach={"each": "b"}, command=["echo", "{{item}}", "{{tasks.a.outputs.n}}"]),
        job("d", command=["echo", "{{tasks.a.outputs.n}}"]),
    )
    types = [(one.holder, one.target.type) for one in analysis(doc).resolution.references]
    assert types == [("b", "integer"), ("b", "integer"), ("c", "integer"), ("c", "integer"), ("d", "array")]


def test_a_reference_into_a_sweep_from_outside_is_an_array_for_metrics_too() -> None:
    swept = MAKER | {"forEach": {"items": [1, 2]}}
    assert target("{{tasks.make.metrics.f1}}", swept)[1] == "array"


# What names nothing: one diagnostic, at the reference itself, inside the text.


@pytest.mark.parametrize(
    ("text", "code", "suggestion"),
    [
        ("{{params.S}}", "K301", "`s`"),
        ("{{tasks.mkae.outputs.o-string}}", "K305", "`make`"),
        ("{{tasks.make.outputs.o-strng}}", "K306", "`o-string`"),
        ("{{tasks.ask.values.raet}}", "K306", "`rate`"),
        ("{{tasks.ask.metrics.x}}", "K307", "`metrics`"),
        ("{{tasks.make.values.x}}", "K308", "manual"),
        ("{{tasks.make.decision}}", "K308", "manual"),
        ("{{item}}", "K309", "`forEach`"),
        ("{{tasks.use.metrics.x}}", "K312", ""),
        ("{{parms.s}}", "K300", "{{params.s}}"),
        ("{{workflow.name}}", "K300", "{{{{"),
    ],
)
def test_a_miss_points_at_the_reference_and_suggests(text: str, code: str, suggestion: str) -> None:
    doc = using(f'한글 "quoted" {text} and {{{{params.i}}}}', MAKER, WAITING)
    checked = check(doc)
    assert (code, text) in [(one, shown) for one, shown in marked(doc, checked)]
    (found,) = [one for one in checked.diagnostics if one.code == code]
    assert suggestion in found.help


def test_a_reference_to_what_could_not_be_read_is_not_a_second_mistake() -> None:
    assert codes(check(using("{{params.z}}") | {"parameters": [{"name": "z", "type": "strnig"}]})) == ["K103"]
    odd = {"id": "odd", "type": "jbo"}
    assert codes(check(using("{{tasks.odd.outputs.x}}", odd))) == ["K103"]
    torn = job("t", outputs=[{"name": "n", "type": "strnig", "path": "/tmp/n"}])
    assert codes(check(using("{{tasks.t.outputs.n}}", torn))) == ["K103"]


def test_defaults_cannot_refer_to_a_task_since_they_hold_for_that_one_too() -> None:
    doc = using("x", MAKER, defaults={"env": [{"name": "A", "value": "{{tasks.make.outputs.o-string}}"}]})
    assert marked(doc, check(doc)) == [("K312", "{{tasks.make.outputs.o-string}}")]


# When a field takes them.


@pytest.mark.parametrize(
    "fields",
    [
        {"workingDir": "/{{params.s}}"},
        {"labels": {"a": "{{params.s}}"}},
        {"annotations": {"a": "{{params.s}}"}},
        {"volumes": [{"emptyDir": {}, "mountPath": "/{{params.s}}"}]},
        {"metrics": "/{{params.s}}"},
        {"files": [{"path": "/f", "content": "{{params.s}}"}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_fields_that_take_none(fields: Json) -> None:
    found = codes(check(document(job("a", **fields), parameters=PARAMETERS[:1])))
    # A file's content may hold braces, and arrives as it is: only a true reference is taken for a mistake.
    assert [code for code in found if code != "K242"] == ["K302"]


def test_a_field_that_takes_none_names_those_that_do() -> None:
    (found,) = [one for one in check(document(job("a", workingDir="/{{run.id}}"))).diagnostics if one.code == "K302"]
    assert "`command`" in found.help
    assert "`env`" not in found.help or "`image`" in found.help


def test_free_text_may_hold_anything() -> None:
    doc = document(job("a", name="{{x}}", description="{{", position={"{{": 1}, **{"x-a": "{{y}}"}), description="{{z")
    assert codes(check(doc)) == []


@pytest.mark.parametrize("text", ["{{run.id}}", "{{tasks.make.outputs.o-string}}"])
@pytest.mark.parametrize("fields", [{"timeout": "{}"}, {"packagesToInstall": ["{}"]}, {"nodeSelector": {"a": "{}"}}])
def test_what_is_known_only_at_run_time_is_refused_at_compile(text: str, fields: Json) -> None:
    put = {
        key: text if isinstance(value, str) else [text] if isinstance(value, list) else {"a": text}
        for key, value in fields.items()
    }
    assert codes(check(document(MAKER, job("use", **put)))) == ["K303"]


# At compile.


def test_defaults_and_given_values_are_put_in_at_compile() -> None:
    doc = document(
        job(
            "a", timeout="{{params.t}}", nodeSelector={"gpu": "v{{params.i}}"}, packagesToInstall=["x=={{params.i}}.0"]
        ),
        parameters=[{"name": "t", "type": "string", "default": "5m"}, {"name": "i", "type": "integer"}],
    )
    assert codes(check(doc)) == ["K304", "K304"]
    made = steps(doc, values={"i": 7, "t": "1h"})["a"]
    assert (made.timeout, made.scheduling.node_selector, made.requirements) == (3600, (("gpu", "v7"),), ("x==7.0",))


@pytest.mark.parametrize(
    ("value", "code"), [("soon", "K106"), ("0s", "K106"), ("", "K106"), ("5m{{", "K241"), (5, "K241")]
)
def test_a_value_that_does_not_fit_its_field(value: Any, code: str) -> None:
    doc = document(job("a", timeout="{{params.t}}"), parameters=[{"name": "t", "type": "string"}])
    assert code in codes(check(doc, values={"t": value}))


def test_a_given_value_becomes_the_default_of_the_plan() -> None:
    doc = using("{{params.s}}")
    before = {one.name: (one.required, one.default) for one in plan(doc).parameters}
    after = {one.name: (one.required, one.default) for one in plan(doc, values={"s": "x", "b": False}).parameters}
    assert (before["s"], before["b"]) == ((True, None), (False, True))
    assert (after["s"], after["b"]) == ((False, "x"), (False, False))


def test_an_unknown_value_is_said_with_a_suggestion() -> None:
    (found,) = [one for one in check(using("{{params.s}}"), values={"ss": 1}).diagnostics if one.code == "K301"]
    assert "`s`" in found.help


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("한", "한"), (True, "true"), (False, "false"), (5, "5"), (2.0, "2"), (0.1, "0.1"), (1e-9, "0.000000001"),
        (1e300, "1" + "0" * 300), ([1, "한"], '[1,"한"]'), ({"b": 1, "a": None}, '{"a":null,"b":1}'), (None, "null"),
    ],
)  # fmt: skip
def test_values_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text


# At run time.


def test_texts_are_pieces_in_order_and_escapes_are_gone() -> None:
    made = steps(using('{{{{x}} {"rate": {{params.n}}} {{params.s}}{{params.i}}'))["use"]
    assert made.command[1] == (
        '{{x}} {"rate": ',
        Param("n", "number"),
        "} ",
        Param("s", "string"),
        Param("i", "integer"),
    )


def test_every_field_that_takes_them_at_run_time() -> None:
    text, source = "{{params.s}}", (Param("s", "string"),)
    doc = document(
        job(
            "a",
            image=text,
            args=[text],
            env=[
                {"name": "A", "value": text},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": text, "key": "k"}}},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": text, "key": "k"}}},
            ],
            resources={"limits": {"cpu": text, "nvidia.com/gpu": text}, "requests": {"memory": text}},
            imagePullSecrets=[text],
        ),
        parameters=PARAMETERS[:1],
    )
    made = steps(doc)["a"]
    assert made.image == made.command[-1] == source
    assert [one.value if isinstance(one, EnvValue) else one.object for one in made.env] == [source] * 3
    assert isinstance(made.env[1], EnvFrom)
    limits = made.resources
    assert limits.cpu_limit == limits.memory_request == limits.accelerator_count == source
    assert made.pull_secrets == (source,)


def test_the_metrics_that_others_refer_to_are_known() -> None:
    made = steps(using("{{tasks.make.metrics.b}} {{tasks.make.metrics.a}} {{tasks.make.metrics.b}}", MAKER))["make"]
    assert made.metrics is not None
    assert made.metrics.keys == ("a", "b")
