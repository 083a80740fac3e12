"""serving: builds a Bento from the model that arrives and deploys it as an endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field

from kade2kfp.document.base import CompileText, Model, Takes
from kade2kfp.document.shared import Task
from kade2kfp.document.types import (
    AbsolutePath,
    AnyPath,
    CompileInteger,
    Duration,
    Name,
    RelativePath,
    duration_seconds,
    integer_schema,
)
from kade2kfp.resources import read_text
from kade2kfp.steps import model as steps
from kade2kfp.steps.frame import Frame, Nodes
from kade2kfp.steps.parts import ClaimMount, EmbeddedFile
from kade2kfp.steps.python_text import embed_python
from kade2kfp.steps.sources import Text
from kade2kfp.tasks.bento import files_of, requirements_of
from kade2kfp.tasks.container import PortNumber
from kade2kfp.tasks.services import server_of, service_name, without_accelerator

KEPT = "/kade/serving"
"""Where the versions of a serving lie in its pods: a folder of a claim."""
FILES = "/kade/bento"
"""Where its files come to lie, for templates/pack.py."""
_PATIENCE = 600


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

    min_replicas: Annotated[int, Field(ge=0)] | None = Field(default=None, description="The fewest; 1 by default.")
    max_replicas: Annotated[int, Field(ge=1)] = Field(description="The most.")
    target_cpu_utilization_percentage: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None,
        alias="targetCPUUtilizationPercentage",
        description="The load aimed at, in percent of the CPU requested; 80 by default.",
    )


class Example(Model):
    """A request that a new version must answer before it takes over."""

    path: AbsolutePath | None = Field(default=None, description="The endpoint's path; `/predict` by default.")
    body: Annotated[Any, Takes.LITERAL] = Field(
        alias="json", description='What is posted, as JSON; `{"inputs": [[5.1, 3.5, 1.4, 0.2]]}` for example.'
    )


class Serving(Task):
    """Builds a Bento from the model that arrives and deploys it as an endpoint; outputs `url`, `version`."""

    type: Literal["serving"] = Field(description="What the task is.")
    framework: Literal["sklearn", "pytorch", "tensorflow", "keras", "xgboost", "lightgbm", "onnx", "custom"] = Field(
        description="What the model was made with; `custom` needs service.py and bentofile.yaml."
    )
    files: list[ServingFile] | None = Field(default=None, description="Files of the Bento.")
    packages_to_install: list[CompileText] | None = Field(
        default=None,
        description="Python packages (PEP 508) of the Bento, besides those of its bentofile.yaml; "
        "of two of one name these count.",
    )
    volume: Name | None = Field(
        default=None,
        description="The volume that keeps the Bentos; `defaults.volume`, or the only one with a `claimName`, by default.",
    )
    port: PortNumber | None = Field(default=None, description="The endpoint's port; 3000 by default.")
    replicas: Annotated[CompileInteger, integer_schema(0)] | None = Field(
        default=None, description="How many replicas there are; 1 by default."
    )
    autoscale: Autoscale | None = Field(default=None, description="Replicas by load.")
    ready_timeout: Duration | None = Field(
        default=None, description="How long a new version may take until it answers; 10m by default."
    )
    example: Example | None = Field(
        default=None, description="A request that a new version must answer before it takes over."
    )
    flavor: Literal["deployment", "kserve"] | None = Field(
        default=None, description="A Deployment (default), or KServe's InferenceService."
    )

    def nodes(self, frame: Frame) -> Nodes:
        """A step that packs the Bento, and leaves its endpoint running."""
        own = {volume.mount_path for volume in self.volumes or ()}
        kept = ClaimMount(frame.kept_on, KEPT, f"serving/{frame.pipeline}/{frame.step.name}")
        step = replace(
            frame.step,
            image=frame.step.image if frame.own_image else (frame.toolbox_image,),
            requirements=requirements_of(self.all_files(frame.contents), self._packages(frame)),
        )
        name = service_name(frame)
        mounts = tuple(one for one in step.mounts if not isinstance(one, ClaimMount) or one.path in own)
        bare = replace(step, inputs=(), scratch=(), mounts=mounts)
        server = replace(server_of(bare, (replace(kept, read_only=True),)), command=_serve())
        files = tuple(
            EmbeddedFile(f"{FILES}/{path}", content) for path, content in sorted(self.all_files(frame.contents).items())
        )
        packer = replace(
            without_accelerator(step),
            command=self._pack(frame, name),
            mounts=(*step.mounts, kept),
            files=(*step.files, *files),
            scratch=(*step.scratch, FILES),
            retry=None,
            service=self._service(frame, name, server),
        )
        return (packer,)

    def all_files(self, contents: Mapping[tuple[str | int, ...], bytes]) -> Mapping[str, bytes]:
        """The Bento's files by name: the task's own, whose `contents` stand by place, and the framework's for what is missing."""
        return files_of(self.framework, {file.path: contents.get(file.at, b"") for file in self.files or ()})

    def _packages(self, frame: Frame) -> tuple[str, ...]:
        packages = enumerate(self.packages_to_install or ())
        return tuple(frame.compile_text(self.place("packages_to_install", i), one).strip() for i, one in packages)

    def _pack(self, frame: Frame, name: str) -> tuple[Text, ...]:
        words = ["python3", "-c", embed_python("pack.py"), "--name", name, "--framework", self.framework]
        words += ["--files", FILES, "--into", KEPT]
        for path in frame.arriving:
            words += ["--model", path]
        return tuple((word,) for word in words)

    def _service(self, frame: Frame, name: str, server: steps.Step) -> steps.Service:
        patience = frame.compile_text(self.place("ready_timeout"), self.ready_timeout) if self.ready_timeout else ""
        scale, example = self.autoscale, self.example
        replicas = frame.compile_text(self.place("replicas"), str(self.replicas)) if self.replicas is not None else "1"
        return steps.Service(
            "serving",
            name,
            server,
            self.port or 3000,
            flavor=self.flavor or "deployment",
            ready="/readyz",
            alive="/livez",
            ready_timeout=duration_seconds(patience) or _PATIENCE,
            replicas=int(replicas),
            autoscale=steps.Autoscale(
                scale.max_replicas,
                1 if scale.min_replicas is None else scale.min_replicas,
                scale.target_cpu_utilization_percentage or 80,
            )
            if scale
            else None,
            example=steps.Example(example.path or "/predict", json.dumps(example.body, sort_keys=True))
            if example
            else None,
            own_port=self.port is not None,
            folder=KEPT,
        )


@cache
def _serve() -> tuple[Text, ...]:
    lines = (line.strip() for line in read_text("templates/serve.sh").splitlines())
    script = "\n".join(line for line in lines if line and not line.startswith("#"))
    return tuple((word,) for word in ("sh", "-c", script, "serve", KEPT))
