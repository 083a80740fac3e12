"""A version of a service, made of a step of the plan and of what its run knows."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kade2kfp.local.boxes import Ground, box_of
from kade2kfp.local.engine import Bind, Engine, Files
from kade2kfp.local.places import OUT, Known
from kade2kfp.local.secrets import masks
from kade2kfp.local.services.version import About, Example, Version
from kade2kfp.steps.model import Service, Step
from kade2kfp.steps.parts import EnvFrom


@dataclass(frozen=True, slots=True)
class Material:
    """A step that leaves a service running, and all that is needed of its run; `inputs` are where its artifacts lie."""

    step: Step
    service: Service
    ground: Ground
    known: Known
    inputs: Mapping[str, Path]
    engine: Engine
    home: Path

    @property
    def wanted(self) -> int | None:
        """The port that the document asks for."""
        return self.service.port if self.service.own_port else None

    @property
    def paused(self) -> bool:
        """Whether nothing of it is to be started."""
        return self.service.paused or self.service.replicas == 0


def version_name() -> str:
    """A name for a new version: when it was made (UTC), and four digits so that no two are the same."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def version_of_step(of: Material, name: str) -> Version:
    """The version that a step makes; its box has no Python yet. Raises CannotRunError, OSError."""
    server, service = of.service.server, of.service
    # It stands for the environment of the packages, which need not be made yet.
    python = None if of.engine.uses_images else of.home / "environments"
    with tempfile.TemporaryDirectory(prefix="kade2kfp-") as scratch:
        box = box_of(server, of.ground, of.known, of.inputs, scratch=Path(scratch), python=python)
    # A server hands nothing on.
    mounts = tuple(one for one in box.mounts if not (isinstance(one, Bind) and one.path == OUT))
    variables = [one.name for one in server.env if isinstance(one, EnvFrom) and one.source != "field"]
    withheld = [name for name in dict.fromkeys(variables) if name in box.env]
    example = Example(service.example.path, service.example.body) if service.example else None
    return Version(
        name,
        About(service.kind, service.name, of.ground.folder.name, of.ground.plan.name, of.step.task, of.step.name),
        of.engine.name,
        replace(box, mounts=mounts, python=None, host_network=True),
        service.ready,
        service.ready_timeout,
        example,
        () if of.engine.uses_images else server.requirements,
        (*withheld, *(one.path for one in mounts if isinstance(one, Files))),
        masks(of.ground.objects),
    )


def with_python(version: Version, python: Path | None) -> Version:
    """The version with the environment that its box's Python is."""
    return replace(version, box=replace(version.box, python=python))
