"""The real kfp.Client against this server."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import kfp as sdk
import pytest
from kfp_server_api import ApiException

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.components import compiled, say, shell, show

from kfp_server import TOKEN, Kfp, many_tasks, serve
from kfp_server.fixtures import ask


def client(kfp: Kfp | str, **more: Any) -> sdk.Client:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sdk.Client(host=kfp if isinstance(kfp, str) else kfp.url, **more)


def greeting(who: str = "you"):
    show(x=say(x=who).outputs["o"])


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("package") / "greeting.yaml"
    file.write_text(compiled(greeting))
    return str(file)


def text_of(function: Any, folder: Path) -> str:
    file = folder / "pipeline.yaml"
    file.write_text(compiled(function))
    return str(file)


def test_upload_a_version_and_a_run_of_it(kfp: Kfp, package: str) -> None:
    one = client(kfp)
    pipeline = one.upload_pipeline(package, "greeting", description="says hello")
    version = one.upload_pipeline_version(package, "v2", pipeline_name="greeting")
    listed = one.list_pipeline_versions(pipeline.pipeline_id)
    assert {found.display_name for found in listed.pipeline_versions} == {"greeting", "v2"}
    assert one.get_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id).pipeline_spec["pipeline_spec"]
    experiment = one.create_experiment("mine")
    assert one.create_experiment("mine").experiment_id == experiment.experiment_id
    run = one.run_pipeline(
        experiment.experiment_id,
        "first",
        pipeline_id=pipeline.pipeline_id,
        version_id=version.pipeline_version_id,
        params={"who": "Ada"},
    )
    done = one.wait_for_run_completion(run.run_id, 30, sleep_duration=0.1)
    assert done.state == "SUCCEEDED"
    assert [state.state for state in done.state_history] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert {"executor(0)", "root(0)", "say-driver"} <= {task.display_name for task in done.run_details.task_details}
    assert kfp.told(run.run_id).tasks["show"].log == "Ada"
    assert one.list_runs(experiment_id=experiment.experiment_id).runs[0].run_id == run.run_id


def test_a_package_is_run_without_upload(kfp: Kfp, package: str) -> None:
    result = client(kfp).create_run_from_pipeline_package(package, {"who": "me"}, "a run", enable_caching=False)
    assert client(kfp).wait_for_run_completion(result.run_id, 30, sleep_duration=0.1).state == "SUCCEEDED"


def test_a_step_that_fails_fails_the_run(kfp: Kfp, tmp_path: Path) -> None:
    def flow():
        shell(script="echo why; exit 3").set_display_name("bad")

    run = client(kfp).create_run_from_pipeline_package(text_of(flow, tmp_path))
    assert client(kfp).wait_for_run_completion(run.run_id, 30, sleep_duration=0.1).state == "FAILED"
    assert kfp.told(run.run_id).tasks["shell"].exit_code == 3


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"parameters": {"nope": 1}}, 400, "parameter(s) provided are not required by pipeline: nope"),
        ({"parameters": {"who": 5}}, 400, "input parameter who requires type string, but the input parameter is not"),
        ({"experiment_id": "0"}, 404, "Experiment 0 not found"),
        ({"version": "0"}, 500, "PipelineVersion 0 not found"),
        ({"spec": {"what": 1}}, 500, "unknown template format: pipeline spec is invalid"),
        ({"spec": {}}, 500, "Failed to fetch a template with an empty pipeline spec manifest"),
        ({"display_name": ""}, 500, "Run name cannot be empty"),
        ({"unknown": 1}, 400, 'unknown field "unknown"'),
    ],
)
def test_runs_that_are_refused(kfp: Kfp, package: str, change: dict[str, Any], status: int, said: str) -> None:
    import yaml

    spec, platform = yaml.safe_load_all(Path(package).read_text())
    body = {"display_name": "a", "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platform}}
    body["runtime_config"] = {"parameters": change.get("parameters", {})}
    body |= {key: one for key, one in change.items() if key in ("experiment_id", "display_name", "unknown")}
    if "version" in change:
        del body["pipeline_spec"]
        body["pipeline_version_reference"] = {"pipeline_version_id": change["version"]}
    if "spec" in change:
        body["pipeline_spec"] = change["spec"]
    with pytest.raises(ApiException) as refused:
        client(kfp)._run_api.run_service_create_run(run=body)
    assert refused.value.status == status
    assert said in json.loads(refused.value.body)["message"]
    assert not kfp.runs


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda spec: spec["components"].pop("comp-show"), 'component spec for "comp-show" not found'),
        (lambda spec: spec["deploymentSpec"]["executors"].pop("exec-say"), 'executor with label "exec-say" not found'),
        (lambda spec: spec["root"]["dag"]["tasks"].pop("say"), 'unknown producer task "say" in DAG'),
        (lambda spec: spec["root"]["dag"]["tasks"]["say"].update(dependentTasks=["show"]), "dependency cycle"),
        (
            lambda spec: spec["deploymentSpec"]["executors"]["exec-say"]["container"].update(args=["{{pod.name}}"]),
            "failed to resolve {{pod.name}}",
        ),
    ],
)
def test_what_only_the_compiler_finds_is_a_500_at_the_run(kfp: Kfp, tmp_path: Path, edit: Any, said: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(compiled(greeting, lambda spec, _: edit(spec)))
    client(kfp).upload_pipeline(str(file), "bad")  # KFP compiles nothing at uploads
    version = next(iter(kfp.versions.values()))
    with pytest.raises(ApiException) as refused:
        client(kfp).run_pipeline(kfp.default_experiment, "a", pipeline_id=version.pipeline, version_id=version.id)
    assert refused.value.status == 500
    assert said in json.loads(refused.value.body)["message"]


def test_uploads_that_are_refused(kfp: Kfp, package: str, tmp_path: Path) -> None:
    one = client(kfp)
    pipeline = one.upload_pipeline(package, "greeting")
    none = tmp_path / "none.yaml"
    none.write_text("kind: ConfigMap\n")
    for upload, status, said in (
        (lambda: one.upload_pipeline(package, "greeting"), 409, "Failed to create a pipeline and a pipeline version"),
        (lambda: one.upload_pipeline(str(none), "none"), 400, "unknown template format"),
        (
            lambda: one.upload_pipeline_version(package, "greeting", pipeline.pipeline_id),
            409,
            "Failed to create a pipeline version",
        ),
        (
            lambda: one.upload_pipeline_version(package, "v2", pipeline_id="0"),
            400,
            "Failed to create a pipeline version",
        ),
    ):
        with pytest.raises(ApiException) as refused:
            upload()
        assert refused.value.status == status
        assert json.loads(refused.value.body)["error_message"] == said
    assert len(kfp.versions) == 1


def test_malformed_yaml_is_never_answered(kfp: Kfp, tmp_path: Path) -> None:
    import urllib3

    file = tmp_path / "bad.yaml"
    file.write_text("a: [1\n")
    with pytest.raises((TimeoutError, urllib3.exceptions.HTTPError)):
        client(kfp)._upload_api.upload_pipeline(str(file), name="bad", _request_timeout=(0.5, 0.5))


def test_lists_are_paged_sorted_and_filtered() -> None:
    with serve(execute=False, page_limit=7) as kfp:
        kfp.made_runs(20, many_tasks(1))
        one, names, token = client(kfp), [], ""
        while True:
            got = one.list_runs(page_token=token, page_size=50, sort_by="created_at desc")
            assert got.total_size == 20
            names += [run.display_name for run in got.runs]
            token = got.next_page_token
            if not token:
                break
        assert names == [f"run {number}" for number in range(20, 0, -1)]
        some = json.dumps(
            {"predicates": [{"operation": "IS_SUBSTRING", "key": "display_name", "stringValue": "RUN 1"}]}
        )
        assert one.list_runs(filter=some).total_size == 11
        both = json.dumps(
            {
                "predicates": [
                    {"operation": "IN", "key": "state", "string_values": {"values": ["FAILED", "SUCCEEDED"]}},
                    {"operation": "NOT_EQUALS", "key": "name", "string_value": "run 1"},
                    {"operation": "LESS_THAN", "key": "created_at", "timestamp_value": "2000-01-01T00:00:00Z"},
                ]
            }
        )
        assert one.list_runs(filter=both).runs is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"page_token": "nonsense!"}, "Invalid page token"),
        ({"page_size": -1}, "The page size should be greater than 0. Got -1"),
        ({"sort_by": "created_at down"}, "Received invalid sort by format"),
        ({"sort_by": "shoe_size"}, 'Invalid sorting field: "shoe_size"'),
        ({"filter": "{"}, "failed to parse valid filter from"),
        ({"filter": '{"predicates":[{"operation":1,"key":"shoe","stringValue":"a"}]}'}, 'unrecognized field "shoe"'),
        ({"filter": '{"predicates":[{"operation":1,"key":"name","text":"a"}]}'}, 'unknown field "text"'),
        (
            {"filter": '{"predicates":[{"operation":7,"key":"name","stringValue":"a"}]}'},
            "cannot use IN operator with scalar type",
        ),
    ],
)
def test_lists_that_are_refused(options: dict[str, Any], said: str) -> None:
    with serve(execute=False) as kfp:
        with pytest.raises(ApiException) as refused:
            client(kfp).list_runs(**options)
        assert refused.value.status == 400
        assert said in json.loads(refused.value.body)["message"]


def test_a_token_goes_with_its_own_order_alone() -> None:
    with serve(execute=False) as kfp:
        kfp.made_runs(3, many_tasks(1))
        token = client(kfp).list_runs(page_size=1, sort_by="name").next_page_token
        assert client(kfp).list_runs(page_token=token, page_size=1).runs[0].display_name == "run 2"
        with pytest.raises(ApiException) as refused:
            client(kfp).list_runs(page_token=token, sort_by="created_at")
        assert "page token does not match" in refused.value.body


def test_a_recurring_run(kfp: Kfp, package: str) -> None:
    one = client(kfp)
    made = one.create_recurring_run(
        kfp.default_experiment,
        "hourly",
        pipeline_package_path=package,
        interval_second=3600,
        max_concurrency=1,
        params={"who": "it"},
        no_catchup=True,
    )
    assert (made.mode, made.no_catchup, made.max_concurrency) == ("ENABLE", True, "1")
    first = kfp.fire(made.recurring_run_id)
    assert first is not None
    assert kfp.fire(made.recurring_run_id) is None  # one is still going on
    kfp.wait(first.id)
    assert one.get_run(first.id).recurring_run_id == made.recurring_run_id
    one.disable_recurring_run(made.recurring_run_id)
    assert one.get_recurring_run(made.recurring_run_id).status == "DISABLED"
    assert kfp.fire(made.recurring_run_id) is None
    one.enable_recurring_run(made.recurring_run_id)
    assert one.list_recurring_runs().recurring_runs[0].status == "ENABLED"
    one.delete_recurring_run(made.recurring_run_id)
    with pytest.raises(ApiException) as refused:
        one.get_recurring_run(made.recurring_run_id)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cron_expression": "not a cron"}, "Schedule cron is not a supported format"),
        ({"cron_expression": "0 99 * * * *"}, "End of range (99) above maximum (59)"),
        ({"interval_second": 60, "max_concurrency": 11}, "at least 1 and at most 10. Received 11"),
        ({"interval_second": 60, "params": {"nope": 1}}, "are not required by pipeline: nope"),
    ],
)
def test_recurring_runs_that_are_refused(kfp: Kfp, package: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ApiException) as refused:
        client(kfp).create_recurring_run(kfp.default_experiment, "x", pipeline_package_path=package, **options)
    assert refused.value.status == 400
    assert said in json.loads(refused.value.body)["message"]


def test_archived_runs_and_experiments(kfp: Kfp) -> None:
    kfp.execute = False
    (run,) = kfp.made_runs(1, many_tasks(1))
    one = client(kfp)
    one.archive_experiment(run.experiment)
    assert one.get_run(run.id).storage_state == "ARCHIVED"
    with pytest.raises(ApiException) as refused:
        one.unarchive_run(run.id)
    assert (refused.value.status, json.loads(refused.value.body)["code"]) == (400, 9)
    one.unarchive_experiment(run.experiment)
    one.unarchive_run(run.id)
    assert one.get_run(run.id).storage_state == "AVAILABLE"
    one.delete_run(run.id)
    with pytest.raises(ApiException) as gone:
        one.get_run(run.id)
    assert json.loads(gone.value.body)["message"] == (
        f"Failed to get a run: Failed to fetch run {run.id}: ResourceNotFoundError: Run {run.id} not found"
    )


def test_a_token_is_needed() -> None:
    with serve(auth="token", execute=False) as kfp:
        with pytest.raises(ApiException) as refused:
            client(kfp, namespace="x").list_runs()
        assert (refused.value.status, json.loads(refused.value.body)["code"]) == (401, 16)
        assert client(kfp, existing_token=TOKEN, namespace="x").list_runs().runs is None


def test_who_has_no_cookie_is_sent_to_log_in() -> None:
    with serve(auth="dex", execute=False) as kfp:
        with pytest.raises((ValueError, ApiException, AttributeError)):
            client(kfp, namespace="x").list_runs().runs.pop()
        assert [one.status for one in kfp.asked()][:2] == [302, 200]
        assert client(kfp, cookies=f"authservice_session={TOKEN}", namespace="x").list_runs().runs is None


def test_users_have_namespaces() -> None:
    with serve(auth="token", multi_user=True, execute=False) as kfp:
        one = client(kfp, existing_token=TOKEN, namespace="team-a")
        experiment = one.create_experiment("mine", namespace="team-a")
        assert experiment.namespace == "team-a"
        with pytest.raises(ApiException) as other:
            one.create_experiment("theirs", namespace="team-b")
        assert (other.value.status, "not authorized" in other.value.body) == (403, True)
        for call in (
            lambda: one._run_api.run_service_list_runs(),
            lambda: one._experiment_api.experiment_service_list_experiments(),
        ):
            with pytest.raises(ApiException) as none:
                call()
            assert (none.value.status, "empty namespace in multi-user mode" in none.value.body) == (400, True)
        with pytest.raises(ApiException) as nowhere:
            one._run_api.run_service_create_run(run={"display_name": "a", "pipeline_spec": {}})
        assert "Experiment id can not be empty in multi-user mode" in nowhere.value.body


def test_a_version_may_be_told_and_requests_are_counted() -> None:
    with serve(version_tag="2.4.0", execute=False, slow=0.05) as kfp:
        one = client(kfp)
        assert ask(kfp, "GET", "/apis/v2beta1/healthz")[1]["tag_name"] == "2.4.0"
        before = len(kfp.requests)
        for _ in range(3):
            one.list_runs()
        assert len(kfp.requests) == before + 3
        assert kfp.most("GET /apis/v2beta1/runs", 5) == 3
        assert kfp.most("GET /apis/v2beta1/runs", 0.04) == 1
        assert kfp.counts()["GET /apis/v2beta1/runs"] == 3
        assert kfp.bytes_sent > 0
