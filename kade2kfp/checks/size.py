"""What KFP and Argo can hold; kade2kfp/plan/size.py says how much it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import Task
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.size import MAX_COMPONENT, MAX_WORKFLOW, estimate
from kade2kfp.steps.model import Plan, Step
from kade2kfp.tasks.gates import TOLD

_MANY = 10
WARNED = 0.7
SURE = 1.75
"""Of a few steps with one long text the estimate is up to three quarters too high, so what is between may run."""


def size(plan: Plan, analysis: Analysis) -> Iterator[Diagnostic]:
    """K603: a step too large for KFP's driver. K604: a run surely too large for Argo, or (K605, warning) perhaps."""
    tasks = {task.id: task for task in analysis.document.tasks}
    told: set[str] = set()
    found = estimate(plan)
    for one in found.steps:
        if one.driver > MAX_COMPONENT and one.step.task not in told:
            told.add(one.step.task)
            yield _too_large(tasks[one.step.task], one.step, one.component, one.arriving)
    if found.total > MAX_WORKFLOW * WARNED and not told:
        largest = ", ".join(f"`{id_}` {bytes_ // 1024} KiB" for id_, bytes_ in found.largest[:3])
        code = "K604" if found.total > MAX_WORKFLOW * SURE else "K605"
        message = f"a run would come to about {found.total // 1024:,} KiB, with the state of its steps; Argo holds {MAX_WORKFLOW // 1024:,} KiB"
        yield Diagnostic(
            code,
            message,
            ("tasks",),
            f"{_advice(plan)}put files and long scripts into images or onto a volume, or split the pipeline; largest: {largest}",
            on_key=True,
        )


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
