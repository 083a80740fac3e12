"""Steps and imports as components and tasks: what they take in, what they hand on, in which order they run."""

from __future__ import annotations

from typing import Any

import pytest

from kade2kfp.lowering.text import CannotLowerError
from kade2kfp.steps.model import Import, PlanParameter
from kade2kfp.steps.parts import ArtifactInput, ArtifactOutput, EnvValue, Metrics, ParameterOutput, Resources, Retry
from kade2kfp.steps.sources import Collect, Item, Output, Param, RunInfo

from .plans import TEXT, by_artifact, component, container, ir, step, task, words


def test_names_stay_as_they_are() -> None:
    spec, _ = ir(step("train"), step("train-2"), step("t-7"), Import("d", "data", "Data", ("s3://b/x",)))
    assert set(spec["components"]) == {"comp-train", "comp-train-2", "comp-t-7", "comp-data"}
    assert set(spec["deploymentSpec"]["executors"]) == {"exec-train", "exec-train-2", "exec-t-7", "exec-data"}
    assert set(spec["root"]["dag"]["tasks"]) == {"train", "train-2", "t-7", "data"}
    for name in spec["root"]["dag"]["tasks"]:
        assert task(name, spec)["componentRef"]["name"] == f"comp-{name}"
        assert component(name, spec)["executorLabel"] == f"exec-{name}"


def test_a_command_is_the_users_own_where_it_can_be() -> None:
    spec, _ = ir(step("a", "python", "-c", "print('$HOME')"))
    assert container("a", spec) == {"image": "img:1", "command": ["python"], "args": ["-c", "print('$HOME')"]}


@pytest.mark.parametrize("type_", ["Artifact", "Dataset", "Model", "Metrics", "HTML", "Markdown"])
def test_an_artifact_goes_from_one_step_to_the_next(type_: Any) -> None:
    spec, _ = ir(
        step("make", outputs=(ArtifactOutput("a", "/out", "directory", type_),)),
        step("use", inputs=(ArtifactInput("b", "make", "a", "/in", "directory", type_),)),
    )
    schema = {"artifactType": {"schemaTitle": f"system.{type_}", "schemaVersion": "0.0.1"}}
    assert component("make", spec)["outputDefinitions"] == {"artifacts": {"a": schema}}
    assert component("use", spec)["inputDefinitions"] == {"artifacts": {"b": schema}}
    assert task("use", spec)["inputs"]["artifacts"]["b"] == {
        "taskOutputArtifact": {"producerTask": "make", "outputArtifactKey": "a"}
    }
    assert task("use", spec)["dependentTasks"] == ["make"]
    assert "{{$.outputs.artifacts['a'].path}}" in words("make", spec)
    assert "{{$.inputs.artifacts['b'].path}}" in words("use", spec)


def test_an_arrow_may_point_at_a_step_that_stands_earlier() -> None:
    make, use = by_artifact()
    assert ir(use, make)[0] == ir(make, use)[0]


@pytest.mark.parametrize(
    ("type_", "kfp"),
    [
        ("string", "STRING"),
        ("integer", "NUMBER_INTEGER"),
        ("number", "NUMBER_DOUBLE"),
        ("boolean", "BOOLEAN"),
        ("array", "LIST"),
        ("object", "STRUCT"),
    ],
)
def test_values_keep_their_types(type_: Any, kfp: str) -> None:
    spec, _ = ir(
        step("make", ("x=", Param("p", type_)), parameters=(ParameterOutput("v", "/v", type_),)),
        step("use", (Output("make", "v", type_),)),
        parameters=(PlanParameter("p", type_, required=True),),
    )
    assert spec["root"]["inputDefinitions"]["parameters"]["p"] == {"parameterType": kfp}
    assert component("make", spec)["inputDefinitions"]["parameters"] == {"p": {"parameterType": kfp}}
    assert component("make", spec)["outputDefinitions"]["parameters"] == {"v": {"parameterType": kfp}}
    assert task("make", spec)["inputs"]["parameters"] == {"p": {"componentInputParameter": "p"}}
    assert task("use", spec)["inputs"]["parameters"] == {
        "make-v": {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "v"}}
    }
    assert words("use", spec) == ["{{$.inputs.parameters['make-v']}}"]
    assert words("make", spec)[-1] == "x={{$.inputs.parameters['p']}}"


def test_one_source_is_one_input_however_often_it_is_used() -> None:
    text = (Param("text", "string"), "-", "x")
    spec, _ = ir(step("a", text, text, env=(EnvValue("E", text),)), parameters=(TEXT,))
    assert set(component("a", spec)["inputDefinitions"]["parameters"]) == {"text"}
    assert words("a", spec).count("{{$.inputs.parameters['text']}}-x") == 2
    assert "E={{$.inputs.parameters['text']}}-x" in words("a", spec)
    assert "env" not in container("a", spec)


def test_what_is_known_of_the_run_comes_as_an_input_of_its_own() -> None:
    spec, _ = ir(step("a", ("id is ", RunInfo("id")), (RunInfo("name"),)))
    assert task("a", spec)["inputs"]["parameters"] == {
        "run-id": {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}},
        "run-name": {"runtimeValue": {"constant": "{{$.pipeline_job_name}}"}},
    }
    assert words("a", spec) == ["id is {{$.inputs.parameters['run-id']}}", "{{$.inputs.parameters['run-name']}}"]


def test_inputs_of_one_name_are_told_apart() -> None:
    names = ("run-id", "base_image", "cpu_limit", "cache-key", "make-v", "b")
    parameters = tuple(PlanParameter(name, "string", required=True) for name in names)
    spec, _ = ir(
        step("make", parameters=(ParameterOutput("v", "/v", "string"),), outputs=(ArtifactOutput("b", "/b", "file"),)),
        step(
            "use",
            (Output("make", "v", "string"),),
            (RunInfo("id"),),
            *((Param(name, "string"),) for name in names),
            inputs=(ArtifactInput("b", "make", "b", "/b", "file"),),
            cache_key="digest",
            image=(Param("base_image", "string"),),
            resources=Resources(cpu_limit=(Param("cpu_limit", "string"),)),
        ),
        parameters=parameters,
    )
    inputs = task("use", spec)["inputs"]["parameters"]
    used = words("use", spec)[-8:]
    assert [inputs[word.split("'")[1]] for word in used] == [
        {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "v"}},
        {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}},
        *({"componentInputParameter": name} for name in names),
    ]
    assert {"runtimeValue": {"constant": "digest"}} in inputs.values()
    declared = component("use", spec)["inputDefinitions"]
    assert not set(declared["parameters"]) & set(declared["artifacts"])
    (artifact,) = declared["artifacts"]
    assert f"{{{{$.inputs.artifacts['{artifact}'].path}}}}" in words("use", spec)


def test_metrics_are_an_artifact_and_a_number_for_each_key_that_is_used() -> None:
    spec, _ = ir(
        step("train", metrics=Metrics("/m.json", ("acc", "val loss/最", "val.loss/最", "0"))),
        step("use", *((Output("train", f"metric-{key}", "number"),) for key in ("val loss/最", "val.loss/最", "0"))),
    )
    outputs = component("train", spec)["outputDefinitions"]
    assert outputs["artifacts"]["metrics"]["artifactType"]["schemaTitle"] == "system.Metrics"
    assert set(outputs["parameters"]) == {"metric-acc", "metric-val-loss", "metric-val-loss-2", "metric-0"}
    assert {fields["parameterType"] for fields in outputs["parameters"].values()} == {"NUMBER_DOUBLE"}
    given = words("train", spec)
    read = task("use", spec)["inputs"]["parameters"].values()
    keys = [one["taskOutputParameter"]["outputParameterKey"] for one in read]
    assert sorted(keys) == ["metric-0", "metric-val-loss", "metric-val-loss-2"]
    for key, name in (("val loss/最", "metric-val-loss"), ("val.loss/最", "metric-val-loss-2")):
        at = given.index(key)
        assert given[at - 2 : at] == [f"{{{{$.outputs.parameters['{name}'].output_file}}}}", "k"]


def test_outputs_of_one_name_are_told_apart() -> None:
    spec, _ = ir(
        step(
            "a",
            parameters=tuple(ParameterOutput(name, f"/{name}", "string") for name in ("metrics", "m", "executor-logs")),
            outputs=(ArtifactOutput("m", "/a", "file"),),
            metrics=Metrics("/metrics.json"),
        ),
        step("b", (Output("a", "metrics", "string"),), inputs=(ArtifactInput("m", "a", "m", "/m", "file"),)),
    )
    outputs = component("a", spec)["outputDefinitions"]
    assert set(outputs["artifacts"]) == {"metrics", "m-2"}
    assert set(outputs["parameters"]) == {"metrics-2", "m", "executor-logs-2"}
    read = task("b", spec)["inputs"]
    assert read["artifacts"]["m"]["taskOutputArtifact"]["outputArtifactKey"] == "m-2"
    assert read["parameters"]["a-metrics"]["taskOutputParameter"]["outputParameterKey"] == "metrics-2"


def test_a_metrics_artifact_can_be_handed_on() -> None:
    spec, _ = ir(
        step("train", metrics=Metrics("/m.json")),
        step("select", inputs=(ArtifactInput("m", "train", "metrics", "/m.json", "file", "Metrics"),)),
    )
    assert task("select", spec)["inputs"]["artifacts"]["m"]["taskOutputArtifact"]["outputArtifactKey"] == "metrics"


def test_order_without_data() -> None:
    spec, _ = ir(step("b", after=("a", "c")), step("a"), step("c"))
    assert task("b", spec)["dependentTasks"] == ["a", "c"]


def test_cache() -> None:
    spec, _ = ir(step("off"), step("on", cache_key=""), step("keyed", cache_key="sha256:1"))
    assert [task(name, spec)["cachingOptions"] for name in ("off", "on", "keyed")] == [
        {},
        {"enableCache": True},
        {"enableCache": True},
    ]
    assert task("keyed", spec)["inputs"]["parameters"]["cache-key"] == {"runtimeValue": {"constant": "sha256:1"}}
    assert component("keyed", spec)["inputDefinitions"]["parameters"]["cache-key"] == {"parameterType": "STRING"}
    assert "inputs" not in task("on", spec)


def test_equal_containers_with_different_inputs_or_outputs_are_told_apart() -> None:
    # KFP keeps a component's inputs and outputs under a hash of the container.
    spec, _ = ir(step("a"), step("b"), step("c", cache_key="x"), step("d", cache_key="x"), step("e", cache_key="y"))
    assert container("a", spec) == container("b", spec)
    assert container("c", spec)["env"] == [{"name": "KADE2KFP_STEP", "value": "c"}]
    assert container("d", spec)["env"] == [{"name": "KADE2KFP_STEP", "value": "d"}]
    hashed: dict[str, Any] = {}
    for name in "abcde":
        surface = {key: value for key, value in component(name, spec).items() if key != "executorLabel"}
        assert hashed.setdefault(repr(container(name, spec)), surface) == surface


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        (("s3://bucket/x y",), {"constant": "s3://bucket/x y"}),
        ((Param("text", "string"),), {"runtimeParameter": "uri"}),
    ],
)
def test_an_import(uri: Any, kind: Any) -> None:
    spec, _ = ir(
        Import("d", "data", "Data", uri, "Dataset"),
        step("use", inputs=(ArtifactInput("d", "data", "artifact", "/in", "directory", "Dataset"),)),
        parameters=(TEXT,),
    )
    importer = spec["deploymentSpec"]["executors"]["exec-data"]["importer"]
    assert importer["artifactUri"] == kind
    assert importer["typeSchema"]["schemaTitle"] == "system.Dataset"
    assert "reimport" not in importer
    assert task("use", spec)["inputs"]["artifacts"]["d"]["taskOutputArtifact"] == {
        "producerTask": "data",
        "outputArtifactKey": "artifact",
    }
    # The importer enters itself under this name, and its consumers look for the task's.
    assert task("data", spec)["taskInfo"]["name"] == "data"


def test_a_retry_in_the_pod_is_the_scripts_and_one_in_a_new_pod_is_kfps() -> None:
    spec, _ = ir(step("exit", retry=Retry(2, 5)), step("pod", retry=Retry(3, 0.5, 3, 90, on="pod")))
    assert words("exit", spec)[4:6] == ["t", "2 5 2 3600"]
    assert "retryPolicy" not in task("exit", spec)
    assert task("pod", spec)["retryPolicy"] == {
        "maxRetryCount": 3,
        "backoffDuration": "1s",
        "backoffFactor": 3.0,
        "backoffMaxDuration": "31536000s",
    }
    assert words("pod", spec) == ["true"]


@pytest.mark.parametrize("source", [Item(None, "string"), Collect(Output("a", "v", "string")), RunInfo("status")])
def test_what_is_not_carried_yet_is_never_dropped(source: Any) -> None:
    with pytest.raises(CannotLowerError, match="not carried"):
        ir(step("a", (source,)))


@pytest.mark.parametrize(
    "fields",
    [
        {"image": ("img:", Param("text", "string"))},
        {"image": (Param("text", "string"), Param("text", "string"))},
        {"resources": Resources(cpu_limit=(Param("text", "string"), "m"))},
        {"image": ("{{workflow.name}}",)},
        {"image": (RunInfo("id"),)},
        {"resources": Resources(cpu_limit=(RunInfo("id"),))},
        {"resources": Resources(cpu_limit=("many",))},
        {"resources": Resources(accelerator="a/b", accelerator_count=("0.5",))},
        {"image": ("{{channel:task=;name=text;type=String;}}",)},
        {"resources": Resources(memory_limit=("$(X)",))},
        {"labels": (("a", "{{x}}"),)},
        {"annotations": (("a", "$$"),)},
    ],
)
def test_what_kfp_would_change_silently_is_refused(fields: Any) -> None:
    with pytest.raises(CannotLowerError):
        ir(step("a", **fields), parameters=(TEXT,))


def test_an_output_that_nobody_writes_is_refused() -> None:
    with pytest.raises(CannotLowerError, match="no step writes"):
        ir(step("a"), step("b", (Output("a", "v", "string"),)))


@pytest.mark.parametrize("name", ["a--b", "A", "a_b", "a-", "a.b"])
def test_a_name_that_kfp_would_change_is_refused(name: str) -> None:
    with pytest.raises(CannotLowerError, match="would call"):
        ir(step(name))
    with pytest.raises(CannotLowerError, match="would call"):
        ir(step("a"), name=name)


def test_two_steps_of_one_name_are_refused() -> None:
    with pytest.raises(CannotLowerError, match="would call 'a' 'a-2'"):
        ir(step("a"), step("a"))
