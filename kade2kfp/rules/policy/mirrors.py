"""Where images come from a mirror, each one is known before a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.rules.model import Rules
from kade2kfp.rules.policy.images import OUT, Image, planned, said
from kade2kfp.steps.model import Plan


def mirrors(analysis: Analysis, rules: Rules) -> Iterable[Diagnostic]:
    """K256: an image that a run could make one that is mirrored."""
    return _judged(said(analysis, rules), rules) if rules.policy.mirror else ()


def planned_mirrors(plan: Plan, analysis: Analysis, rules: Rules) -> Iterable[Diagnostic]:
    """K256 for images that the document does not say by themselves."""
    return _judged(planned(plan, analysis, rules), rules) if rules.policy.mirror else ()


def _judged(images: Iterable[Image], rules: Rules) -> Iterator[Diagnostic]:
    for image in images:
        if image.pulled is None:
            yield image.wrong("K256", f"is known to a run only, and {rules.who} has some images mirrored", OUT)
