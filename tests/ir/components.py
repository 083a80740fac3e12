"""Components and pipelines of KFP's SDK that the machine's own tests are made of."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl


@dsl.container_component
def say(x: str, o: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="a", command=["sh", "-c", 'printf %s "$1" > "$2"; echo "$1"', "sh", x, o])


@dsl.container_component
def show(x: str):
    return dsl.ContainerSpec(image="a", command=["printf", "%s"], args=[x])


# KFP takes containers that are equal for one, hence the other images (argocompiler/argo.go, hashComponentContainer).
@dsl.container_component
def show_list(x: list[str]):
    return dsl.ContainerSpec(image="list", command=["printf", "%s"], args=[x])


@dsl.container_component
def show_number(x: float):
    return dsl.ContainerSpec(image="number", command=["printf", "%s"], args=[x])


@dsl.container_component
def numbers(o: dsl.OutputPath(list)):
    return dsl.ContainerSpec(image="a", command=["sh", "-c", 'echo "[1, 2.5, 1e3]" > "$1"', "sh", o])


@dsl.container_component
def shell(script: str):
    return dsl.ContainerSpec(image="a", command=["sh", "-c", script])


@dsl.container_component
def make(script: str, data: dsl.Output[dsl.Dataset]):
    """Runs a script with the artifact's path as $1 and what KFP reads of it as $2."""
    return dsl.ContainerSpec(image="a", command=["sh", "-c", script, "sh", data.path])


@dsl.container_component
def use(script: str, data: dsl.Input[dsl.Dataset]):
    return dsl.ContainerSpec(image="a", command=["sh", "-c", script, "sh", data.path])


@dsl.container_component
def paths(data: dsl.Input[list[dsl.Dataset]]):
    return dsl.ContainerSpec(image="a", command=["printf", "%s", "{{$}}"])


@dsl.container_component
def status(state: dsl.PipelineTaskFinalStatus):
    return dsl.ContainerSpec(image="a", command=["printf", "%s", "{{$.inputs.parameters['state']}}"])


def compiled(function: Callable[..., Any], change: Callable[[Any, Any], None] | None = None) -> str:
    """The YAML of a pipeline function; `change` may edit the spec and the executors' Kubernetes part before."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(dsl.pipeline(name="flow")(function), str(file))
        spec, *more = list(yaml.load_all(file.read_text(), yaml.CSafeLoader))
    platform = more[0] if more else {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
    if change is not None:
        change(spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"])
    return yaml.safe_dump_all([spec, platform])
