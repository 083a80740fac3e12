"""References that are a field's whole string are of the type that the field needs; and stand where KFP can take them."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.checks.images import IMAGE
from kade2kfp.checks.resolved_texts import OBJECT_NAMES
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.pipeline import Volume
from kade2kfp.document.shared import Resources
from kade2kfp.document.types import DNS_NAME, quantity_value
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.resolve import Reference, as_text
from kade2kfp.steps.sources import Param, RunInfo, Type

_NUMBERS: tuple[Type, ...] = ("integer", "number")
_NAMES = {*OBJECT_NAMES, (Volume, "claim_name")}
_INTEGERS = ("parallelism", "replicas")


def reference_types(analysis: Analysis) -> Iterator[Diagnostic]:
    """K311: a reference of the wrong type. K313: one that must be the whole string, or cannot stand there."""
    for reference in analysis.resolution.references:
        field, model = reference.place.field, reference.place.model
        whole = reference.place.pointer in analysis.resolution.whole
        if (model, field) in _NAMES or model is Resources or field == "image":
            if not whole and not reference.target.known_item:
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
            source = reference.target.source
            if isinstance(source, RunInfo) and ((model, field) not in _NAMES or source.field == "status"):
                message = f"{reference.expression.text} cannot stand here"
                places = (
                    "commands and variables" if source.field == "status" else "commands, variables and names of objects"
                )
                yield _diagnostic(reference, "K313", message, f"KFP knows it only in {places}")
                continue
        if field == "items" and reference.place.pointer[-1] == "items" and not whole:
            help_ = "nothing puts a list together: let an array parameter or output hold all of it"
            yield _diagnostic(reference, "K313", "a reference here must be the whole text", help_)
            continue
        wrong = list(_type(reference))
        yield from wrong or _default(analysis, reference)


def _default(analysis: Analysis, reference: Reference) -> Iterator[Diagnostic]:
    """K109, K107, K205: a parameter's default that cannot be what it stands for."""
    field, model, source = reference.place.field, reference.place.model, reference.target.source
    value = analysis.known.get(source.name) if isinstance(source, Param) else None
    if model is Resources and isinstance(value, int | float) and not isinstance(value, bool):
        value = as_text(value)
    if not isinstance(value, str) or reference.place.pointer not in analysis.resolution.whole:
        return
    said = f"`{value[:60]}`, the value of {reference.expression.text}, is not"
    if (model, field) in _NAMES and not DNS_NAME.fullmatch(value):
        yield _diagnostic(
            reference, "K109", f"{said} a Kubernetes name", "it has lower-case letters, digits, `-` and `.`"
        )
    elif model is Resources and quantity_value(value) is None:
        yield _diagnostic(reference, "K107", f"{said} a quantity", "write it as Kubernetes does: `500m`, `2`, `512Mi`")
    elif field == "image" and not IMAGE.fullmatch(value):
        yield _diagnostic(reference, "K205", f"{said} the name of an image", "write it as registry/name:tag")


def _type(reference: Reference) -> Iterator[Diagnostic]:
    field, model, kind = reference.place.field, reference.place.model, reference.target.type
    if (model, field) in _NAMES and kind != "string":
        yield _wrong(reference, "a string")
    elif model is Resources and kind not in ("string", *_NUMBERS):
        yield _wrong(reference, "a string or a number")
    elif field == "items" and reference.place.pointer[-1] == "items" and kind != "array":
        yield _wrong(reference, "an array")
    elif field in _INTEGERS and kind != "integer":
        yield _wrong(reference, "an integer")
    elif field in ("image", "url") and kind in ("array", "object"):
        yield _wrong(reference, "a string")


def _wrong(reference: Reference, wanted: str) -> Diagnostic:
    message = f"{reference.expression.text} is of type {reference.target.type}, and {wanted} is needed here"
    return _diagnostic(reference, "K311", message, "refer to something else, or change its type")


def _diagnostic(reference: Reference, code: str, message: str, help_: str) -> Diagnostic:
    within = (reference.expression.start, reference.expression.end)
    return Diagnostic(code, message, reference.place.pointer, help_, within=within)
