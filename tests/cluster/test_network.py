from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from kade2kfp.cluster.connect import connect
from kade2kfp.cluster.gates import ClusterGates
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Decision

from .api import TOKEN, Api, Fault
from .box import Pod
from .conftest import RUN, impatient, write
from .secure import CERTIFICATE, secure

PodMaker = Callable[..., Pod]

FAULTS = [
    (401, "does not accept who you are", 1),
    (403, "you may not", 1),
    (404, "it is not there", 1),
    (409, "changed at the same time", 1),
    (418, r"could not .* \(418\)", 1),
    (429, r"is asked too much \(429\)", 4),
    (500, r"has failed \(500\)", 4),
    (503, r"has failed \(503\)", 4),
    ("html", r"does not answer as Kubernetes does \(200, not JSON\)", 1),
    ("login", r"does not answer as Kubernetes does \(302, not JSON\)", 1),
    ("cut", "the connection to .* broke", 4),
]


@pytest.mark.parametrize(("what", "said", "tries"), FAULTS, ids=[str(one[0]) for one in FAULTS])
def test_each_fault_of_a_request_is_told(
    gates: ClusterGates, api: Api, what: int | str, said: str, tries: int, capfd: pytest.CaptureFixture[str]
) -> None:
    api.faults = [Fault("GET pods", what)]
    with pytest.raises(CannotDoError, match=said) as caught:
        gates.waiting(None)
    assert api.asked == ["GET pods"] * tries
    assert TOKEN not in str(caught.value) + caught.value.help + repr(caught.value)
    assert caught.value.__cause__ is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("what", "said", "tries"), FAULTS, ids=[str(one[0]) for one in FAULTS])
def test_each_fault_of_an_exec_is_told(
    gates: ClusterGates,
    api: Api,
    pod: PodMaker,
    what: int | str,
    said: str,
    tries: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pod("review")
    standing = gates.find(RUN, "review")
    api.asked.clear()
    api.faults = [Fault("/exec", what)]
    with pytest.raises(
        CannotDoError, match="broke|does not answer as" if what in ("cut", "login", "html") else said
    ) as caught:
        gates.read(standing, "/kade/run/token")
    assert set(api.asked) == {f"GET pods/{standing.handle}/exec"}  # and it did not follow to the login page
    assert TOKEN not in str(caught.value) + caught.value.help
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("what", [429, 500, 502, 504, "cut"])
def test_what_passes_is_tried_again(gates: ClusterGates, api: Api, pod: PodMaker, what: int | str) -> None:
    one = pod("review")
    (one.folder / "run/token").write_text("0123")
    api.faults = [Fault("GET pods$", what, times=2), Fault("configmaps", what, times=2), Fault("/exec", what, times=0)]
    standing = gates.find(RUN, "review")
    if isinstance(what, int):
        api.faults[2].times = 2
    assert gates.read(standing, "/kade/run/token") == b"0123"
    api.faults = [Fault("PATCH configmaps", what, times=3)]
    gates.decide(standing, Decision("resume", "alice"), 0)
    assert api.data(RUN)["review.by"] == "alice"


def test_it_waits_as_long_as_it_is_told_to(gates: ClusterGates, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("kade2kfp.cluster.requests.time.sleep", waited.append)
    api.faults = [
        Fault("GET pods", 429, times=1, headers={"Retry-After": "7"}),
        Fault("GET pods", 429, times=1, headers={"Retry-After": "99999"}),
        Fault("GET pods", 429, times=1, headers={"Retry-After": "soon"}),
    ]
    assert gates.waiting(None) == []
    assert waited == [7.0, 10.0, 0.04]


def test_a_forbidden_request_names_the_permission(gates: ClusterGates, api: Api, pod: PodMaker) -> None:
    standing = pod("review") and gates.find(RUN, "review")
    for forbidden, ask, help_ in (
        ("list pods", lambda: gates.waiting(None), "list on pods in namespace `kubeflow`"),
        ("get pods/exec", lambda: gates.read(standing, "/x"), "get and create on pods/exec in namespace `kubeflow`"),
        (
            "get configmaps",
            lambda: gates.decide(standing, Decision("resume", "a"), 0),
            "get on configmaps in namespace",
        ),
    ):
        api.forbidden = {forbidden}
        with pytest.raises(CannotDoError, match=r"you may not .* \(403\)") as caught:
            ask()
        assert help_ in caught.value.help


def test_nothing_listens(kubeconfig: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        write(kubeconfig, f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(CannotDoError, match=r"nothing listens at 127\.0\.0\.1:"):
            impatient(ClusterGates(connect())).waiting(None)


def test_a_name_that_nobody_knows(kubeconfig: Path) -> None:
    write(kubeconfig, "http://cluster.invalid:6443")
    with pytest.raises(CannotDoError, match=r"the name of cluster\.invalid:6443 is not known"):
        impatient(ClusterGates(connect())).waiting(None)


def test_a_cluster_that_does_not_answer(kubeconfig: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        write(kubeconfig, f"http://127.0.0.1:{silent.getsockname()[1]}")
        gates = ClusterGates(dataclasses.replace(connect(), read=0.3, connect=0.3))
        with pytest.raises(CannotDoError, match="does not answer"):
            gates.waiting(None)


def test_tls_that_is_trusted_carries_requests_exec_and_ports(
    kubeconfig: Path, api: Api, pod: PodMaker, tmp_path: Path
) -> None:
    one = pod("review")
    (one.folder / "run/large").write_bytes(b"0123456789" * 100_000)
    with secure(api.port) as port, socket.create_server(("127.0.0.1", 0)) as target:
        write(kubeconfig, f"https://127.0.0.1:{port}", **{"certificate-authority": str(CERTIFICATE)})
        gates = impatient(ClusterGates(connect()))
        standing = gates.find(RUN, "review")
        assert gates.read(standing, "/kade/run/large") == b"0123456789" * 100_000
        forwarded = gates.forward(standing, target.getsockname()[1])
        with forwarded as local, socket.create_connection(("127.0.0.1", local)) as here:
            there = target.accept()[0]
            here.sendall(b"hello")
            assert there.recv(10) == b"hello"
            there.close()


def test_tls_that_is_not_trusted_or_not_spoken(kubeconfig: Path, api: Api) -> None:
    with secure(api.port) as port:
        write(kubeconfig, f"https://127.0.0.1:{port}")
        with pytest.raises(CannotDoError, match=r"the certificate of 127\.0\.0\.1:\d+ is not trusted \(self.signed"):
            impatient(ClusterGates(connect())).waiting(None)
        write(kubeconfig, f"https://127.0.0.1:{port}", **{"insecure-skip-tls-verify": True})
        assert impatient(ClusterGates(connect())).waiting(None) == []
    write(kubeconfig, f"https://127.0.0.1:{api.port}")
    with pytest.raises(CannotDoError, match="does not speak TLS with us"):
        impatient(ClusterGates(connect())).waiting(None)
