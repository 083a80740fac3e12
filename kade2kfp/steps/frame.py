"""What the plan hands to a task type: the step with all that tasks share set already, and how texts are resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.steps.model import Node, Step
from kade2kfp.steps.parts import ArtifactInput, ClaimMount
from kade2kfp.steps.sources import Json, Output, Text


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a select may hand on: what it is called, the number that is compared, its data and all its metrics.

    `file` is the name of a single file, empty for a folder. Data on a claim is seen at the mount's path.
    """

    name: str
    metric: Output
    data: ArtifactInput | ClaimMount
    metrics: ArtifactInput
    file: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """A task's surroundings. `step` lacks only what the type itself says: the command, files, outputs.

    `items` are values of known items, by where a reference to one is a field's whole text.
    """

    step: Step
    text: Callable[[Pointer, str | None], Text]
    compile_text: Callable[[Pointer, str], str]
    contents: Mapping[Pointer, bytes]
    toolbox_image: str
    name: str = ""
    """The step's name without what tells it apart from the task's other steps."""
    pipeline: str = ""
    """The pipeline's slug."""
    arriving: tuple[str, ...] = ()
    """The paths at which arrows bring data, each once."""
    own_image: bool = False
    """Whether the task itself says its image."""
    kept_on: str = ""
    """The volume that keeps what a serving makes."""
    metric_keys: tuple[str, ...] = ()
    items: Mapping[Pointer, Json] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()


Nodes = tuple[Node, ...]
