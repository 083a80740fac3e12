"""The pass that says what each arrow carries: from which path to which, as what, and by which way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kade2kfp.document.pipeline import Arrow
from kade2kfp.document.read import Document
from kade2kfp.document.shared import Task
from kade2kfp.document.types import kind_of_path
from kade2kfp.plan.turns import Turn
from kade2kfp.steps.parts import ArtifactType, Kind


@dataclass(frozen=True, slots=True)
class Flow:
    """An arrow between two tasks that exist.

    Without paths it is order only. `to_path` is where the data really is: a file that goes into a directory keeps its
    name there. `volume` is the id of the volume that carries it, empty for an artifact.
    """

    arrow: Arrow
    giver: Task
    taker: Task
    from_path: str = ""
    to_path: str = ""
    from_kind: Kind = "directory"
    to_kind: Kind = "directory"
    type: ArtifactType = "Artifact"
    volume: str = ""
    turn: Turn | None = None
    """The item whose step gives, where the giver is repeated; the pass plan/expand.py says it."""

    @property
    def order_only(self) -> bool:
        """Whether nothing is carried."""
        return not self.from_path

    @property
    def kind(self) -> Kind:
        """What is carried."""
        return self.from_kind


def flows(document: Document) -> tuple[Flow, ...]:
    """All arrows whose tasks exist, in document order."""
    tasks = {task.id: task for task in reversed(document.tasks)}
    types = _types(document)
    return tuple(
        _flow(document, arrow, tasks[arrow.from_task], tasks[arrow.to_task], types)
        for arrow in document.arrows
        if arrow.from_task in tasks and arrow.to_task in tasks
    )


def _types(document: Document) -> Mapping[tuple[str, str], ArtifactType]:
    """The type that some arrow gives to a task's path: it holds for the other arrows that leave there too."""
    return {
        (arrow.from_task, arrow.from_path): arrow.artifact_type
        for arrow in reversed(document.arrows)
        if arrow.from_path and arrow.artifact_type
    }


def _flow(
    document: Document, arrow: Arrow, giver: Task, taker: Task, types: Mapping[tuple[str, str], ArtifactType]
) -> Flow:
    if arrow.from_path is None or arrow.to_path is None:
        return Flow(arrow, giver, taker)
    from_kind = arrow.kind or kind_of_path(arrow.from_path)
    to_kind = arrow.kind or kind_of_path(arrow.to_path)
    to_path = arrow.to_path
    if from_kind == "file" and to_kind == "directory":
        to_path = to_path.rstrip("/") + "/" + arrow.from_path.rsplit("/", 1)[-1]
    default: ArtifactType = "Dataset" if giver.type == "loadData" else "Artifact"
    return Flow(
        arrow,
        giver,
        taker,
        arrow.from_path,
        to_path,
        from_kind,
        to_kind,
        arrow.artifact_type or types.get((giver.id, arrow.from_path), default),
        volume_of(document, arrow),
    )


def volume_of(document: Document, arrow: Arrow) -> str:
    """The id of the volume that carries an arrow's data, or empty for an artifact."""
    return (arrow.volume if arrow.given("volume") else document.defaults.volume) or ""
