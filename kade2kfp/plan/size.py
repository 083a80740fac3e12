"""How large a plan is for KFP and Argo, estimated.

Argo keeps a run as one object of Kubernetes: the workflow, and the state of its nodes, which is gzipped and in base64 from
there on where both are too large (argo-workflows, workflow/packer/packer.go; util/file/fileutil.go). KFP moves no nodes
elsewhere, and retries every template by default (kubeflow/pipelines,
manifests/kustomize/third-party/argo/base/workflow-controller-configmap-patch.yaml). So a driver, its executor and the
container are two nodes each, and what a step's container is stands about eight times among them.

The figures are measured with KFP 2.17's compiler and drivers and Argo 4.0.5's packer, on 23 pipelines: the estimate
is up to a fifth too high or too low, and higher where few steps have one long text that gzip sees at once.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass

from kade2kfp.steps.command import KFP_LIKE, container_command, plain_env
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.parts import ArtifactOutput
from kade2kfp.steps.python_text import embed_python
from kade2kfp.steps.sources import Constant, sources

MAX_COMPONENT = 100 * 1024
MAX_WORKFLOW = 1024 * 1024
"""What Argo takes: maxWorkflowSize in its packer.go. The object that Kubernetes holds may be larger."""
BASE_PART = 8_000
"""What every workflow has: the templates of drivers and containers."""
OWN_PART = 1_600
NAME_COPIES = 20
"""How often a step's name stands in what is its own."""
VALUE_PART = 220
"""What an artifact or parameter that comes in takes, a variable and a mount: its declaration and where it comes from."""
NOTE_PART = 90
"""What a label takes, a resource and a step before: a place among others."""
STATUS_PART = 650
STATUS_AROUND = 2000
"""What stands around each of the texts in the state: alike everywhere, it only moves them apart."""
STATUS_COPIES = 8
STATUS_REPEATED = 0.15
"""What a byte of a container takes in the state though another step has it too: no match of gzip's is for nothing."""
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
    """Bytes of a run at its end (`total`: workflow and state), of each task by its id, and of each step in the plan's order."""

    total: int
    tasks: Mapping[str, int]
    steps: tuple[StepSize, ...]

    @property
    def largest(self) -> list[tuple[str, int]]:
        """The tasks by size, the largest first."""
        return sorted(self.tasks.items(), key=lambda one: (-one[1], one[0]))


def estimate(plan: Plan) -> Estimate:
    """How large a plan's run will be. Equal containers count once in the workflow, as Argo keeps them."""
    tasks: dict[str, int] = {}
    steps: list[StepSize] = []
    texts: list[tuple[Step, bytes]] = []
    kept: set[str] = set()
    for node in plan.nodes:
        if isinstance(node, Step):
            command, args = container_command(node, KFP_LIKE)
            container = json.dumps([command, args, dict(plain_env(node)), _applying(node)], ensure_ascii=False)
            around = _bytes([node.description, node.labels, node.annotations])
            # Argo keeps equal containers once (argocompiler/argo.go, hashComponentContainer), as a text in JSON.
            found = list(sources([*node.command, node.image]))
            key = repr((container, node.image, [one for one in found if not isinstance(one, Constant)]))
            constants = _bytes(sorted({one.value for one in found if isinstance(one, Constant)}))
            own = 0 if key in kept else _bytes(_as_go(container))
            tasks[node.task] = tasks.get(node.task, 0) + own + around + constants + _declared(node)
            kept.add(key)
            steps.append(StepSize(node, _utf8(container) + around, len(node.inputs) * ARTIFACT_PART))
            texts.append((node, _as_go("".join([container, *_told(node)])).encode("utf-8", "surrogatepass")))
    for step, bytes_ in _state(texts):
        tasks[step.task] += bytes_
    # A choice or loop is a node, and each of its sides or its body a pipeline in the pipeline.
    bodies = {node.within[: depth + 1] for node in plan.nodes for depth in range(len(node.within))}
    parts = len(plan.nodes) + len(bodies)
    total = BASE_PART + parts * (OWN_PART + STATUS_PART) + sum(tasks.values())
    return Estimate(total, tasks, tuple(steps))


def _declared(step: Step) -> int:
    """What stands in the workflow for a step besides its container, and besides what every step has."""
    values = [
        *step.inputs,
        *step.env,
        *step.mounts,
        *{one for one in sources(step.command) if not isinstance(one, Constant)},
    ]
    resources = [one for one in astuple(step.resources) if one]
    notes = len(step.labels) + len(step.after) + len(resources)
    return NAME_COPIES * len(step.name) + VALUE_PART * len(values) + NOTE_PART * notes


def _state(texts: list[tuple[Step, bytes]]) -> Iterator[tuple[Step, int]]:
    """What each text takes in Argo's state, whose nodes come in an order of their hashes; gzip sees 32 KiB of them."""
    stream = zlib.compressobj(6)
    for step, text in sorted(texts, key=lambda one: hashlib.sha256(one[0].name.encode()).digest()):
        packed = len(stream.compress(text + b" " * STATUS_AROUND)) + len(stream.flush(zlib.Z_SYNC_FLUSH))
        yield step, int((STATUS_COPIES * packed + STATUS_REPEATED * len(text)) * 4 / 3)


def _told(step: Step) -> Iterator[str]:
    """About what the driver writes into the container's command: constants, and the artifacts with URIs of their own."""
    yield from (one.value for one in sources(step.command) if isinstance(one, Constant))
    made = [output.name for output in step.outputs if isinstance(output, ArtifactOutput)]
    for name in [*(arrived.name for arrived in step.inputs), *made]:
        own = hashlib.sha256(f"{step.name}\0{name}".encode()).hexdigest()[:36]
        yield f'"{name}":{{"artifacts":[{{"uri":"minio://mlpipeline/v2/artifacts/{step.name}/{own}/{name}","metadata":{{}}}}]}}'


def _applying(step: Step) -> list[str]:
    """About what lowering adds to a step that leaves a service running: templates/apply.py, and its objects as a text."""
    if step.service is None:
        return []
    server = step.service.server
    fetching = [embed_python("fetch.py") for _ in server.inputs]
    told = [container_command(server, KFP_LIKE), dict(plain_env(server)), fetching, server.annotations]
    return [embed_python("apply.py"), json.dumps(told), " " * OBJECTS]


def _as_go(text: str) -> str:
    """JSON as Go writes it, where it may stand in a page of HTML (encoding/json, HTMLEscape)."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _bytes(carried: object) -> int:
    return _utf8(json.dumps(carried, ensure_ascii=False))


def _utf8(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
