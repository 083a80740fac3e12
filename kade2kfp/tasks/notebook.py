"""notebook: Jupyter for a person, or, with automatic advance, a notebook that is executed."""

from __future__ import annotations

import json
import posixpath
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.base import Takes
from kade2kfp.document.shared import CommandTask, Gate
from kade2kfp.document.types import AbsolutePath, AnyPath
from kade2kfp.steps.frame import Frame, Nodes
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import ArtifactOutput, Jupyter
from kade2kfp.steps.python_text import embed_python
from kade2kfp.steps.sources import Text, literal
from kade2kfp.tasks.container import PortNumber
from kade2kfp.tasks.gates import gated

EXECUTED = "executed-notebook"
"""The artifact of a notebook that was executed."""
_EXECUTED = "/kade/executed"


class Notebook(CommandTask):
    """Jupyter with a token and a URL, until a person resumes or rejects it; or a notebook that is executed."""

    type: Literal["notebook"] = Field(description="What the task is.")
    start_path: AbsolutePath | None = Field(default=None, description="The folder that Jupyter opens.")
    notebook: AnyPath | None = Field(
        default=None,
        description="The notebook to execute when advance is auto; absolute or relative to startPath.",
    )
    parameters: Annotated[dict[str, Any], Takes.RUN] | None = Field(
        default=None,
        description="Values for the notebook's variables when advance is auto: set after the cell tagged `parameters`.",
    )
    port: PortNumber | None = Field(default=None, description="Jupyter's port; 8888 by default.")
    advance: Literal["manual", "auto"] | None = Field(
        default=None, description="Who lets the pipeline go on: a person (default), or the notebook's end."
    )
    gate: Gate | None = Field(default=None, description="How it waits for the person.")

    def nodes(self, frame: Frame) -> Nodes:
        """One step: Jupyter behind a gate, or the execution of a notebook."""
        folder = self.start_path or frame.step.working_dir
        (step,) = self.run(frame)
        if self.advance == "auto":
            return (self._executed(step, folder, frame),)
        if not step.command:
            options = ["--no-browser", "--ip=127.0.0.1", "--port-retries=0", "--allow-root"]
            options += [f"--notebook-dir={folder}"] if folder else []
            step = replace(step, command=tuple((word,) for word in options))
        jupyter = Jupyter(self.port or 8888, folder, own=self.command is not None or self.script is not None)
        step = replace(step, jupyter=jupyter, folders=(*step.folders, *((self.start_path,) if self.start_path else ())))
        return (gated(self, self.gate or Gate.model_validate({}), step, frame),)

    def _executed(self, step: Step, folder: str, frame: Frame) -> Step:
        source = posixpath.normpath(posixpath.join(folder or "/", self.notebook or ""))
        target = f"{_EXECUTED}/{posixpath.basename(source)}"
        words: list[Text] = [("python3",), ("-c",), (embed_python("notebook.py"),), (source,), (target,)]
        for name, value in sorted((self.parameters or {}).items()):
            at = self.place("parameters", name)
            text = (
                frame.text(at, value)
                if isinstance(value, str)
                else (json.dumps(_literal(value, at, frame), sort_keys=True),)
            )
            whole = text[0] if len(text) == 1 else ""
            kind = "text" if isinstance(value, str) and getattr(whole, "type", "string") == "string" else "json"
            words += [(name,), (kind,), text]
        kept = ArtifactOutput(EXECUTED, target, "file")
        return replace(step, command=tuple(words), outputs=(*step.outputs, kept), scratch=(*step.scratch, _EXECUTED))


def _literal(value: Any, at: Pointer, frame: Frame) -> Any:
    """A JSON value with its texts as they are meant: `{{{{` is `{{`. No reference is in it (checks/notebooks.py)."""
    if isinstance(value, str):
        return literal(frame.text(at, value))
    if isinstance(value, list):
        return [_literal(one, (*at, i), frame) for i, one in enumerate(value)]
    if isinstance(value, dict):
        return {key: _literal(one, (*at, key), frame) for key, one in value.items()}
    return value
