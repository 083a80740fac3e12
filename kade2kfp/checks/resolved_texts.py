"""Texts that held a `{{` and are known by now are of their field's kind, as any other text there is."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.checks.metadata import value_problem
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import KeyRef, PullSecretRef, Resources, TaskVolume
from kade2kfp.document.types import DNS_NAME, MAX_SECONDS, duration_seconds, quantity_value
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.walk import Place
from kade2kfp.steps.sources import literal
from kade2kfp.tasks.load_data import HeadersFrom

DURATIONS = ("timeout", "backoff", "max_backoff", "time_to_live", "every")
OBJECT_NAMES = (
    (KeyRef, "name"),
    (PullSecretRef, "name"),
    (TaskVolume, "secret"),
    (TaskVolume, "config_map"),
    (HeadersFrom, "secret_name"),
)
"""Fields that name an object of Kubernetes: KFP takes a literal, or one whole reference. A claim's takes parameters only."""


def resolved_texts(analysis: Analysis) -> Iterator[Diagnostic]:
    """K104, K106, K107, K109: a text that is no digest, duration, quantity or name once references are put in."""
    resolution = analysis.resolution
    for at, place in resolution.settled.items():
        text = resolution.compiled.get(at)
        if text is None:
            text = literal(resolution.run_texts[at])
        if text is not None and (problem := _problem(place, text)):
            code, what, help_ = problem
            yield Diagnostic(code, f"`{text[:60]}` is not {what}", at, help_)


def _problem(place: Place, text: str) -> tuple[str, str, str] | None:
    """Code, what the text is not, and how to write it."""
    field = place.field
    if field in DURATIONS and not 0 < (duration_seconds(text) or 0) <= MAX_SECONDS:
        return "K106", "a duration that can be used", "write it as `90s`, `30m`, `8h`, `7d`"
    if (field in ("size", "size_limit") or place.model is Resources) and quantity_value(text) is None:
        return "K107", "a quantity", "write it as `512Mi`, `10Gi`"
    if ((place.model, field) in OBJECT_NAMES or field == "claim_name") and not DNS_NAME.fullmatch(text):
        return "K109", "the name of an object of Kubernetes", "it has lower-case letters, digits, `-` and `.`"
    if field == "sha256" and (len(text) != 64 or set(text) - set("0123456789abcdefABCDEF")):
        return "K104", "a SHA-256 digest", "it has 64 hexadecimal digits, as `sha256sum` prints them"
    if field == "node_selector" and (problem := value_problem(text)):
        return "K222", "the value of a node's label", problem
    return None
