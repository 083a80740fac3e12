"""kade2kfp doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from kade2kfp.cli.kfp import Place, cluster_options
from kade2kfp.cli.streams import out, say
from kade2kfp.cli.submission import Content, content
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.doctor import Finding

_EXAMPLES = """\b
Examples:
  kade2kfp doctor
  kade2kfp doctor pipeline.json --namespace team-a --kube-context prod

The JSON has `findings`, a list of objects with `state` (ok, warn or fail), `check`, `text` and `help`, and `failed`, their
number.
"""
_FAILED = 3
_MULTI_USER_ACCOUNT = "default-editor"  # Kubeflow's profiles make it in each user's namespace


@click.command("doctor", epilog=_EXAMPLES)
@click.argument("file", required=False, metavar="[FILE]")
@click.option(
    "--param", "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter's value. May be repeated."
)
@click.option("--service-account", metavar="NAME", help="What the pods run as; else KFP's own.")
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: all findings, for machines.",
)
@cluster_options
@click.pass_context
def command(
    ctx: click.Context,
    file: str | None,
    pairs: tuple[str, ...],
    service_account: str | None,
    output: Literal["text", "json"],
    place: Place,
) -> None:
    """Look at a cluster: what works there, what does not, and what to do. With FILE also what that pipeline needs.

    Nothing is changed. The exit code is 3 where something fails.
    """
    if pairs and file is None:
        raise click.UsageError("--param gives values to the parameters of FILE.")
    found = (
        content(ctx, file, pairs, None, output=output, complete=False, problem=place.problem)
        if file is not None
        else None
    )
    place.named()  # a cluster that nobody has named is no finding
    findings = []
    for one in _findings(place, found, service_account):
        findings.append(one)
        if output == "text":
            out(_row(one))
    bad = sum(one.state == "fail" for one in findings)
    if output == "json":
        rows = [{"state": one.state, "check": one.check, "text": one.text, "help": one.help} for one in findings]
        out(json.dumps({"findings": rows, "failed": bad}, indent=2) + "\n")
    else:
        say(f"{bad} of {len(findings)} failed" if bad else "nothing fails")
    ctx.exit(_FAILED if bad else 0)


def _findings(place: Place, found: Content | None, account: str | None) -> Iterator[Finding]:
    from kade2kfp.cluster.kfp.doctor import ACCOUNT, Finding, of_kfp, of_kubernetes
    from kade2kfp.plan.needs import Need, needs_of

    namespace, who = "", account or ACCOUNT
    try:
        with place.kfp() as kfp:
            namespace = kfp.namespace
            who = account or (_MULTI_USER_ACCOUNT if kfp.multi_user else ACCOUNT)
            yield from of_kfp(kfp, found.ir if found is not None else None)
    except CannotDoError as error:
        yield Finding("fail", "kfp", str(error), error.help)
    needs = needs_of(found.plan, found.parameters) if found is not None else {}
    if account:
        needs |= {Need("serviceaccounts", account): ()}
    try:
        cluster = place.kubernetes()
    except CannotDoError as error:
        yield Finding("warn", "kubernetes", f"Kubernetes was not looked at: {error}", error.help)
        return
    cluster = replace(cluster, namespace=namespace or cluster.namespace)
    yield Finding("ok", "kubernetes", f"Kubernetes at {cluster.address}, namespace {cluster.namespace}")
    yield from of_kubernetes(cluster, needs, who)


def _row(one: Finding) -> str:
    text = f"{one.state:<4}  {terminal(one.text)}\n"
    return text + (f"      help: {terminal(one.help)}\n" if one.help and one.state != "ok" else "")
