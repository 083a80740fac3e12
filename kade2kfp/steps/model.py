"""The Plan: what will run, free of any backend and of any task type. Data, no logic.

Every name here is final: unique, and fit for KFP and Kubernetes. Every path is absolute and normal (no `..`, no `//`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kade2kfp.steps.sources import Json, Text, Type

Kind = Literal["file", "directory"]
ArtifactType = Literal["Artifact", "Dataset", "Model", "Metrics", "HTML", "Markdown"]


@dataclass(frozen=True, slots=True)
class EnvValue:
    """A variable whose value is in the document, or known at run time."""

    name: str
    value: Text


@dataclass(frozen=True, slots=True)
class EnvFrom:
    """A variable that Kubernetes fills: `source` is secret, configMap or field; `name` the object, `key` its key or path."""

    name: str
    source: Literal["secret", "configMap", "field"]
    object: Text
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ClaimMount:
    """A folder of a claim at `path`.

    `sub_path` is relative to the claim's root, or, where `in_run` is set, to the folder that this run has on it
    (`pipeline/<slug>/<run id>`). `is_file` says that the sub-path names a file.
    """

    claim: str
    path: str
    sub_path: str = ""
    in_run: bool = False
    read_only: bool = False
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class SecretMount:
    """A secret's or config map's keys as files in the folder `path`."""

    source: Literal["secret", "configMap"]
    name: Text
    path: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class EmptyDirMount:
    """An empty folder at `path` that lives as long as the pod; `medium` is `Memory` or empty."""

    path: str
    medium: str = ""
    size_limit: str = ""


Mount = ClaimMount | SecretMount | EmptyDirMount


@dataclass(frozen=True, slots=True)
class ArtifactOutput:
    """What a step leaves at `path` and the backend keeps as an artifact called `name`.

    `keep` says that the path lies in a claim of the user's: nothing there is ever deleted.
    """

    name: str
    path: str
    kind: Kind
    type: ArtifactType = "Artifact"
    keep: bool = False


@dataclass(frozen=True, slots=True)
class VolumeOutput:
    """What a step leaves at `path`, which lies in one of its claim mounts: emptied before each attempt."""

    path: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class ArtifactInput:
    """An artifact, output `output` of the step or import `step`, that the step finds at `path`.

    `name` is unique among the step's inputs. An empty `path` leaves it where it arrives (`Arrived`). A file that goes into a directory has kind `file` and a path in it.
    """

    name: str
    step: str
    output: str
    path: str
    kind: Kind
    type: ArtifactType = "Artifact"


@dataclass(frozen=True, slots=True)
class ParameterOutput:
    """A value of type `type` that the step writes to the file `path`."""

    name: str
    path: str
    type: Type


@dataclass(frozen=True, slots=True)
class Metrics:
    """A flat JSON object of numbers in the file `path`; `keys` are those that others refer to (outputs `metric-KEY`)."""

    path: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddedFile:
    """A file that travels with the step."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Retry:
    """`limit` attempts after the first; waits in seconds; `on` says whether in the same pod (`exit`) or a new one."""

    limit: int
    backoff: float = 0
    factor: float = 2
    max_backoff: float = 3600
    on: Literal["exit", "pod"] = "exit"


@dataclass(frozen=True, slots=True)
class Resources:
    """Kubernetes' requests and limits; `accelerator` is the name of the one extended resource. `()` is not given."""

    cpu_request: Text = ()
    cpu_limit: Text = ()
    memory_request: Text = ()
    memory_limit: Text = ()
    accelerator: str = ""
    accelerator_count: Text = ()


@dataclass(frozen=True, slots=True)
class Scheduling:
    """Where the pod may run. Tolerations and affinity terms are Kubernetes' own objects, as JSON."""

    node_selector: tuple[tuple[str, str], ...] = ()
    node_affinity: Json = None
    tolerations: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Security:
    """The user a pod runs as; None where the image decides."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """A port that the step's command listens on, on loopback at least."""

    number: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class GateValue:
    """A value that a person may give when a gate is resumed; without `required` there is a default."""

    name: str
    type: Type
    required: bool
    default: Json = None
    description: str = ""
    enum: tuple[Json, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """How a step waits for a person (templates/gate.sh). `timeout` in seconds.

    `shared` says that a folder of a volume is at /kade/shared, where a decision may be left too.
    """

    timeout: int
    on_timeout: Literal["reject", "resume"] = "reject"
    on_exit: Literal["wait", "advance", "fail"] = "wait"
    on_reject: Literal["fail", "route"] = "fail"
    message: Text = ()
    values: tuple[GateValue, ...] = ()
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Jupyter:
    """A notebook's server: its port and the folder it opens; `own` where the document says how it is started."""

    port: int
    start_path: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Ssh:
    """sshd's port, and the file with the public keys that may enter."""

    port: int
    keys: str


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
    resources: Resources = Resources()
    scheduling: Scheduling = Scheduling()
    security: Security = Security()
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


@dataclass(frozen=True, slots=True)
class Import:
    """An artifact that exists already, at `uri`: all literal, or exactly one parameter."""

    task: str
    name: str
    display_name: str
    uri: Text
    type: ArtifactType = "Artifact"


@dataclass(frozen=True, slots=True)
class CreatedClaim:
    """A claim that is made for the run and goes with it."""

    size: str
    access_modes: tuple[str, ...] = ()
    storage_class: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A volume of the document: an existing claim by name, or one created for the run.

    `run_folders` are the folders below the run's own folder that volume arrows need, made beforehand and open to every
    user where `prepare` is set.
    """

    id: str
    name: Text = ()
    create: CreatedClaim | None = None
    prepare: bool = True
    run_folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanParameter:
    """A parameter of the pipeline; `default` counts only where `required` is not set."""

    name: str
    type: Type
    required: bool
    default: Json = None
    description: str = ""


Node = Step | Import


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
    scheduling: Scheduling = Scheduling()
    """Where the steps that a backend adds may run."""
    pull_secrets: tuple[Text, ...] = ()
    """What they need for their image."""
    timeout: int = 0
    time_to_live: int = 0
    labels: tuple[tuple[str, str], ...] = ()
