"""container: a pod that a person can work in, or, with automatic advance, a command like a job's."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.base import Model
from kade2kfp.document.shared import CommandTask, Gate, KeyRef
from kade2kfp.document.types import PortName
from kade2kfp.steps.frame import Frame, Nodes

Port = Annotated[int, Field(ge=1, le=65535)]


class ContainerPort(Model):
    """A port that `open` forwards."""

    container_port: Port = Field(description="The port's number.")
    name: PortName | None = Field(default=None, description="The port's name.")


class KeysFrom(Model):
    """Where public keys come from."""

    secret_key_ref: KeyRef = Field(description="A key of a secret.")


class Ssh(Model):
    """SSH into the container."""

    port: Annotated[int, Field(ge=1024, le=65535)] | None = Field(
        default=None, description="sshd's port: a high one, since root's are not allowed."
    )
    authorized_keys_from: KeysFrom | None = Field(default=None, description="The public keys that may enter.")


class Container(CommandTask):
    """A pod that a person can work in: it runs until a person resumes or rejects it."""

    type: Literal["container"] = Field(description="What the task is.")
    ports: list[ContainerPort] | None = Field(default=None, description="Ports that `open` forwards.")
    ssh: Ssh | None = Field(default=None, description="SSH into the container.")
    advance: Literal["manual", "auto"] | None = Field(
        default=None, description="Who lets the pipeline go on: a person (default), or the command's end."
    )
    gate: Gate | None = Field(default=None, description="How it waits for the person.")

    def unsupported(self) -> tuple[tuple[str, Pointer], ...]:
        """Waiting for a person, and SSH, are not lowered yet."""
        found = super().unsupported()
        if self.advance != "auto":
            found += (
                (
                    "a container that waits for a person (`advance` manual, the default)",
                    self.place("advance"),
                ),
            )
        if self.ssh:
            found += (("`ssh`", self.place("ssh")),)
        return found

    def nodes(self, frame: Frame) -> Nodes:
        """One step that runs the command; its ports are noted for whoever opens them."""
        ports = ",".join(
            f"{port.container_port}:{port.name}" if port.name else str(port.container_port) for port in self.ports or ()
        )
        noted = (("kade2kfp/ports", ports),) if ports else ()
        return super().nodes(replace(frame, step=replace(frame.step, annotations=frame.step.annotations + noted)))
