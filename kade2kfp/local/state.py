"""What is known of a run and its steps: data, and the JSON it is kept as (state.json of the run's folder).

Times are seconds since 1970, UTC. Paths are relative to the run's folder where nothing else is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kade2kfp.steps.parts import ArtifactType, Kind

if TYPE_CHECKING:
    from pydantic import JsonValue, TypeAdapter
else:  # for pydantic itself: it reads JSON here, and imports of this module need not wait for it
    JsonValue = Any

StepStatus = Literal[
    "waiting", "running", "succeeded", "cached", "reused", "failed", "skipped", "not-taken", "cancelled"
]
"""`cached`: taken from an earlier run with equal inputs; `reused`: taken from an earlier run because that was asked for;
`skipped`: a step before it did not succeed, or it was not asked for; `not-taken`: it is in a branch that was not taken."""
RunStatus = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]
"""`interrupted` is never stored: a run said to be running whose runner is gone."""
Outcome = Literal["", "succeeded", "failed", "cancelled"]
DONE: frozenset[StepStatus] = frozenset({"succeeded", "cached", "reused"})
SETTLED: frozenset[StepStatus] = DONE | {"not-taken"}
"""As it should be: what comes after may run."""
ENDED: frozenset[StepStatus] = SETTLED | {"failed", "skipped", "cancelled"}

WAITS = "waits for a person"
"""How the note of a step begins that waits for one."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact that a step left: the document's `path` lies at `stored`. `digest` is of names and contents."""

    name: str
    path: str
    kind: Kind
    type: ArtifactType
    stored: str
    files: int = 0
    size: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of a step in a fresh box; `log` is its log's path."""

    number: int
    log: str
    started: float
    ended: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed: a code of family K7, one sentence, what to do, and the log's last lines."""

    code: str
    message: str
    help: str = ""
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepState:
    """A step, or an import, of a run. `after` are the names of the steps that it waits for."""

    name: str
    task: str
    display_name: str
    type: str
    status: StepStatus = "waiting"
    after: tuple[str, ...] = ()
    started: float | None = None
    ended: float | None = None
    attempts: tuple[Attempt, ...] = ()
    outputs: dict[str, JsonValue] = field(default_factory=dict)
    """Values by the Plan's names: `NAME`, and `metric-KEY` for the metrics that others refer to."""
    metrics: dict[str, float] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    failure: Failure | None = None
    note: str = ""
    """One line for the reader: why it was skipped, which run it was taken from."""
    cache_key: str = ""
    within: tuple[tuple[str, Literal["then", "else"]], ...] = ()
    """The branches that it is in: names of choices, and the side."""
    loop: str = ""
    """The name of the loop that has made it for an item."""
    number: int = 0
    """Which item that is, counted from 0."""
    node: str = ""
    """The node of the plan that it was made of."""
    at_once: int = 0
    """For how many items a loop's steps run at the same time; 0 is no limit."""


@dataclass(frozen=True, slots=True)
class RunState:
    """A run. Steps stand in the plan's order."""

    id: str
    name: str
    pipeline: str
    slug: str
    document: str
    """The document's path when the run began, for the reader."""
    status: RunStatus
    started: float
    engine: str
    parameters: dict[str, JsonValue]
    steps: tuple[StepState, ...]
    ended: float | None = None
    note: str = ""
    """One line for the reader: why it was stopped, and what became of its exit task where that did not succeed."""
    outcome: Outcome = ""
    """How all but the exit task has ended; empty before."""
    version: Literal[1] = 1

    def step(self, name: str) -> StepState:
        """The step of that name. Raises KeyError."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    def with_step(self, changed: StepState) -> RunState:
        """The state with one step changed."""
        return replace(self, steps=tuple(changed if one.name == changed.name else one for one in self.steps))


@cache
def _adapter() -> TypeAdapter[RunState]:
    from pydantic import TypeAdapter

    return TypeAdapter(RunState)


class UnreadableError(Exception):
    """A run's state cannot be read: the text says why."""


def to_json(state: RunState) -> str:
    """The state as JSON text, one key order."""
    return _adapter().dump_json(state, indent=1).decode() + "\n"


def from_json(text: str | bytes) -> RunState:
    """The state that JSON text holds. Raises UnreadableError."""
    from pydantic import ValidationError

    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnreadableError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def read_state(folder: Path) -> RunState:
    """The state of the run in `folder`, as it is stored. Raises UnreadableError."""
    try:
        return from_json((folder / "state.json").read_bytes())
    except OSError as error:
        raise UnreadableError((error.strerror or str(error)).lower()) from None
