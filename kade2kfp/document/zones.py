"""Time zones: the names of the tz database, the same on every machine.

KFP's controller has its own copy of that database, Alpine's, with the old names too (backend/Dockerfile.scheduledworkflow; read
by util/const.go, GetLocation); what this machine has does not matter. `zones.txt` lists the names.
"""

from __future__ import annotations

import re

from kade2kfp.document.suggest import closest

# Short names for which the database has none, and a place where each is used.
_SHORT = {
    "Z": "UTC",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "EDT": "America/New_York",
    "BST": "Europe/London",
    "CEST": "Europe/Berlin",
    "EEST": "Europe/Helsinki",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "AEST": "Australia/Sydney",
}
_OFFSET = re.compile(r"(?i)(?:utc|gmt)?\s*[+-]?\d{1,2}(?::?\d\d)?")
_AREAS = ("Europe/", "America/", "Asia/", "Africa/", "Australia/", "Pacific/", "Atlantic/", "Indian/")


def zone_names() -> list[str]:
    """The names of the tz database, with the old ones."""
    from importlib.resources import files  # only a document with a time zone pays for it

    return files("kade2kfp.document").joinpath("zones.txt").read_text(encoding="utf-8").split()


def zone_problem(name: str) -> tuple[str, str]:
    """Why a text is no time zone, and what to write instead; both are empty where it is one."""
    names = zone_names()
    if name in names:
        return "", ""
    message = f"`{name if len(name) <= 60 else name[:57] + '...'}` is not a time zone"
    if _OFFSET.fullmatch(name.strip()):
        return message, "an offset knows of no summer time: name a place, such as `Europe/Berlin`, or `UTC`"
    meant = _SHORT.get(name.strip().upper()) or _meant(name, names)
    return message, f"did you mean `{meant}`?" if meant else "it is a place, such as `Europe/Berlin`, or `UTC`"


def _meant(name: str, names: list[str]) -> str | None:
    """The name in another spelling, or that of a place whose area is missing or wrong; else a place that is much like it.

    Only the last part is compared then, with the places of the area if there is such a one: for the same area alone makes
    `Europe/Munich` much like `Europe/Zurich`.
    """
    places: dict[str, str] = {}
    # The last of a kind counts: places before old names such as US/Central.
    for one in sorted(names, key=lambda one: (one.startswith(_AREAS), one.count("/") < 2)):
        places[_plain(one.rpartition("/")[2])] = one
    whole = {_plain(one): one for one in names}
    plain = _plain(name)
    last = plain.rpartition("/")[2]
    if plain in whole:
        return whole[plain]
    area = plain.partition("/")[0] + "/"
    within = {one.rpartition("/")[2]: whole[one] for one in whole if one.startswith(area)}
    # US/Central and Canada/Central: neither is what Europe/Central means.
    if last in places and (not within or [one.rpartition("/")[2] for one in whole].count(last) == 1):
        return places[last]
    if re.search(r"\d", last):  # Etc/GMT+13: another number is another offset
        return None
    among = within or places
    near = closest(last, among, cutoff=0.8)
    return among[near] if near else None


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.strip()).casefold()
