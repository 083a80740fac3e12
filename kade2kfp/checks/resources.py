"""Requests and limits that KFP can hand to Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from kade2kfp.checks.filled import Filled, filled
from kade2kfp.checks.metadata import key_problem
from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.shared import Resources
from kade2kfp.document.types import quantity_value
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.resolve import Known

_KNOWN = ("cpu", "memory")
_LEAST_MEMORY = 1024 * 1024
# More than any node has, so that the pod would wait for ever.
_MOST = 10_000
# A `k` may be meant: some devices are shared by the MiB of their memory, as volcano.sh/gpu-memory.
_UNIT = re.compile("[KMGTPE]i?$")
_OF_QUOTAS = "requests."


@dataclass(frozen=True, slots=True)
class _Amount:
    """A quantity as a number, and where it is written."""

    value: Fraction
    written: Filled


def resources(analysis: Analysis) -> Iterator[Diagnostic]:
    """K223: a resource that cannot be asked for so, or a request above its limit."""
    yield from resource_amounts(analysis, analysis.known)


def resource_amounts(analysis: Analysis, values: Known) -> Iterator[Diagnostic]:
    """K223 with these values of parameters: an amount that only a run can tell is left alone, and a wrong one is K107's."""
    for owner in analysis.document.owners:
        given = owner.resources
        if given is not None:
            amounts = {
                (field, key): amount
                for field in ("requests", "limits")
                for key, text in (getattr(given, field) or {}).items()
                if (amount := _amount(filled(analysis, values, given.place(field, key), text)))
            }
            yield from _one(given, amounts)


def _one(given: Resources, amounts: Mapping[tuple[str, str], _Amount]) -> Iterator[Diagnostic]:
    requests, limits = given.requests or {}, given.limits or {}
    extended = [key for key in limits if key not in _KNOWN]
    for key in requests:
        if key not in _KNOWN:
            if "/" in key:
                message, help_ = (
                    f"`{key}` cannot be among the requests",
                    "write it among the `limits`: Kubernetes takes the limit for the request too",
                )
            else:
                message, help_ = (
                    f"KFP cannot request `{key}`",
                    "it knows cpu and memory, and one extended resource such as nvidia.com/gpu among the limits",
                )
            yield Diagnostic("K223", message, given.place("requests", key), help_, on_key=True)
    for key in extended:
        at = given.place("limits", key)
        if "/" not in key:
            yield Diagnostic(
                "K223",
                f"KFP cannot limit `{key}`",
                at,
                "it knows cpu, memory, and one extended resource such as nvidia.com/gpu",
                on_key=True,
            )
        elif problem := _name_problem(key):
            yield Diagnostic("K223", f"`{key[:80]}` is not the name of a resource", at, problem, on_key=True)
        elif (amount := amounts.get(("limits", key))) and amount.value.denominator != 1:
            message = f"`{key}` must be a whole number"
            yield amount.written.wrong("K223", message, "devices are not shared in parts")
        elif amount and _UNIT.search(amount.written.text):
            message = f"{amount.written.text} of `{key}` is more than any node has"
            yield amount.written.wrong("K223", message, "say how many devices, without a unit: 1")
    for key in extended[1:]:
        related = Related("the first", given.place("limits", extended[0]))
        yield Diagnostic(
            "K223",
            "KFP knows one extended resource a task",
            given.place("limits", key),
            "keep one of them",
            (related,),
            on_key=True,
        )
    for field in ("requests", "limits"):
        memory = amounts.get((field, "memory"))
        if memory and 0 < memory.value < _LEAST_MEMORY:
            text = memory.written.text
            meant = f"; did you mean `{text[:-1]}Mi`?" if text.endswith("m") else ", such as `512Mi`"
            message = f"{text} of memory is less than any program needs"
            yield memory.written.wrong("K223", message, f"write it with a unit{meant}")
        cpu = amounts.get((field, "cpu"))
        if cpu and cpu.value > _MOST:
            message = f"{cpu.written.text} of cpu is more than any node has"
            yield cpu.written.wrong("K223", message, "cpu counts cores: `2`, or `500m` for the half of one")
    for key in _KNOWN:
        asked, most = amounts.get(("requests", key)), amounts.get(("limits", key))
        if asked and most and asked.value > most.value:
            message = f"the request for {key}, {asked.written.text}, is above the limit, {most.written.text}"
            help_ = "lower the request or raise the limit"
            if most.written.is_default and not asked.written.is_default:  # a default is what to change
                related = Related("the request", asked.written.field)
                yield most.written.wrong("K223", message, help_, (related,))
            else:
                related = Related("the limit", most.written.field)
                yield asked.written.wrong("K223", message, help_, (related,))


def _name_problem(key: str) -> str:
    """Kubernetes: pkg/apis/core/v1/helper, IsExtendedResourceName: with `requests.` before it, it names a quota."""
    if key.startswith(_OF_QUOTAS):
        return "names with `requests.` are those of quotas; write what the device's plugin calls it"
    if problem := key_problem(key):
        return problem
    return (
        key_problem(_OF_QUOTAS + key) and f"what stands before the `/` has at most {253 - len(_OF_QUOTAS)} characters"
    )


def _amount(written: Filled | None) -> _Amount | None:
    value = quantity_value(written.text) if written else None
    return None if written is None or value is None else _Amount(value, written)
