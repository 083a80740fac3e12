"""Retries that can be carried out."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.targets import gate_of


def retries(analysis: Analysis) -> Iterator[Diagnostic]:
    """K220: a retry on a task that waits for a person, or one that Argo cannot read."""
    for owner in analysis.document.owners:
        retry = owner.retry
        if retry is None:
            continue
        if isinstance(owner, Task) and gate_of(owner) is not None:
            help_ = "leave it out: nobody would be asked a second time"
            yield Diagnostic("K220", "a task that waits for a person has no retry", owner.place("retry"), help_)
        if retry.on == "pod" and retry.max_backoff is not None:
            help_ = "leave it out: Argo would take it for the time that all attempts have together"
            yield Diagnostic(
                "K220", '`maxBackoff` cannot be held where "on" is "pod"', retry.place("max_backoff"), help_
            )
        if retry.on == "pod" and retry.factor is not None and not float(retry.factor).is_integer():
            yield Diagnostic(
                "K220",
                "the factor must be a whole number",
                retry.place("factor"),
                'Argo reads no other where "on" is "pod"',
            )
