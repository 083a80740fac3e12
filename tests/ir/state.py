"""What a run was given, what it remembers of each task, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, Literal

from .spec import Spec

State = Literal["succeeded", "failed", "skipped", "not-run"]
Keys = Mapping[str, Mapping[str, str]]


class DriverError(Exception):
    """The driver of a task would fail: the task's pod is never made."""


@dataclass(frozen=True)
class Bound:
    """A folder of this machine at a path of the container."""

    source: Path
    path: str
    read_only: bool = False


@dataclass(frozen=True)
class Cluster:
    """What stands around a run: its folder on this machine, who runs containers, secrets, config maps."""

    folder: Path
    user: int
    read_only: bool
    secrets: Keys
    config_maps: Keys
    retry_policy: str
    timeout: float
    slots: BoundedSemaphore
    programs: Sequence[Bound] = ()

    @property
    def bucket(self) -> Path:
        """The object store: `s3://a/b` and `minio://a/b` are the file or folder `a/b` in it."""
        return self.folder / "bucket"

    def claim(self, name: str) -> Path:
        """The volume of a claim: made as most provisioners do, root's with mode 0755."""
        made = self.folder / "claims" / name
        if not made.exists():
            made.mkdir(parents=True, exist_ok=True)
            made.chmod(0o755)
        return made


@dataclass(frozen=True)
class Task:
    """What became of one task of the run: of a container, an importer, or a DAG (a branch, a loop, an iteration)."""

    path: str
    state: State
    exit_code: int | None = None  # the user's command's own, of the last attempt; None where none was started
    log: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pod: Mapping[str, Any] | None = None
    attempts: int = 0
    cached: bool = False  # whether the IR lets KFP take it from its cache; nothing is ever taken from one here
    inputs: Mapping[str, Any] = field(default_factory=dict)
    parallelism: int = 0  # of a loop: how many iterations at once, 0 for all


@dataclass(frozen=True)
class Outcome:
    """A finished run: its state, each task by its path in the order of their ends, and every pod that was made."""

    state: State
    tasks: Mapping[str, Task]
    pods: tuple[tuple[str, Mapping[str, Any]], ...]
    folder: Path

    @property
    def codes(self) -> dict[str, int]:
        """The exit codes of all containers that were started, by path; an importer counts as 0."""
        return {path: task.exit_code for path, task in self.tasks.items() if task.exit_code is not None}

    @property
    def logs(self) -> dict[str, str]:
        """What each container wrote, by path."""
        return {path: task.log for path, task in self.tasks.items()}

    def states(self) -> dict[str, State]:
        """The state of every task, by path."""
        return {path: task.state for path, task in self.tasks.items()}

    def artifact(self, path: str, name: str) -> Path:
        """The file or folder of a task's output artifact in the object store; it need not exist."""
        return self.tasks[path].artifacts[name]


@dataclass
class Execution:
    """What MLMD holds of a task. `children` of a DAG by task name; of a loop by the text of the index."""

    name: str
    path: str
    component: Mapping[str, Any]
    parent: Execution | None
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    state: Literal["RUNNING", "COMPLETE", "FAILED", "CANCELED"] = "RUNNING"
    out_parameters: dict[str, Any] = field(default_factory=dict)
    out_artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    children: dict[str, Execution] = field(default_factory=dict)
    iterations: int | None = None


def tell_dags(dag: Execution | None) -> None:
    """What the launcher of a step does at its end: a DAG, and those around it, are COMPLETE or FAILED if that can be told
    (metadata/client.go, UpdateDAGExecutionsState). Nobody else does it, so a DAG whose last task was no step that ran stays
    RUNNING in MLMD: a branch not taken, an importer, a step from the cache, a pod that was killed."""
    while dag is not None and dag.parent is not None:
        expected = len(dag.component["dag"]["tasks"]) if dag.iterations is None else dag.iterations
        states = [child.state for child in list(dag.children.values())]
        if sum(state in ("COMPLETE", "CANCELED") for state in states) == expected:
            dag.state = "COMPLETE"
        elif "FAILED" in states:
            dag.state = "FAILED"
        else:
            return
        dag = dag.parent


@dataclass
class Run:
    """A run on its way."""

    spec: Spec
    cluster: Cluster
    tasks: dict[str, Task] = field(default_factory=dict)
    pods: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
