"""What the commands know of a gate, and what they ask of whoever runs it: `local` or `cluster`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from kade2kfp.steps.parts import GateValue, Port

Verdict = Literal["resume", "reject"]
TOKEN_FILE = "/kade/run/token"
"""A notebook's token, in the step."""
SHELL_FILE = "/kade/run/shell"
"""How the step is entered: `ssh USER PORT`, or `exec REASON` (templates/gate.sh)."""
HOST_KEY_FILE = "/kade/run/ssh/key.pub"
"""The public key of the step's sshd."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A step that runs and can be reached; most of them wait for a person.

    `run` is what the run is called, `pod` what tells this start of the step from others (the pod's uid). Times are
    seconds since 1970. `waits` is whether a person is waited for; `port` is that of a notebook's server, 0 where there is none.
    `ssh` is sshd's port, 0 where nobody asked for one. `handle` is for whoever made this.
    """

    run: str
    step: str
    task: str
    display_name: str
    type: str
    pod: str
    since: float
    waits: bool = True
    until: float | None = None
    message: str = ""
    on_reject: Literal["fail", "route"] = "fail"
    values: tuple[GateValue, ...] = ()
    ports: tuple[Port, ...] = ()
    port: int = 0
    start_path: str = ""
    ssh: int = 0
    handle: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says to a gate. `values` are texts by name, checked (gates/values.py); `by` is who says it."""

    verdict: Verdict
    by: str
    values: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


class Gates(Protocol):
    """Runs, here or on a cluster, seen by those who decide. Every method raises CannotDoError where it cannot do its work."""

    def waiting(self, run: str | None) -> Sequence[Standing]:
        """The gates that wait at this moment, of one run or of all, the oldest first."""

    def find(self, run: str, task: str, *, gate: bool = True) -> Standing:
        """The step of a task, by the task's id, the step's name or its display name.

        `gate`: it has to wait for a person. Says exactly why it does not: there is no such run or task (with a
        suggestion), it has not started, it has ended, somebody has decided (who).
        """

    def who(self) -> str:
        """Who decides, as far as that is known."""

    def decide(self, standing: Standing, decision: Decision, seconds: float) -> str:
        """Hand a decision over, unless somebody was first, and wait until the gate has closed, at most so long.

        Returns one sentence for the user: that it has closed, or that it had not yet after that time.
        """

    def read(self, standing: Standing, path: str) -> bytes | None:
        """A small file of the step's; None where there is none."""

    def forward(self, standing: Standing, port: int, local: int | None = None) -> AbstractContextManager[int]:
        """A port of the step on this machine's loopback (at `local`, if that is given) while the block lasts."""

    def shell(self, standing: Standing, command: Sequence[str]) -> int:
        """Run a command in the step with this terminal; its exit code."""
