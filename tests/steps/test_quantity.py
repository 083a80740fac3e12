"""Quantities: worth what Kubernetes says they are, and written as KFP and Kubernetes both take them."""

from __future__ import annotations

import re
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.steps.quantity import count, cpu, memory, parse, size

# kfp 2.17, kfp/dsl/pipeline_task.py and kfp/dsl/pipeline_config.py.
KFP_CPU = re.compile(r"([0-9]*[.])?[0-9]+m?$")
KFP_MEMORY = re.compile(r"^[0-9]+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki){0,1}$")
KFP_SIZE = re.compile(r"^(?:(?:0|[1-9]\d*)(?:\.\d+)?)(?:Ki|Mi|Gi|Ti|Pi|Ei|K|M|G|T|P|E)?$")

NUMBERS = st.from_regex(r"\+?([0-9]{1,12}(\.[0-9]{0,6})?|\.[0-9]{1,6})", fullmatch=True)
SUFFIXES = st.sampled_from(["", "n", "u", "m", "k", *"MGTPE", *(f"{c}i" for c in "KMGTPE"), "e3", "E-3", "e+12"])
QUANTITIES = st.builds(str.__add__, NUMBERS, SUFFIXES)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5Gi", 1610612736),
        ("100u", Fraction(1, 10000)),
        ("3n", Fraction(3, 10**9)),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("12E-1", Fraction(6, 5)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("+5k", 5000),
        ("-5", -5),
        ("0", 0),
    ],
)
def test_a_quantity_is_worth_what_kubernetes_says(text: str, value: Fraction) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        " 1",
        "1\n",
        ".",
        "1K",
        "1ki",
        "1KB",
        "1gb",
        "Gi",
        "--1",
        "1e",
        "1e1.5",
        "1ee3",
        "0x10",
        "1_000",
        "1,5",
        "NaN",
        "inf",
        "１",
        "1e999999999",
        "9" * 101,
        "1Gi2",
        "{{x}}",
        "1mi",
    ],
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    for read in (parse, cpu, memory, size, count):
        with pytest.raises(ValueError, match="not a quantity"):
            read(text)


@pytest.mark.parametrize("text", ["-1", "-1Gi", "-0.5", "-0"])
def test_a_negative_amount_is_refused(text: str) -> None:
    for read in (cpu, memory, size, count):
        with pytest.raises(ValueError, match="negative"):
            read(text)


@pytest.mark.parametrize(
    ("text", "kfp"),
    [
        ("2", "2"),
        ("0.5", "0.5"),
        ("500m", "500m"),
        ("1e3", "1000"),
        ("100u", "1m"),
        ("1.5m", "2m"),
        ("2k", "2000"),
        ("1500000u", "1500m"),
        ("0.0001", "1m"),
        ("5.", "5"),
        ("0", "0"),
        ("+1", "1"),
    ],
)
def test_processors(text: str, kfp: str) -> None:
    assert cpu(text) == kfp


@pytest.mark.parametrize(
    ("text", "kfp"),
    [
        ("1Gi", "1Gi"),
        ("1024Mi", "1024Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5", "1"),
        ("1e3", "1000"),
        ("1k", "1000"),
        ("128974848000m", "123Mi"),
        ("1e9", "1G"),
        ("0", "0"),
        ("0.3Ki", "308"),
        ("1.5E", "1500P"),
    ],
)
def test_bytes(text: str, kfp: str) -> None:
    assert memory(text) == kfp


def test_a_claim_has_a_size() -> None:
    assert size("010Gi") == "10Gi"
    assert size("2.5Ti") == "2560Gi"
    with pytest.raises(ValueError, match="above zero"):
        size("0Gi")


def test_devices_are_whole() -> None:
    assert [count("2"), count("1k"), count("2000m"), count("0")] == ["2", "1000", "2", "0"]
    with pytest.raises(ValueError, match="whole"):
        count("0.5")


@given(QUANTITIES)
def test_kfp_takes_the_text_and_the_value_is_the_same_or_the_next_above(text: str) -> None:
    value = parse(text)
    assert KFP_CPU.match(cpu(text))
    assert 0 <= parse(cpu(text)) - value < Fraction(1, 1000)
    assert KFP_MEMORY.match(memory(text))
    assert not memory(text).endswith("K")
    assert 0 <= parse(memory(text)) - value < 1
    if value:
        assert KFP_SIZE.match(size(text))
        assert 0 <= parse(size(text)) - value < 1


@given(st.text())
def test_any_text_is_a_quantity_or_an_error_that_says_so(text: str) -> None:
    for read in (parse, cpu, memory, size, count):
        with suppress(ValueError):
            assert read(text) is not None
