"""What KFP and Argo can hold. Figures: lowering.md, Size (measured on KFP 2.17 with Argo 4.0)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.steps.command import KFP_LIKE, container_command, plain_env
from kade2kfp.steps.model import Plan, Step
from kade2kfp.tasks.gates import TOLD

MAX_COMPONENT = 100 * 1024
MAX_WORKFLOW = 1_500_000
"""Kubernetes' limit of an object is 1.5 MiB; Argo's status takes its part."""
OWN_PART = 1_300
STATUS_PART = 1_000


def size(plan: Plan, analysis: Analysis) -> Iterator[Diagnostic]:
    """K603: a step too large for KFP's driver. K604: a workflow too large, or (K605, warning) half of it."""
    tasks = {task.id: task for task in analysis.document.tasks}
    sizes: dict[str, int] = {}
    for node in plan.nodes:
        if isinstance(node, Step):
            command, args = container_command(node, KFP_LIKE)
            carried = [command, args, dict(plain_env(node)), node.description, node.labels, node.annotations]
            component = len(json.dumps(carried, ensure_ascii=False).encode("utf-8", "surrogatepass"))
            sizes[node.task] = sizes.get(node.task, 0) + component
            if component > MAX_COMPONENT:
                yield _too_large(tasks[node.task], node, component)
    total = sum(sizes.values()) + len(sizes) * (OWN_PART + STATUS_PART)
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
            f"put files into images or onto a volume, or split the pipeline; largest: {largest}",
            on_key=True,
        )


def _too_large(task: Task, step: Step, component: int) -> Diagnostic:
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
