"""What was made of what in a run on a cluster: by its IR and by what KFP's drivers said (flow.py).

KFP keeps lineage in a metadata store of its own, which its API does not show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kade2kfp.cluster.kfp.flow import Flow
from kade2kfp.cluster.kfp.runs import Detail
from kade2kfp.local.lineage import Lineage, Way, artifact_id, made, parameter_id, step_id, things_of

_RAN = frozenset({"succeeded", "cached", "failed", "running", "cancelled"})


def cluster_lineage(detail: Detail, shown: Mapping[str, str]) -> Lineage:
    """The lineage of a run that was looked at with its values; `shown` are parameters' values as they are to be shown."""
    return Lineage.of(things_of(detail.state, shown), _ways(detail))


def _ways(detail: Detail) -> Iterator[Way]:
    yield from made(detail.state)
    flow = Flow.of(detail.pipeline, detail.placed)
    for one in detail.placed:
        if one.state.status not in _RAN:
            continue
        own = step_id(one.state.name if one.is_shown else one.place.around + one.place.end)
        for _, end in flow.ends(one, "artifacts"):
            yield Way(artifact_id(end.step, end.key), own)
        for _, end in flow.ends(one, "parameters"):
            if end.step:
                yield Way(step_id(end.step), own, end.key)
            else:
                yield Way(parameter_id(end.key), own)
