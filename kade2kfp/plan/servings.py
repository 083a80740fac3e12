"""Where a serving keeps its versions, which outlive the run: a claim that exists already."""

from __future__ import annotations

from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.serving import Serving


def volume_of_serving(analysis: Analysis, task: Serving) -> str:
    """The id of the volume: what the task says, else `defaults.volume`, else the only one there is; empty where none is clear."""
    if task.volume:
        return task.volume
    lasting = [volume.id for volume in analysis.document.volumes if volume.create is None]
    default = analysis.document.defaults.volume
    if default in lasting:
        return default or ""
    return lasting[0] if len(lasting) == 1 else ""
