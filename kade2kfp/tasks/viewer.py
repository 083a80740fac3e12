"""viewer: TensorBoard beside the pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from kade2kfp.document.base import CompileText, RunText
from kade2kfp.document.shared import Task
from kade2kfp.document.types import AbsolutePath, Duration, duration_seconds
from kade2kfp.steps.frame import Frame, Nodes
from kade2kfp.steps.model import Service, Step
from kade2kfp.steps.parts import ClaimMount, EmptyDirMount, Resources, SecretMount
from kade2kfp.steps.sources import Text
from kade2kfp.tasks.container import PortNumber
from kade2kfp.tasks.services import server_of, service_name

TENSORBOARD = "tensorboard==2.21.0"
_KEPT = 7 * 24 * 3600
# HOST and PORT are the backend's. Runs that are still written to are looked at every few seconds.
_COMMAND = 'exec "$@" --host "$HOST" --port "$PORT"'


class Viewer(Task):
    """TensorBoard, or another tool, beside the pipeline. Nothing waits for it."""

    type: Literal["viewer"] = Field(description="What the task is.")
    log_path: AbsolutePath = Field(description="The folder that it shows.")
    command: list[RunText] | None = Field(
        default=None,
        description="Another tool's command, in place of TensorBoard's: it listens on `$HOST` at `$PORT`.",
    )
    packages_to_install: list[CompileText] | None = Field(
        default=None, description="Python packages (PEP 508) of the tool; TensorBoard's plugins, for example."
    )
    port: PortNumber | None = Field(default=None, description="The tool's port; 6006 by default.")
    paused: bool | None = Field(default=None, description="Make it, but do not start it.")
    time_to_live: Duration | None = Field(
        default=None,
        description="How long it is kept on a cluster; 7d by default. `viewer` commands and later viewers remove it.",
    )
    flavor: Literal["deployment", "kubeflow"] | None = Field(
        default=None,
        description="A Deployment (default), or Kubeflow's Tensorboard resource where the cluster has it.",
    )

    def nodes(self, frame: Frame) -> Nodes:
        """A step that starts the tool and ends; the tool sees read-only what arrows bring."""
        step = frame.step
        claims = [one for one in step.mounts if isinstance(one, ClaimMount)]
        own = {volume.mount_path for volume in self.volumes or ()}
        brought = tuple(replace(one, read_only=True) for one in claims if one.path not in own)
        seen = tuple(one for one in step.mounts if not isinstance(one, ClaimMount) or one.path in own)
        server = replace(
            server_of(replace(step, mounts=seen), brought),
            image=step.image if frame.own_image else (frame.toolbox_image,),
            command=self._command(frame),
            requirements=self._packages(frame),
            files=step.files,  # the index of what a sweep has left
            folders=(self.log_path,) if not _covered(self.log_path, step) else (),
        )
        lasts = frame.compile_text(self.place("time_to_live"), self.time_to_live) if self.time_to_live else ""
        service = Service(
            "viewer",
            service_name(frame),
            server,
            self.port or 6006,
            flavor=self.flavor or "deployment",
            paused=bool(self.paused),
            time_to_live=duration_seconds(lasts) or _KEPT,
            own_port=self.port is not None,
        )
        maker = replace(
            step,
            image=(frame.toolbox_image,),
            env=(),
            mounts=(),
            scratch=(),
            files=(),
            inputs=tuple(replace(one, path="") for one in step.inputs),
            requirements=server.requirements,
            resources=Resources(),
            service=service,
        )
        return (maker,)

    def _command(self, frame: Frame) -> tuple[Text, ...]:
        if self.command:
            return tuple(frame.text(self.place("command", i), word) for i, word in enumerate(self.command))
        words = ["sh", "-c", _COMMAND, "viewer", "python3", "-m", "tensorboard.main", "--logdir", self.log_path]
        return tuple((word,) for word in (*words, "--load_fast=false", "--reload_interval=5"))

    def _packages(self, frame: Frame) -> tuple[str, ...]:
        packages = enumerate(self.packages_to_install or ())
        own = tuple(frame.compile_text(self.place("packages_to_install", i), one).strip() for i, one in packages)
        return own if self.command or frame.own_image else (TENSORBOARD, *own)


def _covered(path: str, step: Step) -> bool:
    """Whether the folder is there anyway: a mount, or an arrow's."""
    places = [one.path for one in step.mounts if isinstance(one, ClaimMount | SecretMount | EmptyDirMount)]
    return path in (*places, *step.scratch, *(one.path for one in step.inputs))
