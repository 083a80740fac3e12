"""Texts that held a `{{` and are known by now are of their field's kind, as any other text there is."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.checks.images import IMAGE
from kade2kfp.checks.metadata import value_problem
from kade2kfp.checks.packages import requirement_problem
from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.shared import KeyRef, PullSecretRef, Resources, TaskVolume
from kade2kfp.document.types import DNS_NAME, MAX_SECONDS, duration_seconds, quantity_value
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.expand import item_texts
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
    """K104, K106, K107, K109, K222: a text that is no digest, duration, quantity, name or label once references are put in.

    For each known item also K205, K214 and K223: no image, no package, no whole number of devices.
    """
    resolution = analysis.resolution
    for at, place in resolution.settled.items():
        text = resolution.compiled.get(at)
        if text is None:
            text = literal(resolution.run_texts[at])
        if text is not None and (problem := _problem(place, text)):
            code, what, help_ = problem
            yield Diagnostic(code, f"`{text[:60]}` is not {what}", at, help_)
    told: set[Pointer] = set()
    for place, turn, text in item_texts(analysis):
        if place.pointer not in told and (said := _of_an_item(place, text)):
            told.add(place.pointer)
            code, message, help_ = said
            yield Diagnostic(code, f"{message}, for the item {turn.label}", place.pointer, help_)


def _of_an_item(place: Place, text: str) -> tuple[str, str, str] | None:
    """Code, message and help, also for fields whose other texts have checks of their own."""
    if problem := _problem(place, text):
        code, what, help_ = problem
        return code, f"`{text[:60]}` is not {what}", help_
    if place.field == "image" and not IMAGE.fullmatch(text):
        return "K205", f"`{text[:60]}` is not the name of an image", "write it as registry/name:tag"
    if place.field == "packages_to_install" and (wrong := requirement_problem(text.strip())):
        return "K214", *wrong
    amount = quantity_value(text) if place.model is Resources else None
    if amount is not None and place.pointer[-1] not in ("cpu", "memory") and amount.denominator != 1:
        return "K223", f"`{place.pointer[-1]}` must be a whole number", "devices are not shared in parts"
    return None


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
