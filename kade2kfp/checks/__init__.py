"""What is checked, one file a check. A check is a function from the analysed document to diagnostics."""

from collections.abc import Callable, Iterable

from kade2kfp.checks.arrow_ends import arrow_ends
from kade2kfp.checks.arrow_paths import arrow_paths
from kade2kfp.checks.branches import branches
from kade2kfp.checks.characters import characters
from kade2kfp.checks.commands import commands
from kade2kfp.checks.conditions import conditions
from kade2kfp.checks.cycles import cycles
from kade2kfp.checks.env import env
from kade2kfp.checks.exit_task import exit_task
from kade2kfp.checks.gates import gates
from kade2kfp.checks.groups import groups
from kade2kfp.checks.images import images
from kade2kfp.checks.isolated import isolated
from kade2kfp.checks.iterations import iterations
from kade2kfp.checks.line_ends import line_ends
from kade2kfp.checks.load_data import load_data
from kade2kfp.checks.loops import loops
from kade2kfp.checks.lost_references import lost_references
from kade2kfp.checks.metadata import metadata
from kade2kfp.checks.mounts import mounts
from kade2kfp.checks.notebooks import notebooks
from kade2kfp.checks.packages import packages
from kade2kfp.checks.parameters import parameters
from kade2kfp.checks.pod_sources import pod_sources
from kade2kfp.checks.reference_types import reference_types
from kade2kfp.checks.repeated import repeated
from kade2kfp.checks.resolved_texts import resolved_texts
from kade2kfp.checks.resources import resources
from kade2kfp.checks.retries import retries
from kade2kfp.checks.schedule import schedule
from kade2kfp.checks.scheduling import scheduling
from kade2kfp.checks.select import select
from kade2kfp.checks.serving import serving
from kade2kfp.checks.servings import servings
from kade2kfp.checks.shared_claims import shared_claims
from kade2kfp.checks.size import size
from kade2kfp.checks.ssh import ssh
from kade2kfp.checks.task_paths import task_paths
from kade2kfp.checks.unique_names import unique_names
from kade2kfp.checks.unread_fields import unread_fields
from kade2kfp.checks.viewers import viewers
from kade2kfp.checks.volume_arrows import volume_arrows
from kade2kfp.checks.volumes import volumes
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis
from kade2kfp.steps.model import Plan

CHECKS: tuple[Callable[[Analysis], Iterable[Diagnostic]], ...] = (
    arrow_ends,
    arrow_paths,
    branches,
    characters,
    commands,
    conditions,
    cycles,
    env,
    exit_task,
    gates,
    groups,
    images,
    isolated,
    iterations,
    line_ends,
    load_data,
    loops,
    lost_references,
    metadata,
    mounts,
    notebooks,
    packages,
    parameters,
    pod_sources,
    reference_types,
    repeated,
    resolved_texts,
    resources,
    retries,
    schedule,
    scheduling,
    select,
    serving,
    servings,
    shared_claims,
    ssh,
    task_paths,
    unique_names,
    unread_fields,
    viewers,
    volume_arrows,
    volumes,
)
PLAN_CHECKS: tuple[Callable[[Plan, Analysis], Iterable[Diagnostic]], ...] = (size,)
