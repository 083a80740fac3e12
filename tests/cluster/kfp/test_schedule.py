"""`submit --schedule`: made once, kept, replaced without a gap; and nobody else's is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp_server import Kfp
from kfp_server.proxy import Proxy

from kade2kfp.cluster.kfp.client import kfp_of
from kade2kfp.cluster.kfp.schedule import Scheduled, Timing, schedule, six_fields
from kade2kfp.cluster.kfp.upload import upload
from kade2kfp.diagnostics.cannot import CannotDoError

from .side import HELLO, SMALL, Ran, quick, submission, write

NIGHTLY = HELLO | {"schedule": {"cron": "0 3 * * 1-5", "maxConcurrency": 2, "parameters": {"need": 2, "who": "you"}}}


def put(url: str, timing: Timing, **more: Any) -> Scheduled:
    wanted = submission(**more)
    with kfp_of(quick(url)) as kfp:
        return schedule(kfp, wanted, upload(kfp, wanted), timing)


@pytest.mark.parametrize(
    ("text", "six"),
    [
        ("0 3 * * 1-5", "0 0 3 * * 1-5"),
        ("  */5   * * * * ", "0 */5 * * * *"),
        ("30 0 3 * * *", "30 0 3 * * *"),
        ("@daily", "@daily"),
    ],
)
def test_kfp_reads_seconds_first(text: str, six: str) -> None:
    assert six_fields(text) == six


def test_the_documents_schedule(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path, NIGHTLY)
    ran = cli("submit", file, "--schedule", "--endpoint", kfp.url)
    (made,) = kfp.recurring.values()
    assert (ran.code, ran.out) == (0, f"{made.id}\n")
    assert ran.err.endswith("schedule hello-there (0 0 3 * * 1-5): made")
    assert (made.name, made.trigger, made.max_concurrency) == (
        "hello-there",
        {"cron_schedule": {"cron": "0 0 3 * * 1-5"}},
        2,
    )
    assert (made.config["parameters"], made.no_catchup, made.enabled) == ({"need": 2, "who": "you"}, True, True)
    assert kfp.runs == {}
    (version,) = kfp.versions.values()
    assert made.version == version.id
    again = cli("submit", file, "--schedule", "--endpoint", kfp.url, "--output", "json")
    assert again.json["schedule"] == {
        "name": "hello-there", "id": made.id, "cron": "0 0 3 * * 1-5", "catchup": False, "maxConcurrency": 2,
        "done": "kept", "off": False,
    }  # fmt: skip
    assert list(kfp.recurring) == [made.id]
    fired = kfp.fire(made.id)
    assert fired is not None
    assert fired.config["parameters"] == {"need": 2, "who": "you"}


@pytest.mark.parametrize(
    "words",
    [("--schedule", "0 4 * * *"), ("--schedule", "12h"), ("--schedule", "--param", "need=3"), ("--schedule", "--experiment", "e"),
     ("--schedule", "--service-account", "other"), ("--schedule", "--no-cache")],
    ids=str,
)  # fmt: skip
def test_one_that_differs_is_replaced(
    kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path, words: tuple[str, ...]
) -> None:
    file = write(tmp_path, NIGHTLY)
    cli("submit", file, "--schedule", "--endpoint", kfp.url)
    (old,) = kfp.recurring
    ran = cli("submit", file, *words, "--endpoint", kfp.url)
    assert ran.code == 0
    assert ran.err.endswith("replaced the one before")
    assert len(kfp.recurring) == 1
    assert old not in kfp.recurring
    asked = [str(one) for one in kfp.requests if one.method in ("POST", "DELETE")]
    assert asked[-2:] == ["POST /apis/v2beta1/recurringruns", f"DELETE /apis/v2beta1/recurringruns/{old}"]


def test_an_interval(kfp: Kfp) -> None:
    put(kfp.url, Timing(every=3600, catchup=True))
    assert put(kfp.url, Timing(every=3600, catchup=True)).done == "kept"
    assert put(kfp.url, Timing(every=3600)).done == "replaced"
    (made,) = kfp.recurring.values()
    assert (made.trigger, made.no_catchup, made.max_concurrency) == (
        {"periodic_schedule": {"interval_second": "3600"}},
        True,
        1,
    )


def test_one_that_somebody_has_switched_off_stays_so(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path, NIGHTLY)
    cli("submit", file, "--schedule", "--endpoint", kfp.url)
    (made,) = kfp.recurring.values()
    made.enabled = False
    assert cli("submit", file, "--schedule", "--endpoint", kfp.url).err.endswith("as wanted; it is switched off")
    assert cli("submit", file, "--schedule", "1h", "--endpoint", kfp.url).err.endswith("before; it is switched off")
    (made,) = kfp.recurring.values()
    assert not made.enabled


def test_somebody_elses_is_not_touched(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    put(kfp.url, Timing(every=60))
    (made,) = kfp.recurring.values()
    made.description = "made by hand"
    with pytest.raises(CannotDoError, match="a recurring run `hello-there` that kade2kfp has not made"):
        put(kfp.url, Timing(every=90))
    assert list(kfp.recurring) == [made.id]
    assert put(kfp.url, Timing(every=90), run_name="mine").done == "made"
    assert len(kfp.recurring) == 2


@pytest.mark.parametrize("what", ["cut before", "cut after", "half", "garbage", "empty"])
@pytest.mark.parametrize("request_", ["POST .*/recurringruns$", "GET .*/recurringruns", "DELETE .*/recurringruns"])
def test_an_answer_that_is_lost(kfp: Kfp, proxy: Proxy, what: Any, request_: str) -> None:
    """Whatever is lost, there is one at the end, at the latest when the same is asked for again."""
    put(kfp.url, Timing(every=60))
    proxy.breaks(what, request_)
    try:
        put(proxy.url, Timing(every=90))
    except CannotDoError:
        assert len(kfp.recurring) >= 1
    put(proxy.url, Timing(every=90))
    (made,) = kfp.recurring.values()
    assert made.trigger == {"periodic_schedule": {"interval_second": "90"}}


@pytest.mark.parametrize(
    ("schedule_", "words", "says"),
    [
        (None, ("--schedule",), "The document has no `schedule`"),
        (None, ("--schedule", "often"), "--schedule 'often' is neither a duration such as 12h, nor cron"),
        (None, ("--schedule", "61 * * * *"), "the minute goes from 0 to 59"),
        (None, ("--schedule", "0 0 30 2 *"), "nor cron that can be kept: it never fires"),
        (None, ("--schedule", "@every 6h"), "an interval stands by itself, as `12h`"),
        ({"cron": "0 3 * * *"}, ("--schedule", "--cluster-timezone", "Berlin"), "did you mean `Europe/Berlin`?"),
        ({"cron": "0 3 * * *", "timezone": "Europe/Berlin"}, ("--schedule",), "by --cluster-timezone Europe/Berlin"),
        (
            {"cron": "0 3 * * *"},
            ("--schedule", "--cluster-timezone", "Europe/Berlin"),
            "The schedule is in the time zone UTC",
        ),
        ({"cron": "0 3 * * *", "every": "1h"}, ("--schedule",), "K512"),
    ],
)
def test_schedules_that_cannot_be(
    kfp: Kfp,
    cli: Callable[..., Ran],
    tmp_path: Path,
    schedule_: dict[str, Any] | None,
    words: tuple[str, ...],
    says: str,
) -> None:
    document = SMALL | ({"schedule": schedule_} if schedule_ else {})
    ran = cli("submit", write(tmp_path, document), "--endpoint", kfp.url, *words)
    assert ran.code in (1, 2)
    assert says in ran.err
    assert kfp.requests == []


def test_a_time_zone_that_kfp_is_set_to(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path, SMALL | {"schedule": {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}})
    assert cli("submit", file, "--endpoint", kfp.url, "--schedule", "--cluster-timezone", "Europe/Berlin").code == 0
    assert len(kfp.recurring) == 1


def test_dry_run_says_what_would_become_of_it(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path, NIGHTLY)
    words = ("submit", file, "--endpoint", kfp.url, "--schedule")
    for done in ("made", "kept"):
        assert f"schedule hello-there (0 0 3 * * 1-5): would be {done}" in cli(*words, "--dry-run").out
        cli(*words)
    assert cli(*words, "1h", "--dry-run", "--output", "json").json["schedule"]["done"] == "replaced"
    assert len(kfp.recurring) == 1
