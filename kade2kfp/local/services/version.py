"""A version of a service: what its box is made of and when it counts as ready; as JSON, with its secrets and without."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kade2kfp.local.engine import Bind, Box, Empty, Files, Limits


@dataclass(frozen=True, slots=True)
class Example:
    """A request that a new version must answer with 2xx: what is posted to `path`, as JSON text."""

    path: str
    body: str


@dataclass(frozen=True, slots=True)
class About:
    """Whose service it is: names of the run, the pipeline (its slug), the task, the step and the service itself."""

    kind: Literal["viewer", "serving"]
    name: str
    run: str
    pipeline: str
    task: str
    step: str


@dataclass(frozen=True, slots=True, repr=False)
class Version:
    """What a service runs. `name` is `YYYYMMDD-HHMMSS-xxxx`; `ready` is a path that answers 200, or empty: an open port.

    `withheld` names what of the box's variables and folders came from secrets and config maps: that is never written to
    disk. `lost` says that it is missing here. `masks` are what logs must not show. `requirements` are the packages of the
    environment that is the box's Python, where its engine has no images.
    """

    name: str
    about: About
    engine: str
    box: Box
    ready: str = ""
    ready_timeout: int = 600
    example: Example | None = None
    requirements: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    masks: tuple[bytes, ...] = ()
    lost: bool = False


def stored(version: Version) -> dict[str, Any]:
    """The version as JSON that may be written to disk: without its secrets."""
    env = {name: value for name, value in version.box.env.items() if name not in version.withheld}
    mounts = tuple(replace(one, contents={}) if isinstance(one, Files) else one for one in version.box.mounts)
    box = replace(version.box, env=env, mounts=mounts)
    return wire(replace(version, box=box, masks=(), lost=bool(version.withheld)))


def wire(version: Version) -> dict[str, Any]:
    """The version as JSON, secrets and all: for a keeper's socket only."""
    box = version.box
    return {
        "name": version.name,
        "about": asdict(version.about),
        "engine": version.engine,
        "box": {
            "name": box.name,
            "image": box.image,
            "command": list(box.command),
            "env": dict(box.env),
            "mounts": list(map(_mount, box.mounts)),
            "user": box.user,
            "group": box.group,
            "hostname": box.hostname,
            "limits": asdict(box.limits),
            "pull_policy": box.pull_policy,
            "python": str(box.python) if box.python else None,
        },
        "ready": version.ready,
        "ready_timeout": version.ready_timeout,
        "example": asdict(version.example) if version.example else None,
        "requirements": list(version.requirements),
        "withheld": list(version.withheld),
        "masks": [base64.b64encode(mask).decode() for mask in version.masks],
        "lost": version.lost,
    }


def version_of(fields: dict[str, Any]) -> Version:
    """The version that JSON stands for; its box has no scratch folder yet. Raises KeyError, TypeError, ValueError."""
    box = fields["box"]
    example = fields["example"]
    return Version(
        name=str(fields["name"]),
        about=About(**fields["about"]),
        engine=str(fields["engine"]),
        box=Box(
            **{
                **box,
                "command": tuple(box["command"]),
                "mounts": tuple(_mounts(box["mounts"])),
                "limits": Limits(**box["limits"]),
                "python": Path(box["python"]) if box["python"] else None,
            },
            scratch=Path(),
            host_network=True,
        ),
        ready=str(fields["ready"]),
        ready_timeout=int(fields["ready_timeout"]),
        example=Example(**example) if example else None,
        requirements=tuple(fields["requirements"]),
        withheld=tuple(fields["withheld"]),
        masks=tuple(base64.b64decode(mask) for mask in fields["masks"]),
        lost=bool(fields["lost"]),
    )


def _mount(mount: Bind | Empty | Files) -> dict[str, Any]:
    match mount:
        case Bind(source, path, read_only, exact):
            return {"bind": str(source), "path": path, "read_only": read_only, "exact": exact}
        case Empty(path, in_memory, size):
            return {"path": path, "in_memory": in_memory, "size": size}
        case Files(path, contents):
            return {"path": path, "files": {name: base64.b64encode(data).decode() for name, data in contents.items()}}


def _mounts(found: list[dict[str, Any]]) -> Iterator[Bind | Empty | Files]:
    for one in found:
        if "bind" in one:
            yield Bind(Path(one["bind"]), one["path"], one["read_only"], one["exact"])
        elif "files" in one:
            yield Files(one["path"], {name: base64.b64decode(data) for name, data in one["files"].items()})
        else:
            yield Empty(one["path"], one["in_memory"], one["size"])
