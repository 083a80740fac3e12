from __future__ import annotations

import math

import pytest

from kade2kfp.local.amounts import duration, number, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (3599.7, "1h00m"),
        (7650, "2h07m"),
        (86399, "23h59m"),
        (90000, "1d01h"),
        (-3, "0.0s"),
        (math.nan, "?"),
        (math.inf, "?"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1536 * 1024**2, "1.5 GiB"),
        (3 * 1024**4, "3.0 TiB"),
        (9 * 1024**6, "9437184.0 TiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (123456.0, "123456"),
        (1e15, "1e+15"),
        (0.97777777, "0.9778"),
        (123456.7, "1.235e+05"),
        (-0.5, "-0.5"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_metrics(value: float, text: str) -> None:
    assert number(value) == text
