"""What a team's policy says of a pipeline; without a policy its rules are not even imported, which `validate` would feel."""

from __future__ import annotations

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.rules.model import Policy, Rules
from kade2kfp.steps.model import Plan


def of_document(analysis: Analysis, rules: Rules) -> list[Diagnostic]:
    """What is wrong with an analysed document by the rules' policy."""
    if rules.policy == Policy():
        return []
    from kade2kfp.rules.policy import CHECKS

    return [one for check in CHECKS for one in check(analysis, rules)]


def of_plan(plan: Plan, analysis: Analysis, rules: Rules) -> list[Diagnostic]:
    """What else is wrong by the rules' policy, which only the plan knows."""
    if rules.policy == Policy():
        return []
    from kade2kfp.rules.policy import PLAN_CHECKS

    return [one for check in PLAN_CHECKS for one in check(plan, analysis, rules)]
