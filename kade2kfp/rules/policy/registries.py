"""Images come from the registries that the team has chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.rules.model import Rules
from kade2kfp.rules.names import begins
from kade2kfp.rules.policy.images import OUT, Image, planned, said
from kade2kfp.steps.model import Plan

_MOST = 5


def registries(analysis: Analysis, rules: Rules) -> Iterable[Diagnostic]:
    """K250: an image that is not from an allowed registry, or of which only a run can tell."""
    return _judged(said(analysis, rules), rules) if rules.policy.registries else ()


def planned_registries(plan: Plan, analysis: Analysis, rules: Rules) -> Iterable[Diagnostic]:
    """K250 for images that the document does not say by themselves."""
    return _judged(planned(plan, analysis, rules), rules) if rules.policy.registries else ()


def _judged(images: Iterable[Image], rules: Rules) -> Iterator[Diagnostic]:
    names = [f"`{one}`" for one in rules.policy.registries[:_MOST]]
    more = len(rules.policy.registries) - len(names)
    listed = ", ".join(names) + (f" and {more} more" if more else "")
    for image in images:
        if image.name is None:
            if image.pulled is not None:  # else K256 tells
                yield image.wrong("K250", f"is known to a run only, and {rules.who} allows some registries only", OUT)
        elif not any(begins(image.name.place, one) for one in rules.policy.registries):
            message = f"is not from a registry that {rules.who} allows"
            yield image.wrong("K250", message, f"{rules.who} allows {listed}")
