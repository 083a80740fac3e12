"""`rerun` on a cluster."""

from __future__ import annotations

import json
import re

import click

from kade2kfp.cli.kfp import Place
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal

_COUNTED = re.compile(r"(.*) \(rerun(?: (\d{1,6}))?\)", re.DOTALL)


def rerun_on_cluster(place: Place, run: str, output: str, *, failed: bool, shown: bool) -> int:
    """Go on with a run that failed, or start the same again; the exit code, with `shown` that of its end.

    Raises CannotDoError, click.ClickException.
    """
    from kade2kfp.cli.following import follow
    from kade2kfp.cluster.kfp.control import again, retry
    from kade2kfp.cluster.kfp.runs import find, status_of

    with place.kfp() as kfp:
        found = find(kfp, run)
        status = status_of(found.said)
        if failed:
            if status == "running":
                raise click.ClickException(f"{found.name} is running: {place.command('logs', found.id, '-f')} shows it")
            if status == "succeeded":
                raise click.ClickException(
                    f"all tasks of {found.name} have succeeded; without --failed it is run again"
                )
            retry(kfp, found)
        else:
            name = _next(found.name)
            try:
                found = again(kfp, found, name)
            except CannotDoError as error:
                error.help = _maybe(place, error, name)
                raise
        url = kfp.target.run_url(found.id)
        if output == "json":
            out(json.dumps({"id": found.id, "name": found.name, "url": url or None}, indent=2) + "\n")
        else:
            say(f"{'going on with' if failed else 'started'} {terminal(found.name)}")
            out(terminal(url or found.id) + "\n")
        return follow(kfp, found.id, words=place.words) if shown else 0


def _next(name: str) -> str:
    """The name of the run that comes after one: `x (rerun)`, `x (rerun 2)`."""
    if counted := _COUNTED.fullmatch(name):
        return f"{counted[1]} (rerun {int(counted[2] or 1) + 1})"
    return f"{name} (rerun)"


def _maybe(place: Place, error: CannotDoError, name: str) -> str:
    status = getattr(error, "status", 0)
    if status in (400, 401, 403, 404, 409):
        return error.help
    look = f"whether `{name}` was started, {place.command('runs')} tells"
    return f"{error.help}; {look}" if error.help else look
