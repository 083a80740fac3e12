"""serving: builds a Bento from the model that arrives and deploys it as an endpoint."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.base import Model, Takes
from kade2kfp.document.shared import Task
from kade2kfp.document.types import AnyPath, CompileInteger, RelativePath, integer_schema
from kade2kfp.tasks.container import PortNumber


class ServingFile(Model):
    """A file of the Bento: pack.py, service.py, bentofile.yaml, or another."""

    path: RelativePath = Field(description="Its name in the Bento.")
    source: AnyPath | None = Field(default=None, description="A file in the document's folder, read at compile.")
    content: Annotated[str, Takes.LITERAL] | None = Field(default=None, description="The content itself.")
    encoding: Literal["utf-8", "base64"] | None = Field(
        default=None, description="How `content` is written; base64 by default, as the editor sends it."
    )


class Autoscale(Model):
    """How many replicas there are, by load."""

    min_replicas: Annotated[int, Field(ge=0)] | None = Field(default=None, description="The fewest.")
    max_replicas: Annotated[int, Field(ge=1)] = Field(description="The most.")
    target_cpu_utilization_percentage: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None,
        alias="targetCPUUtilizationPercentage",
        description="The load aimed at, in percent of the CPU requested.",
    )


class Serving(Task):
    """Builds a Bento from the model that arrives and deploys it as an endpoint; output `url`."""

    type: Literal["serving"] = Field(description="What the task is.")
    framework: Literal["sklearn", "pytorch", "tensorflow", "keras", "xgboost", "lightgbm", "onnx", "custom"] = Field(
        description="What the model was made with; `custom` needs service.py and bentofile.yaml."
    )
    files: list[ServingFile] | None = Field(default=None, description="Files of the Bento.")
    port: PortNumber | None = Field(default=None, description="The endpoint's port; 3000 by default.")
    replicas: Annotated[CompileInteger, integer_schema(0)] | None = Field(
        default=None, description="How many replicas there are."
    )
    autoscale: Autoscale | None = Field(default=None, description="Replicas by load.")
    flavor: Literal["deployment", "kserve"] | None = Field(
        default=None, description="A Deployment (default), or KServe's InferenceService."
    )

    def unsupported(self) -> tuple[tuple[str, Pointer], ...]:
        """It is not lowered yet."""
        return (*super().unsupported(), ("a serving", self.place("type")))
