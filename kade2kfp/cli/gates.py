"""What the commands about steps that wait share: where the run is, which step is meant, what to type, how they fail."""

from __future__ import annotations

import functools
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from kade2kfp.cli.cluster_flags import Named, cluster_flags
from kade2kfp.cli.runs import home_option
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.gates.model import Gates, Standing

Found = TypeVar("Found")
PATIENCE = 60.0
"""Seconds that are waited for something in a step to begin."""
_PAUSE = 0.5

task_argument = click.argument("task", required=False, metavar="[TASK]")
"""[TASK]; the command gets `task: str | None`, for `the_gate`."""
timeout_option = click.option(
    "--timeout",
    type=click.IntRange(0, 86400),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait until the step has taken it in.",
)


class TooLateError(click.ClickException):
    """What was waited for did not come."""

    exit_code = 124


class _ClusterFailedError(click.ClickException):
    """The cluster failed, not what was asked of it."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Where:
    """Where the runs are: on a cluster where it is named in any way, else below `home` on this machine.

    `words` are the options that say so, for a command that the user is to type.
    """

    home: Path
    namespace: str | None
    context: str | None
    words: tuple[str, ...]

    @property
    def on_cluster(self) -> bool:
        """Whether the runs are on a cluster."""
        return self.namespace is not None or self.context is not None

    def gates(self) -> Gates:
        """The gates there. Raises CannotDoError."""
        if self.on_cluster:
            from kade2kfp.cluster.connect import connect
            from kade2kfp.cluster.gates import ClusterGates

            return ClusterGates(connect(self.context, self.namespace))
        from kade2kfp.local.gates.here import local_gates

        return local_gates(self.home)

    def command(self, verb: str, *words: str) -> str:
        """What the user is to type, quoted for a shell and escaped for a terminal: `kade2kfp VERB WORDS...`."""
        return terminal(shlex.join(["kade2kfp", verb, *words, *self.words]))


def where_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--home`, and the options that say which cluster; the command gets `where: Where`."""

    @click.pass_context
    @functools.wraps(command)
    def wrapped(ctx: click.Context, /, *, home: Path, named: Named, **rest: Any) -> Any:
        named.check(ctx)
        words = named.words
        if ctx.get_parameter_source("home") is ParameterSource.COMMANDLINE:
            refuse_home(ctx, words)
            words = ("--home", str(home))
        with told():
            context, namespace = _kubernetes(named)
            return command(where=Where(home, namespace, context, words), **rest)

    return home_option(cluster_flags(wrapped))


def refuse_home(ctx: click.Context, words: Sequence[str]) -> None:
    """Raises click.UsageError where --home is given, and the options `words` name a cluster."""
    if words and ctx.get_parameter_source("home") is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"--home is for runs on this machine, {words[0]} for those on a cluster.", ctx)


def _kubernetes(named: Named) -> tuple[str | None, str | None]:
    """The kubeconfig's context and the namespace of the runs; both None for runs on this machine.

    Raises CannotDoError where a KFP is named, and nobody says which Kubernetes is below it: its runs may be on another than the
    kubeconfig's current one.
    """
    if not named.words:
        return None, None
    if named.kube_context is not None and not named.kfp:
        return named.kube_context, named.namespace
    try:
        target = named.target()
    except CannotDoError:
        if named.kfp:
            raise
        target = None
    if not named.kfp:
        return (target.kube_context if target is not None else None), named.namespace
    if target is None or not (target.forward or target.kube_context or "KUBERNETES_SERVICE_HOST" in os.environ):
        of = f"; or by `kubeContext` of the context `{target.context}`" if target is not None and target.context else ""
        raise CannotDoError(
            f"which Kubernetes is below {target.address if target is not None else 'it'} is not known",
            f"name the kubeconfig's context of it by --kube-context{of}",
        )
    from kade2kfp.cluster.kfp.reach import namespace_of

    return target.kube_context, namespace_of(target)


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done is told to the user, with what to do about it; the exit code is 3 where a cluster failed."""
    try:
        yield
    except CannotDoError as error:
        text = f"{error}\n  help: {error.help}" if error.help else str(error)
        # The errors of a cluster are there only where one was talked to.
        errors = sys.modules.get("kade2kfp.cluster.errors")
        if errors is not None and isinstance(error, errors.RefusedError):
            raise _ClusterFailedError(text) from None
        raise click.ClickException(text) from None


def the_step(gates: Gates, run: str, task: str | None, *, gate: bool) -> Standing:
    """The step that is meant; without a task the only one of the run that waits, which is said. Raises CannotDoError.

    `gate`: it has to wait for a person.
    """
    if task is not None:
        return gates.find(run, task, gate=gate)
    waiting = gates.waiting(run)
    if not waiting:
        raise CannotDoError(
            f"nothing in the run {run} waits for a person", "`kade2kfp gates` lists what waits; or name a TASK"
        )
    if len(waiting) > 1:
        names = ", ".join(called(waiting).values())
        raise CannotDoError(
            f"{len(waiting)} tasks of the run {waiting[0].run} wait: {names}", "name one of them after the run"
        )
    say(f"the only one that waits: {terminal(waiting[0].task)} of {terminal(waiting[0].run)}")
    return waiting[0]


def called(standing: Sequence[Standing]) -> dict[tuple[str, str], str]:
    """What each step is called to the user, by run and step: its task, or the step's own name where the task has several."""
    count = Counter((one.run, one.task) for one in standing)
    return {(one.run, one.step): one.task if count[one.run, one.task] == 1 else one.step for one in standing}


def wait_for(what: str, look: Callable[[], Found | None], seconds: float = PATIENCE) -> Found | None:
    """What `look` finds; it looks again and again, and says once that it waits for `what`. None where that time is over."""
    until = time.monotonic() + seconds
    said = False
    while (found := look()) is None:
        if time.monotonic() >= until:
            return None
        if not said:
            say(f"waiting for {terminal(what)}, up to {seconds:.0f} s")
            said = True
        time.sleep(min(_PAUSE, max(0.0, until - time.monotonic())))
    return found
