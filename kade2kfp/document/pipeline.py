"""The envelope: the pipeline, its parameters, volumes, defaults and arrows."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from kade2kfp.document.base import FreeText, Model, RunText, Takes
from kade2kfp.document.shared import (
    EnvVar,
    NodeSelector,
    PullPolicy,
    PullSecret,
    Resources,
    Retry,
    SecurityContext,
    StringMap,
    Toleration,
)
from kade2kfp.document.types import (
    AbsolutePath,
    CompileQuantity,
    DnsName,
    Duration,
    FixedDnsName,
    Id,
    Name,
    Slug,
)

ParameterType = Literal["string", "integer", "number", "boolean", "array", "object"]
API_VERSION = "kade2kfp/v1"


class Parameter(Model):
    """A value that is given when a run is submitted."""

    name: Name = Field(description="The name by which references call it: `{{params.NAME}}`.")
    type: ParameterType = Field(description="The type of its value, in JSON Schema's words.")
    default: Annotated[Any, Takes.FREE] = Field(
        default=None, description="The value when none is given. Without it the parameter is required."
    )
    description: FreeText | None = Field(default=None, description="What it is for; shown where a run is submitted.")
    enum: list[Any] | None = Field(default=None, description="The only values allowed.")
    minimum: float | None = Field(default=None, description="The smallest number allowed.")
    maximum: float | None = Field(default=None, description="The largest number allowed.")
    pattern: str | None = Field(
        default=None,
        description="A regular expression that must be found in the text (anchor it with ^ and $ for the whole text).",
    )


class CreatedVolume(Model):
    """A claim made for the run, KFP's workspace: it goes when the run has succeeded or is deleted."""

    size: CompileQuantity = Field(description="Its size, such as `10Gi`.")
    access_modes: list[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]] | None = Field(
        default=None, description="Kubernetes' access modes; ReadWriteMany where steps run on several nodes."
    )
    storage_class_name: FixedDnsName | None = Field(
        default=None, description="The storage class; the cluster's default without it."
    )


class Volume(Model):
    """A shared volume: an existing claim, or one created for the run."""

    id: Name = Field(description="The name by which tasks and arrows call it.")
    claim_name: DnsName | None = Field(
        default=None,
        description="An existing PersistentVolumeClaim; or one whole reference to a string parameter.",
    )
    create: CreatedVolume | None = Field(
        default=None, description="Make a claim for each run. At most one volume may say so."
    )
    prepare: bool = Field(
        default=True,
        description="Make the run's folders beforehand, open to every user. false where the claim's root is writable by all.",
    )


class Arrow(Model):
    """Which path of one task becomes which path of the next, or only that one comes after the other."""

    null_means: ClassVar[frozenset[str]] = frozenset({"volume"})

    id: Id | None = Field(default=None, description="The editor's own id.")
    from_task: Id = Field(description="The task that comes first.")
    from_path: AbsolutePath | None = Field(default=None, description="The path in that task that holds the data.")
    to_task: Id = Field(description="The task that comes after it.")
    to_path: AbsolutePath | None = Field(default=None, description="The path in that task where the data is found.")
    kind: Literal["file", "directory"] | None = Field(
        default=None,
        description="What fromPath is. Without it: a file if its last segment has a file's suffix, else a directory.",
    )
    artifact_type: Literal["Artifact", "Dataset", "Model", "Metrics", "HTML", "Markdown"] | None = Field(
        default=None, description="KFP's type of the artifact."
    )
    volume: Name | None = Field(
        default=None,
        description="The shared volume that carries the data; null for an artifact where defaults.volume says otherwise.",
    )
    branch: Literal["then", "else"] | None = Field(default=None, description="Which branch of the condition it leaves.")
    inherit: bool = Field(
        default=True, description="Whether the second task takes settings from the first along this arrow."
    )
    position: Any = Field(default=None, description="The editor's.")
    ui: Any = Field(default=None, description="The editor's.")


class Defaults(Model):
    """What tasks take where neither they nor a task before them say otherwise."""

    short_forms: ClassVar[tuple[str, ...]] = ("image_pull_secrets",)

    image: RunText | None = Field(
        default=None, min_length=1, description="The image of jobs, containers and notebooks."
    )
    toolbox_image: str | None = Field(
        default=None,
        min_length=1,
        description="The image of the steps that kade2kfp itself adds; it has python3 and sh.",
    )
    resources: Resources | None = Field(default=None, description="Requests and limits.")
    env: list[EnvVar] | None = Field(default=None, description="Environment variables.")
    volume: Name | None = Field(default=None, description="The volume that carries arrows which name none.")
    node_selector: NodeSelector | None = Field(default=None, description="Labels that the node must have.")
    tolerations: list[Toleration] | None = Field(default=None, description="Taints that the pods tolerate.")
    image_pull_secrets: list[PullSecret] | None = Field(default=None, description="Secrets for pulling images.")
    image_pull_policy: PullPolicy | None = Field(default=None, description="When images are pulled.")
    security_context: SecurityContext | None = Field(default=None, description="User and group of the pods.")
    retry: Retry | None = Field(default=None, description="What to do when a command fails.")
    timeout: Duration | None = Field(
        default=None, description="How long a task may take, retries included; not for tasks that wait for a person."
    )
    cache: bool | None = Field(default=None, description="Whether results may be taken from an earlier run.")
    labels: StringMap | None = Field(default=None, description="Labels of the pods; K221 tells which keys are taken.")
    annotations: StringMap | None = Field(
        default=None, description="Annotations of the pods; K221 tells which keys are taken."
    )


class Schedule(Model):
    """What `submit --schedule` creates."""

    cron: str | None = Field(
        default=None,
        description="A cron expression of five fields, minute first, or six, seconds first; or a word such as `@daily`.",
    )
    every: Duration | None = Field(default=None, description="An interval.")
    timezone: str | None = Field(
        default=None, description="The time zone of cron, a name of the tz database such as `Europe/Berlin`."
    )
    catchup: bool | None = Field(default=None, description="Whether missed runs are made up for.")
    max_concurrency: Annotated[int, Field(ge=1, le=10)] | None = Field(
        default=None, description="Runs at the same time."
    )
    parameters: dict[str, Any] | None = Field(default=None, description="Values of the pipeline's parameters.")


def _api_version(value: Any) -> Any:
    from pydantic_core import PydanticCustomError

    if isinstance(value, str) and value != API_VERSION:
        raise PydanticCustomError(
            "K110",
            "the version {value} is not known",
            {"help": f"write `{API_VERSION}`", "value": f"`{value}`"},
        )
    return value


class Envelope(Model):
    """A pipeline; the lists' elements are read one by one (see read.py)."""

    schema_: FreeText | None = Field(default=None, alias="$schema", description="The JSON Schema, for editors.")
    api_version: Annotated[Literal["kade2kfp/v1"], BeforeValidator(_api_version)] = Field(
        description="The version of the format."
    )
    name: FreeText = Field(min_length=1, max_length=200, description="The pipeline's name: any text.")
    slug: Slug | None = Field(
        default=None, description="The pipeline's name in KFP, where it shall not follow from `name`."
    )
    description: FreeText | None = Field(default=None, description="What the pipeline does.")
    parameters: list[Any] = Field(default_factory=list, description="Values given when a run is submitted.")
    volumes: list[Any] = Field(default_factory=list, description="Shared volumes.")
    defaults: Any = Field(default=None, description="What tasks take where they say nothing themselves.")
    tasks: list[Any] = Field(description="The boxes.")
    arrows: list[Any] = Field(default_factory=list, description="The arrows between them.")
    on_exit: Id | None = Field(default=None, description="The task that runs at the end, whatever happened.")
    schedule: Schedule | None = Field(default=None, description="What `submit --schedule` creates.")
    labels: StringMap | None = Field(default=None, description="Labels of all pods.")
    timeout: Duration | None = Field(default=None, description="How long a run may take.")
    time_to_live: Duration | None = Field(
        default=None, description="How long the finished workflow is kept in the cluster."
    )
    position: Any = Field(default=None, description="The editor's.")
    ui: Any = Field(default=None, description="The editor's.")
