"""notebook: Jupyter for a person, or, with automatic advance, a notebook that is executed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.shared import CommandTask, Gate
from kade2kfp.document.types import AbsolutePath, AnyPath
from kade2kfp.tasks.container import Port


class Notebook(CommandTask):
    """Jupyter with a token and a URL, until a person resumes or rejects it; or a notebook that is executed."""

    type: Literal["notebook"] = Field(description="What the task is.")
    start_path: AbsolutePath | None = Field(default=None, description="The folder that Jupyter opens.")
    notebook: AnyPath | None = Field(
        default=None,
        description="The notebook to execute when advance is auto; absolute or relative to startPath.",
    )
    port: Port | None = Field(default=None, description="Jupyter's port; 8888 by default.")
    advance: Literal["manual", "auto"] | None = Field(
        default=None, description="Who lets the pipeline go on: a person (default), or the notebook's end."
    )
    gate: Gate | None = Field(default=None, description="How it waits for the person.")

    def unsupported(self) -> tuple[tuple[str, Pointer], ...]:
        """Notebooks are not lowered yet."""
        return (*super().unsupported(), ("a notebook", self.place("type")))
