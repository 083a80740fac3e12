"""Time zones: those of the tz database, the same on every machine, and what was meant by others."""

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from kade2kfp.document.zones import zone_names, zone_problem

ZONES = Path(__file__).parents[2] / "kade2kfp/document/zones.txt"


def test_the_list_has_all_names_of_the_database() -> None:
    """KADE2KFP_REGEN=1 writes it anew. A name that a later database lacks stays: none is ever taken back from users."""
    pytest.importorskip("tzdata")
    theirs = set(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()) - {"Factory"}
    if os.environ.get("KADE2KFP_REGEN"):
        ZONES.write_text("".join(f"{one}\n" for one in sorted(theirs | set(zone_names()))), encoding="utf-8")
    assert sorted(theirs - set(zone_names())) == []
    assert zone_names() == sorted(set(zone_names()))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Berlin", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Europa/Berlin", "Europe/Berlin"),
        ("Germany/Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("America/New-York", "America/New_York"),
        ("Los_Angeles", "America/Los_Angeles"),
        ("Buenos Aires", "America/Buenos_Aires"),
        ("seoul", "Asia/Seoul"),
        ("utc", "UTC"),
        ("Z", "UTC"),
        ("PST", "America/Los_Angeles"),
        ("CEST", "Europe/Berlin"),
        ("KST", "Asia/Seoul"),
        ("us/central", "US/Central"),
        ("US/Centrl", "US/Central"),
        ("Europe/Tokyo", "Asia/Tokyo"),
        ("Germany/Berln", "Europe/Berlin"),
    ],
)
def test_what_was_meant(name: str, meant: str) -> None:
    message, help_ = zone_problem(name)
    assert (message, help_) == (f"`{name}` is not a time zone", f"did you mean `{meant}`?")


@pytest.mark.parametrize("name", ["UTC+2", "+02:00", "GMT-0530", "+2", "utc +1"])
def test_an_offset_is_none(name: str) -> None:
    assert "an offset knows of no summer time" in zone_problem(name)[1]


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Munich",
        "Europ/Munich",
        "Munich",
        "Asia/Mumbai",
        "America/Boston",
        "Europe/Central",
        "Etc/GMT+13",
        "Europe/",
    ],
)
def test_no_other_place_stands_for_one_that_is_not_listed(name: str) -> None:
    assert zone_problem(name)[1] == "it is a place, such as `Europe/Berlin`, or `UTC`"


@pytest.mark.parametrize(
    "name", ["", " ", "here", "Local", "Factory", "../Europe/Berlin", "/etc/localtime", "Europe//Berlin/", "x" * 5000]
)
def test_what_is_none_at_all(name: str) -> None:
    message, help_ = zone_problem(name)
    assert message.endswith("is not a time zone")
    assert len(message) < 100
    assert help_


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "US/Pacific", "EST5EDT", "Etc/GMT+3", "America/Indiana/Knox"])
def test_names_of_the_database(name: str) -> None:
    assert zone_problem(name) == ("", "")


def test_a_machine_without_a_database_knows_them_too() -> None:
    code = "from kade2kfp.document.zones import zone_problem; import sys; print(zone_problem('Asia/Seoul'), 'zoneinfo' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONTZPATH": ""}, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "('', '') False\n"
