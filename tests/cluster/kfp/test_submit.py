"""`submit`: what is made in KFP and what is found there, what is checked first, and that no run is started twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import warm
from kfp_server import Kfp, serve
from kfp_server import proxy as proxies
from kfp_server.proxy import Proxy

from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp import attempts
from kade2kfp.cluster.kfp.client import kfp_of
from kade2kfp.cluster.kfp.submit import Started, started
from kade2kfp.cluster.kfp.upload import upload

from .forks import Forks
from .kube import Kube
from .side import HELLO, SECRET, SMALL, Ran, passed, quick, submission, write

# Each request that a submit makes, in order; the first asks for the version of KFP.
REQUESTS = (
    "GET /apis/v2beta1/healthz",
    "GET /apis/v2beta1/pipelines?",
    "POST /apis/v2beta1/pipelines$",
    "GET /apis/v2beta1/pipelines/[^/]+/versions",
    "POST /apis/v2beta1/pipelines/upload_version",
    "GET /apis/v2beta1/experiments",
    "POST /apis/v2beta1/experiments",
    "POST /apis/v2beta1/runs",
)


def once(url: str, home: Path, *, settle: float = 0.5, **more: Any) -> tuple[Started, list[str]]:
    """Submit a small pipeline; the run, and what was said."""
    said: list[str] = []
    wanted = submission(**{"experiment": "tests"} | more)
    with kfp_of(quick(url)) as kfp, started(kfp, wanted, upload(kfp, wanted), home, said.append, settle) as run:
        return run, said


def left(home: Path) -> list[Path]:
    return list((home / "submissions").glob("*"))


def test_submitted_twice_is_one_version_and_two_runs(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path, HELLO)
    first = cli("submit", file, "--param", "need=0.5", "--endpoint", kfp.url, "--output", "json")
    again = cli("submit", file, "--param", "need=7", "--param", "who=you", "--endpoint", kfp.url, "--output", "json")
    assert (first.code, again.code) == (0, 0)
    assert len(kfp.pipelines) == len(kfp.versions) == 1
    assert len(kfp.runs) == 2
    assert (first.json["version"]["new"], again.json["version"]["new"]) == (True, False)
    assert first.json["version"]["id"] == again.json["version"]["id"]
    (pipeline,), (version,) = kfp.pipelines.values(), kfp.versions.values()
    assert (pipeline.name, pipeline.display_name) == ("hello-there", "Hello there")
    assert re.fullmatch(r"hello-there-[0-9a-f]{12}", version.name)
    run = kfp.runs[again.json["run"]["id"]]
    assert (run.config["parameters"], run.pipeline, run.version) == ({"need": 7, "who": "you"}, pipeline.id, version.id)
    assert again.json["run"]["url"] == f"{kfp.url}/#/runs/details/{run.id}"
    assert not left(tmp_path / "runs")


def test_text_for_people_and_the_address_for_scripts(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    ran = cli("submit", write(tmp_path, SMALL), "--endpoint", kfp.url, "--run-name", "my run")
    (run,) = kfp.runs.values()
    assert ran.out == f"{kfp.url}/#/runs/details/{run.id}\n"
    (version,) = kfp.versions.values()
    assert ran.err == (
        f"version {version.name}: uploaded run my run: started, {run.id} "
        f"to see it: kade2kfp show {run.id} --endpoint {kfp.url}"
    )


def test_new_content_is_a_new_version(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    cli("submit", write(tmp_path, SMALL), "--endpoint", kfp.url)
    task = SMALL["tasks"][0] | {"command": ["echo", "other"]}
    cli("submit", write(tmp_path, SMALL | {"tasks": [task]}), "--endpoint", kfp.url)
    cli("submit", write(tmp_path, SMALL), "--endpoint", kfp.url, "--no-cache")
    assert len(kfp.pipelines) == 1
    assert len(kfp.versions) == 3
    uncached = list(kfp.versions.values())[-1].spec
    assert not any("enableCache" in json.dumps(one) for one in uncached.pipeline["root"]["dag"]["tasks"].values())


def test_values_that_matter_to_the_compiler_make_a_version(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    """A size cannot be given to a run, so it is part of the content; a text is not."""
    document = SMALL | {
        "parameters": [
            {"name": "size", "type": "string", "default": "1Gi"},
            {"name": "who", "type": "string", "default": "a"},
        ],
        "volumes": [{"id": "v", "create": {"size": "{{params.size}}"}}],
        "tasks": [
            SMALL["tasks"][0] | {"command": ["echo", "{{params.who}}"], "volumes": [{"id": "v", "mountPath": "/v"}]}
        ],
    }
    file = write(tmp_path, document)
    for pairs in (("size=1Gi",), ("size=2Gi",), ("who=b",), ("who=c", "size=2Gi")):
        ran = cli("submit", file, "--endpoint", kfp.url, *(word for pair in pairs for word in ("--param", pair)))
        assert ran.code == 0, ran.err
    sizes = [
        one.spec.platform["platforms"]["kubernetes"]["pipelineConfig"]["workspace"]["size"]
        for one in kfp.versions.values()
    ]
    assert sizes == ["1Gi", "2Gi", "2Gi"]


@pytest.mark.parametrize("command", [["submit"], ["submit", "--dry-run"], ["doctor"]])
def test_without_a_cluster_nothing_is_compiled(
    cli: Callable[..., Ran], tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kade2kfp.cli.submission.compile", lambda *_, **__: pytest.fail("it is compiled"))
    ran = cli(*command, write(tmp_path, HELLO), "--param", "need=1")
    assert (ran.code, ran.out) == (1, "")
    assert "no Kubeflow Pipelines is known" in ran.err
    assert "name it by --endpoint" in ran.err


def test_without_a_cluster_what_is_wrong_with_the_document_comes_first(cli: Callable[..., Ran], tmp_path: Path) -> None:
    wrong = HELLO | {"tasks": [{"id": "a", "type": "jobb"}]}
    for words, says in (
        ((), "K103"),
        (("--param", "need=x"), "is not JSON"),
        (("--schedule", "x"), "neither a duration"),
    ):
        ran = cli("submit", write(tmp_path, wrong), *words)
        assert says in ran.err + ran.out
        assert "no Kubeflow Pipelines" not in ran.err
    ran = cli("submit", write(tmp_path, HELLO))
    assert "the parameter `need` has no value" in ran.err
    assert "no Kubeflow Pipelines" not in ran.err


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ((), "K702]: the parameter `need` has no value"),
        (("need=x",), "'x' is not JSON, and `need` is of type number"),
        (("need=true",), "expected a number, found the boolean true"),
        (("need=1", "count=9"), "9 is more than the maximum 5"),
        (("need=1", "count=0"), "0 is less than the minimum 1"),
        (("need=1", "count=1.5"), "expected a whole number"),
        (("need=1", "who=me"), "it is not one of the values of `enum`"),
        (("need=1", "code=zz"), "it does not match the `pattern`"),
        (("need=1", "hwo=you"), "there is no parameter `hwo` to set"),
        (("need",), "'need' is not NAME=VALUE"),
        (("need=1e999",), "is not JSON"),
        (("need=9007199254740993",), "beyond 2^53"),
    ],
    ids=str,
)
def test_values_are_checked_before_anything_is_sent(
    kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path, pairs: tuple[str, ...], says: str
) -> None:
    words = [word for pair in pairs for word in ("--param", pair)]
    ran = cli("submit", write(tmp_path, HELLO), "--endpoint", kfp.url, *words)
    assert ran.code in (1, 2)
    assert says in ran.err
    assert kfp.requests == []


def test_what_kubeflow_would_replace_is_refused(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(
        tmp_path,
        SMALL
        | {
            "parameters": [{"name": "who", "type": "string"}],
            "tasks": [SMALL["tasks"][0] | {"command": ["echo", "{{params.who}}"]}],
        },
    )
    ran = cli("submit", file, "--endpoint", kfp.url, "--param", "who={{workflow.name}}")
    assert (ran.code, "it holds `{{`, which Kubeflow and Argo would replace" in ran.err) == (1, True)
    assert kfp.requests == []


def test_a_document_with_errors_is_shown_as_compile_shows_it(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path, SMALL | {"tasks": [SMALL["tasks"][0] | {"imgae": "x"}]})
    ran = cli("submit", file, "--endpoint", kfp.url)
    assert ran.code == 1
    assert ran.err == cli("compile", file, "-o", tmp_path / "x.yaml").err
    found = cli("submit", file, "--endpoint", kfp.url, "--output", "json")
    assert [one["code"] for one in found.json["diagnostics"]] == ["K100"]
    assert kfp.requests == []


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.json", '{"need": 2, "who": "you"}', ""),
        ("p.yaml", "need: 2\nwho: you\n", ""),
        ("p.yaml", "need: 2\nwho: 2026-01-01\n", "such as a date"),
        ("p.yaml", "need: [", "it is neither JSON nor YAML"),
        ("p.json", "need: 2", "it is no JSON (line 1)"),
        ("p.yaml", "- need", "it has to be an object"),
        ("p.yaml", "need: .nan", "it is neither"),
        ("p.yaml", "1: 2", "it has to be an object"),
        ("p.yaml", "ned: 2", "did you mean `need`"),
        ("p.yaml", "count: text", "expected a whole number, found a text"),
    ],
)
def test_values_in_a_file(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    ran = cli("submit", write(tmp_path, HELLO), "--params-file", path, "--param", "need=3", "--endpoint", kfp.url)
    if says:
        assert ran.code in (1, 2)
        assert says in ran.err
        assert kfp.requests == []
        return
    assert ran.code == 0, ran.err
    (run,) = kfp.runs.values()
    assert run.config["parameters"] == {"need": 3, "who": "you"}


def test_a_file_of_values_that_is_not_there(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    ran = cli("submit", write(tmp_path, HELLO), "--params-file", tmp_path / "none.json", "--endpoint", kfp.url)
    assert (ran.code, "cannot take values from" in ran.err, "no such file" in ran.err) == (2, True, True)


def test_names_and_accounts(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, SMALL)
    cli(
        "submit",
        file,
        "--endpoint",
        kfp.url,
        "--run-name",
        "Mine: 1",
        "--experiment",
        "An experiment",
        "--service-account",
        "sa",
    )
    (run,) = kfp.runs.values()
    assert (run.name, run.service_account, kfp.experiments[run.experiment].name) == ("Mine: 1", "sa", "An experiment")
    monkeypatch.setenv("KF_PIPELINES_DEFAULT_EXPERIMENT_NAME", "of the environment")
    ran = cli("submit", file, "--endpoint", kfp.url, "--output", "json")
    assert ran.json["experiment"] == {"name": "of the environment", "id": ran.json["experiment"]["id"], "new": True}
    for words in (("--run-name", ""), ("--run-name", "a\nb"), ("--experiment", " "), ("--run-name", "x" * 121)):
        assert cli("submit", file, "--endpoint", kfp.url, *words).code == 2


def test_an_account_that_cannot_be_is_refused_here(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    ran = cli("submit", write(tmp_path, HELLO), "--endpoint", kfp.url, "--service-account", "Bad Name!")
    assert (ran.code, "no service account can have that name" in ran.err) == (2, True)
    assert kfp.requests == []


def test_several_users(plain: Path, cli: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_EXISTING_TOKEN", SECRET)
    file = write(tmp_path, SMALL)
    with serve(execute=False, multi_user=True, auth="token", users={SECRET: "alice@example.com"}) as kfp:
        ran = cli("submit", file, "--endpoint", kfp.url)
        assert (ran.code, "name yours by --namespace" in ran.err) == (1, True)
        assert cli("submit", file, "--endpoint", kfp.url, "--namespace", "team-a").code == 0
        assert {one.namespace for one in (*kfp.pipelines.values(), *kfp.experiments.values(), *kfp.runs.values())} == {
            "team-a"
        }
        ran = cli("submit", file, "--endpoint", kfp.url, "--namespace", "team-b")
        assert (ran.code, "you may not look for the pipeline hello-there (403)" in ran.err) == (3, True)


def test_an_older_kfp(plain: Path, cli: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path, SMALL | {"timeout": "1h"})
    with serve(execute=False, version_tag="2.14.3") as kfp:
        ran = cli("submit", file, "--endpoint", kfp.url)
        assert ran.code == 0
        assert "warning: KFP 2.14.3 is too old for a timeout of the whole run: that is there from 2.17 on" in ran.err
    with serve(execute=False, version_tag="2.5.0") as kfp:  # pipelines have one name there
        assert cli("submit", file, "--endpoint", kfp.url).code == 0
        assert [one.display_name for one in kfp.pipelines.values()] == ["hello-there"]


def test_what_kfp_refuses_is_told_and_can_be_repeated_at_once(kfp: Kfp, proxy: Proxy, tmp_path: Path) -> None:
    proxy.breaks(
        "status", "POST .*/runs$", status=500, body=b'{"message": "Failed to create a new run: no such image"}'
    )
    with pytest.raises(RefusedError) as error:
        once(proxy.url, tmp_path)
    assert error.value.help == "Failed to create a new run: no such image"
    assert not left(tmp_path)
    run, said = once(proxy.url, tmp_path)
    assert (run.resumed, said, len(kfp.runs)) == (False, [], 1)


# Nothing twice.


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("what", ["cut before", "cut after", "half", "garbage", "empty"])
def test_an_answer_that_is_lost(kfp: Kfp, proxy: Proxy, tmp_path: Path, request_: str, what: Any) -> None:
    """It is found out by itself whether the request has done its work."""
    proxy.breaks(what, request_)
    run, _ = once(proxy.url, tmp_path)
    assert list(kfp.runs) == [run.id]
    assert len(kfp.pipelines) == len(kfp.versions) == 1
    assert [one.name for one in kfp.experiments.values()].count("tests") == 1
    assert not left(tmp_path)
    other, said = once(proxy.url, tmp_path)
    assert said == []
    assert list(kfp.runs) == [run.id, other.id]
    assert len(kfp.versions) == 1


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.stop()


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_each_request_and_repeated(
    kfp: Kfp,
    proxy: Proxy,
    tmp_path: Path,
    forks: Forks,
    monkeypatch: pytest.MonkeyPatch,
    request_: str,
    moment: str,
) -> None:
    """SIGKILL while the request is under way, before KFP hears of it or after; then the same again."""
    reached, killed = threading.Event(), threading.Event()
    forward = proxies._Handler._forward

    def held(handler: Any, body: bytes) -> Any:
        meant = re.search(request_, f"{handler.command} {handler.path}") and not killed.is_set()
        answer = forward(handler, body) if not meant or moment == "after" else None
        if meant:
            reached.set()
            killed.wait(60)
            raise ConnectionError
        return answer

    monkeypatch.setattr(proxies._Handler, "_forward", held)
    pid = forks.submit(proxy.url, tmp_path)
    try:
        assert reached.wait(60)
    finally:
        os.kill(pid, signal.SIGKILL)
        killed.set()
    before = len(kfp.runs)
    assert before == (1 if moment == "after" and request_ == REQUESTS[-1] else 0)
    run, said = once(kfp.url, tmp_path)
    assert list(kfp.runs) == [run.id]
    assert run.resumed is bool(before)
    assert len(kfp.pipelines) == len(kfp.versions) == 1
    if request_ == REQUESTS[-1]:
        looking = r"an earlier submit of the same was cut off \d s ago: looking whether it has started a run"
        assert re.fullmatch(looking, said[0])
        assert said[1] == (f"it has: {run.name}" if before else "it has not")
    assert not [path for path in left(tmp_path) if path.suffix == ".json"]


def test_killed_before_anybody_was_told(kfp: Kfp, tmp_path: Path) -> None:
    """The run's id is known here, and has not been printed."""
    wanted = submission(experiment="tests")
    with (
        kfp_of(quick(kfp.url)) as asked,
        started(asked, wanted, upload(asked, wanted), tmp_path, lambda _: None) as first,
    ):
        kept = {path.name: path.read_bytes() for path in left(tmp_path)}
    assert not left(tmp_path)
    for name, content in kept.items():  # as SIGKILL leaves it
        (tmp_path / "submissions" / name).write_bytes(content)
    run, said = once(kfp.url, tmp_path)
    assert (run.id, run.resumed, len(kfp.runs), said[1]) == (first.id, True, 1, f"it has: {first.name}")
    assert not left(tmp_path)


def test_one_that_waits_for_its_run_was_not_cut_off(kfp: Kfp, tmp_path: Path) -> None:
    """Whoever submits the same meanwhile, means a second run."""
    wanted = submission(experiment="tests")
    with (
        kfp_of(quick(kfp.url)) as asked,
        started(asked, wanted, upload(asked, wanted), tmp_path, lambda _: None) as first,
    ):
        second, said = once(kfp.url, tmp_path)
        assert (said, second.resumed, list(kfp.runs)) == ([], False, [first.id, second.id])
    assert not left(tmp_path)


def test_killed_while_it_waits_for_its_run(kfp: Kfp, tmp_path: Path) -> None:
    words = ("submit", write(tmp_path, SMALL), "--endpoint", kfp.url, "--wait")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = warm.Popen(
        [sys.executable, "-m", "kade2kfp", *map(str, words)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline()
    process.kill()
    process.communicate()
    (run,) = kfp.runs.values()
    assert url == f"{kfp.url}/#/runs/details/{run.id}\n"
    kfp.end(run.id, "SUCCEEDED")
    again = warm.run(
        [sys.executable, "-m", "kade2kfp", *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (again.returncode, again.stdout, len(kfp.runs)) == (0, url, 1), again.stderr
    assert f"run {run.name}: had been started, {run.id}" in again.stderr


def test_a_run_that_kfp_shows_late_is_waited_for(kfp: Kfp, proxy: Proxy, tmp_path: Path) -> None:
    """KFP has the request, and the run is in its list only a moment later."""
    proxy.breaks("cut after", "POST .*/runs$")
    proxy.breaks("status", "GET .*/runs", status=299, body=b"{}", times=3)
    run, said = once(proxy.url, tmp_path, settle=10)
    assert (list(kfp.runs), run.resumed) == ([run.id], True)
    assert said[0].endswith("broke: looking whether the run was started")


def test_nobody_knows_whether_there_is_a_run(kfp: Kfp, proxy: Proxy, tmp_path: Path) -> None:
    """KFP takes the request and is silent, then is gone: the record stays, and the next submit finds the run."""
    proxy.breaks("cut after", "POST .*/runs$")
    proxy.breaks("cut before", "GET .*/runs", times=99)
    with pytest.raises(RefusedError):
        once(proxy.url, tmp_path)
    assert len(left(tmp_path)) == 1
    proxy.faults.clear()
    run, _ = once(proxy.url, tmp_path)
    assert (list(kfp.runs), run.resumed) == ([run.id], True)
    assert not left(tmp_path)


def test_silence_is_not_answered_by_a_second_request(kfp: Kfp, proxy: Proxy, tmp_path: Path) -> None:
    proxy.breaks("hang", "POST .*/runs$", seconds=1.5, times=99)
    wanted = submission(experiment="tests")
    with (
        kfp_of(quick(proxy.url, read=0.5)) as asked,
        pytest.raises(RefusedError) as error,
        started(asked, wanted, upload(asked, wanted), tmp_path, lambda _: None, 0.2),
    ):
        raise AssertionError
    assert "took the request, and does not answer" in str(error.value)
    assert error.value.help.endswith("submit it again then: whether there is a run, is looked for first")
    assert passed(proxy, 1, "POST /apis/v2beta1/runs") == 1
    assert len(left(tmp_path)) == 1


def test_an_attempt_of_long_ago_is_left_alone(kfp: Kfp, proxy: Proxy, tmp_path: Path) -> None:
    proxy.breaks("cut after", "POST .*/runs$")
    proxy.breaks("cut before", "GET .*/runs", times=99)
    with pytest.raises(RefusedError):
        once(proxy.url, tmp_path)
    proxy.faults.clear()
    (path,) = left(tmp_path)
    attempt = json.loads(path.read_text())
    path.write_text(json.dumps(attempt | {"asked": attempt["asked"] - 3700}))
    run, said = once(proxy.url, tmp_path)
    assert len(kfp.runs) == 2
    assert not run.resumed
    assert said == [
        "an earlier submit of the same was cut off more than an hour ago: its run, if there is one, is left alone"
    ]


@pytest.mark.parametrize(
    "more", [{"parameters": {"a": 1}}, {"experiment": "other"}, {"run_name": "x"}, {"service_account": "s"}]
)
def test_another_submit_takes_up_nothing(kfp: Kfp, proxy: Proxy, tmp_path: Path, more: dict[str, Any]) -> None:
    document = SMALL | {"parameters": [{"name": "a", "type": "integer", "default": 0}]}
    proxy.breaks("cut after", "POST .*/runs$")
    proxy.breaks("cut before", "GET .*/runs", times=99)
    with pytest.raises(RefusedError):
        once(proxy.url, tmp_path, document=document)
    proxy.faults.clear()
    run, said = once(proxy.url, tmp_path, document=document, **more)
    assert (len(kfp.runs), run.resumed, said) == (2, False, [])
    assert len(left(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nonce": 1}', '{"nonce": "a", "name": "b", "asked": "x"}'])
def test_a_record_that_cannot_be_read_is_none(kfp: Kfp, tmp_path: Path, text: str) -> None:
    with attempts.held(tmp_path, "key") as path:
        path.write_text(text)
        assert attempts.read(path) is None


def test_two_at_the_same_time_start_two(kfp: Kfp, tmp_path: Path) -> None:
    """Both are meant: neither was cut off. They race for the pipeline, the version and the experiment."""
    submission()
    made: list[Started] = []
    threads = [threading.Thread(target=lambda: made.append(once(kfp.url, tmp_path)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.id for one in made}) == len(kfp.runs) == 4
    assert len(kfp.pipelines) == len(kfp.versions) == 1
    assert not any(one.resumed for one in made)
    assert not left(tmp_path)


def test_somebody_else_was_faster(kfp: Kfp, proxy: Proxy, tmp_path: Path) -> None:
    """409 for what was not there a moment ago."""
    once(kfp.url, tmp_path)
    for path in ("pipelines?", "pipelines/[^/]+/versions", "experiments"):
        proxy.breaks("status", "GET .*/" + path, status=299, body=b"{}")
    run, _ = once(proxy.url, tmp_path)
    assert (len(kfp.pipelines), len(kfp.versions), len(kfp.runs)) == (1, 1, 2)
    assert run.id in kfp.runs


def test_a_home_that_cannot_be_written(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = cli("submit", write(tmp_path, SMALL), "--endpoint", kfp.url, "--home", tmp_path / "file")
    assert (ran.code, "cannot write below" in ran.err, "--home" in ran.err) == (1, True, True)
    assert kfp.runs == {}


# Looked at first.

NEEDS = SMALL | {
    "parameters": [{"name": "claim", "type": "string", "default": "data"}],
    "volumes": [{"id": "v", "claimName": "{{params.claim}}"}],
    "tasks": [
        SMALL["tasks"][0]
        | {
            "volumes": [{"id": "v", "mountPath": "/v"}],
            "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "token"}}}],
        }
    ],
}


def test_dry_run_changes_nothing(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path, HELLO)
    words = ("submit", file, "--param", "need=2", "--endpoint", kfp.url, "--dry-run")
    ran = cli(*words)
    assert ran.code == 0
    (version,) = re.findall(r"hello-there-[0-9a-f]{12}", ran.out)
    assert ran.out.splitlines() == [
        "pipeline hello-there: would be made",
        f"version {version}: would be made",
        "experiment Default: is there",
        "run (named by the pipeline and the time): would be started",
        "parameter need: 2",
        "whether claims, secrets and config maps exist, is not known: there is no kubeconfig, so no cluster is known",
    ]
    assert {one.method for one in kfp.requests} == {"GET"}
    assert not (tmp_path / "runs").exists()
    cli("submit", file, "--param", "need=2", "--endpoint", kfp.url)
    found = cli(*words, "--output", "json").json
    assert (found["pipeline"]["new"], found["version"]["new"], found["version"]["name"]) == (False, False, version)


def test_dry_run_looks_for_what_pods_name(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path, kube: Kube) -> None:
    words = ("submit", write(tmp_path, NEEDS), "--endpoint", kfp.url, "--dry-run")
    ran = cli(*words)
    assert ran.code == 1
    assert "claim data (of greet): there is none in namespace `kubeflow`: is MISSING" in ran.out
    kube.objects[("persistentvolumeclaims", "data")] = {"status": {"phase": "Bound"}}
    kube.objects[("secrets", "s3")] = {"data": {"other": SECRET}}
    ran = cli(*words)
    assert "claim data (of greet): is there" in ran.out
    assert "secret s3, key token (of greet): it has no such key: is MISSING" in ran.out
    kube.objects[("secrets", "s3")] = {"data": {"token": SECRET}}
    assert cli(*words).code == 0
    ran = cli(*words, "--param", "claim=elsewhere")
    assert "claim elsewhere (of greet): there is none" in ran.out
    kube.forbidden.add("secrets")
    assert "secret s3, key token (of greet): you may not look: is not known" in cli(*words).out
    assert {one.split()[0] for one in kube.asked} == {"GET"}


def test_a_run_that_would_wait_for_ever_is_not_started(
    kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path, kube: Kube
) -> None:
    """Only where the Kubernetes below is named: any other kubeconfig may lead elsewhere."""
    words = ("submit", write(tmp_path, NEEDS), "--endpoint", kfp.url)
    ran = cli(*words, "--kube-context", "main")
    assert ran.code == 1
    assert (
        "the claim data (of greet): there is none in namespace `kubeflow`; the secret s3, key token (of greet)"
        in ran.err
    )
    assert "the run would wait for ever; --no-check submits it all the same" in ran.err
    assert kfp.pipelines == {}
    assert cli(*words, "--kube-context", "main", "--no-check").code == 0
    assert cli(*words).code == 0
    kube.stop()
    ran = cli(*words, "--kube-context", "main")
    assert (ran.code, "note: whether claims and secrets exist was not looked for" in ran.err) == (0, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--timeout", "1h"), "--timeout says how long"),
        (("--wait", "--schedule", "1h"), "There is no run to wait for"),
        (("--follow", "--dry-run"), "There is no run to wait for"),
        (("--timeout", "soon", "--wait"), "is not a duration"),
        (("--home", ""), "it is empty"),
    ],
)
def test_options_that_make_no_sense(
    kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    ran = cli("submit", write(tmp_path, SMALL), "--endpoint", kfp.url, *words)
    assert (ran.code, says in ran.err) == (2, True)
    assert kfp.requests == []


# To its end.


def test_waiting_ends_with_the_run(plain: Path, cli: Callable[..., Ran], tmp_path: Path) -> None:
    with serve() as kfp:
        ran = cli("submit", write(tmp_path, SMALL), "--endpoint", kfp.url, "--wait", "--output", "json")
        assert (ran.code, ran.json["run"]["status"]) == (0, "succeeded")
        failing = SMALL | {"tasks": [SMALL["tasks"][0] | {"command": ["sh", "-c", "exit 3"]}]}
        ran = cli("submit", write(tmp_path, failing), "--endpoint", kfp.url, "--follow")
        assert ran.code == 3, ran.err
        assert "greet" in ran.err


def test_waiting_ends_with_the_time(kfp: Kfp, cli: Callable[..., Ran], tmp_path: Path) -> None:
    """Nothing is executed here, so the run never ends."""
    file = write(tmp_path, SMALL)
    assert cli("submit", file, "--endpoint", kfp.url, "--wait", "--timeout", "1s").code == 124
    ran = cli("submit", file, "--endpoint", kfp.url, "--wait", "--timeout", "1s", "--output", "json")
    assert (ran.code, ran.json["run"]["status"]) == (124, "running")
    assert {one.state for one in kfp.runs.values()} == {"PENDING"}
