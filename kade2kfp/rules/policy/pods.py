"""Which tasks have pods of their own, whose settings a document can say."""

from __future__ import annotations

from collections.abc import Sequence

from kade2kfp.document.read import Document
from kade2kfp.document.shared import Task
from kade2kfp.tasks.condition import Condition


def tasks_with_pods(document: Document) -> Sequence[Task]:
    """The tasks that run something; a condition does not."""
    return [task for task in document.tasks if not isinstance(task, Condition)]
