"""container: a pod that a person can work in, or, with automatic advance, a command like a job's."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from kade2kfp.document.base import Model
from kade2kfp.document.shared import CommandTask, Gate, KeyRef
from kade2kfp.document.types import PortName
from kade2kfp.steps.frame import Frame, Nodes
from kade2kfp.steps.parts import Port, SecretMount
from kade2kfp.steps.parts import Ssh as SshStep
from kade2kfp.tasks.gates import gated

PortNumber = Annotated[int, Field(ge=1, le=65535)]
KEYS = "/kade/ssh"
"""Where the secret with the public keys is mounted."""
SSH_PORT = 2222
"""sshd's port where none is said."""


class ContainerPort(Model):
    """A port that `open` forwards."""

    container_port: PortNumber = Field(description="The port's number.")
    name: PortName | None = Field(default=None, description="The port's name.")


class KeysFrom(Model):
    """Where public keys come from."""

    secret_key_ref: KeyRef = Field(description="A key of a secret.")


class Ssh(Model):
    """SSH into the container."""

    port: Annotated[int, Field(ge=1024, le=65535)] | None = Field(
        default=None, description="sshd's port, 2222 by default: a high one, since root's are not allowed."
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

    def nodes(self, frame: Frame) -> Nodes:
        """One step that runs the command; its ports are noted for whoever opens them."""
        ports = tuple(Port(one.container_port, one.name or "") for one in self.ports or ())
        noted = ",".join(f"{port.number}:{port.name}" if port.name else str(port.number) for port in ports)
        annotations = frame.step.annotations + ((("kade2kfp/ports", noted),) if noted else ())
        frame = replace(frame, step=replace(frame.step, ports=ports, annotations=annotations))
        (step,) = self.run(frame)
        if self.advance == "auto":
            return (step,)
        keys = self.ssh.authorized_keys_from if self.ssh else None
        if self.ssh and keys:
            ref = keys.secret_key_ref
            secret = SecretMount("secret", frame.text(ref.place("name"), ref.name), KEYS, ref.optional)
            step = replace(
                step, ssh=SshStep(self.ssh.port or SSH_PORT, f"{KEYS}/{ref.key}"), mounts=(*step.mounts, secret)
            )
        return (gated(self, self.gate or Gate.model_validate({}), step, frame),)
