"""The options that say which KFP is meant, shared by all commands that can work on a cluster."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kade2kfp.cli.cluster_flags import Named, cluster_flags
from kade2kfp.cli.gates import refuse_home, told
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal

if TYPE_CHECKING:
    from kade2kfp.cluster.connect import Cluster
    from kade2kfp.cluster.kfp.client import Kfp
    from kade2kfp.cluster.kfp.where import Target

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the runs are: on the cluster of `target`, or on this machine where it is None.

    `words` are the options that say so, for a command that the user is to type. With a `problem` a cluster is meant that is
    not known: that is raised when it is asked for, after all that can be wrong without it has been said.
    """

    target: Target | None
    words: tuple[str, ...]
    problem: CannotDoError | None = None

    @property
    def on_cluster(self) -> bool:
        """Whether the runs are on a cluster."""
        return self.target is not None or self.problem is not None

    @contextmanager
    def kfp(self) -> Iterator[Kfp]:
        """The cluster's KFP, with its port carried here while the block lasts where it takes that. Raises CannotDoError."""
        from kade2kfp.cluster.kfp.client import kfp_of

        with kfp_of(self.named()) as kfp:
            yield kfp

    def kubernetes(self) -> Cluster:
        """The Kubernetes below, in the namespace of the runs. Nothing is sent. Raises CannotDoError."""
        from kade2kfp.cluster.kfp.reach import kubernetes_of

        return kubernetes_of(self.named())

    def named(self) -> Target:
        """The cluster's KFP, not asked yet. Raises CannotDoError where none is known, or the runs are on this machine."""
        if self.problem is not None:
            raise self.problem
        if self.target is None:
            raise CannotDoError("no cluster was named", "name one by --cluster, --endpoint or --kfp-context")
        return self.target

    def command(self, verb: str, *words: str) -> str:
        """What the user is to type, quoted for a shell and escaped for a terminal: `kade2kfp VERB WORDS...`."""
        return terminal(shlex.join(["kade2kfp", verb, *words, *self.words]))


def kfp_options(command: Command) -> Command:
    """Options by which a command works on a cluster, where one is given, instead of on this machine; it gets `place: Place`.

    With one of them --home is refused: it is for runs on this machine.
    """
    return _with_options(command, always=False)


def cluster_options(command: Command) -> Command:
    """The same options for a command that always works on a cluster."""
    return _with_options(command, always=True)


def _with_options(command: Command, *, always: bool) -> Command:
    @click.pass_context
    @functools.wraps(command)
    def wrapped(ctx: click.Context, /, *, named: Named, **rest: Any) -> Any:
        named.check(ctx)
        if named.namespace and named.namespace.isdigit() and any("--tail" in one.opts for one in ctx.command.params):
            message = f"that is a namespace; the last lines are --tail {named.namespace}"
            raise click.BadParameter(message, ctx, param_hint="-n")
        meant = named.kfp or bool(named.namespace)
        if named.kube_context and not meant:
            raise click.UsageError("--kube-context goes with --namespace or another option that names a cluster.", ctx)
        if meant and not always and ctx.params.get("home") is not None:
            refuse_home(ctx, named.words)
        with told():
            target, problem = None, None
            try:
                target = named.target() if meant else None
            except CannotDoError as error:
                problem = error
            if target is not None and target.in_the_clear:
                say(f"warning: the login is sent to {terminal(target.address)} unencrypted; use its https address")
            return command(place=Place(target, named.words, problem), **rest)

    return cluster_flags(wrapped, always=always)
