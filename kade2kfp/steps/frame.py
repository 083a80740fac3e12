"""What the plan hands to a task type: the step with all that tasks share set already, and how texts are resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.steps.model import Import, Step
from kade2kfp.steps.sources import Text


@dataclass(frozen=True, slots=True)
class Frame:
    """A task's surroundings. `step` lacks only what the type itself says: the command, files, outputs."""

    step: Step
    text: Callable[[Pointer, str | None], Text]
    compile_text: Callable[[Pointer, str], str]
    contents: Mapping[Pointer, bytes]
    toolbox_image: str
    metric_keys: tuple[str, ...] = ()


Nodes = tuple[Step | Import, ...]
