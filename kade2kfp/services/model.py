"""What the commands know of a service, and what they ask of whoever keeps it: `local` or `cluster`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["viewer", "serving"]
State = Literal["running", "starting", "paused", "failing", "stopped"]
"""`failing`: it ought to run, and does not. `stopped`: nothing keeps it any more, but it can be started again."""


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A viewer or a serving as it is at this moment.

    `run` is the run that has made it (for a serving the latest), `pipeline` the pipeline's slug, `name` what the service
    itself is called. `url` is where it is reached from where it runs: from within the cluster, or on this machine; empty
    where it is not reached. `versions` are those that it can go back to, the newest first; `version` is the one that
    answers. Times are seconds since 1970. `problem` says what is wrong, in one line. `handle` is for whoever made this.
    """

    kind: Kind
    run: str
    pipeline: str
    task: str
    step: str
    name: str
    state: State
    port: int
    url: str = ""
    since: float = 0.0
    until: float | None = None
    version: str = ""
    versions: tuple[str, ...] = ()
    problem: str = ""
    handle: str = ""


class Services(Protocol):
    """Services here or on a cluster. Every method raises CannotDoError where it cannot do its work."""

    def all(self, kind: Kind, run: str | None = None) -> Sequence[ServiceView]:
        """All services of a kind, of one run or of all, the oldest first."""

    def find(self, kind: Kind, run: str, task: str) -> ServiceView:
        """The service of a task, by the task's id, the step's name or the service's name.

        `run` is a run, or, for a serving, the pipeline's slug too: a serving outlives its runs. Says exactly why there is
        none, with a suggestion.
        """

    def pause(self, view: ServiceView) -> str:
        """End its processes, and keep all else. Returns one sentence for the user."""

    def resume(self, view: ServiceView) -> str:
        """Start it again. Returns one sentence for the user."""

    def delete(self, view: ServiceView) -> str:
        """Remove it. Returns one sentence for the user."""

    def rollback(self, view: ServiceView, version: str | None, seconds: float) -> str:
        """Let a serving's earlier version answer again, the one before the present if none is named; waits so long at most.

        Returns one sentence for the user.
        """

    def reach(self, view: ServiceView, local: int | None = None) -> AbstractContextManager[int]:
        """Its port on this machine's loopback (at `local`, if that is given) while the block lasts."""

    def log(self, view: ServiceView, lines: int) -> Sequence[str]:
        """The last lines that it has printed."""
