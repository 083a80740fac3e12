"""What templates/apply.py says when Kubernetes does not do what is asked: one line, and what to do."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from lowering.service_steps import serving

from .applying import Bench, benches
from .kube_api import Fault

STEP = serving(autoscale=None, example=None)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as made:
        yield made


def said(bench: Bench, text: str) -> str:
    return "kade2kfp: " + text.replace("HERE", f"127.0.0.1:{bench.kube.port}")


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("GET", 401), "Kubernetes does not take the token of this step's service account: is that still there?"),
        (Fault("GET", 302), "Kubernetes at HERE answered 302"),
        (Fault("GET", "login"), "Kubernetes at HERE answered 302"),
        (Fault("GET", "html"), "what answers at HERE is no Kubernetes API; is there a proxy in between?"),
        (Fault("GET", 400, message="a\nb\x1b[31m c"), "a b?[31m c"),
        (Fault("PATCH deployments", 403, message='admission webhook "x" denied'), 'admission webhook "x" denied'),
        (Fault("PATCH deployments", 404, message='namespaces "team" not found'), 'namespaces "team" not found'),
    ],
)
def test_what_will_not_change_is_asked_once(bench: Bench, fault: Fault, text: str) -> None:
    if fault.what == 302:
        fault.message = ""
        text = "trouble 302"
    bench.kube.faults.append(fault)
    done = bench.run(STEP)
    assert (done.code, done.said) == (1, (said(bench, text),))
    assert sum(fault.match in request for request in bench.kube.asked) == 1
    assert done.outputs == {}


@pytest.mark.parametrize(
    ("forbidden", "verb"),
    [
        ("get deployments", "get deployments"),
        ("create deployments", "create deployments"),
        ("patch deployments", "patch deployments"),
    ],
)
def test_forbidden_names_the_account_and_what_it_lacks(bench: Bench, forbidden: str, verb: str) -> None:
    bench.kube.forbidden.add(forbidden)
    done = bench.run(STEP)
    hint = "`kade2kfp rbac` prints the role that it needs"
    text = f"the service account pipeline-runner may not {verb} in the namespace team: {hint}"
    assert (done.code, done.said) == (1, (f"kade2kfp: {text}",))


def test_forbidden_later_on(bench: Bench) -> None:
    bench.kube.forbidden.add("patch services")
    done = bench.run(STEP)
    assert done.code == 1
    assert "may not patch services in the namespace team" in done.last


@pytest.mark.parametrize("verb", ["get", "delete"])
def test_an_old_autoscaler_that_may_not_be_removed_takes_nothing_away(bench: Bench, verb: str) -> None:
    labels = {"app.kubernetes.io/managed-by": "kade2kfp"}
    metadata = {"name": "demo-serve", "labels": labels}
    bench.kube.put({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata})
    bench.kube.forbidden.add(f"{verb} horizontalpodautoscalers")
    done = bench.run(STEP)
    assert done.code == 0, done.said
    assert any(f"may not {verb} horizontalpodautoscalers in the namespace team" in line for line in done.said)
    assert bench.kube.names("Deployment") == ["demo-serve"]


def test_a_service_of_somebody_else_is_left_alone(bench: Bench) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "demo-serve"},
        "spec": {"selector": {"a": "b"}},
    }
    bench.kube.put(theirs)
    done = bench.run(STEP)
    assert done.code == 1
    assert "there is a Service demo-serve that kade2kfp has not made" in done.last
    assert bench.kube.get("Service", "demo-serve")["spec"]["selector"] == {"a": "b"}
    assert bench.kube.names("Deployment") == []


@pytest.mark.parametrize("what", [500, 503, 429, 409, "cut"])
@pytest.mark.parametrize("match", ["GET", "PATCH deployments", "PATCH services"])
def test_what_passes_is_asked_again(bench: Bench, what: int | str, match: str) -> None:
    bench.kube.faults.append(Fault(match, what, times=2))
    done = bench.run(STEP)
    assert done.code == 0, done.said
    assert [line for line in done.said if "is not ready yet" not in line] == [done.last]


def test_an_answer_that_is_lost_after_it_was_done(bench: Bench) -> None:
    bench.kube.faults.append(Fault("PATCH", "late", times=3))
    done = bench.run(STEP)
    assert done.code == 0, done.said


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (500, "Kubernetes at HERE answers 500 again and again: trouble 500"),
        (429, "Kubernetes at HERE answers 429 again and again: trouble 429"),
        (409, "trouble 409"),
    ],
)
def test_what_does_not_pass_is_told_in_the_end(bench: Bench, what: int, text: str) -> None:
    bench.kube.faults.append(Fault("GET", what))
    done = bench.run(STEP, patience=2.0)
    assert (done.code, done.said) == (1, (said(bench, text),))
    assert len(bench.kube.asked) > 1


def test_retry_after_is_waited_for(bench: Bench) -> None:
    bench.kube.faults.append(Fault("PATCH deployments", 429, times=1, headers={"Retry-After": "1"}))
    started = time.monotonic()
    assert bench.run(STEP).code == 0
    assert time.monotonic() - started > 1


def test_a_retry_after_beyond_all_patience_is_not(bench: Bench) -> None:
    bench.kube.faults.append(Fault("PATCH deployments", 429, headers={"Retry-After": "3600"}))
    started = time.monotonic()
    assert bench.run(STEP).code == 1
    assert time.monotonic() - started < 15


def test_a_slow_answer(bench: Bench) -> None:
    bench.kube.faults.append(Fault("GET", "slow", times=1, seconds=1.0))
    assert bench.run(STEP).code == 0


def test_an_answer_that_is_too_slow(bench: Bench) -> None:
    bench.kube.faults.append(Fault("GET", "slow", seconds=1.0))
    done = bench.run(STEP, patience=0.2, answer=0.2)
    assert "cannot reach Kubernetes at 127.0.0.1" in done.last
    assert done.last.endswith("timed out; does a NetworkPolicy forbid it?")


def test_nobody_is_there(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = bench.run(STEP, env={"KUBERNETES_SERVICE_PORT": str(port)}, patience=0.2)
    reason = "[Errno 111] Connection refused; does a NetworkPolicy forbid it?"
    assert done.said == (f"kade2kfp: cannot reach Kubernetes at 127.0.0.1:{port}: {reason}",)


def test_a_certificate_of_somebody_else(bench: Bench) -> None:
    system = Path("/etc/ssl/certs/ca-certificates.crt").read_text().partition("-----END CERTIFICATE-----")
    bench.account("ca.crt").write_text(system[0] + system[1])
    done = bench.run(STEP)
    assert len(done.said) == 1
    assert done.last.startswith(said(bench, "the certificate of HERE is not the cluster's own: "))


def test_no_certificate_and_no_pod(bench: Bench) -> None:
    outside = bench.run(STEP, env={"KUBERNETES_SERVICE_HOST": ""})
    assert outside.said == ("kade2kfp: this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set",)
    bench.account("token").unlink()
    done = bench.run(STEP, pack=("touch", str(bench.folder / "packed")))
    assert done.said == ("kade2kfp: this pod has no service account token: automountServiceAccountToken is off",)
    assert not (bench.folder / "packed").exists()


def test_a_token_that_changes_meanwhile(bench: Bench) -> None:
    token = bench.account("token").read_text()
    bench.account("token").write_text("old")
    script = f"printf %s '{token.strip()}' > {bench.account('token')}"
    bench.kube.faults.append(Fault("GET", 500, times=1))
    bench.kube.after = lambda request: bench.account("token").write_text(token)
    assert bench.run(STEP, pack=("sh", "-c", script)).code == 0


def test_a_token_stays_out_of_what_is_said(bench: Bench) -> None:
    """Bench.end looks for it in all that any process here has printed; this is one with control characters in it."""
    bench.account("token").write_text("sekret-51f2c9\nX-Other: 1")
    done = bench.run(STEP, patience=0.2)
    assert (done.code, done.said) == (1, ("kade2kfp: the token of this pod's service account is damaged",))


def test_a_file_of_the_users_is_no_module(bench: Bench, tmp_path: Path) -> None:
    for name in ("json", "http", "secrets", "ssl", "subprocess"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken for a module')")
    done = bench.run(STEP, cwd=tmp_path)
    assert done.code == 0, done.said
