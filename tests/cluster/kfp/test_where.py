"""Which KFP is meant, and how one logs in: what counts for more, what is refused, what nobody ever sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.api import TOKEN as KUBE_TOKEN
from cluster.api import Api
from kfp_server import Kfp, serve

from kade2kfp.cluster.kfp import where
from kade2kfp.cluster.kfp.client import ask, kfp_of
from kade2kfp.cluster.kfp.login import service_account
from kade2kfp.cluster.kfp.where import Target, target_of, url_of
from kade2kfp.diagnostics.cannot import CannotDoError

from .side import SECRET, Ran, quick

Cli = Callable[..., Ran]


def config(home: Path, contexts: dict[str, Any], current: str = "", mode: int = 0o600) -> Path:
    path = home / ".config/kade2kfp/config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"contexts": contexts} | ({"current": current} if current else {})))
    path.chmod(mode)
    return path


def named(**options: Any) -> Target:
    found = target_of(always=True, **options)
    assert found is not None
    return found


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def problem(**options: Any) -> str:
    with pytest.raises(CannotDoError) as error:
        target_of(always=True, **options)
    return f"{error.value} | {error.value.help}"


def test_no_option_means_no_cluster_whatever_the_environment_says(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_ENDPOINT", "http://kfp.example")
    assert target_of() is None
    assert named().endpoint == "http://kfp.example"


def test_what_counts_for_more(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(plain, {"a": {"endpoint": "https://a.example", "namespace": "na"}, "b": {"endpoint": "b.example"}}, "a")
    assert (named().endpoint, named().namespace, named().context) == ("https://a.example", "na", "a")
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "https://env2.example/")
    assert named().endpoint == "https://env2.example"
    monkeypatch.setenv("KFP_ENDPOINT", "https://env.example")
    assert named().endpoint == "https://env.example"
    monkeypatch.setenv("KADE2KFP_CONTEXT", "b")
    assert named().endpoint == "https://b.example"
    assert named(context="a").endpoint == "https://a.example"
    assert named(endpoint="http://option.example/pipeline/").endpoint == "http://option.example/pipeline"
    monkeypatch.setenv("KFP_NAMESPACE", "env-ns")
    assert named(context="a").namespace == "env-ns"
    assert named(context="a", namespace="x").namespace == "x"


def test_nothing_is_known(plain: Path) -> None:
    assert problem() == (
        "no Kubeflow Pipelines is known | name it by --endpoint, KFP_ENDPOINT, or a context in "
        f"{plain}/.config/kade2kfp/config.yaml; or --port-forward through kubectl's cluster"
    )


def test_two_ways_to_name_it_exclude_each_other(plain: Path) -> None:
    config(plain, {"a": {"endpoint": "https://a.example"}})
    assert "exclude each other" in problem(endpoint="http://x", context="a")
    assert "exclude each other" in problem(context="a", forward=True)


def test_a_login_never_goes_to_another_server(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(
        plain, {"a": {"endpoint": "https://a.example", "token": SECRET}, "b": {"endpoint": "https://b.example"}}, "a"
    )
    assert named(endpoint="https://other.example").token is None
    assert named(context="b").token is None
    monkeypatch.setenv("KFP_EXISTING_TOKEN", SECRET)
    assert named(context="b").token is None
    assert (found := named(endpoint="https://mine.example").token) is not None
    assert found() == SECRET


def test_inside_of_a_cluster(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    found = named()
    assert (found.endpoint, found.run_url("r")) == (where.IN_CLUSTER, "")  # no browser reaches it
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "https://ui.example/pipeline")
    assert named().run_url("r") == "https://ui.example/pipeline/#/runs/details/r"
    token = tmp_path / "projected"
    token.write_text("first\n")
    token.chmod(0o644)  # as kubelet makes them
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
    assert service_account() == str(token)
    assert (read := named().token) is not None
    assert read() == "first"
    token.write_text("second\n")  # kubelet replaces it every hour
    assert read() == "second"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("kfp.example", "https://kfp.example"),
        ("localhost:8888", "http://localhost:8888"),
        ("127.0.0.1:8888/", "http://127.0.0.1:8888"),
        ("https://h/pipeline/#/runs/details/1", "https://h/pipeline"),
        (" http://[::1]:80 ", "http://[::1]:80"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    assert url_of(text, "it") == url


@pytest.mark.parametrize(
    "text",
    [
        "ftp://h",
        "http://",
        "http://h:99999999",
        "http://h:x",
        f"https://u:{SECRET}@h",
        f"https://h/?token={SECRET}",
        "http://h\n/x",
        "http://hö",
    ],
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(CannotDoError) as error:
        url_of(text, "--endpoint")
    assert SECRET not in f"{error.value}{error.value.help}"
    assert "--endpoint" in str(error.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_file_with_a_token_that_others_may_use_is_refused(plain: Path, mode: int) -> None:
    path = config(plain, {"a": {"endpoint": "https://a", "token": SECRET}}, "a", mode)
    assert (
        problem() == f"{path} holds a secret, and others than its owner have access to it ({mode:o}) | chmod 600 {path}"
    )
    path.chmod(0o600)
    assert named().token is not None


def test_a_file_without_a_token_may_be_read_by_all(plain: Path) -> None:
    config(plain, {"a": {"endpoint": "https://a", "tokenEnv": "T"}}, "a", 0o644)
    assert "the variable T holds no token" in problem()


def test_a_token_file_that_others_may_use_is_refused(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "token"
    private(path, SECRET)
    config(
        plain,
        {
            "a": {"endpoint": "https://a", "tokenFile": str(path)},
            "c": {"endpoint": "https://a", "cookieFile": str(path)},
        },
        "a",
    )
    path.chmod(0o644)
    read = named().token
    assert read is not None
    with pytest.raises(CannotDoError, match=r"others than its owner have access to it \(644\)"):
        read()
    assert "others than its owner" in problem(context="c")


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({}, "it needs an `endpoint` or `portForward`, and not both"),
        ({"endpoint": "https://a", "portForward": True}, "and not both"),
        ({"endpoint": 7}, "`endpoint` is no text"),
        ({"endpoint": "https://a", "tokn": SECRET}, "has no field `tokn` | did you mean `token`"),
        ({"endpoint": "https://a", "token": SECRET, "cookie": SECRET}, "several ways to log in: token, cookie"),
        ({"endpoint": "https://a", "exec": SECRET}, "`exec` is no list of texts"),
        ({"endpoint": "https://a", "insecureSkipTlsVerify": "yes"}, "neither true nor false"),
        ({"portForward": {"port": "8888"}}, "`portForward` has a port that is none"),
        ({"portForward": {"pod": "x"}}, "portForward has no field `pod`"),
        ({"endpoint": f"https://u:{SECRET}@a"}, "holds more than an address"),
        ({"endpoint": "https://a", "token": f"{SECRET}\nX: y"}, "cannot be sent as a token"),
        ({"endpoint": "https://a", "token": "tökén"}, "cannot be sent as a token"),
        ("https://a", "context `a` is no object"),
    ],
    ids=str,
)
def test_contexts_that_are_wrong(plain: Path, context: Any, says: str) -> None:
    config(plain, {"a": context}, "a")
    said = problem()
    assert says in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"contexts: {{a: {{token: {SECRET}", "(line 1) is no YAML"),
        ("- a", "is no object"),
        ("contexts: [a]", "`contexts` is no object"),
        ("curent: a", "has no field `curent` | did you mean `current`"),
        ("current: 7", "`current` is no text"),
        ("current: b\ncontexts: {a: {endpoint: x}}", "has no context `b`"),
        ("current: b", "there is no context `b`"),
    ],
    ids=str,
)
def test_files_that_are_wrong(plain: Path, text: str, says: str) -> None:
    path = config(plain, {})
    path.write_text(text)
    said = problem()
    assert says in said
    assert SECRET not in said


def test_a_named_file_has_to_be_there(plain: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KADE2KFP_CONFIG", str(tmp_path / "none.yaml"))
    assert f"there is no file {tmp_path}/none.yaml" in problem()


def test_every_way_to_log_in_works(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", f" {SECRET}\n")
    credential = json.dumps({"kind": "ExecCredential", "status": {"token": SECRET}})
    ways: dict[str, Any] = {
        "tokenFile": private(tmp_path / "t", SECRET + "\n"),
        "tokenEnv": "MINE",
        "token": SECRET,
        "serviceAccountToken": private(tmp_path / "s", SECRET),
        "exec": ["printf", "%s\n", SECRET],
    }
    with serve(execute=False, auth="token", users={SECRET: "alice@example.com"}) as kfp:
        contexts = {way: {"endpoint": kfp.url, way: how} for way, how in ways.items()}
        contexts["credential"] = {"endpoint": kfp.url, "exec": ["printf", "%s", credential]}
        config(plain, contexts)
        for name in contexts:
            with kfp_of(named(context=name)) as found:
                ask(found, "list runs", lambda client: client._run_api.run_service_list_runs())
        config(plain, {"none": {"endpoint": kfp.url}, "wrong": {"endpoint": kfp.url, "token": "other"}})
        for name in ("none", "wrong"):
            with (
                pytest.raises(CannotDoError, match=r"does not accept who you are \(401\)"),
                kfp_of(named(context=name)) as found,
            ):
                ask(found, "list runs", lambda client: client._run_api.run_service_list_runs())


def test_a_login_program_is_asked_once_and_its_failure_told(plain: Path, tmp_path: Path) -> None:
    count = tmp_path / "count"
    config(plain, {"a": {"endpoint": "https://a", "exec": ["sh", "-c", f"echo x >> {count}; echo {SECRET}"]}}, "a")
    read = named().token
    assert read is not None
    assert [read(), read()] == [SECRET, SECRET]
    assert count.read_text() == "x\n"
    for command, says in (
        (["false"], "the login program false failed with exit code 1"),
        (["/none"], "cannot start"),
        (["true"], "holds no token"),
    ):
        config(plain, {"a": {"endpoint": "https://a", "exec": command}}, "a")
        read = named().token
        assert read is not None
        with pytest.raises(CannotDoError, match=says):
            read()


@pytest.mark.parametrize("text", ["authservice_session=abc123", "abc123", "MTY4Nz=="])
def test_the_cookie_of_dex(plain: Path, tmp_path: Path, text: str) -> None:
    value = text.removeprefix("authservice_session=")
    with serve(execute=False, auth="dex", users={value: "alice@example.com"}) as kfp:
        config(plain, {"a": {"endpoint": kfp.url, "cookieFile": private(tmp_path / "c", text + "\n")}}, "a")
        with kfp_of(named()) as found:
            assert found.version == "2.17.0"


def test_nothing_is_asked_or_written_behind_our_back(kfp: Kfp, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = plain / ".config/kfp/context.json"
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps({"namespace": "", "client_authentication_cookie": SECRET}))
    monkeypatch.setenv("KF_PIPELINES_IAP_OAUTH2_CLIENT_ID", "client-id-of-iap")
    before = other.read_bytes()
    with kfp_of(quick(kfp.url)) as found:
        assert [str(one) for one in kfp.requests] == ["GET /apis/v2beta1/healthz"]
        assert found.api.cookie in (None, "")
    assert other.read_bytes() == before


def test_a_port_is_carried_here_while_the_block_lasts(
    plain: Path, kfp: Kfp, api: Api, kubeconfig: Path, pod: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kade2kfp.cluster.kfp import reach

    seen = []

    def behind(cluster: Any, wanted: Any) -> tuple[str, int]:
        seen.append((cluster.namespace, wanted.service, wanted.port))
        return pod("kfp", gate=False).name, int(kfp.url.rpartition(":")[2])

    monkeypatch.setattr(reach, "_behind", behind)
    config(plain, {"a": {"portForward": {"namespace": "kf", "service": "api", "port": 80}}}, "a")
    with kfp_of(named()) as found:
        assert found.target.endpoint.startswith("http://127.0.0.1:")
        assert found.target.endpoint != kfp.url
        assert found.target.run_url("x") == ""
    assert seen == [("kf", "api", 80)]
    with (
        pytest.raises(CannotDoError, match=r"nothing listens at 127"),
        kfp_of(quick(found.target.endpoint, forward=None)),
    ):
        raise AssertionError


def test_contexts_are_listed_and_chosen_without_a_token(plain: Path, cli: Callable[..., Ran]) -> None:
    path = config(
        plain,
        {
            "a": {"endpoint": "https://a.example", "token": SECRET},
            "b": {"endpoint": "https://b.example", "namespace": "nb"},
        },
        "a",
    )
    path.write_text("# mine\n" + path.read_text())
    shown = cli("context", "list")
    assert (shown.code, shown.err) == (0, "")
    assert [row.split() for row in shown.out.splitlines()[1:]] == [
        ["*", "a", "https://a.example", "token"],
        ["b", "https://b.example", "nb", "none"],
    ]
    assert cli("context", "use", "b").err == f"b is now the current context of {path}"
    assert path.read_text().startswith("# mine\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert cli("context", "show").out == "context b: b.example, namespace nb\n"
    assert [one["current"] for one in cli("context", "list", "--output", "json").json["contexts"]] == [False, True]
    ran = cli("context", "use", "c")
    assert (ran.code, "has no context `c`" in ran.err) == (1, True)


def test_a_token_is_not_in_the_process_list_nor_in_what_objects_show(plain: Path) -> None:
    config(
        plain,
        {
            "a": {"endpoint": "https://a.example", "token": SECRET},
            "c": {"endpoint": "https://a.example", "cookie": SECRET},
        },
        "a",
    )
    assert SECRET not in repr(named())
    assert SECRET not in repr(named(context="c"))
    assert KUBE_TOKEN not in repr(named())


def test_a_login_that_travels_unencrypted_is_said(
    plain: Path, cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_EXISTING_TOKEN", SECRET)
    assert named(endpoint="http://kfp.example").in_the_clear
    for endpoint in (
        "https://kfp.example",
        "http://127.0.0.1:1",
        "http://ml-pipeline.kubeflow:8888",
        "http://ml-pipeline",
    ):
        assert not named(endpoint=endpoint).in_the_clear


@pytest.mark.parametrize("option", ["--endpoint", "--kfp-context", "--namespace", "--kube-context"])
def test_an_empty_option_is_refused(cli: Callable[..., Ran], option: str) -> None:
    ran = cli("doctor", option, "")
    assert (ran.code, "it is empty" in ran.err) == (2, True)


def test_no_token_is_in_argv_of_a_real_process(plain: Path, tmp_path: Path) -> None:
    """The process and all its children are looked at while they run."""
    script = tmp_path / "login.sh"
    script.write_text(f"#!/bin/sh\nps -ww -eo args > {tmp_path}/ps\necho {SECRET}\n")
    script.chmod(0o700)
    with serve(execute=False, auth="token", users={SECRET: "alice@example.com"}) as kfp:
        config(plain, {"a": {"endpoint": kfp.url, "exec": [str(script)]}}, "a")
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        ran = subprocess.run(
            [sys.executable, "-m", "kade2kfp", "doctor"], env=environment, capture_output=True, timeout=60
        )
    assert ran.returncode == 0, ran.stderr
    listed = (tmp_path / "ps").read_text()
    assert "kade2kfp doctor" in listed
    assert SECRET not in listed + ran.stdout.decode() + ran.stderr.decode()
