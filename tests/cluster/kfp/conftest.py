"""A KFP that answers but executes nothing, a proxy before it, and a user who has configured nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from cluster.conftest import write
from kfp_server import Kfp, serve
from kfp_server.proxy import Proxy, between

from .kube import Kube
from .side import Ran, run


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who has configured nothing, and whose cluster is known by nothing."""
    for name in list(os.environ):
        if name.startswith(("KFP_", "KF_PIPELINES", "KADE2KFP", "KUBE", "XDG_")) or name == "SSL_CERT_FILE":
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KADE2KFP_HOME", str(tmp_path / "runs"))
    return home


@pytest.fixture
def kfp(plain: Path) -> Iterator[Kfp]:
    with serve(execute=False) as made:
        yield made


@pytest.fixture
def proxy(kfp: Kfp) -> Iterator[Proxy]:
    with between(kfp.url) as made:
        yield made


@pytest.fixture
def cli(plain: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Ran]:
    """Runs a command line in this process: `cli("submit", path, "--endpoint", url)`."""
    return lambda *words: run(capfdbinary, *map(str, words))


@pytest.fixture
def kube(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kube]:
    """A Kubernetes that the kubeconfig leads to."""
    made = Kube()
    path = tmp_path / "kubeconfig"
    write(path, f"http://127.0.0.1:{made.port}")
    monkeypatch.setenv("KUBECONFIG", str(path))
    yield made
    made.stop()
