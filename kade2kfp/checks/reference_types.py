"""References that are a field's whole string are of the type that the field needs; and stand where KFP can take them."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.pipeline import Volume
from kade2kfp.document.shared import KeyRef, PullSecretRef, Resources, TaskVolume
from kade2kfp.document.types import duration_seconds, quantity_value
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.resolve import Reference
from kade2kfp.steps.sources import Param, Type

_NUMBERS: tuple[Type, ...] = ("integer", "number")
# Fields that name an object of Kubernetes: KFP takes a literal, or one whole parameter or output.
_NAMES = {
    (KeyRef, "name"),
    (PullSecretRef, "name"),
    (TaskVolume, "secret"),
    (TaskVolume, "config_map"),
    (Volume, "claim_name"),
}
_INTEGERS = ("parallelism", "replicas")
_DURATIONS = ("timeout", "backoff", "max_backoff", "time_to_live", "every")


def reference_types(analysis: Analysis) -> Iterator[Diagnostic]:
    """K311: a reference of the wrong type. K313: one that must be the whole string. K106, K107: a value that is none."""
    pieces: dict[object, int] = {}
    for reference in analysis.resolution.references:
        pieces[reference.place.pointer] = pieces.get(reference.place.pointer, 0) + 1
    for reference in analysis.resolution.references:
        field, model = reference.place.field, reference.place.model
        whole = reference.place.pointer in analysis.resolution.whole
        if (model, field) in _NAMES or model is Resources:
            if not whole:
                yield _diagnostic(
                    reference,
                    "K313",
                    "a reference here must be the whole text",
                    "KFP puts no text together in this field: make the parameter hold all of it",
                )
                continue
            if model is Volume and not isinstance(reference.target.source, Param):
                yield _diagnostic(
                    reference,
                    "K313",
                    "a claim's name can only be a parameter",
                    "make it a parameter of type string",
                )
                continue
        yield from _type(analysis, reference, whole)


def _type(analysis: Analysis, reference: Reference, whole: bool) -> Iterator[Diagnostic]:
    field, model, kind = reference.place.field, reference.place.model, reference.target.type
    if (model, field) in _NAMES and kind != "string":
        yield _wrong(reference, "a string")
    elif model is Resources and kind not in ("string", *_NUMBERS):
        yield _wrong(reference, "a string or a number")
    elif field == "items" and kind != "array":
        yield _wrong(reference, "an array")
    elif field in _INTEGERS and kind != "integer":
        yield _wrong(reference, "an integer")
    elif field in ("image", "url") and kind in ("array", "object"):
        yield _wrong(reference, "a string")
    elif whole and reference.place.pointer in analysis.resolution.compiled:
        text = analysis.resolution.compiled[reference.place.pointer]
        if text and field in _DURATIONS and not duration_seconds(text):
            yield _diagnostic(
                reference,
                "K106",
                f"`{text[:60]}`, the value of {reference.expression.text}, is not a duration",
                "write it as `90s`, `30m`, `8h`, `7d`",
            )
        elif text and field in ("size", "size_limit") and quantity_value(text) is None:
            yield _diagnostic(
                reference,
                "K107",
                f"`{text[:60]}`, the value of {reference.expression.text}, is not a quantity",
                "write it as `512Mi`, `10Gi`",
            )


def _wrong(reference: Reference, wanted: str) -> Diagnostic:
    message = f"{reference.expression.text} is of type {reference.target.type}, and {wanted} is needed here"
    return _diagnostic(reference, "K311", message, "refer to something else, or change its type")


def _diagnostic(reference: Reference, code: str, message: str, help_: str) -> Diagnostic:
    within = (reference.expression.start, reference.expression.end)
    return Diagnostic(code, message, reference.place.pointer, help_, within=within)
