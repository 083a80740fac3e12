"""viewer: TensorBoard beside the pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.base import RunText
from kade2kfp.document.shared import Task
from kade2kfp.document.types import AbsolutePath, Duration
from kade2kfp.tasks.container import PortNumber


class Viewer(Task):
    """TensorBoard, or another tool, beside the pipeline. Nothing waits for it."""

    type: Literal["viewer"] = Field(description="What the task is.")
    log_path: AbsolutePath = Field(description="The folder that it shows.")
    command: list[RunText] | None = Field(
        default=None, description="Another tool's command, in place of TensorBoard's."
    )
    port: PortNumber | None = Field(default=None, description="The tool's port; 6006 by default.")
    paused: bool | None = Field(default=None, description="Make it, but do not start it.")
    time_to_live: Duration | None = Field(default=None, description="How long it is kept.")

    def unsupported(self) -> tuple[tuple[str, Pointer], ...]:
        """It is not lowered yet."""
        return (*super().unsupported(), ("a viewer", self.place("type")))
