"""Limits that each task says."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.rules.model import Rules
from kade2kfp.rules.policy.pods import tasks_with_pods


def limits(analysis: Analysis, rules: Rules) -> Iterator[Diagnostic]:
    """K255: a task without a limit that is asked for."""
    document = analysis.document
    for task in tasks_with_pods(document) if rules.policy.required_limits else ():
        setting = analysis.settings[task.id].fields.get("resources")
        if document.is_torn(task.place("resources"), ("defaults",)):
            continue
        given = (setting.value.limits or {}) if setting else {}
        missing = [f"`{key}`" for key in rules.policy.required_limits if key not in given]
        if not missing:
            continue
        listed = missing[0] if len(missing) == 1 else ", ".join(missing[:-1]) + " and " + missing[-1]
        noun = "limit" if len(missing) == 1 else "limits"
        at = task.place("resources") if task.resources is not None else task.at
        message = f"the task `{task.id}` has no {noun} for {listed}, which {rules.who} asks for"
        help_ = "add it to the `resources.limits` of the task"
        help_ += "" if task.resources is not None else ", or of the `defaults`"
        yield Diagnostic("K255", message, at, help_)
