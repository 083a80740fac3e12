"""What a `{{` in a text is: a reference, two literal braces, or a mistake; every character of the text is accounted for."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.document.references import Expression, Misfit, parse


def parts(text: str) -> list[object]:
    """Literal text as it is, references and misfits as tuples."""
    return [
        one
        if isinstance(one, str)
        else ("misfit", one.text)
        if isinstance(one, Misfit)
        else (one.root, one.task, one.name)
        for one in parse(text)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{params.x}}", ("params", "", "x")),
        ("{{ params.x }}", ("params", "", "x")),
        ("{{\tparams.x\n}}", ("params", "", "x")),
        ("{{tasks.a.outputs.n}}", ("outputs", "a", "n")),
        ("{{tasks.4b0c-1.metrics.accuracy}}", ("metrics", "4b0c-1", "accuracy")),
        ("{{tasks.a.metrics.f1.macro}}", ("metrics", "a", "f1.macro")),
        ("{{tasks.a.values.n}}", ("values", "a", "n")),
        ("{{tasks.a.decision}}", ("decision", "a", "")),
        ("{{item}}", ("item", "", "")),
        ("{{item.model}}", ("item", "", "model")),
        ("{{item.a.b}}", ("item", "", "a.b")),
        ("{{run.id}}", ("run", "", "id")),
        ("{{run.name}}", ("run", "", "name")),
        ("{{run.status}}", ("run", "", "status")),
    ],
)
def test_every_form(text: str, expected: tuple[str, str, str]) -> None:
    assert parts(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "{{}}",
        "{{ }}",
        "{{params}}",
        "{{params.}}",
        "{{param.x}}",
        "{{Params.x}}",
        "{{tasks.a}}",
        "{{tasks.a.outputs}}",
        "{{tasks.a.outputs.}}",
        "{{tasks..outputs.x}}",
        "{{tasks.a.decision.x}}",
        "{{tasks.a.inputs.x}}",
        "{{items}}",
        "{{item.}}",
        "{{run}}",
        "{{run.uid}}",
        "{{run.id.x}}",
        "{{workflow.name}}",
        "{{$.inputs.parameters['x']}}",
        "{{=1+1}}",
        "{{pod.name}}",
    ],
)
def test_what_looks_like_a_reference_and_is_none_is_a_mistake_as_a_whole(text: str) -> None:
    assert parts(text) == [("misfit", text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{{{", ["{{"]),
        ("{{{{workflow.name}}", ["{{workflow.name}}"]),
        ("a{{{{b{{params.x}}c", ["a{{b", ("params", "", "x"), "c"]),
        ("{{{{{{params.x}}}}", ["{{", ("params", "", "x"), "}}"]),
        ("{{{{{{{{", ["{{{{"]),
        # The brace of a JSON object that stands before a reference.
        ("{{{params.x}}}", ["{", ("params", "", "x"), "}"]),
        ('{"rate": {{params.rate}}}', ['{"rate": ', ("params", "", "rate"), "}"]),
        ("{", ["{"]),
        ("}}", ["}}"]),
        ("{ {params.x} }", ["{ {params.x} }"]),
        ("", []),
    ],
)
def test_literal_braces(text: str, expected: list[object]) -> None:
    assert parts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{params.x", [("misfit", "{{"), "params.x"]),
        ("{{params.x}", [("misfit", "{{"), "params.x}"]),
        ("{{", [("misfit", "{{")]),
        ("{{{", ["{", ("misfit", "{{")]),
        ("{{params.x\nand }} later", [("misfit", "{{"), "params.x\nand }} later"]),
        # What was forgotten before a good one does not swallow it.
        ("{{params.a {{params.b}}", [("misfit", "{{"), "params.a ", ("params", "", "b")]),
        ("{{a}} {{b}}", [("misfit", "{{a}}"), " ", ("misfit", "{{b}}")]),
        ("{{ {a} }}", [("misfit", "{{ {a} }}")]),
    ],
)
def test_unclosed_and_mixed(text: str, expected: list[object]) -> None:
    assert parts(text) == expected


def test_places_are_those_of_the_text() -> None:
    text = "한글 {{params.x}}, {{nope}}"
    found = [one for one in parse(text) if not isinstance(one, str)]
    assert [text[one.start : one.end] for one in found] == ["{{params.x}}", "{{nope}}"]


@given(st.text(alphabet="{}{}{} \nparms.xt한", max_size=60))
def test_nothing_of_a_text_is_lost(text: str) -> None:
    back, at = "", 0
    for one in parse(text):
        if isinstance(one, str):
            back += one.replace("{{", "{{{{")
        else:
            assert text[one.start : one.end] == one.text
            assert at <= one.start < one.end
            at = one.end
            back += one.text
    # A brace before a reference may be written as it is: only there do the two texts differ.
    assert back.replace("{", "") == text.replace("{", "")
    assert not any("{{" in one and "{{{{" not in text for one in parse(text) if isinstance(one, str))


@given(st.text(max_size=40))
def test_any_text_can_be_written_literally(text: str) -> None:
    escaped = text.replace("{{", "{{{{")
    if text.replace("{{", "").count("{") == 0:  # a single brace before two is read with them
        assert "".join(str(one) for one in parse(escaped)) == text


@pytest.mark.parametrize(
    "text",
    [
        "{{" + " " * 200_000,
        "{{" + " \n" * 100_000 + "x",
        "{{ " * 100_000,
        "{{{" * 70_000,
        "{{x}" * 50_000,
        "}}" * 99_999,
    ],
    ids=["spaces", "lines", "unclosed", "threes", "half-closed", "closing"],
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    began = process_time()
    parse(text)
    assert process_time() - began < 2  # quadratic ones took minutes


def test_expressions_keep_their_own_text() -> None:
    (one,) = parse("{{ params.x }}")
    assert isinstance(one, Expression)
    assert one.text == "{{ params.x }}"
