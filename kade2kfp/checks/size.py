"""What KFP and Argo can hold. Figures: lowering.md, Size (measured on KFP 2.17 with Argo 4.0)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.steps.command import KFP_LIKE, container_command, plain_env
from kade2kfp.steps.model import Import, Plan, Step
from kade2kfp.steps.python_text import embed_python
from kade2kfp.steps.sources import Constant, sources
from kade2kfp.tasks.gates import TOLD

_MANY = 10
MAX_COMPONENT = 100 * 1024
MAX_WORKFLOW = 1_500_000
"""Kubernetes' limit of an object is 1.5 MiB; Argo's status takes its part."""
OWN_PART = 1_300
STATUS_PART = 1_000
OBJECTS = 4_000
"""What a service's Kubernetes objects are besides its command and variables."""
ARTIFACT_PART = 900
"""What one artifact that arrives adds to what KFP's driver hands to a step: its name, type, URI and metadata, as JSON."""


def size(plan: Plan, analysis: Analysis) -> Iterator[Diagnostic]:
    """K603: a step too large for KFP's driver. K604: a workflow too large, or (K605, warning) half of it."""
    tasks = {task.id: task for task in analysis.document.tasks}
    sizes: dict[str, int] = {}
    told: set[str] = set()
    kept: set[str] = set()
    for node in plan.nodes:
        if isinstance(node, Step):
            command, args = container_command(node, KFP_LIKE)
            container, around = (
                [command, args, dict(plain_env(node)), _applying(node)],
                [node.description, node.labels, node.annotations],
            )
            component = _bytes(container) + _bytes(around)
            # Argo keeps equal containers once (argocompiler/argo.go, hashComponentContainer).
            values = [one for one in sources([*node.command, node.image]) if not isinstance(one, Constant)]
            key = repr((container, node.image, values))
            sizes[node.task] = sizes.get(node.task, 0) + (_bytes(around) if key in kept else component)
            kept.add(key)
            arriving = len(node.inputs) * ARTIFACT_PART
            if component + arriving > MAX_COMPONENT and node.task not in told:
                told.add(node.task)
                yield _too_large(tasks[node.task], node, component, arriving)
    # A choice or loop is a pipeline in the pipeline, with one in it for each side or for the items.
    parts = sum(1 if isinstance(node, Step | Import) else 3 for node in plan.nodes)
    total = sum(sizes.values()) + parts * (OWN_PART + STATUS_PART)
    if total > MAX_WORKFLOW // 2:
        largest = ", ".join(
            f"`{id_}` {bytes_ // 1024} KiB"
            for id_, bytes_ in sorted(sizes.items(), key=lambda one: (-one[1], one[0]))[:3]
        )
        code = "K604" if total > MAX_WORKFLOW else "K605"
        said = "Kubernetes holds" if code == "K604" else "that is more than half of the"
        end = "" if code == "K604" else " that Kubernetes holds"
        message = (
            f"the compiled pipeline would have about {total // 1024:,} KiB; {said} {MAX_WORKFLOW // 1024:,} KiB{end}"
        )
        yield Diagnostic(
            code,
            message,
            ("tasks",),
            f"{_advice(plan)}put files into images or onto a volume, or split the pipeline; largest: {largest}",
            on_key=True,
        )


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


def _advice(plan: Plan) -> str:
    count = Counter(node.task for node in plan.nodes)
    id_, most = max(count.items(), key=lambda one: one[1], default=("", 0))
    advice = f"the `forEach` of `{id_}` makes {most} steps: take fewer items, or hand them over by `args` alone, so that the steps have one script; "
    return advice if most > _MANY else ""


def _too_large(task: Task, step: Step, component: int, arriving: int) -> Diagnostic:
    if arriving > component:
        message = f"`{task.id}` takes in {len(step.inputs)} artifacts: {(component + arriving) // 1024} KiB for KFP's driver, which takes {MAX_COMPONENT // 1024} KiB a step"
        help_ = "let a volume carry the arrow, which costs nothing there; or bring fewer items together"
        return Diagnostic("K603", message, task.at, help_)
    parts = {
        "files": sum(len(file.content) * 4 // 3 for file in step.files),
        "command": sum(
            len(part.encode("utf-8", "surrogatepass"))
            for word in step.command
            for part in word
            if isinstance(part, str)
        ),
        "env": sum(len(part) for one in step.env for part in getattr(one, "value", ()) if isinstance(part, str)),
        "annotations": sum(len(value) for key, value in step.annotations if key != TOLD),
        "description": len(step.description),
        # A message that is all literal stands twice: for the step, and for the commands.
        "gate": len(dict(step.annotations).get(TOLD, "")) * 2,
    }
    largest = max(parts, key=lambda name: parts[name])
    fields = (largest, "script", "parameters", "args")
    field = next((one for one in fields if getattr(task, one, None) is not None), "args")
    at = task.place(field) if field in type(task).model_fields and getattr(task, field) is not None else task.at
    message = (
        f"`{task.id}` is too large: {component // 1024} KiB, and KFP's driver takes {MAX_COMPONENT // 1024} KiB a step"
    )
    return Diagnostic(
        "K603",
        message,
        at,
        f"`{field}` takes about {parts[largest] // 1024} KiB of it: move that into the image, onto a volume or into an artifact",
    )
