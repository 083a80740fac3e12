"""What a team's policy asks of a pipeline, one file a rule: on the analysed document, and on the plan for what only it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.rules.model import Rules
from kade2kfp.rules.policy.ceilings import ceilings, planned_ceilings
from kade2kfp.rules.policy.labels import labels
from kade2kfp.rules.policy.limits import limits
from kade2kfp.rules.policy.mirrors import mirrors, planned_mirrors
from kade2kfp.rules.policy.pinned import pinned, planned_pinned
from kade2kfp.rules.policy.registries import planned_registries, registries
from kade2kfp.rules.policy.types import types
from kade2kfp.steps.model import Plan

CHECKS: tuple[Callable[[Analysis, Rules], Iterable[Diagnostic]], ...] = (
    ceilings,
    labels,
    limits,
    mirrors,
    pinned,
    registries,
    types,
)
PLAN_CHECKS: tuple[Callable[[Plan, Analysis, Rules], Iterable[Diagnostic]], ...] = (
    planned_ceilings,
    planned_mirrors,
    planned_pinned,
    planned_registries,
)
