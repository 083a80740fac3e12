"""`artifacts` on a cluster."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kade2kfp.cli.artifacts_command import folder_name
from kade2kfp.cli.cluster_runs import detail_of
from kade2kfp.cli.kfp import Place
from kade2kfp.cli.runs import labels, table, the_steps
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.amounts import size
from kade2kfp.local.folder import safe_name
from kade2kfp.local.state import Artifact, RunState, StepState

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.objects import Objects

_HEAD = ("TASK", "NAME", "TYPE", "FILES", "SIZE", "URI")


@dataclass(frozen=True, slots=True)
class _Kept:
    """An artifact of a step; `known` says whether its files were counted."""

    task: str
    step: StepState
    artifact: Artifact
    known: bool = False


def artifacts_on_cluster(
    place: Place, run: str, task: str | None, folder: Path | None, force: bool, output: str, store: str
) -> None:
    """List the artifacts of a run on a cluster, or bring them into a folder. Raises CannotDoError, click.ClickException."""
    from kade2kfp.cluster.kfp.artifacts import Wanted, download
    from kade2kfp.cluster.kfp.objects import Objects

    with place.kfp() as kfp, Objects(kfp.target, store) as objects:
        state = detail_of(kfp, run, values=True).state
        kept = _kept(state, the_steps(state, task))
        if folder is not None:
            wanted = [
                Wanted(one.step, one.artifact, folder / folder_name(one.task, one.step) / safe_name(one.artifact.name))
                for one in kept
            ]
            for target in download(wanted, objects, force=force):
                if output == "text":
                    out(f"{terminal(str(target))}\n")
        if output == "json" or (folder is None and kept):
            kept = _measured(kept, objects)
    if output == "json":
        out(json.dumps([_as_json(one) for one in kept], indent=2) + "\n")
    elif not kept:
        say(f"{'the run' if task is None else terminal(task)} left no artifacts that KFP tells of")
    elif folder is None:
        out("\n".join(table([_HEAD, *map(_row, kept)], right=frozenset({3, 4}))) + "\n")


def _kept(state: RunState, steps: Sequence[StepState]) -> list[_Kept]:
    names = labels(state.steps)
    return [_Kept(names[step.name], step, artifact) for step in steps for artifact in step.artifacts]


def _measured(kept: Sequence[_Kept], objects: Objects) -> list[_Kept]:
    """The artifacts with their sizes, where somebody has said where the store is: looking for it may take its time."""
    from kade2kfp.cluster.kfp.artifacts import measured

    if not objects.is_named:
        return list(kept)
    found = []
    try:
        for one in kept:
            found.append(_Kept(one.task, one.step, measured(one.artifact, objects), True))
    except CannotDoError as error:
        say(f"note: {terminal(str(error))}" + (f" ({terminal(error.help)})" if error.help else ""))
    return found + list(kept[len(found) :])


def _row(one: _Kept) -> tuple[str, ...]:
    artifact = one.artifact
    files, amount = (f"{artifact.files:,}", size(artifact.size)) if one.known else ("-", "-")
    return one.task, artifact.name, artifact.type, files, amount, artifact.stored


def _as_json(one: _Kept) -> dict[str, Any]:
    artifact = one.artifact
    return {
        "task": one.step.task,
        "step": one.step.name,
        "name": artifact.name,
        "type": artifact.type,
        "kind": artifact.kind if one.known else None,
        "files": artifact.files if one.known else None,
        "size": artifact.size if one.known else None,
        "digest": None,
        "document_path": None,
        "path": artifact.stored,
        "exists": artifact.files > 0 if one.known else None,
    }
