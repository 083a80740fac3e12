"""All that the passes find out about a document, gathered for the checks and for the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.read import Document
from kade2kfp.document.shared import Task
from kade2kfp.plan.files import read_files
from kade2kfp.plan.flows import Flow, flows
from kade2kfp.plan.inherit import Settings, inherit
from kade2kfp.plan.names import pipeline_slug, step_names
from kade2kfp.plan.resolve import Resolution, known_values, resolve
from kade2kfp.plan.run_time import arriving
from kade2kfp.plan.turns import Sweeps, Turn, sweeps


@dataclass(frozen=True, slots=True)
class Analysis:
    """A document with its meaning."""

    document: Document
    slug: str
    names: Mapping[str, str]
    """Names of the steps by task id."""
    known: Mapping[str, Any]
    """Values of parameters known at compile."""
    resolution: Resolution
    settings: Mapping[str, Settings]
    flows: tuple[Flow, ...]
    contents: Mapping[Pointer, bytes]
    folder: Path | None
    from_task: Mapping[str, tuple[Flow, ...]]
    """The arrows that leave a task, by its id."""
    to_task: Mapping[str, tuple[Flow, ...]]
    """The arrows that come in, by the task's id."""
    sweeps: Sweeps
    turn: Turn | None = None
    """The item that this is the view of, as plan.expand makes it: `names` are those of its steps, and texts hold the item."""

    def giver_of(self, flow: Flow) -> str:
        """The name of the step that gives what an arrow brings."""
        return (flow.turn.steps if flow.turn else self.names)[flow.giver.id]


def index(all_flows: tuple[Flow, ...], end: Callable[[Flow], Task]) -> dict[str, tuple[Flow, ...]]:
    """The arrows by the id of the task at one end."""
    rows: dict[str, list[Flow]] = {}
    for flow in all_flows:
        rows.setdefault(end(flow).id, []).append(flow)
    return {id_: tuple(row) for id_, row in rows.items()}


def analyse(document: Document, given: Mapping[str, Any], folder: Path | None) -> tuple[Analysis, list[Diagnostic]]:
    """Run the passes over a document: names, references, settings, arrows, files.

    `given` are values of parameters that --set fixes, `folder` is where sources are (None leaves them out).
    """
    names = step_names(document.tasks)
    resolution, unresolved = resolve(document, names, given)
    contents, unread = read_files(document, folder)
    arrows = flows(document)
    analysis = Analysis(
        document=document,
        slug=pipeline_slug(document.pipeline),
        names=names,
        known=known_values(document, given),
        resolution=resolution,
        settings=inherit(document),
        flows=arrows,
        contents=contents,
        folder=folder,
        from_task=index(arrows, lambda flow: flow.giver),
        to_task=index(tuple(arriving(document, flow) for flow in arrows), lambda flow: flow.taker),
        sweeps=sweeps(document, names),
    )
    return analysis, unresolved + unread
