"""Types of task that the team does without."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.rules.model import Rules


def types(analysis: Analysis, rules: Rules) -> Iterator[Diagnostic]:
    """K254: a task of a type that is forbidden."""
    for task in analysis.document.tasks:
        if task.type in rules.policy.forbidden_types:
            message = f"the task `{task.id}` is a {task.type}, which {rules.who} forbids"
            yield Diagnostic("K254", message, task.place("type"), "write it as a task of another type")
