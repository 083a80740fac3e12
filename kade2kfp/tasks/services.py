"""What viewers and servings share: their name, and the container of their server."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from kade2kfp.steps.frame import Frame
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import ClaimMount

_LONGEST = (
    49  # of Kubernetes' 63: a viewer's name has the run's first digits behind it, and its port is called `http-NAME`
)


def service_name(frame: Frame) -> str:
    """`<pipeline>-<step>`, as a Kubernetes Service is called (RFC 1035: it begins with a letter)."""
    name = f"{frame.pipeline}-{frame.step.name}"
    if not name[0].isalpha():
        name = f"s-{name}"
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name


def server_of(step: Step, mounts: tuple[ClaimMount, ...]) -> Step:
    """The server's container: what the document says of the task's pod, with the claims it sees besides.

    It hands on nothing, waits for nothing, and is tried again for ever.
    """
    return replace(
        step,
        mounts=(*step.mounts, *mounts),
        outputs=(),
        files=(),
        after=(),
        retry=None,
        timeout=0,
        cache_key=None,
        always=False,
    )


def without_accelerator(step: Step) -> Step:
    """The step in a pod that needs none: what it prepares or applies is no computing."""
    return replace(step, resources=replace(step.resources, accelerator="", accelerator_count=()))
