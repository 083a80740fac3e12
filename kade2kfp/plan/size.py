"""How large a plan is for KFP and Argo, estimated. Figures: lowering.md, Size (measured on KFP 2.17 with Argo 4.0)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from kade2kfp.steps.command import KFP_LIKE, container_command, plain_env
from kade2kfp.steps.model import Import, Plan, Step
from kade2kfp.steps.python_text import embed_python
from kade2kfp.steps.sources import Constant, sources

MAX_COMPONENT = 100 * 1024
MAX_WORKFLOW = 1_500_000
"""Kubernetes' limit of an object is 1.5 MiB; Argo's status takes its part."""
OWN_PART = 1_300
STATUS_PART = 1_000
OBJECTS = 4_000
"""What a service's Kubernetes objects are besides its command and variables."""
ARTIFACT_PART = 900
"""What one artifact that arrives adds to what KFP's driver hands to a step: its name, type, URI and metadata, as JSON."""


@dataclass(frozen=True, slots=True)
class StepSize:
    """Bytes that a step's component takes, and what its artifacts add to that for KFP's driver."""

    step: Step
    component: int
    arriving: int

    @property
    def driver(self) -> int:
        """All that KFP's driver has to take: MAX_COMPONENT at most."""
        return self.component + self.arriving


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes of the compiled pipeline (`total`), of each task by its id, and of each step in the order of the plan."""

    total: int
    tasks: Mapping[str, int]
    steps: tuple[StepSize, ...]

    @property
    def largest(self) -> list[tuple[str, int]]:
        """The tasks by size, the largest first."""
        return sorted(self.tasks.items(), key=lambda one: (-one[1], one[0]))


def estimate(plan: Plan) -> Estimate:
    """How large a plan will be when it is compiled. Equal containers count once, as Argo keeps them."""
    tasks: dict[str, int] = {}
    steps: list[StepSize] = []
    kept: set[str] = set()
    for node in plan.nodes:
        if isinstance(node, Step):
            command, args = container_command(node, KFP_LIKE)
            container = [command, args, dict(plain_env(node)), _applying(node)]
            around = _bytes([node.description, node.labels, node.annotations])
            component = _bytes(container) + around
            # Argo keeps equal containers once (argocompiler/argo.go, hashComponentContainer).
            values = [one for one in sources([*node.command, node.image]) if not isinstance(one, Constant)]
            key = repr((container, node.image, values))
            tasks[node.task] = tasks.get(node.task, 0) + (around if key in kept else component)
            kept.add(key)
            steps.append(StepSize(node, component, len(node.inputs) * ARTIFACT_PART))
    # A choice or loop is a pipeline in the pipeline, with one in it for each side or for the items.
    parts = sum(1 if isinstance(node, Step | Import) else 3 for node in plan.nodes)
    return Estimate(sum(tasks.values()) + parts * (OWN_PART + STATUS_PART), tasks, tuple(steps))


def _applying(step: Step) -> list[str]:
    """About what lowering adds to a step that leaves a service running: templates/apply.py, and its objects as a text."""
    if step.service is None:
        return []
    server = step.service.server
    fetching = [embed_python("fetch.py") for _ in server.inputs]
    told = [container_command(server, KFP_LIKE), dict(plain_env(server)), fetching, server.annotations]
    return [embed_python("apply.py"), json.dumps(told), " " * OBJECTS]


def _bytes(carried: object) -> int:
    return len(json.dumps(carried, ensure_ascii=False).encode("utf-8", "surrogatepass"))
