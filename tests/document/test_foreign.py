"""References as other tools write them: found where they name what is declared, and nowhere else."""

import pytest

from kade2kfp.document.foreign import bare, foreign

PARAMETERS, TASKS = {"rate", "data-set", "mode"}, {"count"}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("{params.rate}", ["params.rate"]),
        ("{ params.data-set }", ["params.data-set"]),
        ("--rate=${params.rate}/x", ["params.rate"]),
        ("$(params.rate)$( params.mode )", ["params.rate", "params.mode"]),
        ("${{params.rate}}", ["params.rate"]),
        ('{"rate": ${params.rate}}', ["params.rate"]),
        ("{{params.mode}} and {params.rate}", ["params.rate"]),
        ("${params.rate} ${params.rate}", ["params.rate"]),
        ("${tasks.count.outputs.rows}", ["tasks.count.outputs.rows"]),
        ("$(tasks.count.results.rows)", ["tasks.count.outputs.NAME"]),
    ],
)
def test_found(text: str, meant: list[str]) -> None:
    found = list(foreign(text, PARAMETERS, TASKS))
    assert [one.meant for one in found] == meant
    assert all(text[one.start : one.end] == one.text for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "{{params.rate}}",
        '{"rate": {{params.rate}}}',
        "{{{params.rate}}}",
        "{{{{params.rate}}",
        "${{{params.rate}}}",  # a shell's variable, whose name is the value
        r"costs \${{params.rate}}",
        r"\${params.rate} $${params.rate}",
        "${params.other} $(params.rat) {params} {params.}",
        "${params_rate} ${params.rate:-1} $(params.rate --now)",
        "{tasks.other.outputs.rows} {tasks.count}",
        "params = load()\nprint(f'{params.rate}')",
        "import params; print(f'{params.rate}')",
        "const {params} = require('./p'); console.log(`${params.rate}`)",
        "'{params.rate}'.format(params=all)",
        "{hyperparams.rate} {self.params.rate}",
        "params.rate",
    ],
)
def test_another_meaning_is_left_alone(text: str) -> None:
    assert list(foreign(text, PARAMETERS, TASKS)) == []


def test_without_braces_the_whole_text_is_one() -> None:
    assert [text for text in ("params.rate", "tasks.count.metrics.loss") if bare(text, PARAMETERS, TASKS)] == [
        "params.rate",
        "tasks.count.metrics.loss",
    ]
    for text in ("params.other", "a params.rate", "params.rate ", "tasks.count", "params"):
        assert bare(text, PARAMETERS, TASKS) is None


def test_a_long_text_takes_no_longer_than_it_is_long() -> None:
    for text in ("{ params.rate" * 50_000, "${" * 200_000 + "params.", "{" + " " * 500_000 + "params.rate"):
        assert list(foreign(text, PARAMETERS, TASKS)) == []
