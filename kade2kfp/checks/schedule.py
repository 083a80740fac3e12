"""Schedules that can be carried out."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.cron import cron_problem
from kade2kfp.document.pipeline import Schedule
from kade2kfp.document.read import Document
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.document.types import duration_seconds
from kade2kfp.document.values import problems, run_time_problem
from kade2kfp.document.zones import zone_problem
from kade2kfp.plan.analysis import Analysis


def schedule(analysis: Analysis) -> Iterator[Diagnostic]:
    """K512: a schedule that is none, or whose parameters do not fit. K513 (note): the compiled pipeline does not hold it."""
    document = analysis.document
    given = document.pipeline.schedule
    if given is None:
        return
    wrong = list(_wrong(document, given))
    if not wrong and not document.is_torn(given.at):
        yield Diagnostic(
            "K513",
            "the schedule is not part of the compiled pipeline",
            given.at,
            "`kade2kfp submit --schedule` makes it",
            on_key=True,
        )
    yield from wrong


def _wrong(document: Document, given: Schedule) -> Iterator[Diagnostic]:
    if (given.cron is None) == (given.every is None):
        what = "neither `cron` nor `every`" if given.cron is None else "`cron` and `every`"
        yield Diagnostic("K512", f"the schedule has {what}", given.at, "give one of them")
    if given.cron is not None and (problem := cron_problem(given.cron)):
        message = f"the cron expression `{given.cron[:60]}` cannot be kept: {problem}"
        yield Diagnostic("K512", message, given.place("cron"), _cron_help(given.cron))
    if given.timezone is not None and given.cron is None:
        yield Diagnostic("K512", "`timezone` goes with `cron`", given.place("timezone"), "leave it out")
    elif given.timezone is not None:
        message, help_ = zone_problem(given.timezone)
        if message:
            yield Diagnostic("K512", message, given.place("timezone"), help_)
    declared = {parameter.name: parameter for parameter in document.parameters}
    values = given.parameters or {}
    for name, value in values.items():
        at = given.place("parameters", name)
        if name not in declared:
            if not document.may_have("parameters", name):
                yield Diagnostic(
                    "K512",
                    f"there is no parameter `{name}`",
                    at,
                    did_you_mean(name, declared, noun="parameters"),
                    on_key=True,
                )
            continue
        wrong = next(problems(value, declared[name]), "") or run_time_problem(value)
        if wrong:
            yield Diagnostic(
                "K512",
                f"the value of `{name}` does not fit: {wrong}",
                at,
                "change it, or what the parameter allows",
            )
    for parameter in document.parameters:
        if not parameter.given("default") and parameter.name not in values:
            yield Diagnostic(
                "K512",
                f"the schedule gives no value for the parameter `{parameter.name}`",
                given.at,
                "add it to the schedule's `parameters`, or give it a default",
            )


def _cron_help(cron: str) -> str:
    """What to write in place of a cron expression that is none; empty where its problem says that already."""
    text = cron.strip()
    if text.startswith("@every"):
        interval = text.removeprefix("@every").strip()
        return f'write "every": "{interval if duration_seconds(interval) else "12h"}" in place of `cron`'
    if text.startswith(("TZ=", "CRON_TZ=")):  # as crontab and later versions of robfig/cron have it
        return "the zone is `timezone`, beside `cron`"
    if not text.startswith("@") and len(text.split()) not in (5, 6):
        return "three in the morning on workdays is `0 3 * * 1-5`"
    return ""
