"""The machine brings values and artifacts to a step and takes them away as KFP 2.17's driver and launcher do."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.components import compiled, make, say, shell, show, show_number, use
from ir.expand import RUN_ID
from ir.machine import Outcome, execute
from ir.pod import main_of
from ir.texts import from_text, plain, short, to_json


def run(folder: Path, function: Callable[..., Any], **more: Any) -> Outcome:
    return execute(compiled(function), folder, **more)


@pytest.mark.parametrize(
    ("sent", "static", "run_time"),
    [
        ("$$$$", "$", "$"),
        ("a$b $", "a$b $", "a$b $"),
        ("$(KFP_POD_NAME)", "the-driver", None),
        ("$(NOBODY) $()", "$(NOBODY) $()", "$(NOBODY) $()"),
        ("{{workflow.uid}}", RUN_ID, RUN_ID),
        ("{{ workflow.name }}", "a-run-x7x7x", "a-run-x7x7x"),
        ("{{users}}", "{{users}}", "{{users}}"),
    ],
)
def test_a_text_is_expanded_by_the_driver_s_pod_and_by_the_step_s(
    folder: Path, sent: str, static: str, run_time: str | None
) -> None:
    def flow(x: str):
        show(x=sent)
        show(x=x)

    logs = run(folder, flow, parameters={"x": sent}).logs
    assert logs["show"] == static
    if run_time is None:  # a run's parameter is an argument of the DAG's driver, which does not know its pod's name
        assert logs["show-2"].startswith("a-run-x7x7x-system-container-impl-")
    else:
        assert logs["show-2"] == run_time


def test_what_a_step_puts_out_is_expanded_once(folder: Path) -> None:
    def flow():
        show(x=say(x="$$$$$$$$").outputs["o"])
        show(x=say(x="workflow.name").outputs["o"])

    def braces(spec: Any, _: Any) -> None:
        command = spec["deploymentSpec"]["executors"]["exec-say-2"]["container"]["command"]
        command[2] = 'printf "{""{%s}""}" "$1" > "$2"'

    done = execute(compiled(flow, braces), folder)
    assert done.tasks["say"].parameters == {"o": "$$"}
    assert done.logs["show"] == "$"
    assert done.tasks["say-2"].parameters == {"o": "{{workflow.name}}"}
    assert done.logs["show-2"] == "a-run-x7x7x"


@pytest.mark.parametrize(
    "text", ["{{pod.name}}", "{{inputs.parameters.x}}", "{{=1+1}}", "{{workflow.status}}", "{{item}}"]
)
def test_what_argo_would_take_for_its_own_is_refused(folder: Path, text: str) -> None:
    def flow():
        show(x=text)

    with pytest.raises(AssertionError, match="Argo would take"):
        run(folder, flow)


def test_runtime_placeholders_hold_where_they_are_a_whole_value(folder: Path) -> None:
    def flow():
        show(x="{{$.pipeline_job_uuid}}")
        show(x="id {{$.pipeline_job_uuid}}")
        show(x="{{$.pipeline_task_name}}")

    logs = run(folder, flow).logs
    assert logs == {"show": RUN_ID, "show-2": "id {{$.pipeline_job_uuid}}", "show-3": "show-3"}


def test_numbers_have_the_texts_that_go_gives_them(folder: Path) -> None:
    def flow(n: float):
        show_number(x=n)

    assert run(folder, flow, parameters={"n": 1234567.5}).logs["show-number"] == "1.2345675e+06"
    texts = [
        (3.0, "3"),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (123456.5, "123456.5"),
        (-2.5e-5, "-2.5e-05"),
        (1e15, "1" + "0" * 15),
    ]
    assert [short(number) for number, _ in texts] == [text for _, text in texts]
    assert plain(1.5e-7) == "0.00000015"
    assert to_json({"b": [1.0, True, None], "a": "<é>"}) == '{"a":"\\u003cé\\u003e","b":[1,true,null]}'
    assert from_text(" 7\n", "NUMBER_INTEGER") == 7


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("7.0", "NUMBER_INTEGER", "no integer"),
        ("yes", "BOOLEAN", "no boolean"),
        ("{}", "LIST", "no LIST"),
        ("[1", "LIST", "delimiter"),
        ("", "NUMBER_DOUBLE", "could not convert"),
    ],
)
def test_a_text_that_is_no_value_of_its_type(text: str, kind: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        from_text(text, kind)


def test_a_default_of_a_component_reaches_only_words_that_the_launcher_fills(folder: Path) -> None:
    def change(spec: Any, _: Any) -> None:
        for name in ("say", "show"):
            definition = spec["components"][f"comp-{name}"]["inputDefinitions"]["parameters"]["x"]
            definition |= {"defaultValue": "a default", "isOptional": True}
            del spec["root"]["dag"]["tasks"][name]["inputs"]
        command = "printf '%s' \"{{$.inputs.parameters['x']}}\" > \"{{$.outputs.parameters['o'].output_file}}\""
        spec["deploymentSpec"]["executors"]["exec-say"]["container"] = {"image": "a", "command": ["sh", "-c", command]}

    def flow():
        say(x="1")
        show(x="2")

    done = execute(compiled(flow, change), folder)
    assert done.tasks["say"].parameters == {"o": "a default"}
    assert "not found in executor input" in done.logs["show"]
    assert done.pods[0][0] == "say"
    assert len(done.pods) == 1


def test_artifacts_travel_as_files_alone(folder: Path) -> None:
    script = (
        'mkdir -p "$1/empty" "$1/deep"; echo run > "$1/deep/tool"; chmod 700 "$1/deep/tool"; ln -s deep/tool "$1/link"'
    )

    def flow():
        data = make(script=script).outputs["data"]
        use(script='cd "$1"; find . | sort; stat -c %a deep/tool link', data=data)

    for user in (0, 1000):
        done = run(folder / str(user), flow, user=user)
        assert done.logs["use"].split() == [".", "./deep", "./deep/tool", "./link", "666", "666"], done.logs
        assert sorted(path.name for path in done.artifact("make", "data").iterdir()) == ["deep", "link"]


@pytest.mark.parametrize(
    ("script", "state", "why"),
    [
        ("true", "succeeded", ""),
        ('mkdir "$1"; ln -s /nowhere "$1/x"', "succeeded", ""),
        ('mkdir "$1" /tmp/x; ln -s /tmp/x "$1/x"', "failed", "is a directory"),
        ('ln -s /tmp/x "$1"; mkdir /tmp/x; echo 1 > /tmp/x/y', "succeeded", ""),
    ],
)
def test_what_the_launcher_makes_of_an_artifact(folder: Path, script: str, state: str, why: str) -> None:
    def flow():
        make(script=script)

    done = run(folder, flow)
    assert done.state == state
    assert why in done.logs["make"]
    assert done.codes["make"] == 0


def test_an_output_parameter_must_be_written_and_of_its_type(folder: Path) -> None:
    def change(text: str) -> Callable[[Any, Any], None]:
        def changed(spec: Any, _: Any) -> None:
            spec["components"]["comp-say"]["outputDefinitions"]["parameters"]["o"]["parameterType"] = "NUMBER_INTEGER"
            command = ["sh", "-c", text, "sh", "{{$.outputs.parameters['o'].output_file}}"]
            spec["deploymentSpec"]["executors"]["exec-say"]["container"]["command"] = command

        return changed

    def flow():
        say(x="1")

    assert execute(compiled(flow, change("echo 7 > $1")), folder / "a").tasks["say"].parameters == {"o": 7}
    for number, script in enumerate(("echo seven > $1", "true", "echo 7.5 > $1")):
        done = execute(compiled(flow, change(script)), folder / str(number))
        assert (done.state, done.codes, done.tasks["say"].parameters) == ("failed", {"say": 0}, {})
        assert "failed to read output parameter name='o'" in done.logs["say"]


def test_metadata_that_a_step_writes_is_recorded(folder: Path) -> None:
    script = (
        'echo {} > "$1"; cat > "$(dirname "$1")/output_metadata.json" <<E\n'
        '{"artifacts":{"data":{"artifacts":[{"name":"","uri":"","metadata":{"acc":0.5}}]}}}\nE'
    )

    def flow():
        make(script=script)

    done = run(folder, flow)
    assert done.tasks["make"].metadata["data"] == {"acc": 0.5}, done.logs
    assert done.artifact("make", "data").read_text() == "{}\n"

    def broken():
        make(script='echo [ > "$(dirname "$1")/output_metadata.json"')

    failed = run(folder / "broken", broken)
    assert failed.state == "failed"
    assert "failed to unmarshall ExecutorOutput" in failed.logs["make"]


@pytest.mark.parametrize("uri", ["s3://models/a", "{{workflow.uid}}", "https://example.org/a", ""])
def test_importers(folder: Path, uri: str) -> None:
    (folder / "bucket/models").mkdir(parents=True)
    (folder / "bucket/models/a").write_text("imported")

    def flow(uri: str):
        use(script='cat "$1"; printf "$1"', data=dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset).output)

    done = run(folder, flow, parameters={"uri": uri})
    if uri == "s3://models/a":
        assert done.logs["use"] == "imported/s3/models/a"
        assert done.tasks["importer"].artifacts["artifact"] == folder / "bucket/models/a"
    else:
        assert done.states() == {"importer": "failed", "use": "not-run"}


def test_the_workspace_is_one_folder_of_the_run_where_an_input_names_it(folder: Path) -> None:
    def flow():
        first = shell(script="to be changed")
        shell(script="cat /kfp-workspace/x").after(first)
        shell(script="ls -d /kfp-w*").after(first)

    def workspace(spec: Any, _: Any) -> None:
        names = spec["deploymentSpec"]["executors"]
        names["exec-shell-3"]["container"]["command"] = ["sh", "-c", "ls {{$.workspace_path}}"]
        tasks = spec["root"]["dag"]["tasks"]
        # The SDK refuses its placeholder where no workspace is configured.
        for name, script in (("shell", "echo here > {{$.workspace_path}}/x"), ("shell-3", "no")):
            tasks[name]["inputs"]["parameters"]["script"]["runtimeValue"]["constant"] = script

    text = compiled(flow, workspace)
    with pytest.raises(AssertionError, match="the pipeline has no workspace"):
        execute(text, folder / "none")
    with_one = text.replace("deploymentSpec:\n      executors: {}", "pipelineConfig: {workspace: {size: 1Gi}}")
    done = execute(with_one, folder / "one")
    assert done.logs["shell-2"] == "here\n"
    assert "/kfp-workspace" not in [
        mount["mountPath"] for mount in main_of(done.tasks["shell-3"].pod or {})["volumeMounts"]
    ]


def test_an_importer_takes_no_uri_that_a_task_has_put_out(folder: Path) -> None:
    def flow():
        uri = say(x="s3://models/a").outputs["o"]
        dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset)

    done = run(folder, flow)
    assert done.states() == {"say": "succeeded", "importer": "failed"}


def test_an_importer_may_put_the_artifact_into_the_workspace(folder: Path) -> None:
    (folder / "bucket/models").mkdir(parents=True)
    (folder / "bucket/models/a").write_text("imported")

    def flow():
        made = dsl.importer(artifact_uri="s3://models/a", artifact_class=dsl.Dataset)
        use(script='cat "$1"; printf "$1"', data=made.output)

    def change(spec: Any, _: Any) -> None:
        spec["deploymentSpec"]["executors"]["exec-importer"]["importer"]["downloadToWorkspace"] = True

    text = compiled(flow, change).replace(
        "deploymentSpec:\n      executors: {}", "pipelineConfig: {workspace: {size: 1Gi}}"
    )
    assert execute(text, folder).logs["use"] == "imported/kfp-workspace/.artifacts/s3/models/a"
