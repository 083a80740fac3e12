"""Labels that the team's tasks have, and values that they may have."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.rules import patterns
from kade2kfp.rules.model import Rules
from kade2kfp.rules.policy.pods import tasks_with_pods


def labels(analysis: Analysis, rules: Rules) -> Iterator[Diagnostic]:
    """K252: a task without a label that is asked for, or a label whose value does not fit."""
    yield from _missing(analysis, rules)
    yield from _values(analysis, rules)


def _missing(analysis: Analysis, rules: Rules) -> Iterator[Diagnostic]:
    document, of_all = analysis.document, analysis.document.pipeline.labels or {}
    tasks = tasks_with_pods(document)
    for key in rules.policy.labels:
        if key in of_all or document.is_torn(("labels",), ("defaults",)):
            continue
        without = [
            task
            for task in tasks
            if key not in dict(setting.value for setting in analysis.settings[task.id].labels)
            and not document.is_torn(task.place("labels"))
        ]
        if len(without) > 1 and len(without) == len(tasks):
            message = f"no task has the label `{key}`, which {rules.who} asks for"
            yield Diagnostic("K252", message, ("name",), f'add "labels": {{"{key}": "..."}} to the pipeline')
            continue
        for task in without:
            message = f"the task `{task.id}` has no label `{key}`, which {rules.who} asks for"
            help_ = "add it to the `labels` of the task, of the `defaults`, or of the pipeline"
            yield Diagnostic("K252", message, task.at, help_)


def _values(analysis: Analysis, rules: Rules) -> Iterator[Diagnostic]:
    document = analysis.document
    said = [(owner.labels or {}, owner.place("labels")) for owner in document.owners]
    said.append((document.pipeline.labels or {}, document.pipeline.place("labels")))
    for key, pattern in rules.policy.label_values:
        for given, place in said:
            value = given.get(key)
            if value is None or patterns.fits(pattern, value):
                continue
            message = f"`{value[:60]}` is no value of the label `{key}` that {rules.who} allows"
            yield Diagnostic("K252", message, (*place, key), f"it must be as the pattern says: {pattern[:100]}")
