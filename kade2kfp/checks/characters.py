"""Characters that do not survive their way to the container."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.base import Model, Takes
from kade2kfp.document.pipeline import Parameter
from kade2kfp.document.shared import TypedValue
from kade2kfp.document.values import strings
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.targets import gate_of
from kade2kfp.plan.walk import texts

_BEYOND = re.compile("[\x7f\U00010000-\U0010ffff]")
_CONTROL = re.compile(r"[^\b\t\n\f\r -\uffff\U00010000-\U0010ffff]")


def characters(analysis: Analysis) -> Iterator[Diagnostic]:
    """K606: a character that Argo breaks the step's JSON with.

    Argo puts texts into JSON by Go's strconv.Quote (util/template/simple_template.go), whose escapes for U+007F and for what
    is not printable beyond U+FFFF are none of JSON. In values of annotations, which are metadata of the template and so
    quoted as they are, those for most control characters are none either.
    """
    document = analysis.document
    models: list[Model] = [*document.volumes, document.defaults, *document.tasks]
    for model in models:
        for place in texts(model):
            found = "" if place.takes is Takes.LITERAL else broken(place.text)
            if not found and place.field == "annotations" and (control := _CONTROL.search(place.text)):
                found = control[0]
            if found:
                start = place.text.index(found)
                yield _diagnostic(found, Diagnostic("K606", "", place.pointer, within=(start, start + 1)))
    gates = [gate for task in document.tasks if (gate := gate_of(task))]
    declarations: list[Parameter | TypedValue] = [*document.parameters]
    declarations += [value for gate in gates for value in gate.values or ()]
    for declared in declarations:
        if found := next((one for text in strings(declared.default) if (one := broken(text))), ""):
            yield _diagnostic(found, Diagnostic("K606", "", declared.place("default")))


def broken(text: str) -> str:
    """The first character of a text that breaks; empty if none does."""
    if text.isascii() and "\x7f" not in text:
        return ""
    return next((match[0] for match in _BEYOND.finditer(text) if not match[0].isprintable()), "")


def _diagnostic(found: str, at: Diagnostic) -> Diagnostic:
    message = f"the character U+{ord(found):04X} does not survive its way through Argo"
    help_ = (
        "take it out"
        if found < " "
        else "take it out, or put the text into a file of `files`: those arrive byte for byte"
    )
    return Diagnostic(at.code, message, at.pointer, help_, within=at.within)
