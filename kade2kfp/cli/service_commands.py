"""The commands that `viewer` and `serving` both have, made for the one or the other."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import click

from kade2kfp.cli import services as shared
from kade2kfp.cli.gates import TooLateError, Where, wait_for, where_options
from kade2kfp.cli.runs import ago, table
from kade2kfp.cli.services import browse, named, owner, run_argument, task_argument, the_service
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.amounts import duration
from kade2kfp.services.model import Kind, Services, ServiceView

PATIENCE = 120.0
"""Seconds that are waited for a service to get ready: its packages may have to be installed first."""
_LOOK = 15.0
"""Seconds between two looks at whether a service on a cluster is still the same."""
_TAIL = 10
_HEADS = {
    "viewer": ("RUN", "TASK", "STATE", "MADE", "UNTIL", "URL"),
    "serving": ("PIPELINE", "TASK", "STATE", "VERSION", "MADE", "URL"),
}
_JSON = """
The JSON is a list of objects with `kind`, `run`, `pipeline`, `task`, `step`, `name`, `state` (running, starting, paused,
failing, stopped), `port`, `url`, `since`, `until` (seconds since 1970, or null), `version`, `versions` and `problem`.
"""


def listing(kind: Kind) -> click.Command:
    """`list [RUN]`."""

    @click.command("list", help=f"List {kind}s, the oldest first.", epilog=_examples(f"{kind} list") + _JSON)
    @click.argument("run", required=False, metavar="[RUN]")
    @click.option(
        "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="A table, or JSON."
    )
    @where_options
    def command(run: str | None, output: str, where: Where) -> None:
        views = shared.services_of(where).all(kind, run)
        if output == "json":
            out(json.dumps([_as_json(one) for one in views], indent=2) + "\n")
        elif views:
            out(_text(views, time.time(), where))
        else:
            say(f"there are no {kind}s" + (f" of the run {terminal(run)}" if run is not None else ""))

    return command


def opening(kind: Kind) -> click.Command:
    """`open RUN [TASK]`."""
    text = "Print its address, and open it in the browser.\n\nOn a cluster it is carried to this machine until Ctrl-C."

    @click.command("open", help=text, epilog=_examples(f"{kind} open {_example(kind)}"))
    @run_argument
    @task_argument
    @click.option(
        "--port", type=click.IntRange(1, 65535), metavar="N", help="Of a cluster's: the port here; else a free one."
    )
    @click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
    @where_options
    def command(run: str, task: str | None, port: int | None, no_browser: bool, where: Where) -> None:
        if port is not None and not where.on_cluster:
            raise click.UsageError("--port is for services on a cluster: on this machine each has its own already.")
        services = shared.services_of(where)
        view = the_service(services, kind, run, task)
        again = view.kind == "viewer" and view.state == "stopped" and not where.on_cluster
        try:
            if again:
                from kade2kfp.local.services import view_again

                _carried(services, view, view_again(where.home, view), where, no_browser, stays=True)
                return
            view = _begun(services, view, where)
            while True:
                block = services.reach(view, port)
                port, now = _carried(services, view, block, where, no_browser, stays=where.on_cluster)
                if now is None:
                    return
                view, no_browser = now, True
        except KeyboardInterrupt:
            say("")

    return command


def doing(kind: Kind, verb: str, help: str) -> click.Command:
    """`pause`, `resume` or `delete RUN [TASK]`: what the service is asked to do, and the sentence that comes back."""

    @click.command(verb, help=help, epilog=_examples(f"{kind} {verb} {_example(kind)}"))
    @run_argument
    @task_argument
    @where_options
    def command(run: str, task: str | None, where: Where) -> None:
        services = shared.services_of(where)
        view = the_service(services, kind, run, task)
        out(terminal(getattr(services, verb)(view)) + "\n")

    return command


def logging(kind: Kind) -> click.Command:
    """`log RUN [TASK]`."""

    @click.command(
        "log", help="Print the last lines that it has printed.", epilog=_examples(f"{kind} log {_example(kind)}")
    )
    @run_argument
    @task_argument
    @click.option(
        "--lines", type=click.IntRange(1, 100_000), default=100, show_default=True, metavar="N", help="Only the last N."
    )
    @where_options
    def command(run: str, task: str | None, lines: int, where: Where) -> None:
        services = shared.services_of(where)
        view = the_service(services, kind, run, task)
        out("".join(terminal(line) + "\n" for line in services.log(view, lines)))

    return command


def _examples(line: str) -> str:
    return f"\b\nExamples:\n  kade2kfp {line}\n"


def _example(kind: Kind) -> str:
    return "last board" if kind == "viewer" else "iris endpoint"


def _begun(services: Services, view: ServiceView, where: Where) -> ServiceView:
    """The service when it runs. Raises CannotDoError, TooLateError, with the log's last lines where it fails."""

    def look() -> ServiceView | None:
        now = services.find(view.kind, owner(view), view.name)
        return None if now.state == "starting" else now

    now = view if view.state != "starting" else wait_for(f"{view.task}, which starts", look, PATIENCE)
    if now is None:
        why = f": {view.problem}" if view.problem else ""
        raise TooLateError(f"{view.task} has not started after {PATIENCE:.0f} s{why}")
    resume = where.command(view.kind, "resume", owner(view), view.task)
    if now.state == "paused":
        raise CannotDoError(f"{view.task} is paused", f"to start it: {resume}")
    if now.state == "stopped":
        raise CannotDoError(f"{view.task} is stopped: nothing keeps it running any more", f"to start it: {resume}")
    if now.state == "failing":
        for line in _tail(services, now):
            say(f"  {terminal(line)}")
        raise CannotDoError(
            f"{view.task} does not run" + (f": {now.problem}" if now.problem else ""),
            f"more of its log: {where.command(view.kind, 'log', owner(view), view.task)}",
        )
    return now


def _tail(services: Services, view: ServiceView) -> Sequence[str]:
    try:
        return services.log(view, _TAIL)
    except CannotDoError:
        return ()


def _carried(
    services: Services,
    view: ServiceView,
    block: AbstractContextManager[int],
    where: Where,
    no_browser: bool,
    *,
    stays: bool,
) -> tuple[int, ServiceView | None]:
    """Show a service while it is reached: the port here, and the service as it is now where it has to be reached anew."""
    with block as here:
        url = f"http://127.0.0.1:{here}/"
        if view.problem:
            say(f"{terminal(view.task)}: {terminal(view.problem)}")
        out(url + "\n")
        if not no_browser:
            browse(url)
        if not stays:
            return here, None
        say("Ctrl-C ends it")
        return here, _other(services, view, where)


def _other(services: Services, view: ServiceView, where: Where) -> ServiceView | None:
    """Wait until another version answers, which is returned, or until it is gone or paused."""
    while True:
        time.sleep(_LOOK)
        if not where.on_cluster:
            continue
        try:
            now = services.find(view.kind, owner(view), view.name)
        except CannotDoError as error:
            if _passes(error):
                continue
            say(f"{terminal(view.task)} cannot be reached any more: {terminal(str(error))}")
            return None
        if now.state == "paused":
            say(f"{terminal(view.task)} has been paused")
            return None
        if now.state == "running" and (now.version, now.since) != (view.version, view.since):
            say(f"{terminal(view.task)} has been started anew {terminal(now.version)}".rstrip())
            return now


def _passes(error: CannotDoError) -> bool:
    """Whether the cluster, rather than the service, is not there at the moment."""
    from kade2kfp.cluster.errors import RefusedError

    return isinstance(error, RefusedError)


def _text(views: Sequence[ServiceView], now: float, where: Where) -> str:
    names = named(views)
    lines = table([_HEADS[views[0].kind], *(_row(one, names[one.name], now) for one in views)])
    text = [lines[0]]
    for one, line in zip(views, lines[1:], strict=True):
        text += [line, *(f"  {row}" for row in _hints(one, names[one.name], where))]
    return "\n".join(text) + "\n"


def _row(one: ServiceView, name: str, now: float) -> tuple[str, ...]:
    if one.kind == "serving":
        return one.pipeline, name, one.state, one.version or "-", _made(one, now), one.url or "-"
    until = "-" if one.until is None else f"in {duration(one.until - now)}" if one.until > now else "over"
    return one.run, name, one.state, _made(one, now), until, one.url or "-"


def _made(one: ServiceView, now: float) -> str:
    return ago(one.since, now) if one.since else "-"


def _hints(one: ServiceView, name: str, where: Where) -> Iterator[str]:
    """What is wrong, what it can go back to, what to type; escaped."""
    if one.problem:
        yield terminal(one.problem)
    if earlier := [version for version in one.versions if version != one.version]:
        yield f"other versions: {terminal(', '.join(earlier))}"
    whole = owner(one)
    if one.state in ("paused", "stopped") and not (one.kind == "viewer" and one.state == "stopped"):
        yield where.command(one.kind, "resume", whole, name)
    else:
        yield where.command(one.kind, "log" if one.state == "failing" else "open", whole, name)


def _as_json(one: ServiceView) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "run": one.run,
        "pipeline": one.pipeline,
        "task": one.task,
        "step": one.step,
        "name": one.name,
        "state": one.state,
        "port": one.port,
        "url": one.url,
        "since": _number(one.since),
        "until": _number(one.until),
        "version": one.version,
        "versions": list(one.versions),
        "problem": one.problem,
    }


def _number(value: float | None) -> float | None:
    """JSON has no numbers that are none."""
    return value if value is not None and math.isfinite(value) else None
