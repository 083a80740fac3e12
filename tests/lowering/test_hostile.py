"""No text of a plan is replaced on its way, and none brings in a placeholder of KFP's or Argo's."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from kfp import components

from kade2kfp.lowering import lower
from kade2kfp.lowering.text import CannotLowerError
from kade2kfp.steps.model import Claim, PlanParameter
from kade2kfp.steps.parts import (
    ArtifactInput,
    ArtifactOutput,
    ClaimMount,
    EmbeddedFile,
    EmptyDirMount,
    EnvFrom,
    EnvValue,
    Metrics,
    ParameterOutput,
    Resources,
    Scheduling,
    SecretMount,
    VolumeOutput,
)
from kade2kfp.steps.sources import Param

from .plans import TEXT, by_artifact, ir, plan, step

# What may stand in the IR between double braces: KFP's own placeholders, and the two of Argo's that are ours.
OURS = re.compile(
    r"\{\{\$\.(inputs\.(parameters\['[\w-]+'\]|artifacts\['[\w-]+'\]\.path)"
    r"|outputs\.(artifacts\['[\w-]+'\]\.(path|uri)|parameters\['[\w-]+'\]\.output_file)"
    r"|pipeline_job_uuid|pipeline_job_name)\}\}"
    r"|^pipeline/[\w-]+/\{\{workflow\.uid\}\}|^\{\{workflow\.name\}\}-kfp-workspace$"
)
REPLACED = re.compile(r"\{\{|\$\(|\$\$|^\s*\{\"IfPresent\":")
HOSTILE = (
    "{{workflow.name}} $(HOME) $$ {{$.inputs.parameters['text']}} {{channel:task=;name=text;type=String;}} {{=1+1}}"
)


def texts(value: Any) -> list[str]:
    """Every text of a document, keys too."""
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


PLACES: dict[str, Any] = {
    "display_name": HOSTILE,
    "description": HOSTILE,
    "command": (("run",), (HOSTILE,), (Param("text", "string"), HOSTILE), ('{"IfPresent": {"InputName": "text"}}',)),
    "env": (EnvValue("A", (HOSTILE,)), EnvValue("B", (HOSTILE, Param("text", "string")))),
    "folders": (f"/{HOSTILE}",),
    "files": (EmbeddedFile(f"/{HOSTILE}", HOSTILE.encode()),),
    "requirements": (HOSTILE,),
    "working_dir": f"/{HOSTILE}",
    "inputs": (ArtifactInput("model", "make", "model", f"/{HOSTILE}", "file", "Model"),),
    "outputs": (ArtifactOutput("x", f"/{HOSTILE}", "file"), VolumeOutput(f"/{HOSTILE}", "file")),
    "parameters": (ParameterOutput("x", f"/{HOSTILE}", "string"),),
    "metrics": Metrics(f"/{HOSTILE}", (HOSTILE,)),
}
REFUSED: dict[str, Any] = {
    "image": (HOSTILE,),
    "mounts": (ClaimMount("nas", f"/{HOSTILE}"),),
    "scratch": (f"/{HOSTILE}",),
    "resources": Resources(accelerator=HOSTILE, accelerator_count=("1",)),
    "scheduling": Scheduling((("a", HOSTILE),)),
    "pull_secrets": ((HOSTILE,),),
    "labels": (("a", HOSTILE),),
    "annotations": ((HOSTILE, "a"),),
    "env": (EnvFrom("A", "secret", (HOSTILE,), "k"),),
}


@pytest.mark.parametrize("field", PLACES)
def test_no_text_brings_in_a_placeholder(field: str) -> None:
    make, _ = by_artifact()
    parts = ir(make, step("a", **{field: PLACES[field]}), parameters=(TEXT,))
    assert not [text for part in parts for text in texts(part) if REPLACED.search(OURS.sub("", text))]


@pytest.mark.parametrize("field", REFUSED)
def test_what_cannot_be_cut_is_refused(field: str) -> None:
    with pytest.raises(CannotLowerError):
        ir(step("a", **{field: REFUSED[field]}), claims=(Claim("nas", ("n",)),))


@pytest.mark.parametrize(
    "fields",
    [
        {"mounts": (ClaimMount("nas", "/a", HOSTILE),)},
        {"mounts": (SecretMount("secret", (HOSTILE,), "/a"),)},
        {"mounts": (SecretMount("secret", ("a",), HOSTILE),)},
        {"mounts": (EmptyDirMount(HOSTILE),)},
        {"env": (EnvFrom("A", "configMap", ("a",), HOSTILE),)},
        {"env": (EnvFrom("A", "field", (), HOSTILE),)},
        {"scheduling": Scheduling(tolerations=({"key": HOSTILE},))},
        {
            "scheduling": Scheduling(
                node_affinity={
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "preference": {"matchFields": [{"key": "a", "operator": "In", "values": [HOSTILE]}]},
                        }
                    ]
                }
            )
        },
    ],
)
def test_what_cannot_be_cut_is_refused_wherever_it_stands(fields: dict[str, Any]) -> None:
    with pytest.raises(CannotLowerError):
        ir(step("a", **fields), claims=(Claim("nas", ("n",)),))


@pytest.mark.parametrize("default", [HOSTILE, ["a", HOSTILE], {"a": {"b": "$(x)"}}, {"{{x}}": 1}])
def test_a_default_with_a_placeholder_is_refused(default: Any) -> None:
    type_: Any = {str: "string", list: "array", dict: "object"}[type(default)]
    with pytest.raises(CannotLowerError):
        ir(step("a"), parameters=(PlanParameter("p", type_, required=False, default=default),))


def test_display_texts_of_the_pipeline_are_protected() -> None:
    spec, _ = ir(
        step("a"),
        display_name=HOSTILE,
        description=HOSTILE,
        parameters=(PlanParameter("p", "string", required=True, description=HOSTILE),),
    )
    assert not [text for text in texts(spec) if REPLACED.search(text)]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
    st.text(),
    st.text(st.sampled_from("{}$()a\n")),
)
def test_any_text_of_a_command_lowers_and_loads(words: list[str], shown: str, odd: str) -> None:
    text = lower(plan(step("a", "run", *words, odd, display_name=shown, description=odd), description=shown))
    spec, _ = yaml.safe_load_all(text)
    assert not [one for one in texts(spec) if REPLACED.search(OURS.sub("", one))]
    components.load_component_from_text(text)
