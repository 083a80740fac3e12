"""select: of all candidates, hands on the one with the best metric."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.shared import Task
from kade2kfp.document.types import AbsolutePath


class Select(Task):
    """Of all candidates, hands on the one with the best metric. Outputs: `winner`, `score`."""

    type: Literal["select"] = Field(description="What the task is.")
    metric: str = Field(min_length=1, description="The metric's key.")
    mode: Literal["max", "min"] | None = Field(
        default=None, description="Whether the greatest is best (default) or the least."
    )
    path: AbsolutePath = Field(description="Where the winner is.")

    def unsupported(self) -> tuple[tuple[str, Pointer], ...]:
        """It is not lowered yet."""
        return (*super().unsupported(), ("a select", self.place("type")))
