"""Runs on the IR machine over HTTP: what KFP and Argo tell of them, gates, stop, retry, logs, artifacts."""

import hashlib
import hmac
import json
import re
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml
from click.testing import CliRunner

from kade2kfp.api import compile, parse
from kade2kfp.cli.resume_command import command as resume
from kade2kfp.cluster.connect import connect
from kade2kfp.cluster.gates import ClusterGates

sys.path.insert(0, str(Path(__file__).parents[1]))
from cluster.api import Api
from cluster.conftest import impatient, write
from ir.components import compiled, dsl, make, say, shell, show, show_number
from ir.people import until

from kfp_server import Kfp, many_tasks, serve
from kfp_server.fixtures import ask, nodes


def submit(kfp: Kfp, text: str, **parameters: Any) -> str:
    """Run a compiled pipeline: the run's id."""
    documents = list(yaml.safe_load_all(text))
    spec = dict(zip(("pipeline_spec", "platform_spec"), documents, strict=False))
    body = {"display_name": "a run", "pipeline_spec": spec, "runtime_config": {"parameters": parameters}}
    status, run = ask(kfp, "POST", "/apis/v2beta1/runs", body)
    assert status == 200, run
    return str(run["run_id"])


def log(kfp: Kfp, run: str, node: str) -> Any:
    return ask(kfp, "GET", f"/apis/v1alpha1/runs/{run}/nodes/{node}/log")[1]


def phases(kfp: Kfp, run: str) -> dict[str, str]:
    return {name: one["phase"] for name, one in nodes(kfp, run).items()}


def gated(*tasks: dict[str, Any], **more: Any) -> str:
    whole = {
        "apiVersion": "kade2kfp/v1",
        "name": "flow",
        "tasks": tasks,
        "defaults": {"image": "python:3.11-slim"},
        **more,
    }
    made = compile(parse(json.dumps(whole)))
    assert made.yaml is not None, made.diagnostics
    return made.yaml


ASK = {
    "id": "ask",
    "type": "container",
    "gate": {"timeout": "60s", "values": [{"name": "lr", "type": "number"}]},
    "script": "sleep 60",
}


def test_the_workflow_has_argos_nodes(kfp: Kfp) -> None:
    def flow():
        one = say(x="hello")
        with dsl.If(one.outputs["o"] == "hello"):
            show(x="yes")
        with dsl.If(one.outputs["o"] == "bye"):
            show(x="no")
        with dsl.ParallelFor([1.5, 2.5]) as item:
            show_number(x=item)

    run = submit(kfp, compiled(flow))
    assert kfp.wait(run).state == "SUCCEEDED"
    found = nodes(kfp, run)
    step = found["wf(0).root(0).say(0).executor(0)"]
    assert (step["type"], step["displayName"], step["phase"]) == ("Pod", "executor(0)", "Succeeded")
    assert step["podName"] == kfp.told(run).tasks["say"].containers[0].name
    assert step["podName"].rpartition("-")[2] == step["id"].rpartition("-")[2]
    assert log(kfp, run, step["podName"]) == log(kfp, run, step["id"]) == "hello\n"
    assert found["wf(0).root(0).condition-2"]["type"] == "Skipped"
    loop = "wf(0).root(0).for-loop-4(0).iteration-iterations"
    assert found[loop]["type"] == "TaskGroup"
    assert found[f"{loop}(1:1)(0).iteration-item(0).show-number(0).executor(0)"]["phase"] == "Succeeded"
    by_id = {one["id"]: one for one in found.values()}
    assert all(child in by_id for one in found.values() for child in one.get("children", []))
    reached, todo = set(), [found["wf"]["id"]]
    while todo:
        reached.add(todo[-1])
        todo += [child for child in by_id[todo.pop()].get("children", []) if child not in reached]
    assert reached == set(by_id)
    _, told = ask(kfp, "GET", f"/apis/v2beta1/runs/{run}")
    details = told["run_details"]["task_details"]
    assert len(details) == len(found)
    _, again = ask(kfp, "GET", f"/apis/v2beta1/runs/{run}")
    assert again["run_details"] == told["run_details"]


def test_without_the_default_retry_strategy_there_are_no_tries(tmp_path: Path) -> None:
    with serve(execute=False, default_retry=False) as kfp:
        (run,) = kfp.made_runs(1, many_tasks(3))
        kfp.pretend(run, done=1, running=1)
        found = phases(kfp, run.id)
        assert found["wf.root.task-000.executor"] == "Succeeded"
        assert found["wf.root.task-001.executor"] == "Running"
        assert not any("(0)" in name for name in found)


def test_what_fails_is_told_and_what_follows_is_omitted(kfp: Kfp) -> None:
    def flow():
        bad = shell(script="echo why; exit 3")
        show(x="late").after(bad)

    run = submit(kfp, compiled(flow))
    assert kfp.wait(run).state == "FAILED"
    found = nodes(kfp, run)
    failed = found["wf(0).root(0).shell(0).executor(0)"]
    assert (failed["phase"], failed["outputs"]["exitCode"], failed["message"]) == ("Failed", "1", "Error (exit code 1)")
    assert found["wf(0).root(0).show"]["message"] == "omitted: depends condition not met"
    assert log(kfp, run, failed["podName"]) == "why\n"


def test_a_driver_that_fails(kfp: Kfp) -> None:
    def flow(x: str = "5"):
        with dsl.If(x == "5"):
            show(x="a")

    bad = "inputs.parameter_values['no-such'] == '5'"
    edit = lambda spec, _: spec["root"]["dag"]["tasks"]["condition-1"]["triggerPolicy"].update(condition=bad)  # noqa: E731
    run = submit(kfp, compiled(flow, edit))
    assert kfp.wait(run).state == "FAILED"
    found = phases(kfp, run)
    assert found["wf(0).root(0).condition-1-driver(0)"] == "Failed"
    assert found["wf(0).root(0).condition-1"] == "Omitted"


def test_two_runs_at_once_share_claims_and_the_store_alone(kfp: Kfp) -> None:
    text = gated(
        {
            "id": "one",
            "type": "job",
            "script": "echo {{run.id}} > /nas/{{run.id}}; cat /nas/{{run.id}}; sleep 0.2",
            "volumes": [{"id": "nas", "mountPath": "/nas"}],
        },
        volumes=[{"id": "nas", "claimName": "nas"}],
    )
    (kfp.folder / "claims/nas").mkdir(parents=True)
    first, second = submit(kfp, text), submit(kfp, text)
    for run in (first, second):
        assert kfp.wait(run).state == "SUCCEEDED", kfp.engine.told(kfp.run(run))
        assert run in kfp.told(run).tasks["one"].log
    assert sorted(one.name for one in (kfp.folder / "claims/nas").iterdir()) == sorted((first, second))
    pods = [kfp.told(run).tasks["one"].containers[0].pod for run in (first, second)]
    assert [pod["metadata"]["labels"]["pipeline/runid"] for pod in pods] == [first, second]
    assert pods[0]["metadata"]["name"] != pods[1]["metadata"]["name"]


def test_a_gate_waits_until_a_person_decides(kfp: Kfp) -> None:
    text = gated(ASK, {"id": "use", "type": "job", "script": "echo lr={{tasks.ask.values.lr}} {{tasks.ask.decision}}"})
    run = submit(kfp, text)
    kfp.wait(run, "RUNNING")
    time.sleep(0.5)
    assert kfp.run(run).state == "RUNNING"
    kfp.decide(run, "ask", values={"lr": "0.5"})
    assert kfp.wait(run).state == "SUCCEEDED", kfp.engine.told(kfp.run(run))
    assert kfp.told(run).tasks["use"].log == "lr=0.5 resume\n"


def test_pods_come_to_a_kubernetes_api(kfp: Kfp) -> None:
    api = Api()
    try:
        kfp.join(api)
        run = submit(kfp, gated(ASK))
        pod: Any = until(lambda: next(iter(api.pods.values()), None), "no pod")
        until(lambda: pod.json()["status"]["phase"] == "Running" or None, "it does not run")
        told = pod.json()["metadata"]
        assert (told["labels"]["pipeline/runid"], told["labels"]["kade2kfp/gate"]) == (run, "ask")
        assert told["ownerReferences"][0]["uid"] == api.workflow["metadata"]["uid"]
        until(
            lambda: (
                ((pod.home / "volumes").is_dir() and list((pod.home / "volumes").glob("kade2kfp-empty-*/state")))
                or None
            ),
            "no gate",
        )
        seen = subprocess.run(
            pod.words(["sh", "-c", "cat /kade/run/state; ls -d /kade/gate"]), capture_output=True, text=True, check=True
        )
        assert seen.stdout == "open\n/kade/gate\n"
        pod.project({"ask.decision": f"reject {pod.uid}\n", "ask.by": "ada\n", "ask.reason": "no\n"})
        assert kfp.wait(run).state == "FAILED"
        assert pod.json()["status"]["containerStatuses"][1]["state"]["terminated"]["exitCode"] == 1
    finally:
        api.pods.clear()
        api.stop()


def alone(script: str) -> str:
    """A pipeline of one step, `shell`."""

    def flow():
        shell(script=script)

    return compiled(flow)


@pytest.mark.parametrize(
    "projects", [pytest.param(True, id="by config map"), pytest.param(False, id="by exec", marks=pytest.mark.slow)]
)
def test_the_gates_commands_reach_the_runs_pods(
    kfp: Kfp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, projects: bool
) -> None:
    api = Api()
    api.projects = projects
    try:
        kfp.join(api)
        write(tmp_path / "kubeconfig", f"http://127.0.0.1:{api.port}")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        run = submit(kfp, gated(ASK))
        gates = impatient(ClusterGates(connect()))
        found = until(lambda: next(iter(gates.waiting(run)), None), "no gate")
        assert (found.task, [one.name for one in found.values]) == ("ask", ["lr"])
        words = [run, "ask", "--set", "lr=0.5", "--namespace", "kubeflow"]
        told = CliRunner().invoke(resume, words)
        assert told.exit_code == 0, told.output
        assert kfp.wait(run).state == "SUCCEEDED"
        assert kfp.told(run).tasks["ask"].parameters["value-lr"] == 0.5
    finally:
        api.pods.clear()
        api.stop()


def running(kfp: Kfp, run: str, path: str, text: str = "") -> str:
    """Wait until a step has written something: its pod's name."""

    def looked() -> str | None:
        execution = kfp.engine.executions[run]
        task = execution.facts.tasks.get(path)
        if task is None or not task.containers or not task.containers[-1].running:
            return None
        name = task.containers[-1].name
        return name if text in str(log(kfp, run, name)) else None

    return until(looked, f"{path} does not run")


def test_a_stop_gives_term_and_runs_exit_tasks(kfp: Kfp) -> None:
    def flow():
        last = shell(script="echo bye")
        with dsl.ExitHandler(last):
            long = shell(script="trap 'echo term; exit 0' TERM; echo up; while :; do sleep 0.05; done")
            show(x="never").after(long)

    run = submit(kfp, compiled(flow))
    pod = running(kfp, run, "exit-handler-1/shell-2", "up")
    assert ask(kfp, "POST", f"/apis/v2beta1/runs/{run}:terminate") == (200, {})
    assert ask(kfp, "GET", f"/apis/v2beta1/runs/{run}")[1]["state"] in ("CANCELING", "FAILED")
    done = kfp.wait(run)
    assert [one["state"] for one in done.history] == ["PENDING", "RUNNING", "CANCELING", "FAILED"]
    assert kfp.told(run).tasks["shell"].log == "bye\n"
    assert "term" in log(kfp, run, pod)
    found = phases(kfp, run)
    assert found["wf(0).root(0).exit-handler-1.onExit(0).shell(0).executor(0)"] == "Succeeded"
    assert not any(name.endswith("show(0).executor(0)") for name in found)
    status, refused = ask(kfp, "POST", f"/apis/v2beta1/runs/{run}:terminate")
    assert (status, "Row not found" in refused["message"]) == (400, True)


def test_a_stop_kills_what_does_not_listen(kfp: Kfp) -> None:
    run = submit(kfp, alone("trap '' TERM; echo up; while :; do sleep 0.05; done"))
    running(kfp, run, "shell", "up")
    started = time.monotonic()
    ask(kfp, "POST", f"/apis/v2beta1/runs/{run}:terminate")
    assert kfp.wait(run).state == "FAILED"
    assert time.monotonic() - started < 10


def test_a_stop_right_after_the_start(kfp: Kfp) -> None:
    run = submit(kfp, alone("sleep 60"))
    ask(kfp, "POST", f"/apis/v2beta1/runs/{run}:terminate")
    assert kfp.wait(run).state == "FAILED"


def test_a_pod_that_cannot_start_waits_for_ever(kfp: Kfp) -> None:
    def edit(_: Any, executors: Any) -> None:
        name = {"runtimeValue": {"constant": "no-such"}}
        key = {"secretName": "no-such", "keyToEnv": [{"secretKey": "k", "envVar": "K"}], "secretNameParameter": name}
        executors["exec-show"] = {"secretAsEnv": [key]}

    run = submit(kfp, compiled(one_show, edit))
    step = "wf(0).root(0).show(0).executor(0)"
    until(lambda: nodes_of(kfp, run).get(step, {}).get("message"), "no reason")
    node = nodes(kfp, run)[step]
    assert (node["phase"], node["message"]) == ("Pending", "CreateContainerConfigError: 'no-such' has no key 'k'")
    assert kfp.run(run).state == "RUNNING"
    ask(kfp, "POST", f"/apis/v2beta1/runs/{run}:terminate")
    assert kfp.wait(run).state == "FAILED"


def one_show():
    show(x="a")


def nodes_of(kfp: Kfp, run: str) -> dict[str, dict[str, Any]]:
    """The nodes, none where Argo has not seen the run yet."""
    return nodes(kfp, run) if kfp.manifest(kfp.run(run)) else {}


def test_a_retry_runs_what_failed_alone_under_the_same_names(kfp: Kfp) -> None:
    def flow():
        first = say(x="kept")
        shell(script="test -e /nas/ok || { echo not yet; exit 1; }").after(first)

    (kfp.folder / "claims/nas").mkdir(parents=True)

    def edit(_: Any, executors: Any) -> None:
        executors["exec-shell"] = {
            "pvcMount": [
                {"mountPath": "/nas", "constant": "nas", "pvcNameParameter": {"runtimeValue": {"constant": "nas"}}}
            ]
        }

    run = submit(kfp, compiled(flow, edit))
    assert kfp.wait(run).state == "FAILED"
    before = {path: [one.name for one in task.containers] for path, task in kfp.told(run).tasks.items()}
    (kfp.folder / "claims/nas/ok").touch()
    assert ask(kfp, "POST", f"/apis/v2beta1/runs/{run}:retry") == (200, {})
    done = kfp.wait(run)
    assert done.state == "SUCCEEDED", kfp.engine.told(done)
    assert [one["state"] for one in done.history] == ["PENDING", "RUNNING", "FAILED", "RUNNING", "SUCCEEDED"]
    after = {path: [one.name for one in task.containers] for path, task in kfp.told(run).tasks.items()}
    assert before == after
    assert log(kfp, run, after["say"][0]) == "kept\n"
    status, refused = ask(kfp, "POST", f"/apis/v2beta1/runs/{run}:retry")
    assert (status, "must be Failed/Error to retry" in refused["message"]) == (409, True)


def test_logs_of_what_still_runs_and_of_what_has_gone(kfp: Kfp) -> None:
    kfp.archives = False
    run = submit(kfp, alone("echo one; while ! test -e /tmp/kfp/stop; do sleep 0.05; done"))
    pod = running(kfp, run, "shell", "one")
    assert log(kfp, run, pod) == "one\n"
    assert "not found" in log(kfp, run, "no-such-pod")["error_message"]
    ask(kfp, "POST", f"/apis/v2beta1/runs/{run}:terminate")
    kfp.wait(run)
    kfp.gone.add(run)
    assert "not found" in log(kfp, run, pod)["error_message"]


def signed(kfp: Kfp, target: str, *, access: str = "minio", secret: str = "minio123") -> tuple[int, bytes]:
    """GET from the object store with a signature of version 4."""
    path, _, query = target.partition("?")
    when = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    empty = hashlib.sha256(b"").hexdigest()
    headers = {"host": kfp.s3, "x-amz-content-sha256": empty, "x-amz-date": when}
    names = ";".join(headers)
    canonical = "\n".join(["GET", path, query, *(f"{key}:{value}" for key, value in headers.items()), "", names, empty])
    scope = f"{when[:8]}/us-east-1/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://{kfp.s3}{target}", headers=headers), timeout=10
        ) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def test_artifacts_are_in_the_store(kfp: Kfp) -> None:
    def flow():
        make(script="echo data > $1")

    run = submit(kfp, compiled(flow))
    assert kfp.wait(run).state == "SUCCEEDED", kfp.engine.told(kfp.run(run))
    uri = kfp.told(run).tasks["make"].artifacts["data"]["uri"]
    assert uri.startswith(f"minio://mlpipeline/v2/artifacts/flow/{run}/make/")
    path = "/" + uri.removeprefix("minio://")
    assert signed(kfp, path) == (200, b"data\n")
    prefix = f"prefix=v2%2Fartifacts%2Fflow%2F{run}"
    status, listed = signed(kfp, f"/mlpipeline?list-type=2&max-keys=1&{prefix}")
    keys = re.findall(r"<Key>(.*?)</Key>", listed.decode())
    token = re.findall(r"<NextContinuationToken>(.*?)<", listed.decode())[0]
    status, more = signed(kfp, f"/mlpipeline?continuation-token={token.replace('/', '%2F')}&list-type=2&{prefix}")
    keys += re.findall(r"<Key>(.*?)</Key>", more.decode())
    assert (status, sorted(one.rpartition("/")[2] for one in keys)) == (200, ["data", "executor-logs-0"])
    for answer, wanted in (
        (signed(kfp, path, secret="wrong"), (403, b"SignatureDoesNotMatch")),
        (signed(kfp, path, access="nobody"), (403, b"InvalidAccessKeyId")),
        (signed(kfp, path + "x"), (404, b"NoSuchKey")),
        (signed(kfp, "/other/x"), (404, b"NoSuchBucket")),
    ):
        assert (answer[0], wanted[1] in answer[1]) == (wanted[0], True)
    assert ask(f"http://{kfp.s3}", "GET", path)[0] == 403


def test_the_minio_client_reads_the_store(kfp: Kfp) -> None:
    minio = pytest.importorskip("minio")
    home = kfp.bucket / "mlpipeline/a b"
    home.mkdir(parents=True)
    for number in range(5):
        (home / f"é+{number}.txt").write_text(f"{number}" * 100)
    kfp.store.largest_page = 2
    one = minio.Minio(kfp.s3, "minio", "minio123", secure=False)
    names = [found.object_name for found in one.list_objects("mlpipeline", "a b/", recursive=True)]
    assert names == [f"a b/é+{number}.txt" for number in range(5)]
    assert [found.object_name for found in one.list_objects("mlpipeline")] == ["a b/"]
    assert one.stat_object("mlpipeline", names[3]).size == 100
    assert one.get_object("mlpipeline", names[3], offset=1, length=5).read() == b"33333"
    assert urllib.request.urlopen(one.presigned_get_object("mlpipeline", names[4]), timeout=10).read() == b"4" * 100
    assert one.bucket_exists("mlpipeline")
    assert not one.bucket_exists("other")
    for client in (minio.Minio(kfp.s3, "minio", "wrong", secure=False), minio.Minio(kfp.s3, secure=False)):
        with pytest.raises(minio.S3Error):
            client.get_object("mlpipeline", names[0])


def test_a_run_of_300_tasks_that_nobody_executes() -> None:
    with serve(execute=False) as kfp:
        (run,) = kfp.made_runs(1, many_tasks(300), "RUNNING")
        kfp.pretend(run, done=100, running=10)
        found = phases(kfp, run.id)
        steps = {name: phase for name, phase in found.items() if name.endswith(".executor(0)")}
        assert sum(phase == "Succeeded" for phase in steps.values()) == 100
        assert sum(phase == "Running" for phase in steps.values()) == 10
        kfp.pretend(run, done=300)
        assert ask(kfp, "GET", f"/apis/v2beta1/runs/{run.id}")[1]["state"] == "SUCCEEDED"
        assert len(phases(kfp, run.id)) == 6 + 300 * 6
        assert kfp.asked()[-1].sent > 1_000_000


def test_a_run_that_the_machine_refuses_fails_with_the_reason(kfp: Kfp) -> None:
    def flow():
        from kfp import kubernetes

        kubernetes.CreatePVC(access_modes=["ReadWriteOnce"], size="1Gi", pvc_name_suffix="-a")

    run = submit(kfp, compiled(flow))
    assert kfp.wait(run).state == "FAILED"
    assert "claim operations are not part of this machine" in kfp.engine.told(kfp.run(run))


def test_nothing_is_left_when_the_server_ends(tmp_path: Path) -> None:
    with serve() as kfp:
        run = submit(kfp, alone("sleep 12345"))
        running(kfp, run, "shell")
        process = kfp.engine.executions[run].process
        assert process is not None
    assert process.poll() is not None
    until(lambda: True if not sleeping("12345") else None, "a step goes on")


def sleeping(word: str) -> bool:
    def words(entry: Path) -> list[bytes]:
        try:
            return (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return []

    return any([b"sleep", word.encode()] == words(entry)[:2] for entry in Path("/proc").glob("[0-9]*"))
