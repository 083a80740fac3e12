"""What a step's pod looks like besides its command."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kade2kfp.steps.model import Choice, Node, PlanParameter
from kade2kfp.steps.parts import (
    Branch,
    Comparison,
    EnvFrom,
    EnvValue,
    ParameterOutput,
    Resources,
    Scheduling,
    SecretMount,
    Security,
)
from kade2kfp.steps.sources import Output, Param, RunInfo

from .plans import TEXT, component, container, ir, pod, step, task

PARAM = (Param("text", "string"),)
FROM_PARAM = {"componentInputParameter": "text"}


def resources(**fields: Any) -> Any:
    return container("a", ir(step("a", resources=Resources(**fields)))[0])["resources"]


def test_plain_variables() -> None:
    spec, _ = ir(step("a", env=(EnvValue("A", ("1",)), EnvValue("B", ()), EnvValue("C", ("한", "\n")))))
    assert container("a", spec)["env"] == [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "C", "value": "한\n"}]


@pytest.mark.parametrize(("source", "key"), [("secret", "secret"), ("configMap", "configMap")])
@pytest.mark.parametrize("optional", [True, False])
def test_variables_from_secrets_and_config_maps(source: Any, key: str, optional: bool) -> None:
    of = pod(
        "a",
        step("a", env=(EnvFrom("A", source, ("s",), "k", optional), EnvFrom("B", source, PARAM, "k"))),
        parameters=(TEXT,),
    )
    first, second = of[f"{key}AsEnv"]
    assert first["keyToEnv"] == [{f"{key}Key": "k", "envVar": "A"}]
    assert first[f"{key}NameParameter"] == {"runtimeValue": {"constant": "s"}}
    assert first["optional"] is optional
    assert second["keyToEnv"] == [{f"{key}Key": "k", "envVar": "B"}]
    assert second[f"{key}NameParameter"] == FROM_PARAM


def test_variables_from_fields_of_the_pod() -> None:
    of = pod("a", step("a", env=(EnvFrom("NODE", "field", (), "spec.nodeName"),)))
    assert of["fieldPathAsEnv"] == [{"name": "NODE", "fieldPath": "spec.nodeName"}]


@pytest.mark.parametrize(
    ("given", "text", "number"),
    [("500m", "500m", 0.5), ("0.5", "0.5", 0.5), ("1e1", "10", 10.0), ("100u", "1m", 0.001)],
)
def test_processors_survive(given: str, text: str, number: float) -> None:
    assert resources(cpu_request=(given,)) == {"resourceCpuRequest": text, "cpuRequest": number}
    assert resources(cpu_limit=(given,)) == {"resourceCpuLimit": text, "cpuLimit": number}


@pytest.mark.parametrize(("given", "text"), [("1.5Gi", "1536Mi"), ("1G", "1G"), ("1k", "1000"), ("0.5", "1")])
def test_bytes_survive(given: str, text: str) -> None:
    assert resources(memory_request=(given,))["resourceMemoryRequest"] == text
    assert resources(memory_limit=(given,))["resourceMemoryLimit"] == text


def test_accelerators() -> None:
    of = resources(accelerator="nvidia.com/gpu", accelerator_count=("2",))
    assert of["accelerator"] == {
        "count": "2",
        "resourceCount": "2",
        "type": "nvidia.com/gpu",
        "resourceType": "nvidia.com/gpu",
    }


@pytest.mark.parametrize("type_", ["string", "integer", "number"])
@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("cpu_request", "resourceCpuRequest"),
        ("cpu_limit", "resourceCpuLimit"),
        ("memory_request", "resourceMemoryRequest"),
        ("memory_limit", "resourceMemoryLimit"),
    ],
)
def test_resources_known_at_run_time_reach_kfp_as_strings(type_: Any, field: str, key: str) -> None:
    spec, _ = ir(
        step("a", resources=Resources(**{field: (Param("p", type_),)})),
        parameters=(PlanParameter("p", type_, required=True),),
    )
    assert container("a", spec)["resources"] == {key: "{{$.inputs.parameters['pipelinechannel--p']}}"}
    assert task("a", spec)["inputs"]["parameters"]["pipelinechannel--p"] == {"componentInputParameter": "p"}
    # The driver reads strings only, and makes them of what the component declares as such.
    declared = component("a", spec).get("inputDefinitions", {}).get("parameters", {})
    assert declared == ({} if type_ == "string" else {"pipelinechannel--p": {"parameterType": "STRING"}})


def test_a_count_known_at_run_time() -> None:
    spec, _ = ir(
        step("a", resources=Resources(accelerator="amd.com/gpu", accelerator_count=(Param("n", "integer"),))),
        parameters=(PlanParameter("n", "integer", required=False, default=1),),
    )
    assert container("a", spec)["resources"]["accelerator"] == {
        "resourceCount": "{{$.inputs.parameters['pipelinechannel--n']}}",
        "resourceType": "amd.com/gpu",
        "type": "amd.com/gpu",
    }
    assert component("a", spec)["inputDefinitions"]["parameters"]["pipelinechannel--n"] == {"parameterType": "STRING"}


def test_a_step_waits_for_what_its_pod_is_made_from() -> None:
    value = (Output("make", "v", "string"),)
    spec, of = ir(
        step("make", parameters=(ParameterOutput("v", "/v", "string"),)),
        step("image", image=value),
        step("memory", resources=Resources(memory_limit=value)),
        step("secret", env=(EnvFrom("A", "secret", value, "k"),)),
        step("pull", pull_secrets=(value,)),
    )
    for name in ("image", "memory", "secret", "pull"):
        assert task(name, spec)["dependentTasks"] == ["make"], name
    assert container("image", spec)["image"] == "{{$.inputs.parameters['pipelinechannel--make-v']}}"
    named = of["deploymentSpec"]["executors"]["exec-secret"]["secretAsEnv"][0]["secretNameParameter"]
    assert named == {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "v"}}


def test_an_image_from_a_parameter() -> None:
    spec, _ = ir(step("a", image=PARAM), parameters=(TEXT,))
    assert container("a", spec)["image"] == "{{$.inputs.parameters['pipelinechannel--text']}}"


def test_pull_policy_and_secrets() -> None:
    of = pod("a", step("a", pull_policy="Always", pull_secrets=(("reg",), PARAM)), parameters=(TEXT,))
    assert of["imagePullPolicy"] == "Always"
    assert [secret["secretNameParameter"] for secret in of["imagePullSecret"]] == [
        {"runtimeValue": {"constant": "reg"}},
        FROM_PARAM,
    ]


def test_a_secret_named_after_the_run() -> None:
    of = pod("a", step("a", env=(EnvFrom("A", "secret", (RunInfo("id"),), "k"),)))
    named = of["secretAsEnv"][0]["secretNameParameter"]
    assert named == {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}}


@pytest.mark.parametrize(
    ("security", "said"),
    [
        (Security(), None),
        (Security(0), {"runAsUser": "0"}),
        (Security(1000, 0, True), {"runAsUser": "1000", "runAsGroup": "0", "runAsNonRoot": True}),
        (Security(run_as_non_root=False), {"runAsNonRoot": False}),
    ],
)
def test_security(security: Security, said: Any) -> None:
    assert pod("a", step("a", security=security)).get("securityContext") == said


def test_timeout() -> None:
    assert pod("a", step("a", timeout=90))["activeDeadlineSeconds"] == "90"
    assert "activeDeadlineSeconds" not in pod("a", step("a"))


def test_node_selector_and_tolerations() -> None:
    tolerations = (
        {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 0},
        {"operator": "Exists"},
    )
    of = pod("a", step("a", scheduling=Scheduling((("disk", "ssd"), ("zone", "a")), None, tolerations)))
    assert of["nodeSelector"] == {"labels": {"disk": "ssd", "zone": "a"}}
    assert of["tolerations"] == [{**tolerations[0], "tolerationSeconds": "0"}, {"operator": "Exists"}]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_in_branches_nothing_is_there_twice(depth: int) -> None:
    """The SDK merges the executors of inner groups more than once, and appends their lists to themselves."""
    test = Comparison(Param("text", "string"), "==", "a", "string")
    tolerations = ({"operator": "Exists"},)
    within: tuple[Branch, ...] = ()
    nodes: list[Node] = []
    for name in [f"choice-{i}" for i in range(depth)]:
        nodes.append(Choice(name, name, name, test, within=within))
        nodes.append(step(f"else-{name}", within=(*within, Branch(name, "else"))))
        within = (*within, Branch(name, "then"))
    inner = step(
        "a",
        within=within,
        scratch=("/out", "/in"),
        scheduling=Scheduling((), None, tolerations),
        mounts=(SecretMount("configMap", ("cm",), "/cm"),),
    )
    plain = pod("a", replace(inner, within=()))
    assert pod("a", *nodes, inner, parameters=(TEXT,)) == plain
    assert len(plain["emptyDirMounts"]) == 2


def test_node_affinity() -> None:
    here = {"key": "zone", "operator": "In", "values": ["a", "b"]}
    there = {"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}
    affinity: Any = {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [here], "matchFields": [there]}, {"matchExpressions": [there]}]
        },
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 7, "preference": {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}}
        ],
    }
    of = pod("a", step("a", scheduling=Scheduling(node_affinity=affinity)))
    assert of["nodeAffinity"] == [
        {"matchExpressions": [here], "matchFields": [there]},
        {"matchExpressions": [there]},
        {"matchExpressions": [{"key": "gpu", "operator": "Exists"}], "weight": 7},
    ]


def test_labels_and_annotations() -> None:
    long = "a" * 62 + "-b"
    of = pod(
        long,
        step(
            long, labels=(("team", "own"),), annotations=(("note", "x"),), description="uses $(HOME)\n{{workflow.name}}"
        ),
        labels=(("team", "all"), ("app", "demo")),
    )["podMetadata"]
    assert of["labels"] == {"team": "own", "app": "demo", "kade2kfp/step": "a" * 62}
    assert of["annotations"] == {"note": "x", "kade2kfp/description": "uses $\u200b(HOME)\n{\u200b{workflow.name}}"}
