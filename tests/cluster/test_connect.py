from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kubernetes.config import incluster_config

from kade2kfp.cluster import connect as module
from kade2kfp.cluster.connect import connect
from kade2kfp.cluster.gates import ClusterGates
from kade2kfp.diagnostics.cannot import CannotDoError

from .api import TOKEN, Api
from .conftest import impatient, write
from .secure import CERTIFICATE, secure


def change(path: Path, **user: object) -> None:
    """Give the kubeconfig's user these fields alone."""
    content = yaml.safe_load(path.read_text())
    content["users"][0]["user"] = user
    path.write_text(yaml.safe_dump(content))


def test_who_and_where(gates: ClusterGates) -> None:
    assert gates.who() == "alice"
    assert (gates.cluster.namespace, gates.cluster.user) == ("kubeflow", "kube-user")


@pytest.mark.parametrize("refused", ["no-such-review", "forbidden"])
def test_who_is_unverified_where_the_cluster_does_not_tell(gates: ClusterGates, api: Api, refused: str) -> None:
    api.reviews = refused == "forbidden"
    api.forbidden = {"create selfsubjectreviews"} if refused == "forbidden" else set()
    assert gates.who() == "kube-user (unverified)"


def test_the_given_namespace_goes_first_then_the_contexts_then_kubeflow(kubeconfig: Path) -> None:
    content = yaml.safe_load(kubeconfig.read_text())
    content["contexts"][0]["context"]["namespace"] = "team"
    content["contexts"].append({"name": "bare", "context": {"cluster": "c", "user": "kube-user"}})
    kubeconfig.write_text(yaml.safe_dump(content))
    assert connect().namespace == "team"
    assert connect(namespace="other").namespace == "other"
    assert connect("bare").namespace == "kubeflow"


def test_files_of_kubeconfig_are_put_together(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    content = yaml.safe_load(kubeconfig.read_text())
    second.write_text(yaml.safe_dump({"contexts": [{**content["contexts"][0], "name": "second"}]}))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing:{kubeconfig}:{second}")
    assert ClusterGates(connect("second")).who() == "alice"


def test_no_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(CannotDoError, match="there is no kubeconfig") as caught:
        connect()
    assert str(tmp_path / "none") in caught.value.help


def test_a_context_that_is_not_there_gets_a_suggestion(kubeconfig: Path) -> None:
    with pytest.raises(CannotDoError, match="has no context `mian`") as caught:
        connect("mian")
    assert caught.value.help == "did you mean `main`?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"users: [token: {TOKEN}\n  x: - ]", r"kubeconfig .* \(line 2\) cannot be read"),
        (TOKEN, "kubeconfig .* is none"),
        ("", "kubeconfig .* is none"),
        ("\x00\x01", "kubeconfig .* cannot be read"),
        (f"users: [{{name: u, user: {{token: {TOKEN}}}}}]", "has no current context"),
        (f"contexts: [{{name: a, context: {{cluster: {TOKEN}, user: 7}}}}]\ncurrent-context: a", "`a` cannot be used"),
        (f"contexts: {TOKEN}\ncurrent-context: a\nclusters: 7\nusers: [8]", "has no context `a`"),
    ],
)
def test_a_broken_kubeconfig_is_told_without_its_content(kubeconfig: Path, text: str, said: str) -> None:
    kubeconfig.write_text(text)
    with pytest.raises(CannotDoError, match=said) as caught:
        connect()
    assert TOKEN not in str(caught.value) + caught.value.help


def test_an_invalid_part_of_the_user_is_not_quoted(kubeconfig: Path) -> None:
    """The loader's own texts hold the whole entry."""
    change(kubeconfig, **{"auth-provider": {"name": "gcp", "config": TOKEN}})
    with pytest.raises(CannotDoError, match="context `main` cannot be used") as caught:
        connect()
    assert TOKEN not in str(caught.value) + caught.value.help


def test_a_certificate_that_is_not_there_is_named(kubeconfig: Path) -> None:
    write(kubeconfig, "https://127.0.0.1:1", **{"certificate-authority": "/nowhere/ca.crt"})
    with pytest.raises(CannotDoError, match="cannot be used") as caught:
        connect()
    assert caught.value.help == "there is no file /nowhere/ca.crt"


@pytest.mark.parametrize("server", ["ftp://x", "", "https://", "https://127.0.0.1:notaport"])
def test_a_server_that_is_none(kubeconfig: Path, server: str) -> None:
    write(kubeconfig, server)
    with pytest.raises(CannotDoError, match="the kubeconfig's `server`"):
        connect()


def test_credentials_in_the_servers_address_are_not_shown(kubeconfig: Path) -> None:
    write(kubeconfig, f"http://bob:{TOKEN}@127.0.0.1:1")
    with pytest.raises(CannotDoError, match=r"nothing listens at 127\.0\.0\.1:1$") as caught:
        ClusterGates(connect()).waiting(None)
    assert TOKEN not in str(caught.value) + caught.value.help


def test_a_token_file_may_end_with_a_line_end(kubeconfig: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    change(kubeconfig, tokenFile=str(tmp_path / "token"))
    assert ClusterGates(connect()).who() == "alice"


def test_a_token_that_no_header_takes_is_not_quoted(kubeconfig: Path, capfd: pytest.CaptureFixture[str]) -> None:
    change(kubeconfig, token=f"{TOKEN}\n{TOKEN}")
    gates = impatient(ClusterGates(connect()))
    for ask in (gates.who, lambda: gates.waiting(None)):
        with pytest.raises(CannotDoError, match="token or server cannot be sent") as caught:
            ask()
        assert TOKEN not in str(caught.value) + caught.value.help
    assert TOKEN not in "".join(capfd.readouterr())


def test_a_login_program_gives_the_token(kubeconfig: Path, tmp_path: Path) -> None:
    program = tmp_path / "login"
    program.write_text(
        "#!/bin/sh\n"
        'echo \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "'
        + TOKEN
        + "\"}}'\n"
    )
    program.chmod(0o755)
    change(kubeconfig, exec={"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)})
    assert ClusterGates(connect()).who() == "alice"


def test_a_login_program_that_fails_is_told_and_nothing_is_sent_without_a_token(
    kubeconfig: Path, api: Api, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "login"
    program.write_text("#!/bin/sh\necho your session has expired >&2\nexit 1\n")
    program.chmod(0o755)
    change(kubeconfig, exec={"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)})
    with pytest.raises(CannotDoError, match="login for context `main` failed") as caught:
        connect()
    assert "your session has expired" in caught.value.help
    assert api.asked == []
    assert capfd.readouterr() == ("", "")


def test_inside_a_cluster(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "namespace").write_text("team\n")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(CERTIFICATE))
    monkeypatch.setattr(module, "_OWN_NAMESPACE", tmp_path / "namespace")
    with secure(api.port) as port:
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
        gates = ClusterGates(connect())
        assert (gates.who(), gates.cluster.namespace) == ("alice", "team")
    (tmp_path / "token").unlink()
    with pytest.raises(CannotDoError, match="no service account"):
        connect()


def test_the_kubernetes_client_is_imported_when_a_cluster_is_talked_to() -> None:
    code = (
        "import sys, kade2kfp.cluster.gates; "
        "heavy = {'kubernetes', 'urllib3', 'websocket', 'requests', 'kfp', 'yaml'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
