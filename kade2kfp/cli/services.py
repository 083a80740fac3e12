"""What the commands about viewers and servings share: where they are, which one is meant, a browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from kade2kfp.cli.gates import Where
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.services.model import Kind, Services, ServiceView

run_argument = click.argument("run", metavar="RUN")
task_argument = click.argument("task", required=False, metavar="[TASK]")
"""[TASK]; the command gets `task: str | None`, for `the_service`."""


def services_of(where: Where) -> Services:
    """The services there. Raises CannotDoError."""
    if where.on_cluster:
        from kade2kfp.cluster.services import cluster_services

        return cluster_services(where.context, where.namespace)
    from kade2kfp.local.services import local_services

    return local_services(where.home)


def the_service(services: Services, kind: Kind, run: str, task: str | None) -> ServiceView:
    """The service that is meant. Raises CannotDoError.

    A serving outlives its runs: RUN may also be the pipeline, by its name or slug, or the serving's own name. Without a task
    it is the only one of its run or pipeline, which is said.
    """
    every = services.all(kind) if kind == "serving" else ()
    if kind == "serving" and (owner := _pipeline(every, run)):
        run = owner
    if task is not None:
        return services.find(kind, run, task)
    found = [one for one in every if run == one.name] or [one for one in every if run == one.pipeline]
    found = found or list(services.all(kind, run))
    if not found:
        raise CannotDoError(f"{run} has no {kind}", f"`kade2kfp {kind} list` lists all")
    if len(found) > 1:
        names = ", ".join(named(found).values())
        raise CannotDoError(f"{run} has {len(found)} {kind}s: {names}", "name one of them after it")
    (one,) = found
    say(f"the only {kind} of {terminal(one.run if kind == 'viewer' else one.pipeline)}: {terminal(one.task)}")
    return one


def named(views: Sequence[ServiceView]) -> dict[str, str]:
    """What each is called after its run, by its own name: its task, or the step's name where the task has several."""
    tasks = [(one.run, one.pipeline, one.task) for one in views]
    return {one.name: one.task if tasks.count((one.run, one.pipeline, one.task)) == 1 else one.step for one in views}


def owner(view: ServiceView) -> str:
    """What a service is found by for as long as it is there: a viewer's run, a serving's pipeline."""
    return view.run if view.kind == "viewer" else view.pipeline


def browse(url: str) -> None:
    """Open an address in the user's browser, where there is a display."""
    if sys.platform == "linux" and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))):
        return
    import webbrowser

    if not webbrowser.open(url):
        say("no browser could be started: open the address yourself")


def _pipeline(every: Sequence[ServiceView], run: str) -> str:
    """The slug of the pipeline with that name; empty where no serving is of one."""
    if any(run in (one.run, one.pipeline, one.name) for one in every):
        return ""
    from kade2kfp.plan.names import slug

    return next((one.pipeline for one in every if one.pipeline == slug(run)), "")
