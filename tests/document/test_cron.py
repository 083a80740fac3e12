"""Cron expressions: what robfig/cron 1.2 cannot read, or finds no time for, is refused; what it reads is not."""

import pytest

from kade2kfp.document.cron import WORDS, cron_problem


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "here are 0"),
        ("* * * *", "here are 4"),
        ("0 0 3 * * * 2027", "here are 7"),
        ("daily", "here is 1"),
        ("@reboot", "its words are @yearly, @annually"),
        ("@Daily", "its words are"),
        ("@every 6h", "an interval stands by itself"),
        ("60 * * * *", "the minute goes from 0 to 59"),
        ("0 3 0 * *", "the day of the month goes from 1 to 31"),
        ("0 3 * * 7", "the day of the week goes from 0 to 6, and Sunday is 0"),
        ("0 3 L * *", "`L` is no day of the month"),
        ("0 3 15W * *", "`15W` is no day"),
        ("0 3 * * 5#2", "`5#2` is no day of the week"),
        ("0 3 * * fri-mon", "`fri-mon` runs backwards"),
        ("0 22-6 * * *", "`22-6` runs backwards"),
        ("*/0 * * * *", "`*/0` is no minute"),
        ("*/٣ * * * *", "is no minute"),  # digits, but none of Go's strconv.Atoi
        ("*/99999999999999999999 * * * *", "is no minute"),
        ("1,,2 * * * *", "`` is no minute"),
        ("0 3 * january *", "`january` is no month"),
        ("mon 3 * * *", "`mon` is no minute"),
    ],
)
def test_what_is_no_cron_expression(text: str, says: str) -> None:
    assert says in cron_problem(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [("0 0 30 2 *", 30), ("0 0 31 4,6,9,11 ?", 31), ("0 0 0 31 feb *", 31), ("0 0 30/1 2 *", 30), ("0 0 31 2 */2", 31)],
)
def test_what_never_fires(text: str, days: int) -> None:
    assert cron_problem(text) == f"it never fires, for no month that it names has {days} days"


def test_what_fires_once_in_28_years() -> None:
    assert "looks five years ahead" in cron_problem("0 0 29 2 */7")


@pytest.mark.parametrize(
    "text",
    [
        *WORDS,
        " @daily ",
        "* * * * *",
        "? ? ? ? ?",
        "0 3 * * 1-5",
        "0 3 * * MON-fri",
        "30 0 3 * * *",
        "5/10 * * * *",
        "0-30/5,45 * * * *",
        "*/99 * * * *",
        "0 0 29 2 *",
        "0 0 31 2,3 *",
        "0 0 28-31 2 *",
        "0 0 30 2 1",  # a day of the month or one of the week: Mondays in February
        "0 0 29 2 0-6/1",
    ],
)
def test_what_fires(text: str) -> None:
    assert cron_problem(text) == ""
