"""Requests and limits that KFP can hand to Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kade2kfp.checks.metadata import key_problem
from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.document.shared import Resources
from kade2kfp.document.types import quantity_value
from kade2kfp.plan.analysis import Analysis

_KNOWN = ("cpu", "memory")
_LEAST_MEMORY = 1024 * 1024


def resources(analysis: Analysis) -> Iterator[Diagnostic]:
    """K223: a resource that cannot be asked for so, or a request above its limit."""
    document = analysis.document
    for owner in document.owners:
        if owner.resources is not None:
            yield from _one(owner.resources)


def _one(given: Resources) -> Iterator[Diagnostic]:
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
        elif key_problem(key):
            yield Diagnostic("K223", f"`{key}` is not the name of a resource", at, key_problem(key), on_key=True)
        elif (value := _value(given, "limits", key)) is not None and (value.denominator != 1 or value < 0):
            yield Diagnostic("K223", f"`{key}` must be a whole number", at, "devices are not shared in parts")
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
        memory = _value(given, field, "memory")
        if memory is not None and 0 < memory < _LEAST_MEMORY:
            text = (getattr(given, field) or {})["memory"]
            meant = f"; did you mean `{text[:-1]}Mi`?" if text.endswith("m") else ", such as `512Mi`"
            message = f"{text} of memory is less than any program needs"
            yield Diagnostic("K223", message, given.place(field, "memory"), f"write it with a unit{meant}")
    for key in _KNOWN:
        asked, most = _value(given, "requests", key), _value(given, "limits", key)
        if asked is not None and most is not None and asked > most:
            related = Related("the limit", given.place("limits", key))
            message = f"the request for {key}, {requests[key]}, is above the limit, {limits[key]}"
            yield Diagnostic(
                "K223",
                message,
                given.place("requests", key),
                "lower the request or raise the limit",
                (related,),
            )


def _value(given: Resources, field: str, key: str) -> Fraction | None:
    text = (getattr(given, field) or {}).get(key)
    return None if text is None or "{{" in text else quantity_value(text)
