"""A field of the pod that is a literal or one whole parameter, as it is with values of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.values import same
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.resolve import Known, as_text, parameter
from kade2kfp.steps.sources import Param, literal


@dataclass(frozen=True, slots=True)
class Filled:
    """What a field holds, and where that is written: in the field, or as the default of a parameter."""

    text: str
    at: Pointer
    field: Pointer
    is_known: bool = True
    """False where only a run can tell, and the text is the reference."""

    @property
    def is_default(self) -> bool:
        """Whether the text stands in a parameter's default, which is the place to mend it."""
        return self.at != self.field

    def wrong(self, code: str, message: str, help_: str, related: Sequence[Related] = ()) -> Diagnostic:
        """A diagnostic where the text is written, which tells the field too if that is elsewhere."""
        used = (Related("it is used here", self.field),) if self.is_default else ()
        return Diagnostic(code, message, self.at, help_, (*related, *used))


def filled(analysis: Analysis, values: Known, field: Pointer, raw: str | None) -> Filled | None:
    """What the field at a pointer holds with these values of parameters; None if it is empty, or only a run can tell.

    `values` are `analysis.known` for a document by itself, and what a run is given for a run.
    """
    reference = analysis.resolution.whole.get(field)
    if reference is None:
        text = literal(analysis.resolution.text(field, raw))
        return Filled(text, field, field) if text else None
    source = reference.target.source
    value = values.get(source.name) if isinstance(source, Param) else None
    declared = parameter(analysis.document, reference.expression.name)
    if declared is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None  # another type is K311's to tell
    by_default = declared.given("default") and same(value, declared.default)
    return Filled(as_text(value), declared.place("default") if by_default else field, field)


def named(analysis: Analysis, values: Known, field: Pointer, raw: str | None) -> Filled | None:
    """As `filled`, but a reference that only a run can tell stands for itself: two of one text are one name, whichever."""
    reference = analysis.resolution.whole.get(field)
    if (known := filled(analysis, values, field, raw)) or reference is None:
        return known
    return Filled("{{" + reference.expression.text.strip("{} ") + "}}", field, field, is_known=False)
