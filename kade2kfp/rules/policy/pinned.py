"""The name of an image has a tag, or a digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.rules.model import Rules
from kade2kfp.rules.policy.images import OUT, Image, planned, said
from kade2kfp.steps.model import Plan


def pinned(analysis: Analysis, rules: Rules) -> Iterable[Diagnostic]:
    """K251: an image without the tag or digest that is asked for, or of which only a run can tell."""
    return _judged(said(analysis, rules), rules) if rules.policy.pinned else ()


def planned_pinned(plan: Plan, analysis: Analysis, rules: Rules) -> Iterable[Diagnostic]:
    """K251 for images that the document does not say by themselves."""
    return _judged(planned(plan, analysis, rules), rules) if rules.policy.pinned else ()


def _judged(images: Iterable[Image], rules: Rules) -> Iterator[Diagnostic]:
    wanted = rules.policy.pinned
    noun = "digest" if wanted == "digest" else "version as its tag"
    for image in images:
        if image.name is None:
            if image.pulled is not None and not rules.policy.registries:  # else K256 or K250 tell
                yield image.wrong("K251", f"is known to a run only, and {rules.who} asks for a {noun}", OUT)
        elif "@" not in image.name.rest and (wanted == "digest" or image.name.rest in ("", ":latest")):
            help_ = "write it as name:3.11, or better as name@sha256:..."
            if wanted == "digest":
                help_ = "write it as name@sha256:...; `docker buildx imagetools inspect NAME` tells the digest"
            yield image.wrong("K251", f"has no {noun}, which {rules.who} asks for", help_)
