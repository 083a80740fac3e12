"""select: of all candidates, hands on the one with the best metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from pydantic import Field

from kade2kfp.document.shared import Task
from kade2kfp.document.types import AbsolutePath, inside, kind_of_path
from kade2kfp.steps.frame import Candidate, Frame, Nodes
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import ArtifactInput, ClaimMount, Kind, Metrics, ParameterOutput
from kade2kfp.steps.python_text import embed_python
from kade2kfp.steps.sources import Arrived, Text

KEEP = "/kade/select"
"""Where templates/select_best.py leaves what it finds out: a folder of the pod's own, writable for every user."""


class Select(Task):
    """Of all candidates, hands on the one with the best metric. Outputs: `winner`, `score`."""

    type: Literal["select"] = Field(description="What the task is.")
    metric: str = Field(min_length=1, description="The metric's key.")
    mode: Literal["max", "min"] | None = Field(
        default=None, description="Whether the greatest is best (default) or the least."
    )
    path: AbsolutePath = Field(description="Where the winner is.")

    def nodes(self, frame: Frame) -> Nodes:
        """A step in the toolbox that compares the candidates, and leaves the data of the best one at `path`."""
        step = frame.step
        kind = self.kind_at_path((one.path, one.kind) for one in step.outputs)
        words: list[Text] = [("python3",), ("-c",), (embed_python("select_best.py"),)]
        words += [(word,) for word in (self.mode or "max", self.metric, KEEP, self._how(step), self.path)]
        for one in frame.candidates:
            words += _words(one, kind)
        return (
            replace(
                step,
                image=(frame.toolbox_image,),
                command=tuple(words),
                inputs=tuple(_inputs(frame.candidates)),
                mounts=(*step.mounts, *(one.data for one in frame.candidates if isinstance(one.data, ClaimMount))),
                scratch=(*step.scratch, KEEP),
                parameters=(
                    ParameterOutput("winner", f"{KEEP}/winner", "string"),
                    ParameterOutput("score", f"{KEEP}/score", "number"),
                ),
                metrics=Metrics(f"{KEEP}/metrics.json", frame.metric_keys),
            ),
        )

    def kind_at_path(self, leaving: Iterable[tuple[str, Kind]]) -> Kind:
        """What the winner becomes at `path`: what it leaves there as. `leaving` are paths and kinds of arrows or outputs."""
        return next((kind for path, kind in leaving if path == self.path), kind_of_path(self.path))

    def _how(self, step: Step) -> str:
        """Links cost nothing; but what stays on a claim must not lead into this pod."""
        claims = [one.path for one in step.mounts if isinstance(one, ClaimMount)]
        if any(inside(self.path, one) or inside(one, self.path) for one in claims):
            return "copy"
        return "link" if step.outputs else "none"


def _words(candidate: Candidate, kind: Kind) -> Iterator[Text]:
    data = candidate.data
    yield (candidate.name,)
    yield (candidate.metric,)
    yield (data.path,) if isinstance(data, ClaimMount) else (Arrived(data.name),)
    yield (candidate.file if kind == "directory" else "",)
    yield (Arrived(candidate.metrics.name),)


def _inputs(candidates: tuple[Candidate, ...]) -> Iterator[ArtifactInput]:
    for one in candidates:
        if isinstance(one.data, ArtifactInput):
            yield one.data
        yield one.metrics
