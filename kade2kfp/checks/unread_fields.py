"""Fields that every task may have, on a type that cannot carry them out."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis

_POD_FIELDS = (
    "image",
    "image_pull_policy",
    "image_pull_secrets",
    "env",
    "resources",
    "volumes",
    "node_selector",
    "node_affinity",
    "tolerations",
    "security_context",
    "labels",
    "annotations",
    "retry",
    "timeout",
    "cache",
)
_TOOLBOX = "the step runs in the toolbox; set `defaults.toolboxImage` for another one"
_UNREAD: dict[str, tuple[tuple[str, ...], str]] = {
    "loadData": (("image",), _TOOLBOX),
    "select": (("image",), _TOOLBOX),
    "condition": (_POD_FIELDS, "a condition runs no command of yours"),
    "viewer": (("retry", "cache"), "nothing waits for a viewer"),
    "serving": (("retry", "cache"), "an endpoint is deployed anew in every run"),
}


def unread_fields(analysis: Analysis) -> Iterator[Diagnostic]:
    """K209 (warning): a field that has no effect on this type of task."""
    for task in analysis.document.tasks:
        fields, why = _UNREAD.get(task.type, ((), ""))
        for field in fields:
            if getattr(task, field) is not None:
                name = task.place(field)[-1]
                yield Diagnostic(
                    "K209",
                    f"`{name}` has no effect on a {task.type}",
                    task.place(field),
                    f"leave it out: {why}",
                    on_key=True,
                )
