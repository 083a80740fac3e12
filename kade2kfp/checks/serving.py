"""Endpoints have what they are built of."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.serving import Serving


def serving(analysis: Analysis) -> Iterator[Diagnostic]:
    """K105: negative replicas. K230: a custom endpoint without its files, no model, or contradicting numbers of replicas."""
    for task in analysis.document.tasks:
        if not isinstance(task, Serving):
            continue
        yield from _model(analysis, task)
        names = {file.path for file in task.files or ()}
        if task.framework == "custom" and not analysis.document.is_torn(task.place("files"), task.place("framework")):
            for name in ("service.py", "bentofile.yaml"):
                if name not in names:
                    yield Diagnostic(
                        "K230",
                        f"the framework custom needs a file {name}",
                        task.place("framework"),
                        f"add it to `files`, or name the framework the model was made with: then {name} is made for you",
                    )
        scale = task.autoscale
        if scale is not None and scale.min_replicas is not None and scale.min_replicas > scale.max_replicas:
            yield Diagnostic(
                "K230",
                f"the fewest replicas, {scale.min_replicas}, are more than the most, {scale.max_replicas}",
                scale.place("min_replicas"),
                "swap them",
            )
        if scale is not None and task.replicas is not None:
            yield Diagnostic("K230", "there are `replicas` and `autoscale`", task.place("replicas"), "keep one of them")
        if isinstance(task.replicas, int) and task.replicas < 0:
            yield Diagnostic(
                "K105",
                f"{task.replicas} is out of range: `replicas` must be at least 0",
                task.place("replicas"),
            )


def _model(analysis: Analysis, task: Serving) -> Iterator[Diagnostic]:
    document = analysis.document
    coming = [arrow for arrow in document.arrows if arrow.to_task == task.id]
    unclear = document.is_torn(task.place("id"), task.place("framework")) or not document.arrows_are_whole
    if task.framework != "custom" and not unclear and not any(arrow.from_path or arrow.to_path for arrow in coming):
        help_ = "draw one with paths from the task that makes it"
        yield Diagnostic("K230", f"no arrow brings a model to `{task.id}`", task.at, help_)
