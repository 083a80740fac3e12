"""Kubernetes quantities: what one is worth, and how KFP will have it written.

The grammar is Kubernetes' (apimachinery/pkg/api/resource/quantity.go); what KFP takes is narrower
(kfp/dsl/pipeline_task.py, _validate_cpu_request_limit and _validate_memory_request_limit).
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil

_QUANTITY = re.compile(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]+))?", re.ASCII)
_LONGEST = 100
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}
_LARGE = {letter: 1000**power for power, letter in enumerate("MGTPE", 2)}
_FACTORS = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "k": Fraction(1000),
    **{suffix: Fraction(factor) for suffix, factor in (_BINARY | _LARGE).items()},
}
# KFP would also take `K`, which Kubernetes refuses.
_MEMORY = re.compile(r"[0-9]{1,100}([EPTGMK]i|[EPTGM])?", re.ASCII)
_SIZE = re.compile(r"(0|[1-9][0-9]{0,99})([EPTGMK]i|[EPTGM])?", re.ASCII)
# KFP would also take `1.5m`, which is finer than Kubernetes can share out.
_CPU = re.compile(r"[0-9]{1,100}m?|[0-9]{0,100}\.[0-9]{1,3}", re.ASCII)


@lru_cache(maxsize=1024)
def parse(text: str) -> Fraction:
    """The exact value of a quantity such as `1.5Gi`, `100u` or `2e3`.

    Raises:
        ValueError: it is none, or one beyond all measure (over 100 characters or an exponent beyond 100).
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(f"not a quantity: {text[:_LONGEST]!r}")
    sign, digits, suffix, exponent = match.groups()
    if exponent and abs(int(exponent)) > _LONGEST:
        raise ValueError(f"not a quantity: {text!r}")
    value = Fraction(digits.rstrip(".") if digits.endswith(".") else digits)
    value *= Fraction(10) ** int(exponent) if exponent else _FACTORS.get(suffix, Fraction(1))
    return -value if sign == "-" else value


def cpu(text: str) -> str:
    """A number of processors as KFP takes it: the text itself where it does, else rounded up to whole thousandths.

    Raises:
        ValueError: the text is no quantity, or negative.
    """
    value = _positive(text)
    if _CPU.fullmatch(text):
        return text
    thousandths = ceil(value * 1000)
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def memory(text: str) -> str:
    """A number of bytes as KFP takes it: the text itself where it does, else rounded up to whole bytes, at its shortest.

    Raises:
        ValueError: the text is no quantity, or negative.
    """
    value = _positive(text)
    return text if _MEMORY.fullmatch(text) else _shortest(ceil(value))


def size(text: str) -> str:
    """The size of a claim as KFP's workspace takes it; as `memory`, but without leading zeros.

    Raises:
        ValueError: the text is no quantity, or not above zero.
    """
    value = _positive(text)
    if value == 0:
        raise ValueError(f"not above zero: {text!r}")
    return text if _SIZE.fullmatch(text) else _shortest(ceil(value))


def count(text: str) -> str:
    """A number of devices: Kubernetes shares out whole ones only.

    Raises:
        ValueError: the text is no quantity, or negative, or not whole.
    """
    value = _positive(text)
    if value.denominator != 1:
        raise ValueError(f"not a whole number: {text!r}")
    return str(value.numerator)


def _positive(text: str) -> Fraction:
    value = parse(text)
    if value < 0 or text.startswith("-"):
        raise ValueError(f"negative: {text!r}")
    return value


def _shortest(count: int) -> str:
    """A whole number of bytes with the suffix that makes it shortest, a power of two first among equals."""
    texts = [
        f"{count // factor}{suffix}" for suffix, factor in (_BINARY | _LARGE).items() if count and count % factor == 0
    ]
    return min([*texts, str(count)], key=len)
