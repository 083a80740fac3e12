"""Before a run begins: what stands in its way, and its folder with all that it needs to be gone on with later."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.read import Document
from kade2kfp.local.boxes import Ground, claim_folder, text_of
from kade2kfp.local.folder import new_run
from kade2kfp.local.order import downstream, loops, waiting
from kade2kfp.local.places import Known
from kade2kfp.local.runner import copy_of
from kade2kfp.local.secrets import MISSING, Objects, missing
from kade2kfp.local.state import DONE, SETTLED, RunState, StepState, UnreadableError
from kade2kfp.local.trees import hand_on, remove
from kade2kfp.plan.analysis import Analysis
from kade2kfp.steps.model import Import, Plan, Step
from kade2kfp.steps.parts import ClaimMount
from kade2kfp.steps.sources import Json


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was started with besides its document and parameters; paths are absolute. No secrets are in it."""

    engine: str
    jobs: int
    volumes: dict[str, str]
    """Folders of this machine by the document's volume id."""
    copies: dict[str, str]
    """Files and folders of this machine by the beginning of the URI that they stand for."""
    readable: list[str]
    """Folders whose files file:// may name."""


_OPTIONS = TypeAdapter(Options)


def in_the_way(
    document: Document,
    plan: Plan,
    objects: Objects,
    parameters: Mapping[str, Json],
    options: Options,
    names: frozenset[str],
) -> Iterator[Diagnostic]:
    """What the named steps lack. K703: an import of which there is no copy here. K724: a secret or config map that nobody gave."""
    known = Known("", "", parameters, {})
    tasks = {task.id: task for task in document.tasks}
    steps = {node.name: node for node in plan.nodes}
    copies = {start: Path(path) for start, path in options.copies.items()}
    for node in plan.nodes:
        if isinstance(node, Import) and node.name in names:
            uri = text_of(node.uri, known)
            copy = copy_of(uri, copies)
            if copy is None or not copy.exists():
                message = f"{uri} is in an object store, which a local run does not read"
                if copy is not None:
                    message = f"there is no {copy}, which is to stand for {uri}"
                help_ = f"name a copy of it on this machine: --copy {uri}=PATH"
                yield Diagnostic("K703", message, tasks[node.task].place("url"), help_)
    seen = set()
    for name, used, reason in missing(plan, objects):
        if name in names and loops(steps[name]) <= names and (steps[name].task, reason) not in seen:
            seen.add((steps[name].task, reason))
            task = tasks[steps[name].task]
            help_ = "give it by --secrets FILE: YAML such as `secrets: {NAME: {KEY: value}}`"
            yield Diagnostic(MISSING, reason, task.place(_field(used)), help_)


def _field(used: object) -> str:
    return "env" if type(used).__name__ == "EnvFrom" else "volumes"


def begin(
    home: Path,
    source: str,
    document: str,
    analysis: Analysis,
    plan: Plan,
    parameters: dict[str, Json],
    options: Options,
) -> tuple[Path, RunState]:
    """A new run: its folder with document, files and options, and its first state. Until that is written, by the runner, no other command knows the run.

    Args:
        home: where runs lie.
        source: the document's text.
        document: its path, for the reader.
        analysis: what is known of it: the files that travel with it.
        plan: what is to run.
        parameters: the value of each parameter.
        options: how it was started.

    Raises:
        OSError: the folder cannot be written.
    """
    folder, id_ = new_run(home, plan.name)
    try:
        (folder / "pipeline.json").write_text(source, encoding="utf-8", errors="surrogatepass")
        for task in analysis.document.tasks:
            for file in getattr(task, "files", None) or ():
                if file.source is not None:
                    path = folder / "files" / Path(file.source)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(analysis.contents[file.at])
        (folder / "options.json").write_bytes(_OPTIONS.dump_json(options, indent=1))
        state = RunState(
            id_,
            folder.name,
            plan.display_name,
            plan.name,
            document,
            "running",
            time.time(),
            options.engine,
            parameters,
            tuple(waiting(node, plan) for node in plan.nodes if not loops(node)),
        )
        (folder / "lock").touch()
    except BaseException:
        remove(folder)
        raise
    return folder, state


def read_options(folder: Path) -> Options:
    """The options of a run. Raises UnreadableError."""
    try:
        return _OPTIONS.validate_json((folder / "options.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise UnreadableError(f"options.json: {error}") from None


def again(state: RunState, plan: Plan) -> RunState:
    """The state of a run that is gone on with: what is done stays, all else waits, and all that follows from it."""
    by_name = {step.name: step for step in state.steps}
    # A viewer has gone with the run that was.
    viewers = {
        node.name for node in plan.nodes if isinstance(node, Step) and node.service and node.service.kind == "viewer"
    }
    done = {name for name, step in by_name.items() if step.status in SETTLED} - viewers
    nodes = [node for node in plan.nodes if not loops(node)]
    anew = downstream(plan, frozenset(node.name for node in nodes) - done)
    steps = []
    for node in nodes:
        old, fresh = by_name.get(node.name), waiting(node, plan)
        if old is not None:
            fresh = replace(old, after=fresh.after) if node.name not in anew else replace(fresh, attempts=old.attempts)
        steps.append(fresh)
        steps += _of_items(fresh, [step for step in state.steps if step.loop == node.name], anew)
    return replace(state, status="running", ended=None, outcome="", steps=tuple(steps))


def _of_items(loop: StepState, steps: list[StepState], anew: frozenset[str]) -> list[StepState]:
    """What becomes of the steps that a loop has made; they are made again where its items may be others then."""
    if loop.status in SETTLED:
        return steps
    if anew.intersection(loop.after):
        return []
    kept = {step.name for step in steps if step.status in SETTLED}
    while lost := {step.name for step in steps if step.name in kept and not kept.issuperset(step.after)}:
        kept -= lost
    return [
        step
        if step.name in kept
        else StepState(
            step.name,
            step.task,
            step.display_name,
            step.type,
            after=step.after,
            attempts=step.attempts,
            within=step.within,
            loop=step.loop,
            number=step.number,
            node=step.node,
        )
        for step in steps
    ]


def reuse(state: RunState, folder: Path, base: RunState, base_folder: Path, names: Iterable[str]) -> RunState:
    """Take the named steps' results from an earlier run, `base`, into this one.

    Raises:
        LookupError: the earlier run has not done one of them; the text names it.
        OSError: a result cannot be taken over.
    """
    for name in sorted(names):
        try:
            old = base.step(name)
        except KeyError:
            old = None
        if old is None or old.status not in DONE:
            raise LookupError(name)
        for artifact in old.artifacts:
            if not Path(artifact.stored).is_absolute():
                hand_on(base_folder / artifact.stored, folder / artifact.stored)
        state = state.with_step(
            replace(
                state.step(name),
                status="reused",
                started=old.started,
                ended=old.ended,
                outputs=old.outputs,
                metrics=old.metrics,
                artifacts=old.artifacts,
                note=f"taken from {base.name}",
            )
        )
    return state


def take_volumes(ground: Ground, known: Known, base: Known, base_folder: Path, names: frozenset[str]) -> None:
    """Copy what the named steps of an earlier run left on volumes to where this run looks for it.

    Copied, since what is on a volume may be written to again. What lies outside of the run's own folder on a claim
    that exists already is there for every run. Raises OSError, CannotRunError.
    """
    earlier = replace(ground, folder=base_folder)
    for node in ground.plan.nodes:
        for mount in node.mounts if isinstance(node, Step) and node.name in names else ():
            if isinstance(mount, ClaimMount) and not mount.is_file and (mount.in_run or _created(mount, ground.plan)):
                source, target = claim_folder(mount, earlier, base), claim_folder(mount, ground, known)
                shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=_special)


def _special(folder: str, names: list[str]) -> list[str]:
    """What is neither file, folder nor link, and so cannot be copied."""
    modes = {name: os.lstat(os.path.join(folder, name)).st_mode for name in names}
    return [
        name for name, mode in modes.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
    ]


def _created(mount: ClaimMount, plan: Plan) -> bool:
    return any(claim.id == mount.claim and claim.create for claim in plan.claims)
