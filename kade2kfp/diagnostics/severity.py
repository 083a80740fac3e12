"""How much each code matters. All that is named nowhere here is an error."""

from __future__ import annotations

from kade2kfp.diagnostics.model import Diagnostic, Severity

WARNINGS = frozenset(
    {
        "K206",
        "K207",
        "K209",
        "K218",
        "K227",
        "K228",
        "K229",
        "K233",
        "K236",
        "K242",
        "K314",
        "K334",
        "K409",
        "K410",
        "K413",
        "K500",
        "K507",
        "K605",
    }
)
NOTES = frozenset({"K226", "K513"})


def severity(code: str) -> Severity:
    """The severity of a code."""
    if code in WARNINGS:
        return Severity.WARNING
    return Severity.NOTE if code in NOTES else Severity.ERROR


def errors(diagnostics: list[Diagnostic]) -> int:
    """How many of the diagnostics are errors."""
    return sum(severity(one.code) is Severity.ERROR for one in diagnostics)


def warnings(diagnostics: list[Diagnostic]) -> int:
    """How many of the diagnostics are warnings."""
    return sum(severity(one.code) is Severity.WARNING for one in diagnostics)
