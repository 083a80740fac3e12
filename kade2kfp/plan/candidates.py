"""The pass that says what each select chooses from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.connect import location
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.groups import ArtifactNames
from kade2kfp.plan.names import slug, unique
from kade2kfp.steps.frame import Candidate
from kade2kfp.steps.parts import ArtifactInput, ClaimMount
from kade2kfp.steps.sources import Output
from kade2kfp.tasks.select import Select

_ON_CLAIMS = "/kade/candidates"


def candidates(analysis: Analysis, task: Task, artifacts: ArtifactNames) -> tuple[Candidate, ...]:
    """The candidates of a select whose arrows have no errors, in the order of the arrows; of any other task none.

    `artifacts` are names, as plan.connect.artifact_names gives them.
    """
    if not isinstance(task, Select):
        return ()
    found = [
        _candidate(analysis, flow, task.metric, artifacts, number)
        for number, flow in enumerate(chosen_from(analysis, task))
    ]
    return tuple(_named_apart(found))


def chosen_from(analysis: Analysis, task: Task) -> tuple[Flow, ...]:
    """The arrows that bring a select its candidates."""
    return tuple(flow for flow in analysis.to_task.get(task.id, ()) if not flow.order_only)


def compared_metrics(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """The metrics that selects compare: for each candidate the task's id, and the key."""
    for task in analysis.document.tasks:
        if isinstance(task, Select):
            yield from ((flow.giver.id, task.metric) for flow in chosen_from(analysis, task))


def _candidate(analysis: Analysis, flow: Flow, metric: str, artifacts: ArtifactNames, number: int) -> Candidate:
    giver = analysis.giver_of(flow)
    data: ArtifactInput | ClaimMount
    if flow.volume:
        data = replace(location(analysis, flow), path=f"{_ON_CLAIMS}/{number}")
    else:
        output = artifacts[flow.giver.id][flow.from_path, flow.type]
        data = ArtifactInput(giver, giver, output, "", flow.kind, flow.type)
    return Candidate(
        f"{flow.giver.id}-{flow.turn.name}" if flow.turn else flow.giver.id,
        Output(giver, f"metric-{metric}", "number"),
        data,
        ArtifactInput(f"{giver}-metrics", giver, "metrics", "", "file", "Metrics"),
        flow.from_path.rsplit("/", 1)[-1] if flow.kind == "file" else "",
    )


def _named_apart(found: list[Candidate]) -> Iterator[Candidate]:
    """The candidates with names of their inputs that are all different: a task may be called `a-metrics`."""
    metrics = unique(slug(one.metrics.name) for one in found)
    data = unique((slug(one.metric.step) for one in found), metrics)
    for one, own, its in zip(found, data, metrics, strict=True):
        arrived = replace(one.data, name=own) if isinstance(one.data, ArtifactInput) else one.data
        yield replace(one, data=arrived, metrics=replace(one.metrics, name=its))
