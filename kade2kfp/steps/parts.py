"""What the nodes of a plan are made of: variables, mounts, what comes in and goes out, gates. Data, no logic.

Every path is absolute and normal (no `..`, no `//`).
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
