"""A cluster to talk to, a kubeconfig that leads there, a pod with a gate that waits."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from kade2kfp.cluster.connect import connect
from kade2kfp.cluster.gates import ClusterGates
from kade2kfp.cluster.services import ClusterServices

from .api import TOKEN, Api
from .box import Pod

RUN = "0d1f7e52-6a3b-4c7d-9e8f-123456789abc"
GATE = {"message": "is it good?", "timeout": 3600, "onTimeout": "reject", "onReject": "fail", "values": []}


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.stop()


@pytest.fixture
def kubeconfig(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig for the cluster, which is the one that KUBECONFIG names."""
    path = tmp_path / "kubeconfig"
    write(path, f"http://127.0.0.1:{api.port}")
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def gates(kubeconfig: Path) -> ClusterGates:
    """The gates of the cluster, with short waits."""
    return impatient(ClusterGates(connect()))


@pytest.fixture
def pod(api: Api, tmp_path: Path) -> Callable[..., Pod]:
    """Adds a pod to the cluster: `pod("review", values=[...])`; `gate=False` for one that does not wait."""

    def add(step: str, *, run: str = RUN, gate: bool = True, **said: object) -> Pod:
        annotation = json.dumps(GATE | said) if gate else None
        return api.add(Pod(tmp_path / f"pod-{step}", run, step, step, annotation))

    return add


def impatient(gates: ClusterGates) -> ClusterGates:
    return ClusterGates(dataclasses.replace(gates.cluster, pause=0.01, read=5.0, connect=5.0))


def write(path: Path, server: str, **more: object) -> None:
    """A kubeconfig with the token."""
    cluster = {"server": server, **more}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "kube-user", "user": {"token": TOKEN}}],
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "kube-user", "namespace": "kubeflow"}}],
    }
    path.write_text(yaml.safe_dump(content))


@pytest.fixture
def services(kubeconfig: Path) -> ClusterServices:
    """The services of the cluster, with short waits."""
    return ClusterServices(impatient(ClusterGates(connect())).cluster)
