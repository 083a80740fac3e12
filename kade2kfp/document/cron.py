"""Cron expressions, as KFP reads them: by robfig/cron 1.2 (KFP's go.mod), five fields, or six with the seconds first."""

from __future__ import annotations

import re
from dataclasses import dataclass

WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_PART = re.compile(r"(?:([*?])|([A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?)(?:/([0-9]{1,9}))?")
_FIELDS = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of the week", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class _Field:
    """The numbers that a field stands for, and whether a part of it begins with `*` or `?`."""

    numbers: frozenset[int]
    starred: bool


def cron_problem(text: str) -> str:
    """Why a text is not a cron expression, or is one that never fires; empty if nothing is wrong with it."""
    if text.strip() in WORDS:
        return ""
    if text.lstrip().startswith("@every"):
        return "an interval stands by itself, as `12h`"
    if text.lstrip().startswith("@"):
        return f"its words are {', '.join(WORDS[:-1])} and {WORDS[-1]}"
    given = text.split()
    if len(given) not in (5, 6):
        return f"it has five fields, minute first, and here {'is' if len(given) == 1 else 'are'} {len(given)}"
    fields = []
    for field, declared in zip(given, _FIELDS[-len(given) :], strict=True):
        read = _read(field, *declared)
        if isinstance(read, str):
            return read
        fields.append(read)
    return _never(*fields[-3:])


def _read(field: str, noun: str, least: int, most: int, names: tuple[str, ...]) -> _Field | str:
    """What a field stands for; or why it is none."""
    numbers: set[int] = set()
    starred = False
    for part in field.split(","):
        match = _PART.fullmatch(part)
        ends = [
            least + names.index(end.lower()) if end.lower() in names else _number(end)
            for end in (match.groups()[1:3] if match else ())
            if end
        ]
        known = [number for number in ends if number is not None]
        if match is None or len(known) < len(ends) or (match[4] and not int(match[4])):
            return f"`{part}` is no {noun}"
        if any(not least <= number <= most for number in known):
            return f"the {noun} goes from {least} to {most}" + (", and Sunday is 0" if most == 6 else "")
        if known != sorted(known):
            return f"`{part}` runs backwards"
        starred |= bool(match[1])
        # `5/10` stands for 5-59/10 (robfig/cron, getRange).
        start, end = (known[0], known[-1]) if known else (least, most)
        numbers |= set(range(start, (most if match[4] and len(known) < 2 else end) + 1, int(match[4] or 1)))
    return _Field(frozenset(numbers), starred)


def _never(day: _Field, month: _Field, weekday: _Field) -> str:
    """Why no day is meant, or only one that may not come within the five years that are looked at (robfig/cron, Next).

    KFP takes that for a time that is long over, and starts runs at once, without end, or hangs
    (backend/src/crd/controller/scheduledworkflow/util/cron_schedule.go, getNextScheduledTimeImp).
    """
    if not day.starred and not weekday.starred:  # then either is enough (robfig/cron, dayMatches)
        return ""
    dates = {(one, which) for one in month.numbers for which in day.numbers if which <= _DAYS[one - 1]}
    if not dates:
        return f"it never fires, for no month that it names has {min(day.numbers)} days"
    if dates == {(2, 29)} and len(weekday.numbers) < 7:
        return "years go by without a 29 February on such a day of the week, and KFP looks five years ahead"
    return ""


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() and len(text) < 4 else None
