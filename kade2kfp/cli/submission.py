"""What `submit` and `doctor` read before a cluster is asked: the document, its values, what it becomes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kade2kfp.api import Checked, also, compile, validate
from kade2kfp.cli.common import failed, folder_of, read, show, values
from kade2kfp.cli.rules import RulesChoice, rules_for
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.diagnostics.severity import warnings
from kade2kfp.document.cron import cron_problem
from kade2kfp.document.pipeline import Schedule
from kade2kfp.document.types import duration_seconds
from kade2kfp.plan.analysis import Analysis
from kade2kfp.source import Source
from kade2kfp.steps.model import Plan

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.schedule import Timing

MAX_INPUT = 16 * 1024 * 1024
NO_CHOICE = RulesChoice()


@dataclass(frozen=True, slots=True)
class Content:
    """A document that nothing is wrong with: what it becomes, and the values that a run is given, JSON by name."""

    analysis: Analysis
    plan: Plan
    ir: str
    parameters: Mapping[str, Any]


def content(
    ctx: click.Context,
    file: str,
    pairs: Sequence[str],
    params_file: str | None,
    *,
    output: str,
    choice: RulesChoice = NO_CHOICE,
    werror: bool = False,
    scheduled: bool = False,
    complete: bool = True,
    problem: CannotDoError | None = None,
) -> Content:
    """A document compiled with these values.

    Where a value matters to a run alone, the pipeline is compiled without it: so runs with other values share a version.

    Args:
        ctx: ends the command with 1 where the document, or a value, is wrong; what is wrong is shown as `compile` does.
        file: the document's path.
        pairs: NAME=VALUE, which count for more than `params_file`.
        params_file: a JSON or YAML file of values.
        output: how diagnostics are written, text or json.
        choice: which team's rules hold.
        werror: let warnings count as errors.
        scheduled: the values of the document's `schedule` count too, for less than all others.
        complete: every parameter has to have a value.
        problem: why no cluster is known. It is raised once nothing is wrong with the document, which is not compiled then.
    """
    rules = rules_for(file, choice)
    source = read(file)
    own = _of_schedule(source) if scheduled else {}
    given = own | _of_file(params_file, file) | values(source, pairs, "--param")
    if problem is not None:
        seen = validate(source, folder=folder_of(file), values=given, rules=rules)
        seen = _all_given(seen, given) if complete else seen
        if not failed(seen.diagnostics, werror=werror or rules.werror):
            raise problem
        show([(source, seen.diagnostics)], output, stream_is_out=output == "json")
        ctx.exit(1)
    compiled = compile(source, folder=folder_of(file), values=given, rules=rules)
    checked = _all_given(compiled.checked, given) if complete else compiled.checked
    if compiled.yaml is None or failed(checked.diagnostics, werror=werror or rules.werror):
        show([(source, checked.diagnostics)], output, stream_is_out=output == "json")
        ctx.exit(1)
    if found := warnings(list(checked.diagnostics)):
        say(f"{terminal(source.file)}: {found} warning{'s' if found > 1 else ''}; `kade2kfp validate` shows them")
    ir = compiled.yaml
    if given:
        from kade2kfp.cluster.kfp.content import same_but_defaults

        plain = compile(source, folder=folder_of(file), rules=rules).yaml
        if plain is not None and same_but_defaults(plain, ir):
            ir = plain
    plan, analysis = compiled.checked.plan, compiled.checked.analysis
    if plan is None or analysis is None:
        ctx.exit(1)
    return Content(analysis, plan, ir, given)


def times_of(text: str) -> tuple[str, int]:
    """What `--schedule WHEN` says: a cron expression, or seconds. Raises click.UsageError where it is neither."""
    every = duration_seconds(text) or 0
    if not every and (problem := cron_problem(text)):
        raise click.UsageError(
            f"--schedule '{text}' is neither a duration such as 12h, nor cron that can be kept: {problem}"
        )
    return "" if every else text, every


def timing_of(analysis: Analysis, text: str, cluster_zone: str | None) -> Timing:
    """When `submit --schedule` lets runs begin: as the text says, a cron expression or a duration, else the document.

    Raises click.UsageError where neither does, or KFP cannot carry it out.
    """
    from kade2kfp.cluster.kfp.schedule import Timing, six_fields

    own = analysis.document.pipeline.schedule
    if own is None and not text:
        raise click.UsageError("The document has no `schedule`: give one after --schedule, such as '0 3 * * *' or 12h.")
    schedule = own or Schedule()
    cron, every = schedule.cron or "", 0
    if text:
        cron, every = times_of(text)
    elif schedule.every is not None:
        every = duration_seconds(analysis.resolution.compile_text(schedule.place("every"), schedule.every)) or 0
    zone = schedule.timezone or "UTC"
    if cron and zone != (cluster_zone or "UTC"):
        raise click.UsageError(
            f"The schedule is in the time zone {zone}, and KFP has one zone for all schedules: its controller's "
            f"CRON_SCHEDULE_TIMEZONE, else UTC. If that is {zone}, say so by --cluster-timezone {zone}."
        )
    return Timing(six_fields(cron), every, bool(schedule.catchup), schedule.max_concurrency or 1)


def _all_given(checked: Checked, given: Mapping[str, Any]) -> Checked:
    if checked.analysis is None:
        return checked
    missing = [
        Diagnostic(
            "K702",
            f"the parameter `{one.name}` has no value",
            one.place("name"),
            f"give it by --param {one.name}=..., or --params-file",
        )
        for one in checked.analysis.document.parameters
        if not one.given("default") and one.name not in given
    ]
    return also(checked, missing)


def _of_schedule(source: Source) -> dict[str, Any]:
    """Values of the document's schedule; what is wrong with them is told with all else that is (K512)."""
    schedule = source.root.get("schedule") if isinstance(source.root, dict) else None
    found = schedule.get("parameters") if isinstance(schedule, dict) else None
    return dict(found) if isinstance(found, dict) else {}


def _of_file(path: str | None, document: str) -> dict[str, Any]:
    """The values of a file. Raises click.BadParameter."""
    if path is None:
        return {}
    if path == "-" and document == "-":
        raise click.UsageError("The document and --params-file cannot both be standard input.")
    try:
        raw = sys.stdin.buffer.read(MAX_INPUT + 1) if path == "-" else _bytes(path)
    except OSError as error:
        raise _wrong(path, (error.strerror or str(error)).lower()) from None
    if len(raw) > MAX_INPUT:
        raise _wrong(path, "it is too big")
    import yaml

    try:
        found = json.loads(raw) if path.endswith(".json") else yaml.safe_load(raw)
        json.dumps(found, allow_nan=False)  # a date, say, is none of JSON's values
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else getattr(error, "lineno", None)
        what = "neither JSON nor YAML" if not path.endswith(".json") else "no JSON"
        if isinstance(error, TypeError):
            raise _wrong(path, "it holds what JSON does not know, such as a date: put it into quotes") from None
        raise _wrong(path, f"it is {what}" + (f" (line {line})" if line else "")) from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise _wrong(path, "it has to be an object: parameters' names with their values")
    return found


def _bytes(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(MAX_INPUT + 1)


def _wrong(path: str, problem: str) -> click.BadParameter:
    return click.BadParameter(f"cannot take values from {path}: {problem}", param_hint="--params-file")
