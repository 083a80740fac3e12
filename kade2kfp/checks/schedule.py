"""Schedules that can be carried out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.document.values import problems, run_time_problem
from kade2kfp.plan.analysis import Analysis

# Five fields, or six with seconds first (robfig/cron, which KFP's scheduled workflows use), or @daily and the like.
_CRON = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|\S+(\s+\S+){4,5}")
_CRON_FIELD = re.compile(r"[\d*/,?A-Za-z-]+")


def schedule(analysis: Analysis) -> Iterator[Diagnostic]:
    """K512: a schedule that is none, or whose parameters do not fit. K513 (note): the compiled pipeline does not hold it."""
    document = analysis.document
    given = document.pipeline.schedule
    if given is None:
        return
    yield Diagnostic(
        "K513",
        "the schedule is not part of the compiled pipeline",
        document.pipeline.place("schedule"),
        "`kade2kfp submit --schedule` creates it",
        on_key=True,
    )
    if (given.cron is None) == (given.every is None):
        what = "neither `cron` nor `every`" if given.cron is None else "`cron` and `every`"
        yield Diagnostic("K512", f"the schedule has {what}", given.at, "give one of them")
    if given.cron is not None and not (
        _CRON.fullmatch(given.cron) and (given.cron[0] == "@" or all(map(_CRON_FIELD.fullmatch, given.cron.split())))
    ):
        yield Diagnostic(
            "K512",
            f"`{given.cron[:60]}` is not a cron expression",
            given.place("cron"),
            "it has five fields, minute first: `0 3 * * 1-5`",
        )
    if given.timezone is not None and given.cron is None:
        yield Diagnostic("K512", "`timezone` goes with `cron`", given.place("timezone"), "leave it out")
    elif given.timezone is not None and not re.fullmatch(r"[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+)*", given.timezone):
        yield Diagnostic(
            "K512",
            f"`{given.timezone[:60]}` is not a time zone",
            given.place("timezone"),
            "such as `Europe/Berlin` or `UTC`",
        )
    declared = {parameter.name: parameter for parameter in document.parameters}
    values = given.parameters or {}
    for name, value in values.items():
        at = given.place("parameters", name)
        if name not in declared:
            if name not in document.damaged["parameters"]:
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
