"""select has candidates that can be compared."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.targets import has_metrics, iteration
from kade2kfp.tasks.select import Select


def select(analysis: Analysis) -> Iterator[Diagnostic]:
    """K506: no candidate, or one without metrics. K507 (warning): one candidate alone."""
    document = analysis.document
    for task in document.tasks:
        if not isinstance(task, Select):
            continue
        coming = [flow for flow in analysis.to_task.get(task.id, ()) if not flow.order_only]
        lost = [
            arrow
            for arrow in document.arrows
            if arrow.to_task == task.id and arrow.from_task in document.damaged["tasks"]
        ]
        if not coming and not lost and document.arrows_are_whole:
            yield Diagnostic(
                "K506",
                f"no arrow brings a candidate to `{task.id}`",
                task.at,
                "draw an arrow with paths from each task whose result is a candidate",
            )
        for flow in coming:
            if not has_metrics(flow.giver) and not document.is_torn((*flow.giver.at, "metrics")):
                help_ = f"say in its `metrics` which file holds `{task.metric}`"
                related = (Related(f"`{task.id}` compares `{task.metric}`", task.place("metric")),)
                yield Diagnostic(
                    "K506",
                    f"the candidate `{flow.giver.id}` has no metrics",
                    flow.arrow.place("from_task"),
                    help_,
                    related,
                )
        if len(coming) == 1 and not lost and document.arrows_are_whole and iteration(document, coming[0].giver) is None:
            yield Diagnostic(
                "K507",
                f"`{task.id}` has one candidate alone",
                task.place("id"),
                "draw arrows from the others, or take the select out",
            )
