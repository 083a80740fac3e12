"""The proxy that breaks what goes through it."""

import http.client
import sys
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from kfp_server import between, many_tasks, serve
from kfp_server.fixtures import ask

BODY = {"display_name": "mine"}
PATH = "/apis/v2beta1/experiments"
BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError)


@pytest.mark.parametrize(("what", "made"), [("cut before", 0), ("cut after", 1), ("half", 1), ("garbage", 0)])
def test_a_connection_that_breaks(what: Any, made: int) -> None:
    with serve(execute=False) as kfp, between(kfp.url) as proxy:
        proxy.breaks(what, "POST .*/experiments")
        with pytest.raises(BROKEN):
            ask(proxy.url, "POST", PATH, BODY)
        assert sum(one.name == "mine" for one in kfp.experiments.values()) == made
        assert proxy.passed[-1].broken == what
        assert proxy.passed[-1].reached == bool(made)
        assert ask(proxy.url, "GET", PATH)[0] == 200


def test_a_fault_begins_at_a_request_and_ends() -> None:
    with serve(execute=False) as kfp, between(kfp.url) as proxy:
        proxy.breaks("status", "GET", at=2, times=2, status=503, headers={"Retry-After": "1"})
        assert [ask(proxy.url, "GET", PATH)[0] for _ in range(4)] == [200, 503, 503, 200]
        assert [one.status for one in proxy.passed] == [200, 503, 503, 200]
        assert len(kfp.asked()) == 2


def test_other_answers() -> None:
    with serve(execute=False) as kfp, between(kfp.url) as proxy:
        proxy.breaks("html")
        status, text = ask(proxy.url, "GET", PATH)
        assert (status, text[:15]) == (200, "<!doctype html>")
        proxy.breaks("empty")
        assert ask(proxy.url, "GET", PATH) == (200, "")
        proxy.breaks("slow", seconds=0.3)
        started = time.monotonic()
        assert ask(proxy.url, "GET", PATH)[0] == 200
        assert time.monotonic() - started >= 0.3
        proxy.breaks("hang", seconds=0.1)
        with pytest.raises(BROKEN):
            ask(proxy.url, "GET", PATH)


def test_what_is_not_broken_is_as_without_it() -> None:
    with serve(execute=False) as kfp, between(kfp.url) as proxy:
        kfp.made_runs(30, many_tasks(2))
        for path in (
            "/apis/v2beta1/runs?page_size=5",
            "/apis/v2beta1/runs/0",
            "/nowhere",
            "/apis/v2beta1/runs?filter=%7B",
        ):
            assert ask(proxy.url, "GET", path) == ask(kfp.url, "GET", path)
        assert ask(proxy.url, "PUT", PATH)[0] == 501
