"""The Plan: what will run, free of any backend and of any task type. Data, no logic.

Every name here is final: unique, and fit for KFP and Kubernetes. Every path is absolute and normal (no `..`, no `//`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kade2kfp.steps.parts import (
    ArtifactInput,
    ArtifactOutput,
    ArtifactType,
    Comparison,
    EmbeddedFile,
    EnvFrom,
    EnvValue,
    Gate,
    Jupyter,
    Metrics,
    Mount,
    ParameterOutput,
    Port,
    Resources,
    Retry,
    Scheduling,
    Security,
    Ssh,
    VolumeOutput,
    Within,
)
from kade2kfp.steps.sources import Json, Source, Text, Type


@dataclass(frozen=True, slots=True)
class Step:
    """One container that runs a command to its end.

    `task` is the id of the document's task, `name` the step's own. `command` is the whole argument vector. `folders`
    are made before the command; `scratch` are folders that the backend provides empty and writable whoever the user is.
    `cache_key` is what the backend's own fingerprint leaves out; None switches caching off.
    """

    task: str
    name: str
    display_name: str
    image: Text
    command: tuple[Text, ...]
    description: str = ""
    type: str = "job"
    env: tuple[EnvValue | EnvFrom, ...] = ()
    mounts: tuple[Mount, ...] = ()
    scratch: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    inputs: tuple[ArtifactInput, ...] = ()
    outputs: tuple[ArtifactOutput | VolumeOutput, ...] = ()
    parameters: tuple[ParameterOutput, ...] = ()
    metrics: Metrics | None = None
    files: tuple[EmbeddedFile, ...] = ()
    requirements: tuple[str, ...] = ()
    working_dir: str = ""
    resources: Resources = field(default_factory=Resources)
    scheduling: Scheduling = field(default_factory=Scheduling)
    security: Security = field(default_factory=Security)
    pull_policy: str = ""
    pull_secrets: tuple[Text, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    retry: Retry | None = None
    timeout: int = 0
    cache_key: str | None = None
    after: tuple[str, ...] = ()
    always: bool = False
    """Whether it also runs when the one step before it has failed."""
    gate: Gate | None = None
    """How it waits for a person; a gate without a command just waits."""
    jupyter: Jupyter | None = None
    ssh: Ssh | None = None
    ports: tuple[Port, ...] = ()
    service: Service | None = None
    """What it leaves running."""
    within: Within = ()


@dataclass(frozen=True, slots=True)
class Autoscale:
    """How many replicas there are, by load; the load aimed at in percent of the CPU requested."""

    most: int
    fewest: int = 1
    cpu_percent: int = 80


@dataclass(frozen=True, slots=True)
class Example:
    """A request that a new version must answer: what is posted to `path`, as JSON text."""

    path: str
    body: str


@dataclass(frozen=True, slots=True)
class Service:
    """What a step leaves running: a server in pods of its own, which is reached at `port`.

    A viewer goes with its run, and nothing waits for it. A serving outlives its run: the next run's takes its place when
    it answers. `server` is the container; its command finds HOST, PORT and KADE2KFP_VERSION in its environment, and its
    mounts of claims are read-only unless the document says otherwise. The step's own command, if it has one, comes first and
    makes what the server needs; it finds KADE2KFP_VERSION too. `name` is fit for a Kubernetes Service, at most 49
    characters. Times in seconds; `ready` and `alive` are paths that answer 200, empty where an open port has to do.
    """

    kind: Literal["viewer", "serving"]
    name: str
    server: Step
    port: int
    flavor: Literal["deployment", "kubeflow", "kserve"] = "deployment"
    ready: str = ""
    alive: str = ""
    ready_timeout: int = 600
    paused: bool = False
    time_to_live: int = 0
    replicas: int = 1
    autoscale: Autoscale | None = None
    example: Example | None = None
    own_port: bool = False
    """Whether the document says the port, so that it is that one here too."""
    folder: str = ""
    """Of a serving: the folder of its mounts that its versions lie in, one folder each; the step writes there."""


SERVICE_OUTPUTS = {"viewer": ("url", "problem"), "serving": ("url", "version")}
"""The outputs, all texts, that a step has because of its service; backends fill them."""


@dataclass(frozen=True, slots=True)
class Import:
    """An artifact that exists already, at `uri`: all literal, or exactly one parameter."""

    task: str
    name: str
    display_name: str
    uri: Text
    type: ArtifactType = "Artifact"
    within: Within = ()


@dataclass(frozen=True, slots=True)
class Join:
    """An artifact that each side of a choice makes: that of the side that is taken. Each end is a node and its output."""

    name: str
    then: tuple[str, str]
    otherwise: tuple[str, str]
    type: ArtifactType = "Artifact"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of two branches runs: `then` where the comparison holds, else the other."""

    task: str
    name: str
    display_name: str
    test: Comparison
    joins: tuple[Join, ...] = ()
    after: tuple[str, ...] = ()
    within: Within = ()


@dataclass(frozen=True, slots=True)
class CollectedValue:
    """An array called `name` of what output `output` of node `node`, of type `type`, is for each item."""

    name: str
    node: str
    output: str
    type: Type


@dataclass(frozen=True, slots=True)
class CollectedArtifact:
    """A folder called `name` with what artifact `output` of node `node` is for each item.

    The item's data lies in a folder that has its number as its name, counted from 0; `file` is what a single file is called
    there, empty for a folder. index.json says which item has which number.
    """

    name: str
    node: str
    output: str
    type: ArtifactType = "Artifact"
    file: str = ""


@dataclass(frozen=True, slots=True)
class Loop:
    """Repeats nodes for each item of an array that only a run knows; `parallelism` is how many at a time, 0 no limit.

    The item is the source Item in texts of the nodes. Where one of them fails for an item, the other items go on, and the
    loop has failed then. `collects` is what it hands on.
    """

    task: str
    name: str
    display_name: str
    items: Source
    parallelism: int = 0
    collects: tuple[CollectedValue | CollectedArtifact, ...] = ()
    after: tuple[str, ...] = ()
    within: Within = ()


@dataclass(frozen=True, slots=True)
class CreatedClaim:
    """A claim that is made for the run and goes with it."""

    size: str
    access_modes: tuple[str, ...] = ()
    storage_class: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A volume of the document: an existing claim by name, or one created for the run.

    `run_folders` are the folders below the run's own folder that volume arrows need, `kept_folders` those that last, from
    the claim's root on, which a step needs that may not run as root; made beforehand and open to every user where
    `prepare` is set.
    """

    id: str
    name: Text = ()
    create: CreatedClaim | None = None
    prepare: bool = True
    run_folders: tuple[str, ...] = ()
    kept_folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanParameter:
    """A parameter of the pipeline; `default` counts only where `required` is not set."""

    name: str
    type: Type
    required: bool
    default: Json = None
    description: str = ""


Node = Step | Import | Choice | Loop


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline ready for a backend. Nodes stand in document order; names of nodes are unique."""

    name: str
    display_name: str
    description: str = ""
    parameters: tuple[PlanParameter, ...] = ()
    claims: tuple[Claim, ...] = ()
    nodes: tuple[Node, ...] = ()
    toolbox_image: str = ""
    scheduling: Scheduling = field(default_factory=Scheduling)
    """Where the steps that a backend adds may run."""
    pull_secrets: tuple[Text, ...] = ()
    """What they need for their image."""
    timeout: int = 0
    time_to_live: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    on_exit: str = ""
    """The name of the step that runs when all else has ended, however that was; nothing leads to it or from it."""
