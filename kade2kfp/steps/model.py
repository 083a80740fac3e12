"""The Plan: what will run, free of any backend and of any task type. Data, no logic.

Every name here is final: unique, and fit for KFP and Kubernetes. Every path is absolute and normal (no `..`, no `//`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kade2kfp.steps.sources import Json, Source, Text, Type

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
    """An artifact, output `output` of the step or import `step` or join of the choice, that the step finds at `path`.

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
class Branch:
    """One side of a choice, by the choice's name."""

    choice: str
    side: Literal["then", "else"]


@dataclass(frozen=True, slots=True)
class Iteration:
    """What a loop repeats, by the loop's name."""

    loop: str


Within = tuple[Branch | Iteration, ...]
"""The branches that a node is in, the outermost first, and the loop that repeats it."""


Operand = Source | str | int | float | bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands of type `type`, and how they are compared; texts and booleans only by == and !=."""

    left: Operand
    operator: Literal["==", "!=", ">", ">=", "<", "<="]
    right: Operand
    type: Literal["number", "string", "boolean"]


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

    `ways` are those by which a decision may come: c, the run's ConfigMap; s, a folder of a volume at /kade/shared; l, a
    file of the pod. Nobody is asked where there is an `only_if` that does not hold: that is a rejection.
    """

    timeout: int
    on_timeout: Literal["reject", "resume"] = "reject"
    on_exit: Literal["wait", "advance", "fail"] = "wait"
    on_reject: Literal["fail", "route"] = "fail"
    message: Text = ()
    values: tuple[GateValue, ...] = ()
    ways: str = "cl"
    only_if: Comparison | None = None


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
    within: Within = ()


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
    scheduling: Scheduling = Scheduling()
    """Where the steps that a backend adds may run."""
    pull_secrets: tuple[Text, ...] = ()
    """What they need for their image."""
    timeout: int = 0
    time_to_live: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    on_exit: str = ""
    """The name of the step that runs when all else has ended, however that was; nothing leads to it or from it."""
