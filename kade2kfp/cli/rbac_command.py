"""kade2kfp rbac."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from kade2kfp.cli.streams import out
from kade2kfp.cluster.roles import Door, Needs, Subject, policy_yaml, role_yaml, roles
from kade2kfp.lowering.text import label_value
from kade2kfp.steps.model import Plan, Service, Step

_EXAMPLES = """\b
Examples:
  kade2kfp rbac pipeline.json -n team-a --deciders leads | kubectl apply -f -

WHO is a group, or user:NAME. KFP's own role `pipeline-runner` has a part of what steps need; two may overlap.
"""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ACCOUNT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_WHO = re.compile(r"[!-~]{1,253}")


def _namespaces(ctx: click.Context, param: click.Parameter, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    for one in (value,) if isinstance(value, str) else value:
        if not _NAME.fullmatch(one):
            raise click.BadParameter("no namespace can be called so: lower-case letters, digits and -", ctx, param)
    return value


def _account(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise click.BadParameter("no service account can be called so", ctx, param)
    return value


def _subjects(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[Subject, ...]:
    found = []
    for one in value:
        kind, name = ("User", one[5:]) if one.startswith("user:") else ("Group", one.removeprefix("group:"))
        if not _WHO.fullmatch(name):
            raise click.BadParameter("nobody is called so: a group, or user:NAME", ctx, param)
        found.append(Subject(kind, name))
    return tuple(found)


@click.command("rbac", epilog=_EXAMPLES)
@click.argument("file", required=False, metavar="[FILE]")
@click.option(
    "--namespace",
    "-n",
    default="kubeflow",
    show_default=True,
    metavar="NAME",
    callback=_namespaces,
    help="Where it runs.",
)
@click.option(
    "--service-account",
    "account",
    default="pipeline-runner",
    show_default=True,
    metavar="NAME",
    callback=_account,
    help="What steps run as.",
)
@click.option("--deciders", multiple=True, metavar="WHO", callback=_subjects, help="Who decides gates.")
@click.option("--users", multiple=True, metavar="WHO", callback=_subjects, help="Who opens and pauses.")
@click.option("--maintainers", multiple=True, metavar="WHO", callback=_subjects, help="Who deletes and rolls back.")
@click.option("--network-policy", is_flag=True, help="Also let nobody else connect to services.")
@click.option(
    "--allow-namespace", "others", multiple=True, metavar="NAME", callback=_namespaces, help="Who may, besides."
)
@click.pass_context
def command(
    ctx: click.Context,
    file: str | None,
    namespace: str,
    account: str,
    deciders: tuple[Subject, ...],
    users: tuple[Subject, ...],
    maintainers: tuple[Subject, ...],
    network_policy: bool,
    others: tuple[str, ...],
) -> None:
    """Print the roles that steps and people need on a cluster, as YAML.

    With FILE only what that document needs. Without WHO a role is printed that nobody has.
    """
    if others and not network_policy:
        raise click.UsageError("--allow-namespace is for --network-policy.")
    plan = _plan(ctx, file) if file is not None else None
    texts = [
        role_yaml(role, namespace)
        for role in roles(needs_of(plan) if plan else Needs(), account, deciders, users, maintainers)
    ]
    if network_policy:
        texts += [policy_yaml(door, namespace, others) for door in doors_of(plan)]
    out("---\n".join(texts))


def needs_of(plan: Plan) -> Needs:
    """What of services and gates a plan has."""
    services = list(_services(plan))
    flavors = {one.flavor for _, one in services}
    return Needs(
        viewers=any(one.kind == "viewer" for _, one in services),
        endpoints=any(one.kind == "serving" and one.flavor == "deployment" for _, one in services),
        gates=any(isinstance(one, Step) and one.gate is not None for one in plan.nodes),
        autoscale=any(one.autoscale is not None for _, one in services),
        kserve="kserve" in flavors,
        kubeflow="kubeflow" in flavors,
    )


def doors_of(plan: Plan | None) -> Iterator[Door]:
    """The services to which connections are limited: of a plan, else all. KServe's pods are reached by ports of its own."""
    if plan is None:
        yield Door("kade2kfp-services")
        return
    for step, one in _services(plan):
        if one.flavor != "kserve":
            labels = {
                "service": one.kind,
                "pipeline": label_value(plan.name),
                "service-step": label_value(step.name),
            }
            yield Door(one.name, tuple((f"kade2kfp/{key}", value) for key, value in labels.items()), one.port)


def _services(plan: Plan) -> Iterator[tuple[Step, Service]]:
    for one in plan.nodes:
        if isinstance(one, Step) and one.service is not None:
            yield one, one.service


def _plan(ctx: click.Context, file: str) -> Plan:
    """The plan of a document; ends with its diagnostics where it has errors."""
    from kade2kfp.api import validate
    from kade2kfp.cli.common import folder_of, read, show
    from kade2kfp.cli.rules import rules_for

    rules = rules_for(file)
    source = read(file)
    checked = validate(source, folder=folder_of(file), rules=rules)
    if checked.plan is None:
        show([(source, checked.diagnostics)], "text", stream_is_out=False)
        ctx.exit(1)
    return checked.plan
