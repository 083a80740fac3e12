"""What is said of each thing that can go wrong between here and KFP, what is asked again, and what never."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster.secure import CERTIFICATE, secure
from kfp_server import Kfp, serve
from kfp_server.proxy import Proxy

from kade2kfp.cluster.kfp.client import ask, get, kfp_of, lost, numbers_of, path, stream
from kade2kfp.cluster.kfp.errors import KfpError, broken, message_of, refused
from kade2kfp.diagnostics.cannot import CannotDoError

from .side import SECRET, Ran, passed, quick

HEALTH = "healthz"


def said(url: str, **more: Any) -> str:
    """What the user reads where KFP cannot be asked."""
    with pytest.raises(KfpError) as error, kfp_of(quick(url, token=lambda: SECRET, **more)):
        raise AssertionError
    text = f"{error.value} | {error.value.help}"
    assert SECRET not in text
    assert "\n" not in text
    return text


def listed(found: Any, **how: Any) -> dict[str, Any]:
    return ask(found, "list runs", lambda client: client._run_api.run_service_list_runs(page_size=1), **how)


def test_refused(plain: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert said(f"http://127.0.0.1:{port}") == (
        f"could not ask KFP for its version: nothing listens at 127.0.0.1:{port} | is KFP up, the address right?"
    )


def test_unknown_host(plain: Path) -> None:
    assert said("http://no-such-host.invalid/pipeline") == (
        "could not ask KFP for its version: the name of no-such-host.invalid/pipeline is not known | "
        "is the VPN up, the address right?"
    )


def test_nobody_answers(plain: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        assert said(f"http://127.0.0.1:{port}", read=0.3) == (
            f"could not ask KFP for its version: 127.0.0.1:{port} took the request, and does not answer | try again later"
        )
    assert time.monotonic() - began < 5


def test_tls_where_there_is_none(kfp: Kfp) -> None:
    assert "does not speak TLS with us | is it http://, or another port?" in said(kfp.url.replace("http:", "https:"))


def test_a_certificate_of_its_own(kfp: Kfp, tmp_path: Path) -> None:
    with secure(int(kfp.url.rpartition(":")[2])) as port:
        url = f"https://127.0.0.1:{port}"
        assert said(url) == (
            f"could not ask KFP for its version: the certificate of {url[8:]} is not trusted (self-signed certificate) | "
            "name who signed it: `ca` of a context, or KADE2KFP_CA"
        )
        with kfp_of(quick(url, ca=str(CERTIFICATE))) as found:
            assert found.version == "2.17.0"
        with kfp_of(quick(url, verify=False)) as found:
            assert found.version == "2.17.0"
    empty = tmp_path / "empty.pem"
    empty.touch()
    for ca, reason in ((tmp_path / "none.pem", "no such file or directory"), (empty, "it holds none")):
        message = f"cannot read the certificates of {ca}: {reason}"
        with pytest.raises(CannotDoError, match=message), kfp_of(quick(url, ca=str(ca))):
            raise AssertionError


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (
            401,
            b"{}",
            "does not accept who you are (401) | log in again: the token or cookie is missing, wrong or has expired",
        ),
        (
            403,
            b'{"error_message": "no", "error_details": "alice may not"}',
            "you may not ask KFP for its version (403) | alice may not",
        ),
        (403, b"<html>", "you may not ask KFP for its version (403) | is it another namespace? Else ask who runs it"),
        (404, b'{"message": "Not Found"}', "it is not there (404) | Not Found"),
        (404, b"<html>", "does not answer as KFP does (404, not JSON) | is the address that of Kubeflow Pipelines"),
        (409, b'{"message": "twice"}', "it is there already (409) | twice"),
        (413, b"<html>", "(413) | a proxy before it has a limit"),
        (429, b"", "is asked too much (429) | try again later"),
        (500, b'{"message": "a\\n  b\\u001b[31m"}', "has failed (500) | a b\x1b[31m"),
        (502, b"<html>", "has failed (502) | is KFP up? A proxy answers for it"),
        (503, b"", "has failed (503) | is KFP up? A proxy answers for it"),
        (504, b"\xff\xfe", "KFP does (504, not JSON)"),
    ],
)
def test_statuses(proxy: Proxy, status: int, body: bytes, says: str) -> None:
    proxy.breaks("status", status=status, body=body, times=99)
    assert says in said(proxy.url)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("/dex/auth?state=SECRET", "leads to another page, as to log in (302) | a proxy with a login stands before it"),
        ("https://127.0.0.1/pipeline", "leads to its https address (302) | write https://"),
    ],
)
def test_redirects_are_followed_nowhere(proxy: Proxy, where: str, says: str) -> None:
    proxy.breaks("status", status=302, headers={"Location": where.replace("SECRET", SECRET)})
    assert says in said(proxy.url)
    assert passed(proxy, 1) == 1


def test_the_login_page_of_dex(plain: Path) -> None:
    with serve(execute=False, auth="dex") as kfp:
        assert "(302) | a proxy with a login stands before it: log in with a browser" in said(kfp.url)


def test_a_page_with_status_200(proxy: Proxy) -> None:
    proxy.breaks("html", times=99)
    text = said(proxy.url)
    assert "answers with a web page, not as KFP does (200)" in text
    assert "KADE2KFP_COOKIE" in text
    assert "/pipeline" in text
    assert passed(proxy, 1) == 1


@pytest.mark.parametrize("what", ["cut before", "cut after", "half", "garbage"])
def test_a_read_that_broke_is_asked_again(proxy: Proxy, what: Any) -> None:
    proxy.breaks(what, HEALTH, times=3)
    with kfp_of(quick(proxy.url)) as found:
        assert found.version == "2.17.0"
    assert passed(proxy, 4) == 4
    proxy.breaks(what, HEALTH, times=99)
    assert "the connection to" in said(proxy.url)
    assert passed(proxy, 8) == 8


def test_an_empty_answer_is_none(proxy: Proxy) -> None:
    proxy.breaks("empty", HEALTH, times=99)
    assert "does not answer as KFP does (200, not JSON)" in said(proxy.url)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_that_failed_is_asked_again_when_it_says(proxy: Proxy, status: int) -> None:
    proxy.breaks("status", HEALTH, status=status, headers={"Retry-After": "1"})
    began = time.monotonic()
    with kfp_of(quick(proxy.url)) as found:
        assert time.monotonic() - began >= 1
        proxy.breaks("status", "/runs", status=status, times=3)
        listed(found)
    assert passed(proxy, 6) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_a_refusal_is_not_asked_again(proxy: Proxy, status: int) -> None:
    proxy.breaks("status", HEALTH, status=status, times=99)
    said(proxy.url)
    assert passed(proxy, 1) == 1


@pytest.mark.parametrize(
    ("what", "status", "times"),
    [("cut after", 0, 1), ("cut before", 0, 1), ("status", 500, 1), ("status", 503, 1), ("status", 429, 4)],
)
def test_what_must_not_happen_twice_is_asked_once(proxy: Proxy, what: Any, status: int, times: int) -> None:
    """But for 429, which says that nothing was done."""
    with kfp_of(quick(proxy.url)) as found:
        proxy.breaks(what, "/runs", times=99, status=status or 200)
        with pytest.raises(KfpError):
            listed(found, again=False)
    assert passed(proxy, times, "/runs") == times


def test_too_old(plain: Path) -> None:
    for tag in ("1.8.5", "v1.8.22", "0.5.1"):
        with serve(execute=False, version_tag=tag) as kfp:
            assert (
                said(kfp.url)
                == f"{kfp.url[7:]} is KFP {tag}, which cannot run these pipelines | they take KFP 2.0 or later, best 2.17"
            )
    for tag in ("2.0.5", "2.17.0-rc.1", "", "master"):
        with serve(execute=False, version_tag=tag) as kfp, kfp_of(quick(kfp.url)) as found:
            assert found.version == tag
    assert [numbers_of(one) for one in ("2.17.0", "v2.4", "2.5-rc", "2", "x.y", "")] == [
        (2, 17),
        (2, 4),
        (2, 5),
        None,
        None,
        None,
    ]


def test_several_users_need_a_namespace(plain: Path) -> None:
    with serve(execute=False, multi_user=True, auth="token", users={SECRET: "alice@example.com"}) as kfp:
        with (
            pytest.raises(Exception, match="has several users, each with a namespace"),
            kfp_of(quick(kfp.url, token=lambda: SECRET)),
        ):
            raise AssertionError
        with kfp_of(quick(kfp.url, token=lambda: SECRET, namespace="team-a")) as found:
            assert found.namespace == "team-a"
            ask(found, "list runs", lambda client: client._run_api.run_service_list_runs(namespace=found.namespace))
        with (
            kfp_of(quick(kfp.url, token=lambda: SECRET, namespace="team-b")) as found,
            pytest.raises(KfpError, match=r"you may not list runs \(403\)"),
        ):
            ask(found, "list runs", lambda client: client._run_api.run_service_list_runs(namespace=found.namespace))


def test_one_user_names_no_namespace(kfp: Kfp) -> None:
    with kfp_of(quick(kfp.url, namespace="kubeflow")) as found:
        assert found.namespace == ""


def test_states_of_a_later_kfp_are_no_error(proxy: Proxy) -> None:
    with kfp_of(quick(proxy.url)) as found:
        proxy.breaks("status", "/runs", status=299, body=b'{"runs": [{"state": "HIBERNATING", "more": 1}]}')
        assert listed(found) == {"runs": [{"state": "HIBERNATING", "more": 1}]}


def test_paths_for_which_there_is_no_method(kfp: Kfp, proxy: Proxy) -> None:
    with kfp_of(quick(proxy.url)) as found:
        assert get(found, "ask", path("v1beta1", "healthz"))["tag_name"] == "2.17.0"
        assert path("v1beta1", "runs", "a/../b?c") == "/apis/v1beta1/runs/a%2F..%2Fb%3Fc"
        with pytest.raises(KfpError, match=r"could not read it: it is not there \(404\)"):
            get(found, "read it", path("v1beta1", "runs", "none"))
        answer = stream(found, "read it", path("v1beta1", "healthz"))
        assert b"2.17.0" in b"".join(answer.stream(7))
        with pytest.raises(KfpError):
            stream(found, "read it", path("v1beta1", "runs", "none"))
        proxy.breaks("half", HEALTH)
        answer = stream(found, "read it", path("v1beta1", "healthz"))
        with pytest.raises(Exception, match="IncompleteRead") as error:
            b"".join(answer.stream(7))
        assert "the connection to" in str(lost(found, "read it", error.value))


def test_what_kfp_says_is_cut_to_a_line() -> None:
    long = "InternalServerError: " + "x" * 500 + " because of y"
    assert (cut := message_of(f'{{"error_message": "short", "error_details": "{long}"}}')) is not None
    assert cut.startswith("InternalServerError: x")
    assert cut.endswith(" because of y")
    assert len(cut) < 310
    assert message_of(b'["a"]') is None
    assert message_of("[" * 100_000) is None
    assert message_of(b'{"message": 7}') == ""


def test_an_exceptions_text_is_never_quoted() -> None:
    error = broken(ValueError(f"Invalid header value b'Bearer {SECRET}\\n'"), "list runs", "h")
    assert str(error) == "could not list runs: the token or address cannot be sent"
    assert SECRET not in str(refused(302, b"", {"Location": f"https://h/?{SECRET}"}, "x", "h", "http://h"))


def test_errors_reach_the_user_in_one_sentence_and_with_3(
    kfp: Kfp, proxy: Proxy, cli: Callable[..., Ran], tmp_path: Path
) -> None:
    proxy.breaks("status", "/runs", status=403, body=b'{"message": "evil \\u001b[31m\\u202e name"}', times=99)
    ran = cli("doctor", "--endpoint", proxy.url)
    assert ran.code == 3
    assert "fail  you may not list runs (403)" in ran.out
    assert r"evil \x1b[31m\u202e name" in ran.out
    assert "\x1b" not in ran.out
