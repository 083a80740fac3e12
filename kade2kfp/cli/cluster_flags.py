"""The options that say which cluster is meant: the same for all commands that can talk to one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kade2kfp.diagnostics.cannot import CannotDoError

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.where import Target


@dataclass(frozen=True, slots=True)
class Named:
    """What the options say, each as it was typed."""

    endpoint: str | None = None
    kfp_context: str | None = None
    namespace: str | None = None
    kube_context: str | None = None
    port_forward: bool = False
    cluster: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The options, for a command that the user is to type; `--cluster` where no other says which KFP, or namespace."""
        words = [word for option, value in self.texts.items() if value for word in (option, value)]
        words += ["--port-forward"] if self.port_forward else []
        if self.cluster and not (self.port_forward or self.endpoint or self.kfp_context or self.namespace):
            words = ["--cluster", *words]
        return tuple(words)

    @property
    def texts(self) -> dict[str, str | None]:
        """The options that take a text, with it."""
        return {
            "--endpoint": self.endpoint,
            "--kfp-context": self.kfp_context,
            "--namespace": self.namespace,
            "--kube-context": self.kube_context,
        }

    @property
    def kfp(self) -> bool:
        """Whether they say which KFP, and not only a namespace or a Kubernetes."""
        return bool(self.endpoint or self.kfp_context or self.port_forward or self.cluster)

    def check(self, ctx: click.Context) -> None:
        """Raises click.UsageError where they cannot be meant so."""
        for option, value in self.texts.items():
            if value == "":  # as of an unset variable: another cluster would be meant than one thinks
                raise click.BadParameter("it is empty", ctx, param_hint=option)
        if sum(map(bool, (self.endpoint, self.kfp_context, self.port_forward))) > 1:
            raise click.UsageError("--endpoint, --kfp-context and --port-forward exclude each other.", ctx)
        if self.endpoint:
            from kade2kfp.cluster.kfp.where import url_of

            try:
                url_of(self.endpoint, "--endpoint")
            except CannotDoError as error:
                raise click.UsageError(f"{error}, {error.help}", ctx) from None

    def target(self) -> Target | None:
        """The KFP that they, the environment or the configuration say; it is not asked. Raises CannotDoError."""
        from kade2kfp.cluster.kfp.where import target_of

        return target_of(
            endpoint=self.endpoint,
            namespace=self.namespace,
            context=self.kfp_context,
            always=True,
            forward=self.port_forward,
            kube_context=self.kube_context,
        )


def cluster_flags(command: Callable[..., Any], *, always: bool = False) -> Callable[..., Any]:
    """The options; the command gets `named: Named`, which `Named.check` has still to look at.

    `always`: the command always works on a cluster. It may be said all the same.
    """

    @click.option("--endpoint", metavar="URL", help="The address of Kubeflow Pipelines; else $KFP_ENDPOINT.")
    @click.option("--kfp-context", metavar="NAME", help="A context of the configuration (`kade2kfp context list`).")
    @click.option("--namespace", "-n", metavar="NAME", help="The namespace of the runs; else $KFP_NAMESPACE.")
    @click.option("--port-forward", is_flag=True, help="Reach it through the kubeconfig's cluster.")
    @click.option("--kube-context", metavar="NAME", help="The kubeconfig's context of that cluster.")
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        endpoint: str | None,
        kfp_context: str | None,
        namespace: str | None,
        port_forward: bool,
        kube_context: str | None,
        cluster: bool = False,
        **rest: Any,
    ) -> Any:
        named = Named(endpoint, kfp_context, namespace, kube_context, port_forward, cluster or always)
        return command(*args, named=named, **rest)

    flag = click.option(
        "--cluster",
        is_flag=True,
        hidden=always,
        help="On the cluster that the environment or the configuration names.",
    )
    return flag(wrapped)
