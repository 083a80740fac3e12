"""Which tasks are repeated for a list that only a run knows, and what arrows bring from them."""

from __future__ import annotations

from dataclasses import replace

from kade2kfp.document.read import Document
from kade2kfp.document.shared import Task
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.targets import iteration


def loop_of(document: Document, task: Task | None) -> str:
    """The id of the job whose run-time list a task is repeated for; empty where there is none."""
    found = iteration(document, task)
    items = found[1].items if found else None
    return found[0] if found and isinstance(items, str) and "{{" in items else ""  # other text is a mistake (K503)


def arriving(document: Document, flow: Flow) -> Flow:
    """An arrow as its taker sees it: from all items comes a folder, with a folder for each item in it."""
    root = loop_of(document, flow.giver)
    if flow.order_only or flow.volume or not root or loop_of(document, flow.taker) == root:
        return flow
    to_path = (flow.arrow.to_path or "").rstrip("/") or "/"
    return replace(flow, to_path=to_path, from_kind="directory", to_kind="directory")
