"""What an engine is: it runs one attempt of a step in a box of its own, and knows nothing of plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

GRACE = 10.0
"""Seconds between TERM and KILL."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of this machine at `path` of the box.

    `exact`: steps may change what lies around `source`, which is absolute and free of links; what it names by then is
    mounted only if it still is.
    """

    source: Path
    path: str
    read_only: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Empty:
    """An empty folder at `path` that every user may write to; in memory, of at most `size` bytes (0: no limit)."""

    path: str
    in_memory: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True)
class Files:
    """A read-only folder at `path` of small files by name. Their contents are secret: never on disk, never in a list of processes."""

    path: str
    contents: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use: CPUs (None: all), bytes of memory (0: all), whether it wants accelerators."""

    cpus: float | None = None
    memory: int = 0
    accelerators: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """One attempt: the argument vector, its environment and what it sees. Mounts are sorted, outer ones first.

    `scratch` is an empty folder on disk for whatever the engine or the step writes; the caller removes it afterwards.
    `python` is the virtual environment that serves as the step's Python where the engine has no image.
    """

    name: str
    image: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    mounts: tuple[Bind | Empty | Files, ...]
    scratch: Path
    user: int | None = None
    group: int | None = None
    hostname: str = "local"
    limits: Limits = field(default_factory=Limits)
    pull_policy: str = ""
    python: Path | None = None
    host_network: bool = False
    """Whether it has to be in this machine's network, so that its ports on loopback can be reached."""


@dataclass(frozen=True, slots=True)
class Running:
    """A box that has been started.

    `wait(seconds)` gives its exit code, 128 + N where signal N ended it, or None while it runs. `terminate` asks it
    to end (TERM), `kill` ends it and all that it started. `close` frees what the engine holds; it comes last, and once.
    `handle` is what another process calls the box: a container's name, or the number of the box's first process; empty
    where it ended too soon.
    """

    wait: Callable[[float | None], int | None]
    terminate: Callable[[], None]
    kill: Callable[[], None]
    close: Callable[[], None]
    handle: Callable[[], str]


class CannotStartError(Exception):
    """A box cannot be started; the text says why, `help` what to do. No fault of the step's command."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


class Engine(Protocol):
    """Process, docker or podman."""

    @property
    def name(self) -> str:
        """How the engine is called on the command line."""

    @property
    def uses_images(self) -> bool:
        """Whether steps run in their own images; else the image is only a label."""

    def of_run(self, run_id: str) -> Engine:
        """The engine for the boxes of one run; those are its own to clean up."""

    def clean(self) -> None:
        """Remove what a runner of the run that was killed has left. The caller holds the run. Raises OSError."""

    def start(self, box: Box, output: int) -> Running:
        """Start a box; its standard output and error go to the file descriptor `output`, its input is empty.

        Raises CannotStartError.
        """

    def image_digest(self, image: str) -> str:
        """What tells two images of one name apart, for caching; empty where the image is only a label."""
