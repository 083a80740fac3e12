"""Plans built by hand, and the IR that they become as data."""

from __future__ import annotations

from typing import Any

import yaml

from kade2kfp.lowering import lower
from kade2kfp.steps.model import Claim, Node, Plan, PlanParameter, Step
from kade2kfp.steps.parts import ArtifactInput, ArtifactOutput, ClaimMount
from kade2kfp.steps.sources import Text

Json = Any


def step(name: str, *command: str | Text, **fields: Any) -> Step:
    """A step that runs a command; `fields` are Step's own."""
    vector = tuple((word,) if isinstance(word, str) else word for word in command or ("true",))
    return Step(**{"task": name, "name": name, "display_name": name, "image": ("img:1",), "command": vector} | fields)


def plan(*nodes: Node, **fields: Any) -> Plan:
    """A plan called `demo`."""
    return Plan(**{"name": "demo", "display_name": "Demo", "nodes": nodes, "toolbox_image": "toolbox:1"} | fields)


def ir(*nodes: Node, **fields: Any) -> tuple[Json, Json]:
    """The pipeline spec of a plan and what its platform spec says of Kubernetes."""
    spec, *platform = yaml.safe_load_all(lower(plan(*nodes, **fields)))
    return spec, platform[0]["platforms"]["kubernetes"] if platform else {}


def pod(name: str, *nodes: Node, **fields: Any) -> Json:
    """What the platform spec says of one step's pod."""
    return ir(*nodes, **fields)[1]["deploymentSpec"]["executors"][f"exec-{name}"]


def task(name: str, spec: Json) -> Json:
    """The task of a node."""
    return spec["root"]["dag"]["tasks"][name]


def component(name: str, spec: Json) -> Json:
    """The component of a node."""
    return spec["components"][f"comp-{name}"]


def container(name: str, spec: Json) -> Json:
    """The container of a step."""
    return spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"]


def words(name: str, spec: Json) -> list[str]:
    """Command and args of a step, as they stand in the IR."""
    of = container(name, spec)
    return [*of.get("command", []), *of.get("args", [])]


TEXT = PlanParameter("text", "string", required=True)
NAS = Claim("nas", ("nas-pvc",), run_folders=("make/_/out",))


def by_artifact() -> tuple[Step, Step]:
    """`make` hands a model on to `use`."""
    return (
        step("make", outputs=(ArtifactOutput("model", "/out", "directory", "Model"),), scratch=("/out",)),
        step(
            "use",
            inputs=(ArtifactInput("model", "make", "model", "/in", "directory", "Model"),),
            scratch=("/in",),
        ),
    )


def by_volume() -> tuple[Step, Step]:
    """`make` and `use` share a folder of the claim `nas`."""
    mount = ClaimMount("nas", "/out", "make/_/out", in_run=True)
    return step("make", mounts=(mount,)), step("use", mounts=(mount,), after=("make",))
