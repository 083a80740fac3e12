"""Schedules that can be carried out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.pipeline import Schedule
from kade2kfp.document.read import Document
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.document.values import problems, run_time_problem
from kade2kfp.plan.analysis import Analysis

# Five fields, or six with seconds first (robfig/cron, which KFP's scheduled workflows use), or @daily and the like.
_CRON_WORD = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)")
_CRON_PART = re.compile(r"(?:[*?]|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_CRON_FIELDS = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of the week", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def cron_problem(text: str) -> str:
    """Why a text is not a cron expression; empty if it is one. https://pkg.go.dev/github.com/robfig/cron"""
    if _CRON_WORD.fullmatch(text):
        return ""
    given = text.split()
    if len(given) not in (5, 6):
        return f"it has five fields, minute first, and here {'is' if len(given) == 1 else 'are'} {len(given)}"
    for field, (noun, least, most, names) in zip(given, _CRON_FIELDS[-len(given) :], strict=True):
        for part in field.split(","):
            match = _CRON_PART.fullmatch(part)
            ends = [end for end in match.groups()[:2] if end] if match else []
            numbers = [least + names.index(end.lower()) if end.lower() in names else _number(end) for end in ends]
            if match is None or None in numbers or match[3] == "0":
                return f"`{part}` is no {noun}"
            known = [number for number in numbers if number is not None]
            if any(not least <= number <= most for number in known):
                return f"the {noun} goes from {least} to {most}"
            if known != sorted(known):
                return f"`{part}` runs backwards"
    return ""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None


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
        message = f"`{given.cron[:60]}` is not a cron expression: {problem}"
        yield Diagnostic("K512", message, given.place("cron"), "three in the morning on workdays is `0 3 * * 1-5`")
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
