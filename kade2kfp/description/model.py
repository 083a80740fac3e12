"""The shape of `kade2kfp describe --json`, version `kade2kfp.describe/v1`.

Within a version fields are added, never renamed, removed or given another meaning. Where a text is known only when the
pipeline runs, its reference stands in it, as the document writes it: `{{params.image}}`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_VERSION: Literal["kade2kfp.describe/v1"] = "kade2kfp.describe/v1"
Kind = Literal["file", "directory"]
ValueType = Literal["string", "integer", "number", "boolean", "array", "object"]
Bytes = Annotated[int, Field(ge=0)]
Seconds = Annotated[int, Field(ge=0)]


class Shape(BaseModel):
    """The base of all: camelCase, closed, frozen; every field is always there."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True, serialize_by_alias=True
    )


class Place(Shape):
    """Where something stands in the document."""

    pointer: str = Field(description="The place as a JSON Pointer (RFC 6901).")
    line: Annotated[int, Field(ge=1)] | None = Field(description="The line, from 1.")


class Origin(Shape):
    """Where a setting comes from."""

    kind: Literal["task", "inherited", "defaults", "pipeline", "type"] = Field(
        description="`task`: the task itself. `inherited`: a task before it. `defaults`: the document's defaults. "
        "`pipeline`: the pipeline's own field, for all pods. `type`: nothing says it, the type of task has it."
    )
    task: str | None = Field(description="The id of the task that says it; null where no task does.")
    place: Place | None = Field(description="Where it is said; null where the document does not.")


class Setting(Shape):
    """One thing that holds for a task's pods, and where it comes from."""

    field: str = Field(description="The document's field: `image`, `env`, `volumes`, `nodeSelector`, ...")
    key: str | None = Field(
        description="Which element of the field: the variable's name, the mount's path, the label's or annotation's key; null for the whole field."
    )
    value: Any = Field(description="What is said, as the document has it, with its references.")
    resolved: Any = Field(
        description="The same with what is known at compile put in; null where nothing is to be put in, or something is known only later."
    )
    origin: Origin = Field(description="Where it comes from.")


class Dispute(Shape):
    """A field that a task takes from none of the tasks before it, because the nearest disagree."""

    field: str = Field(description="The document's field; for variables and mounts `env NAME` or `volumes PATH`.")
    tasks: list[str] = Field(description="The ids of the tasks that disagree.")


class Within(Shape):
    """A branch or an iteration that a step is in."""

    kind: Literal["branch", "iteration"] = Field(description="Which of both.")
    task: str = Field(description="The id of the condition, or of the task that is repeated first.")
    side: Literal["then", "else"] | None = Field(description="Which branch; null for an iteration.")


class Resources(Shape):
    """What a pod asks for and may use at most; null where nothing is said."""

    cpu_request: str | None = Field(description="CPU that it asks for.")
    cpu_limit: str | None = Field(description="CPU that it may use.")
    memory_request: str | None = Field(description="Memory that it asks for.")
    memory_limit: str | None = Field(description="Memory that it may use.")
    accelerator: str | None = Field(description="The extended resource, such as `nvidia.com/gpu`.")
    accelerator_count: str | None = Field(description="How many of it.")


class Retry(Shape):
    """Attempts after the first."""

    limit: int = Field(description="How many.")
    backoff_seconds: float = Field(description="The wait before the second attempt.")
    factor: float = Field(description="By how much each wait is longer.")
    max_backoff_seconds: float = Field(description="The longest wait.")
    on: Literal["exit", "pod"] = Field(description="`exit`: in the same pod. `pod`: a new pod when the pod is lost.")


class Step(Shape):
    """What a task becomes: a pod, an import of an artifact, or what KFP needs for a branch or a loop."""

    name: str = Field(description="The step's name.")
    kfp_name: str | None = Field(description="What KFP calls the task; null where KFP gets none for it.")
    kind: Literal["step", "import", "choice", "loop", "collect", "pass"] = Field(
        description="`step`: a pod that does the task's work. `import`: an artifact that is there already. `choice`, `loop`: a "
        "branch or a loop. `collect`: a pod that brings together what all items gave. `pass`: a pod that does nothing, where a branch is empty."
    )
    display_name: str = Field(description="The name that people see.")
    item: str | None = Field(description="The item that it is for, where the task is repeated for known items.")
    image: str | None = Field(description="The image of its pod; null where it has none.")
    server_image: str | None = Field(
        description="The image of the server that it leaves running, of viewers and servings."
    )
    within: list[Within] = Field(description="The branches and the iteration that it is in, the outermost first.")
    cached: bool = Field(description="Whether its result may be taken from an earlier run.")
    timeout_seconds: Seconds = Field(description="How long it may take, retries included; 0 is no limit.")
    retry: Retry | None = Field(description="Attempts after the first; null for none.")
    resources: Resources | None = Field(
        description="What its pod asks for; null for nothing. Of viewers and servings: the server's."
    )
    bytes: Bytes = Field(description="About how large it is, in bytes; of equal ones KFP keeps one.")


class GateValue(Shape):
    """A value that a person may give."""

    name: str = Field(description="Its name: `{{tasks.ID.values.NAME}}`.")
    type: ValueType = Field(description="Its type.")
    required: bool = Field(description="Whether the person has to give it.")
    default: Any = Field(description="The value when the person gives none.")
    description: str = Field(description="What it is for.")


class Gate(Shape):
    """How a task waits for a person."""

    kind: Literal["approval", "container", "notebook"] = Field(description="What waits.")
    timeout_seconds: Seconds = Field(description="How long it waits.")
    on_timeout: Literal["reject", "resume"] = Field(description="What happens then.")
    on_exit: Literal["wait", "advance", "fail"] = Field(description="What happens when the command ends by itself.")
    on_reject: Literal["fail", "route"] = Field(
        description="`route`: the pipeline goes on, with the decision `reject`."
    )
    message: str = Field(description="What the person is asked.")
    values: list[GateValue] = Field(description="The values that the person may give.")
    ports: list[int] = Field(description="Ports that `open` reaches, Jupyter's among them.")
    ssh_port: int | None = Field(description="The port of sshd; null without ssh.")


class Autoscale(Shape):
    """How many replicas there are, by load."""

    fewest: int = Field(description="The fewest.")
    most: int = Field(description="The most.")
    cpu_percent: int = Field(description="The load aimed at, in percent of the CPU requested.")


class Service(Shape):
    """What a viewer or a serving leaves running."""

    kind: Literal["viewer", "serving"] = Field(description="Which of both.")
    name: str = Field(
        description="What its Kubernetes objects are called; a viewer's have the run's first digits behind it."
    )
    flavor: Literal["deployment", "kubeflow", "kserve"] = Field(description="The kind of its objects.")
    port: int = Field(description="Its port.")
    image: str = Field(description="The image of its pods.")
    paused: bool = Field(description="Whether it is made without being started.")
    time_to_live_seconds: Seconds = Field(description="How long it is kept; 0: until somebody removes it.")
    ready_timeout_seconds: Seconds = Field(description="How long a new version may take until it answers.")
    replicas: int = Field(description="How many there are, where nothing scales them.")
    autoscale: Autoscale | None = Field(description="How many there are, by load.")


class Iteration(Shape):
    """What a task is repeated for."""

    task: str = Field(description="The id of the task that begins the iteration; the task's own, if it does.")
    items: int | None = Field(description="How many items there are; null where only a run knows.")
    reference: str | None = Field(description="The list that only a run knows, as a reference.")
    parallelism: int = Field(description="How many run at the same time; 0 is no limit.")


class Cache(Shape):
    """Whether results may be taken from earlier runs."""

    state: Literal["on", "off", "none"] = Field(description="`none`: the task has no pod whose result could be taken.")
    why: Literal["sound", "said", "unsound", "joined"] | None = Field(
        description="`said`: the document switches it off. `unsound`: the result depends on more than the inputs, or leaves "
        "more than outputs. `joined`: KFP joins two branches only where something ran. null with `none`."
    )


class Output(Shape):
    """A value that a task gives to others."""

    name: str = Field(description="Its name.")
    type: ValueType = Field(description="Its type.")
    reference: str = Field(description="How others refer to it.")


class Task(Shape):
    """A box of the document."""

    id: str = Field(description="The task's id.")
    type: str = Field(description="Its type.")
    name: str = Field(description="The name that people see; the id where the document gives none.")
    description: str = Field(description="What it does, in the document's words.")
    does: str = Field(description="What it does, in a few words: its URL, its test, its metric, its folder; or empty.")
    place: Place = Field(description="Where it stands.")
    steps: list[Step] = Field(description="What it becomes; one step for each known item.")
    iteration: Iteration | None = Field(description="What it is repeated for; null where it is not.")
    run_when: Literal["success", "always", "exit"] = Field(
        description="`always`: also when the task before it has failed. `exit`: at the end, whatever happened."
    )
    cache: Cache = Field(description="Whether results may be taken from earlier runs.")
    gate: Gate | None = Field(description="How it waits for a person; null where it does not.")
    service: Service | None = Field(description="What it leaves running; null for nothing.")
    outputs: list[Output] = Field(description="Values that it gives to others.")
    settings: list[Setting] = Field(description="What holds for its pods, and where each comes from.")
    disputed: list[Dispute] = Field(description="What it takes from no task before it, because they disagree.")
    bytes: Bytes = Field(description="About how much of a run it takes, with the state of its steps.")


class Arrow(Shape):
    """An arrow of the document."""

    id: str | None = Field(description="The editor's id of it.")
    from_task: str = Field(description="The id of the task that comes first.")
    from_path: str | None = Field(description="The path there; null where only the order is meant.")
    to_task: str = Field(description="The id of the task that comes after it.")
    to_path: str | None = Field(description="The path there; null where only the order is meant.")
    arrives_at: str | None = Field(
        description="Where the data really is: a file that goes into a folder keeps its name."
    )
    kind: Kind | None = Field(description="What is carried; null for nothing.")
    transport: Literal["artifact", "volume", "order"] = Field(description="How: `order` carries nothing.")
    artifact_type: str | None = Field(description="KFP's type of the artifact; null where it is none.")
    volume: str | None = Field(description="The id of the volume that carries it; null where none does.")
    branch: Literal["then", "else"] | None = Field(description="Which branch of a condition it leaves.")
    joined_by: str | None = Field(
        description="The id of the condition of whose branches one brings the data; null where it is not joined."
    )
    inherits: bool = Field(description="Whether settings may go along it.")
    place: Place = Field(description="Where it stands.")


class Image(Shape):
    """An image that a cluster pulls for the pipeline; KFP's own images come besides."""

    image: str = Field(description="The image; where a mirror takes its place, that one.")
    originals: list[str] = Field(description="What the document says, where a mirror takes the place of that.")
    resolved: str | None = Field(
        description="The image with the parameters' known values; null where that is the same, or only a run knows it."
    )
    toolbox: bool = Field(description="Whether steps that kade2kfp adds have it.")
    tasks: list[str] = Field(description="The ids of the tasks whose pods have it.")


class Use(Shape):
    """A reference to a parameter."""

    task: str | None = Field(description="The id of the task that holds it; null for the document's other fields.")
    place: Place = Field(description="Where it stands.")


class Parameter(Shape):
    """A parameter of the pipeline."""

    name: str = Field(description="Its name.")
    type: ValueType = Field(description="Its type.")
    required: bool = Field(description="Whether a run needs a value for it.")
    default: Any = Field(description="The value when none is given; what --set gave takes its place.")
    description: str = Field(description="What it is for.")
    enum: list[Any] | None = Field(description="The only values allowed; null for no such limit.")
    minimum: float | None = Field(description="The smallest number allowed.")
    maximum: float | None = Field(description="The largest number allowed.")
    pattern: str | None = Field(description="A regular expression that must be found in the text.")
    used: list[Use] = Field(description="Where it is referred to.")
    place: Place = Field(description="Where it stands.")


class Created(Shape):
    """A claim that is made for each run."""

    size: str = Field(description="Its size.")
    access_modes: list[str] = Field(description="Kubernetes' access modes.")
    storage_class: str | None = Field(description="Its storage class; null for the cluster's default.")


class Mount(Shape):
    """A folder of a volume in a task's pods."""

    task: str = Field(description="The task's id.")
    path: str = Field(description="Where it is in the container.")
    sub_path: str = Field(description="The folder of the volume; empty for its root.")
    in_run: bool = Field(description="Whether that folder lies in the run's own.")
    read_only: bool = Field(
        description="Whether the pod shall not write there; on a cluster only servers are held to it."
    )
    server: bool = Field(description="Whether it is in the pod of the server that the task leaves running.")


class Volume(Shape):
    """A volume of the document."""

    id: str = Field(description="Its id.")
    claim: str | None = Field(description="The claim's name; null for one that is made.")
    created: Created | None = Field(description="The claim that is made for each run; null for one that exists.")
    prepare: bool = Field(description="Whether the run's folders are made beforehand, open to every user.")
    mounts: list[Mount] = Field(description="Where it is mounted, by arrows too.")
    place: Place = Field(description="Where it stands.")


class Need(Shape):
    """An object that must be in the cluster."""

    kind: Literal["secret", "configMap", "claim", "storageClass"] = Field(description="What it is.")
    name: str | None = Field(description="Its name; null for the cluster's default storage class.")
    resolved: str | None = Field(
        description="The name with the parameters' known values; null where that is the same, or only a run knows it."
    )
    key: str | None = Field(description="The key in it; null where all of it is meant.")
    optional: bool = Field(description="Whether it may be missing.")
    tasks: list[str] = Field(description="The ids of the tasks that need it; none where steps that kade2kfp adds do.")


class Added(Shape):
    """A step that belongs to no task."""

    kfp_name: str = Field(description="What KFP calls it.")
    why: Literal["prepare"] = Field(description="`prepare`: it makes the run's folders on volumes.")
    image: str = Field(description="The image of its pod.")


class Schedule(Shape):
    """What `submit --schedule` creates."""

    cron: str | None = Field(description="A cron expression.")
    every: str | None = Field(description="An interval, as the document writes it.")
    timezone: str | None = Field(description="The time zone of cron.")
    catchup: bool | None = Field(
        description="Whether missed runs are made up for; null where the document does not say."
    )
    max_concurrency: int | None = Field(description="Runs at the same time; null where the document does not say.")
    parameters: dict[str, Any] = Field(description="Values of the pipeline's parameters.")


class Pipeline(Shape):
    """What holds for the whole."""

    name: str = Field(description="The pipeline's name.")
    slug: str = Field(description="What KFP calls the pipeline.")
    description: str = Field(description="What it does, in the document's words.")
    toolbox_image: str = Field(description="The image of the steps that kade2kfp adds.")
    timeout_seconds: Seconds = Field(description="How long a run may take; 0 is no limit.")
    time_to_live_seconds: Seconds = Field(description="How long the finished workflow is kept; 0: as the cluster says.")
    on_exit: str | None = Field(description="The id of the task that runs at the end, whatever happened.")
    schedule: Schedule | None = Field(description="When it runs by itself.")


class TaskSize(Shape):
    """A task's part of the compiled pipeline."""

    task: str = Field(description="The task's id.")
    bytes: Bytes = Field(description="About how many bytes.")


class Size(Shape):
    """An estimate of how large a run is at its end: its workflow, and the state of its steps."""

    bytes: Bytes = Field(description="About how many bytes.")
    limit: Bytes = Field(description="How many Argo holds of a run.")
    share: float = Field(description="The part of the limit, from 0 to 1.")
    largest_step: Bytes = Field(description="The bytes of the largest step for KFP's driver.")
    step_limit: Bytes = Field(description="How many that driver takes.")
    largest: list[TaskSize] = Field(description="The largest tasks, five at most, the largest first.")


class Description(Shape):
    """What a pipeline is and needs."""

    api_version: Literal["kade2kfp.describe/v1"] = Field(description="The version of this shape.")
    file: str = Field(description="The document's file, as it was called.")
    pipeline: Pipeline = Field(description="What holds for the whole.")
    parameters: list[Parameter] = Field(description="The parameters, as the document has them.")
    tasks: list[Task] = Field(description="The boxes, as the document has them; with `--task` only those.")
    arrows: list[Arrow] = Field(description="The arrows, as the document has them.")
    images: list[Image] = Field(description="All images that a cluster pulls.")
    volumes: list[Volume] = Field(description="The volumes, as the document has them.")
    needs: list[Need] = Field(description="What must be in the cluster.")
    added: list[Added] = Field(description="Steps that belong to no task.")
    size: Size = Field(description="An estimate of how large it is.")
