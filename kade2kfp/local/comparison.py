"""Runs side by side: what they were started with, what came out of them, how long they took."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from kade2kfp.local.state import RunState, StepState
from kade2kfp.steps.sources import Json

Kind = Literal["run", "parameter", "metric", "output", "state", "seconds"]
_METRIC = "metric-"


@dataclass(frozen=True, slots=True)
class Row:
    """A thing that runs are compared by: `of` is the step it is of, empty for the run; a value for each run, None where
    there is none.
    """

    kind: Kind
    of: str
    name: str
    values: tuple[Json, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs are not all equal in it. Of durations, which never are, by more than a tenth and a second."""
        if self.kind == "seconds":
            known = [one for one in self.values if isinstance(one, int | float)]
            spread = max(known, default=0) - min(known, default=0)
            return len(known) != len(self.values) or spread > max(1.0, 0.1 * max(known))
        return any(not _same(one, self.values[0]) for one in self.values[1:])


def rows_of(runs: Sequence[RunState]) -> list[Row]:
    """The rows, those of the run first, then those of its steps in the order of the first run that has them."""
    found = [
        Row("run", "", "pipeline", tuple(one.pipeline for one in runs)),
        Row("run", "", "state", tuple(one.status for one in runs)),
        Row("seconds", "", "took", tuple(_took(one) for one in runs)),
    ]
    for name in _names(list(one.parameters) for one in runs):
        found.append(Row("parameter", "", name, tuple(one.parameters.get(name) for one in runs)))
    steps = [{step.name: step for step in one.steps} for one in runs]
    for name in _names(list(one) for one in steps):
        found += _of_step(name, [one.get(name) for one in steps])
    return found


def _of_step(name: str, steps: Sequence[StepState | None]) -> Iterator[Row]:
    metrics = _names(sorted(one.metrics) for one in steps if one)
    for key in metrics:
        yield Row("metric", name, key, tuple(one.metrics.get(key) if one else None for one in steps))
    outputs = _names(list(one.outputs) for one in steps if one)
    for key in outputs:
        if not (key.startswith(_METRIC) and key.removeprefix(_METRIC) in metrics):
            yield Row("output", name, key, tuple(one.outputs.get(key) if one else None for one in steps))
    yield Row("state", name, "state", tuple(one.status if one else None for one in steps))
    seconds = tuple(_took(one) if one and one.status in ("succeeded", "failed") else None for one in steps)
    if any(one is not None for one in seconds):
        yield Row("seconds", name, "took", seconds)


def _names(lists: Iterator[list[str]]) -> list[str]:
    return list(dict.fromkeys(name for one in lists for name in one))


def _took(one: RunState | StepState) -> float | None:
    if one.started is None or one.ended is None:
        return None
    return max(0.0, round(one.ended - one.started, 3))


def _same(one: Json, other: Json) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other
