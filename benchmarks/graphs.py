"""Pipelines of any size, as a document and as a Python function written with KFP's SDK directly: one graph.

Ten tasks stand side by side, and each comes after two of the ten before it. Every task has its own command, parameters,
env, resources and a label. One in sixteen takes the artifact of another and makes one: with more, 500 tasks would be more
than Argo can hold (lowering.md, Size).
"""

import json
from collections.abc import Iterator
from pathlib import Path

from kfp import compiler, dsl, kubernetes

WIDTH = 10
IMAGE = "registry.example.org/research/stage:1.4.2"
# Artifacts at fixed paths, by hand: link what has arrived into one folder, and KFP's path to the other.
TAKE = """for file in "$1"/*; do ln -sfn "$file" /input/ || exit; done
shift
"""
MAKE = """mkdir -p "${1%/*}" && ln -sfn /output "$1" || exit
shift
"""


def name(number: int) -> str:
    """The name of a task."""
    return f"stage-{number:04}"


def takes(number: int) -> bool:
    """Whether the task takes an artifact, from the task above it."""
    return number % 16 == 0 and number >= WIDTH


def makes(number: int, tasks: int) -> bool:
    """Whether the task hands on an artifact, to the task below it."""
    return number + WIDTH < tasks and takes(number + WIDTH)


def before(number: int) -> Iterator[int]:
    """The tasks that a task comes after."""
    above = number - WIDTH
    if above >= 0:
        yield above
        yield above - above % WIDTH + (above + 1) % WIDTH


def command(number: int) -> list[str]:
    """The literal part of a task's command."""
    return ["python", "-m", "research.stage", "--stage", str(number), "--mode", ("train", "score")[number % 2]]


def document(tasks: int) -> str:
    """The pipeline as a document of ours."""
    return json.dumps(
        {
            "apiVersion": "kade2kfp/v1",
            "name": f"generated-{tasks}",
            "parameters": [
                {"name": "seed", "type": "integer", "default": 7},
                {"name": "rate", "type": "number", "default": 0.5},
            ],
            "tasks": [_task(number) for number in range(tasks)],
            "arrows": [_arrow(one, number) for number in range(tasks) for one in before(number)],
        },
        indent=2,
    )


def _task(number: int) -> dict[str, object]:
    return {
        "id": name(number),
        "type": "job",
        "name": f"Stage {number:04}",
        "image": IMAGE,
        "command": [*command(number), "--seed", "{{params.seed}}", "--rate", "{{params.rate}}"],
        "env": [{"name": "STAGE", "value": str(number)}, {"name": "LOG_LEVEL", "value": "info"}],
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "labels": {"team": "research"},
        "position": {"x": number % WIDTH * 240, "y": number // WIDTH * 120},
    }


def _arrow(giver: int, taker: int) -> dict[str, object]:
    arrow: dict[str, object] = {"fromTask": name(giver), "toTask": name(taker)}
    if takes(taker) and giver == taker - WIDTH:
        arrow |= {"fromPath": "/output", "toPath": "/input"}
    return arrow


def by_hand(tasks: int, out: Path) -> None:
    """The pipeline defined with KFP's SDK, and compiled by its Compiler into a file."""

    @dsl.pipeline(name=f"generated-{tasks}")
    def pipeline(seed: int = 7, rate: float = 0.5):
        made: dict[int, dsl.PipelineTask] = {}
        for number in range(tasks):
            values = {"seed": seed, "rate": rate}
            if takes(number):
                values["taken"] = made[number - WIDTH].outputs["made"]
            task = made[number] = _component(number, tasks)(**values)
            task.after(*(made[one] for one in before(number)))
            task.set_display_name(f"Stage {number:04}")
            task.set_caching_options(True)
            task.set_env_variable("STAGE", str(number)).set_env_variable("LOG_LEVEL", "info")
            task.set_cpu_request("500m").set_memory_request("512Mi").set_memory_limit("1Gi")
            if takes(number):
                kubernetes.empty_dir_mount(task, "empty-input", "/input")
            if makes(number, tasks):
                kubernetes.empty_dir_mount(task, "empty-output", "/output")
            kubernetes.add_pod_label(task, "team", "research")
            kubernetes.add_pod_label(task, "step", name(number))

    compiler.Compiler().compile(pipeline, str(out))


def _component(number: int, tasks: int):
    """The component of a task: each has a command, and so a name, of its own."""
    words = command(number)
    if takes(number) and makes(number, tasks):

        def stage(taken: dsl.Input[dsl.Artifact], made: dsl.Output[dsl.Artifact], seed: int, rate: float):
            return _sh(TAKE + MAKE, taken.path, made.path, *words, "--seed", seed, "--rate", rate)

    elif takes(number):

        def stage(taken: dsl.Input[dsl.Artifact], seed: int, rate: float):
            return _sh(TAKE, taken.path, *words, "--seed", seed, "--rate", rate)

    elif makes(number, tasks):

        def stage(made: dsl.Output[dsl.Artifact], seed: int, rate: float):
            return _sh(MAKE, made.path, *words, "--seed", seed, "--rate", rate)

    else:

        def stage(seed: int, rate: float):
            args = [*words[1:], "--seed", seed, "--rate", rate]
            return dsl.ContainerSpec(image=IMAGE, command=words[:1], args=args)

    stage.__name__ = name(number).replace("-", "_")
    return dsl.container_component(stage)


def _sh(script: str, *args: object) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", script + 'exec "$@"\n', "stage"], args=list(args))
