"""The two sides of a comparison, and what each gives: tasks with their states, values, artifacts and logs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ir.expand import RUN_ID, RUN_NAME
from ir.machine import Outcome, execute

from kade2kfp import api
from kade2kfp.cli.running import ground_of, launch_of
from kade2kfp.local.folder import hold
from kade2kfp.local.runner import Orders, run_all
from kade2kfp.local.secrets import masks
from kade2kfp.local.start import begin
from kade2kfp.local.state import RunState

from . import world

Tree = dict[str, Any]
ADDED = "prepare-volumes"  # a step of the backend's own, which no plan has
# Where KFP puts an artifact, and where this machine does.
_ARRIVED = re.compile(r"^(/minio/mlpipeline/v2/artifacts/[^/]+/[^/]+/[^/]+/[^/]+/[^/]+|/s3/data/[^/]+|/kade/in/[^/]+)")
_WORKSPACE = f"{RUN_NAME}-kfp-workspace"


@dataclass(frozen=True)
class Did:
    """What became of one task: `values` are its outputs, metrics among them; `log` is None where there is none."""

    state: str
    code: int | None = None
    values: Mapping[str, Any] | None = None
    metrics: Mapping[str, float] | None = None
    artifacts: Mapping[str, Tree] | None = None
    log: str | None = None


@dataclass(frozen=True)
class Done:
    """What became of a run: each task by its name, and the files of each volume by its id."""

    tasks: Mapping[str, Did]
    volumes: Mapping[str, Tree]


def tree(path: Path, modes: bool = False) -> Tree:
    """The files of a folder, or a file: contents by name; with `modes`, whether they can be executed, and links too."""
    found: Tree = {}
    for one in [path] if path.is_file() else sorted(path.rglob("*")):
        name = "" if one == path else str(one.relative_to(path))
        if one.is_symlink() and modes:
            found[name] = f"-> {_ARRIVED.sub('what arrived', str(one.readlink()))}"
        elif one.is_file():
            executable = modes and bool(one.stat().st_mode & 0o111)
            found[name] = (one.read_bytes(), executable) if modes else one.read_bytes()
    return found


def name_of(key: str) -> str:
    """A name of an output or artifact as both sides spell it: KFP's names have no dots."""
    return re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")


def on_the_machine(
    text: str, folder: Path, store: Path, parameters: Mapping[str, Any], volumes: Mapping[str, str]
) -> Done:
    """The compiled text on the IR machine. `volumes`: names of claims by volume id, empty for a created one."""
    for name in volumes.values():
        if name:
            world.fill_claim(folder / "claims" / name)
    shutil.copytree(store, folder / "bucket" / world.STORE.partition("://")[2])
    done = execute(
        text,
        folder,
        parameters=parameters,
        secrets=world.SECRETS,
        config_maps=world.CONFIG_MAPS,
        claims={name or _WORKSPACE: 0o777 for name in volumes.values()},
        at_once=2,
    )
    roots = {id_: folder / "claims" / (name or _WORKSPACE) for id_, name in volumes.items()}
    # Groups are KFP's own, with all that it adds to them; a task in one is called by its own name.
    steps = {name: name.rpartition("/")[2] for name, task in done.tasks.items() if task.pod is not None}
    return Done(
        {own: of_machine(done, name) for name, own in steps.items() if own != ADDED and not own.endswith("-pass")},
        {id_: without(tree(root, modes=True), RUN_ID) for id_, root in roots.items()},
    )


def of_machine(done: Outcome, name: str) -> Did:
    task = done.tasks[name]
    log = None
    if task.exit_code is not None:
        lines = task.log.replace(RUN_ID, "RUN").splitlines(keepends=True)
        log = _masked("".join(line for line in lines if not line.startswith("launcher: ")))
    if task.state != "succeeded":
        return Did(task.state, task.exit_code, log=log)
    artifacts = {key: tree(path) for key, path in task.artifacts.items() if key != "executor-logs"}
    if task.pod is not None and "importer" in json.dumps(task.pod["spec"]["containers"][-1].get("args", [])):
        log = None
    metrics = task.metadata.get("metrics") if "metrics" in artifacts else None
    return Did(
        task.state,
        0,
        {name_of(key): _number(value) for key, value in task.parameters.items()},
        {key: float(value) for key, value in (metrics or {}).items()},
        {name_of(key): one for key, one in artifacts.items() if one},
        log,
    )


def here(
    checked: api.Checked, home: Path, store: Path, volumes: Mapping[str, str], folder: Path, *, read_cache: bool
) -> Done:
    """The document on this machine, by the runner itself; `folder` gets the claims."""
    source, objects = checked.source, world.objects()
    pairs = []
    for id_, name in volumes.items():
        if name:
            world.fill_claim(folder / id_)
            pairs.append(f"{id_}={folder / id_}")
    launch, found = launch_of(
        checked, objects, "process", 2, volumes=pairs, copies=[f"{world.STORE}={store}"], readable=[]
    )
    assert launch is not None, found
    run, state = begin(home, source.text, "flow.json", launch.analysis, launch.plan, launch.parameters, launch.options)
    with hold(run):
        orders = Orders(launch.engine, home, 2, read_cache, {world.STORE: store})
        state = run_all(state, ground_of(launch, run, home), orders, SimpleQueue(), lambda _: None)
    roots = {id_: folder / id_ if name else run / "volumes" / id_ for id_, name in volumes.items()}
    files = {id_: without(tree(root, modes=True), state.id) for id_, root in roots.items()}
    return of_state(state, run, files)


def of_state(state: RunState, run: Path, volumes: Mapping[str, Tree]) -> Done:
    """What a run of this machine has left."""
    ran = (step.name for step in state.steps if step.type != "condition" and step.status in _STATES)
    return Done({name: _of_step(state, run, name) for name in ran}, volumes)


_STATES = {"succeeded": "succeeded", "cached": "succeeded", "failed": "failed"}
"""Of tasks that ran: the others are on neither side."""


def _of_step(state: RunState, run: Path, name: str) -> Did:
    step = state.step(name)
    status = _STATES[step.status]
    code = step.attempts[-1].exit_code if step.attempts else None
    log = None
    # What cannot be started has no log of its own; what stands there is the box's.
    if step.attempts and not (step.failure and step.failure.code == "K714"):
        data = (run / step.attempts[-1].log).read_bytes()
        log = data.decode("utf-8", "replace").replace(state.id, "RUN")
    if status != "succeeded":
        return Did(status, code, log=log)
    return Did(
        status,
        0,
        {name_of(key): _number(value) for key, value in step.outputs.items()},
        step.metrics,
        # An empty folder does not arrive, and what nobody wrote has a place in the store and nothing there.
        {name_of(one.name): found for one in step.artifacts if (found := tree(run / one.stored))},
        log,
    )


def _number(value: Any) -> Any:
    """A value in which 1 and 1.0 are the same, and True is not: KFP carries all numbers as doubles."""
    return json.dumps(json.loads(json.dumps(value), parse_int=float), sort_keys=True)


def _masked(text: str) -> str:
    for mask in masks(world.objects()):
        text = text.replace(mask.decode(), "***")
    return text


def without(files: Tree, run_id: str) -> Tree:
    return {name.replace(run_id, "RUN"): content for name, content in files.items()}


def differences(machine: Done, local: Done) -> list[str]:
    """What is not the same, a line each; nothing where both did the same."""
    found = []
    for name in sorted({*machine.tasks, *local.tasks}):
        one, other = machine.tasks.get(name), local.tasks.get(name)
        if one is None or other is None or one.state != other.state:
            found.append(f"{name}: machine {one}, local {other}")
            continue
        for what in ("code", "values", "metrics", "artifacts", "log"):
            left, right = getattr(one, what), getattr(other, what)
            if left is not None and right is not None and left != right:
                found.append(f"{name}.{what}: machine {left!r}, local {right!r}")
    for id_ in machine.volumes:
        left, right = machine.volumes[id_], local.volumes[id_]
        found += [
            f"volume {id_}, {name}: machine {left.get(name)!r}, local {right.get(name)!r}"
            for name in sorted({*left, *right})
            if left.get(name) != right.get(name)
        ]
    return found
