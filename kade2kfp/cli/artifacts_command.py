"""kade2kfp artifacts."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kade2kfp.cli.kfp import Place, kfp_options
from kade2kfp.cli.runs import home_option, labels, run_argument, state_of, store_option, table, the_run, the_steps
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.amounts import size
from kade2kfp.local.erase import below, erase
from kade2kfp.local.folder import safe_name
from kade2kfp.local.state import Artifact, RunState, StepState

_EXAMPLES = """\b
Examples:
  kade2kfp artifacts last
  kade2kfp artifacts last train --copy-to results
  kade2kfp artifacts last --output json
  kade2kfp artifacts last train --cluster --download results

The JSON is a list of objects with `task`, `step`, `name`, `type`, `kind`, `files`, `size` (bytes), `digest`, `document_path`
(in the task's box), `path` (on this machine; on a cluster the URI) and `exists`; null stands for what is not known.
"""
_HEAD = ("TASK", "NAME", "TYPE", "KIND", "FILES", "SIZE", "PATH")


@dataclass(frozen=True, slots=True)
class _Kept:
    """An artifact of a run: `task` is what its step is called, `path` where it lies on this machine."""

    task: str
    step: StepState
    artifact: Artifact
    path: Path

    @property
    def exists(self) -> bool:
        """Whether it is there still."""
        return os.path.lexists(self.path)


@click.command("artifacts", epilog=_EXAMPLES)
@run_argument
@click.argument("task", required=False)
@click.option(
    "--copy-to", "--download", "copy_to", metavar="DIR", help="Copy them to DIR/TASK/NAME; links in them stay links."
)
@click.option("--force", is_flag=True, help="With --copy-to: replace what is there.")
@click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="A table, or JSON."
)
@store_option
@home_option
@kfp_options
def command(
    run: str,
    task: str | None,
    copy_to: str | None,
    force: bool,
    output: str,
    store: str,
    home: Path,
    place: Place,
) -> None:
    """List what the tasks of a run left, and where it lies; or copy it here."""
    if force and copy_to is None:
        raise click.UsageError("--force is for --copy-to.")
    if copy_to == "":
        raise click.UsageError("--copy-to needs the name of a folder.")
    if place.on_cluster:
        from kade2kfp.cli.cluster_artifacts import artifacts_on_cluster

        artifacts_on_cluster(place, run, task, Path(copy_to) if copy_to is not None else None, force, output, store)
        return
    found = the_run(home, run)
    state = state_of(found)
    kept = _kept(state, the_steps(state, task), found.folder)
    if copy_to is not None:
        _copy(kept, Path(copy_to), force=force, tell=output == "text")
    if output == "json":
        out(json.dumps([_as_json(one) for one in kept], indent=2) + "\n")
    elif not kept:
        say(f"{'the run' if task is None else terminal(task)} left no artifacts")
    elif copy_to is None:
        out("\n".join(table([_HEAD, *map(_row, kept)], right=frozenset({4, 5}))) + "\n")


def _kept(state: RunState, steps: Sequence[StepState], folder: Path) -> list[_Kept]:
    """The artifacts of steps. Raises click.ClickException for one that would lie outside of the run's folder."""
    kept = []
    names = labels(state.steps)
    for step in steps:
        for artifact in step.artifacts:
            stored = Path(artifact.stored)
            if stored.is_absolute() or ".." in stored.parts:
                raise click.ClickException(f"{folder / 'state.json'}: {artifact.stored} is not in the run's folder")
            kept.append(_Kept(names[step.name], step, artifact, folder / stored))
    return kept


def _row(one: _Kept) -> tuple[str, ...]:
    artifact = one.artifact
    path = str(one.path) + ("" if one.exists else " (gone)")
    return one.task, artifact.name, artifact.type, artifact.kind, f"{artifact.files:,}", size(artifact.size), path


def _as_json(one: _Kept) -> dict[str, Any]:
    artifact = one.artifact
    return {
        "task": one.step.task,
        "step": one.step.name,
        "name": artifact.name,
        "type": artifact.type,
        "kind": artifact.kind,
        "files": artifact.files,
        "size": artifact.size,
        "digest": artifact.digest,
        "document_path": artifact.path,
        "path": str(one.path),
        "exists": one.exists,
    }


def _copy(kept: Sequence[_Kept], folder: Path, *, force: bool, tell: bool) -> None:
    """Copy artifacts, all or, where one is gone or in the way, none. Raises click.ClickException."""
    targets = [folder / folder_name(one.task, one.step) / safe_name(one.artifact.name) for one in kept]
    if gone := [one for one in kept if not one.exists]:
        raise click.ClickException(f"{gone[0].task}'s {gone[0].artifact.name} is gone: {gone[0].path}")
    there = [target for target in targets if os.path.lexists(target)]
    if there and not force:
        others = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise click.ClickException(f"{there[0]} is there already{others}: --force replaces it")
    for one, target in zip(kept, targets, strict=True):
        try:
            _copy_one(one.path, target)
        except shutil.Error as error:
            source, _, reason = error.args[0][0]
            raise click.ClickException(f"cannot copy {source}: {reason}") from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise click.ClickException(f"cannot copy {one.path} to {target}: {reason}") from None
        if tell:
            out(f"{terminal(str(target))}\n")


def folder_name(label: str, step: StepState) -> str:
    """The name of a task's folder: what the task is called where that is fit for one, else the step's name, made so."""
    return label if safe_name(label) == label else safe_name(step.name)


def _copy_one(source: Path, target: Path) -> None:
    """Copy a file or a folder beside its target, then put it there: what stands at the target is whole. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.parent / f".{target.name}.{os.getpid()}"
    with below(target.parent) as parent:
        try:
            if source.is_dir() and not source.is_symlink():
                shutil.copytree(source, beside, symlinks=True)
            else:
                shutil.copy2(source, beside, follow_symlinks=False)
            if os.path.lexists(target):
                erase(parent, target.name)
            beside.rename(target)
        finally:
            if os.path.lexists(beside):
                erase(parent, beside.name)
