"""kade2kfp submit."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from kade2kfp.cli.common import werror_option
from kade2kfp.cli.kfp import Place, cluster_options
from kade2kfp.cli.rules import RulesChoice, config_options
from kade2kfp.cli.runs import home_option
from kade2kfp.cli.streams import out, say
from kade2kfp.cli.submission import Content, content, times_of, timing_of
from kade2kfp.cli.submit_looks import check_needs, said, say_what_would_be, when
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.document.types import DNS_NAME, DNS_RULE, duration_seconds

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.client import Kfp
    from kade2kfp.cluster.kfp.schedule import Timing
    from kade2kfp.cluster.kfp.upload import Submission, Uploaded

Output = Literal["text", "json"]
_EXAMPLES = """\b
Examples:
  kade2kfp submit pipeline.json --param seed=7 --follow
  kade2kfp submit pipeline.json --schedule '0 3 * * 1-5'
  kade2kfp submit pipeline.json --dry-run --kfp-context prod

Exit codes: 1 the document is wrong or something that is named is not there, 3 the cluster or, with --wait, the run failed,
124 --timeout is over and the run goes on.

The JSON has `pipeline`, `version` and `experiment`, each with `name`, `id` and `new` (whether it was made now), and `run`
(`id`, `name`, `url`, `resumed`: whether it had been started before; with --wait or --follow `status`). With --schedule it has
`schedule` in place of `run`: `name`, `id`, `cron` or `everySeconds`, `catchup`, `maxConcurrency`, `done` (made, kept or
replaced) and `off`.

With --dry-run it has `dryRun`, `kfp` (its version), `namespace`, `pipeline`, `version` and `experiment` (`id` is null where
`new` is true), `schedule` as far as it is known, `parameters`, `needs` (`need`, `state`: there, missing or unknown, `reason`,
`tasks`) and, where needs cannot be looked for, `needsProblem`. The exit code is 1 where one is missing.
"""
_EXPERIMENTS = ("KF_PIPELINES_OVERRIDE_EXPERIMENT_NAME", "KF_PIPELINES_DEFAULT_EXPERIMENT_NAME")


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    if not (seconds := duration_seconds(value)):
        raise click.BadParameter(f"'{value}' is not a duration such as `30m`, `8h` or `1h30m`", ctx, param)
    return seconds


def _name(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    if value is not None and (not value.strip() or len(value) > 120 or not value.isprintable()):
        raise click.BadParameter("a name is 1 to 120 printable characters", ctx, param)
    return value or ""


def _account(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    if value is not None and not DNS_NAME.fullmatch(value):
        raise click.BadParameter(f"no service account can have that name: {DNS_RULE}", ctx, param)
    return value or ""


def _zone(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        from kade2kfp.document.zones import zone_problem

        message, help_ = zone_problem(value)
        if message:
            raise click.BadParameter(f"{message}: {help_}", ctx, param)
    return value


@click.command("submit", epilog=_EXAMPLES)
@click.argument("file", metavar="FILE")
@click.option(
    "--param", "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter's value. May be repeated."
)
@click.option("--params-file", metavar="FILE", help="JSON or YAML with parameters' values.\n\n--param counts for more.")
@click.option("--wait", is_flag=True, help="Wait until the run has ended; 3 if it failed.")
@click.option("--follow", is_flag=True, help="The same, and show its tasks meanwhile.")
@click.option(
    "--timeout", callback=_seconds, metavar="TIME", help="Wait no longer, such as `2h`.\n\nThe exit code is 124 then."
)
@click.option(
    "--schedule",
    is_flag=False,
    flag_value="",
    metavar="[WHEN]",
    help="Not now, but at these times.\n\nWHEN is cron or a duration; without it the document's `schedule` counts.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be made, and make nothing.")
@click.option("--run-name", metavar="NAME", callback=_name, help="What the run, or the schedule, is called.")
@click.option("--experiment", metavar="NAME", callback=_name, help="Where the run is listed; else `Default`.")
@click.option("--cache/--no-cache", default=True, help="--no-cache runs every step anew.")
@click.option("--service-account", metavar="NAME", callback=_account, help="What the pods run as; else KFP's own.")
@click.option("--cluster-timezone", metavar="ZONE", callback=_zone, help="The time zone of KFP's schedules; else UTC.")
@click.option(
    "--no-check",
    is_flag=True,
    help="Do not look first whether what is needed exists.\n\nThat is claims, secrets and config maps.",
)
@home_option
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: what was made, for machines.",
)
@werror_option
@config_options
@cluster_options
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    pairs: tuple[str, ...],
    params_file: str | None,
    experiment: str,
    run_name: str,
    service_account: str,
    cache: bool,
    wait: bool,
    follow: bool,
    timeout: int | None,
    schedule: str | None,
    cluster_timezone: str | None,
    dry_run: bool,
    no_check: bool,
    home: Path,
    output: Output,
    werror: bool,
    choice: RulesChoice,
    place: Place,
) -> None:
    """Start a run of a pipeline on Kubeflow; compile it, and upload it if it is new.

    Cut off and repeated within an hour, the same command takes up the run that it has started.
    """
    lasting = wait or follow
    if timeout is not None and not lasting:
        raise click.UsageError("--timeout says how long --wait or --follow last.")
    if lasting and (schedule is not None or dry_run):
        raise click.UsageError("There is no run to wait for with --schedule or --dry-run.")
    if schedule:
        times_of(schedule)  # what is wrong with it is said whether or not a cluster is known
    found = content(
        ctx,
        file,
        pairs,
        params_file,
        output=output,
        choice=choice,
        werror=werror,
        scheduled=schedule is not None,
        problem=place.problem,
    )
    timing = timing_of(found.analysis, schedule, cluster_timezone) if schedule is not None else None
    wanted = _submission(found, cache, experiment, run_name, service_account)
    with place.kfp() as kfp:
        _warn_of_version(kfp, wanted.ir)
        if dry_run:
            ctx.exit(say_what_would_be(kfp, place, found, wanted, timing, output))
        if not no_check:
            check_needs(kfp, place, found, wanted)
        from kade2kfp.cluster.kfp.upload import upload

        at = upload(kfp, wanted)
        made = _uploaded(wanted, at)
        if timing is not None:
            ctx.exit(_schedule(kfp, wanted, at, timing, made, output))
        ctx.exit(
            _start(kfp, place, wanted, at, home, made, output, "follow" if follow else "wait" if wait else "", timeout)
        )


def _submission(found: Content, cache: bool, experiment: str, run_name: str, account: str) -> Submission:
    from kade2kfp.cluster.kfp.content import without_cache
    from kade2kfp.cluster.kfp.tree import tasks_text
    from kade2kfp.cluster.kfp.upload import Submission

    pipeline = found.analysis.document.pipeline
    named = next((os.environ[name] for name in _EXPERIMENTS if os.environ.get(name)), "Default")
    return Submission(
        slug=found.analysis.slug,
        display_name=pipeline.name,
        ir=found.ir if cache else without_cache(found.ir),
        description=pipeline.description or "",
        parameters=found.parameters,
        experiment=experiment or named,
        run_name=run_name,
        service_account=account,
        tasks=tasks_text(found.plan),
    )


def _warn_of_version(kfp: Kfp, ir: str) -> None:
    from kade2kfp.cluster.kfp.client import numbers_of
    from kade2kfp.cluster.kfp.versions import later

    numbers = numbers_of(kfp.version)
    for since, words in later(numbers, ir) if numbers is not None else ():
        say(f"warning: KFP {terminal(kfp.version)} is too old for {words}: that is there from {since[0]}.{since[1]} on")


def _uploaded(wanted: Submission, at: Uploaded) -> dict[str, Any]:
    """What was found and made, said, and as JSON."""
    made = {
        "pipeline": {"name": wanted.slug, "id": at.pipeline.id, "new": at.pipeline.made},
        "version": {"name": wanted.version, "id": at.version.id, "new": at.version.made},
        "experiment": {"name": wanted.experiment, "id": at.experiment.id, "new": at.experiment.made},
    }
    state = "uploaded" if at.version.made else "is there already, with this content"
    say(f"version {terminal(wanted.version)}: {state}")
    return made


def _start(
    kfp: Kfp,
    place: Place,
    wanted: Submission,
    at: Uploaded,
    home: Path,
    made: dict[str, Any],
    output: Output,
    watch: Literal["", "wait", "follow"],
    timeout: int | None,
) -> int:
    from kade2kfp.cli import following
    from kade2kfp.cluster.kfp.submit import started

    with started(kfp, wanted, at, home, lambda text: say(terminal(text))) as run:
        url = kfp.target.run_url(run.id)
        made["run"] = {"id": run.id, "name": run.name, "url": url, "resumed": run.resumed}
        say(f"run {terminal(run.name)}: {'had been started' if run.resumed else 'started'}, {terminal(run.id)}")
        if output == "json":
            code = _quietly(kfp, run.id, timeout, made["run"]) if watch else 0
            out(json.dumps(made, indent=2) + "\n")
            return code
        out(f"{terminal(url or run.id)}\n")
        if watch:
            step = following.follow if watch == "follow" else following.wait
            return step(kfp, run.id, timeout, words=place.words)
        say(f"to see it: {place.command('show', run.id)}")
        return 0


def _quietly(kfp: Kfp, run_id: str, timeout: int | None, run: dict[str, Any]) -> int:
    """Wait for a run and show nothing; its status goes into `run`. The exit code, as of `following.wait`."""
    from kade2kfp.cli.following import FAILED, LATE, STOPPED, looks

    run["status"] = "running"
    try:
        for detail in looks(kfp, run_id, None if timeout is None else time.monotonic() + timeout):
            run["status"] = detail.state.status
    except KeyboardInterrupt:
        return STOPPED
    except CannotDoError as error:
        run["status"] = "unknown"
        say(f"Error: {terminal(str(error))}")
        return FAILED
    if run["status"] == "running":
        return LATE
    return 0 if run["status"] == "succeeded" else FAILED


def _schedule(kfp: Kfp, wanted: Submission, at: Uploaded, timing: Timing, made: dict[str, Any], output: Output) -> int:
    from kade2kfp.cluster.kfp.schedule import schedule

    done = schedule(kfp, wanted, at, timing)
    name = wanted.run_name or wanted.slug
    made["schedule"] = {"name": name, "id": done.id, **when(timing), "done": done.done, "off": done.off}
    words = {"made": "made", "kept": "is there already, as wanted", "replaced": "replaced the one before"}[done.done]
    say(f"schedule {terminal(name)} ({said(timing)}): {words}{'; it is switched off' if done.off else ''}")
    out(json.dumps(made, indent=2) + "\n" if output == "json" else f"{done.id}\n")
    return 0
