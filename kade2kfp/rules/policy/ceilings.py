"""Ceilings for what one pod asks for and may use."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.shared import Resources as Said
from kade2kfp.document.types import quantity_value
from kade2kfp.plan.analysis import Analysis
from kade2kfp.rules.model import Rules
from kade2kfp.rules.policy.images import of_item
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.parts import Resources
from kade2kfp.steps.sources import Text, any_source, literal

_FIELDS = ("requests", "limits")


def ceilings(analysis: Analysis, rules: Rules) -> Iterator[Diagnostic]:
    """K253: a request or limit above the ceiling, or one that only a run can tell."""
    for owner in analysis.document.owners if rules.policy.most else ():
        for at, field, key, text in _amounts(analysis, rules, owner.resources):
            if not of_item(text):  # known items the plan has, others cannot stand there (K516)
                yield from _judged(at, field, key, text, rules)


def planned_ceilings(plan: Plan, analysis: Analysis, rules: Rules) -> Iterator[Diagnostic]:
    """K253 for amounts that an item of a list fills in."""
    for node in plan.nodes if rules.policy.most else ():
        if isinstance(node, Step) and node.task in analysis.sweeps.turns:
            setting = analysis.settings[node.task].fields.get("resources")
            for at, field, key, text in _amounts(analysis, rules, setting.value if setting else None):
                if of_item(text):
                    yield from _judged(at, field, key, _planned(node.resources, field, key), rules)


def _amounts(analysis: Analysis, rules: Rules, said: Said | None) -> Iterator[tuple[Pointer, str, str, Text]]:
    """The amounts that have a ceiling, and of which nothing is in doubt: where, which field, which resource, what."""
    for field in _FIELDS if said is not None else ():
        for key, raw in (getattr(said, field) or {}).items():
            at = said.place(field, key) if said else ()
            if _ceiling(key, rules) and ("{{" not in raw or at in analysis.resolution.settled):
                yield at, field, key, analysis.resolution.text(at, raw)


def _planned(resources: Resources, field: str, key: str) -> Text:
    if key == "cpu":
        return resources.cpu_request if field == "requests" else resources.cpu_limit
    if key == "memory":
        return resources.memory_request if field == "requests" else resources.memory_limit
    return resources.accelerator_count if key == resources.accelerator else ()


def _judged(at: Pointer, field: str, key: str, text: Text, rules: Rules) -> Iterator[Diagnostic]:
    named = _ceiling(key, rules)
    most = dict(rules.policy.most)[named]
    ceiling = quantity_value(most) or Fraction(0)
    for_ = f" for `{named}`" if named != key else ""
    noun = "request" if field == "requests" else "limit"
    if any_source(text):
        if len(text) == 1:  # K313 tells of a reference that is a part
            message = f"the {noun} for `{key}` is known to a run only, and {rules.who} allows {most} at most{for_}"
            help_ = (
                "write the amount out, or have it as an item of `forEach`: what a run is given cannot be checked before"
            )
            yield Diagnostic("K253", message, at, help_)
        return
    amount = quantity_value(literal(text) or "")
    if amount is not None and amount > ceiling:
        message = f"the {noun} for `{key}`, {literal(text)}, is above the {most} that {rules.who} allows{for_}"
        help_ = f"leave it out: {rules.who} allows none" if ceiling == 0 else f"ask for {most} at most"
        yield Diagnostic("K253", message, at, help_)


def _ceiling(key: str, rules: Rules) -> str:
    """The entry of `max` that holds for a resource: its own, else the longest that ends in a `*` and fits; empty where none does."""
    named = [one for one, _ in rules.policy.most]
    fits = [one for one in named if one == key or (one.endswith("*") and key.startswith(one[:-1]))]
    return max(fits, key=lambda one: (one == key, len(one)), default="")
