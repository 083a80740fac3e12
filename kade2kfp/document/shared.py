"""What all tasks share: Kubernetes' settings of a pod, and the fields of a task that runs a user's command."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from kade2kfp.document.base import CompileText, FreeText, Model, RunText, Takes
from kade2kfp.document.types import (
    AbsolutePath,
    AnyPath,
    CompileQuantity,
    DataKey,
    DnsName,
    Duration,
    EnvName,
    Id,
    Name,
    Quantity,
    SubPath,
)
from kade2kfp.steps.frame import Frame, Nodes
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import EmbeddedFile, Metrics, ParameterOutput
from kade2kfp.steps.sources import Text

PullPolicy = Literal["Always", "IfNotPresent", "Never"]
StringMap = dict[str, str]
NodeSelector = dict[str, CompileText]
Number = Annotated[float, Field(allow_inf_nan=False)]


class KeyRef(Model):
    """A key of a secret or config map."""

    name: DnsName = Field(description="The secret's or config map's name.")
    key: DataKey = Field(description="The key in it.")
    optional: bool = Field(default=False, description="Whether it may be missing.")


class FieldRef(Model):
    """A field of the pod."""

    field_path: str = Field(description="Such as `metadata.name`, `spec.nodeName`, `status.podIP`.")
    api_version: Literal["v1"] | None = Field(default=None, description="Kubernetes' version of the path.")


class EnvSource(Model):
    """Where a variable's value comes from; exactly one of them."""

    secret_key_ref: KeyRef | None = Field(default=None, description="A key of a secret.")
    config_map_key_ref: KeyRef | None = Field(default=None, description="A key of a config map.")
    field_ref: FieldRef | None = Field(default=None, description="A field of the pod.")


class EnvVar(Model):
    """An environment variable, as Kubernetes writes it."""

    name: EnvName = Field(description="The variable's name.")
    value: RunText | None = Field(default=None, description="Its value; empty without it.")
    value_from: EnvSource | None = Field(default=None, description="Where Kubernetes takes its value from.")


class Resources(Model):
    """What a pod asks for and may use at most."""

    requests: dict[str, Quantity] | None = Field(default=None, description="What it asks for: cpu, memory.")
    limits: dict[str, Quantity] | None = Field(
        default=None,
        description="What it may use: cpu, memory, and extended resources such as `nvidia.com/gpu`.",
    )


class EmptyDir(Model):
    """A folder that lives as long as the pod."""

    medium: Literal["", "Memory"] | None = Field(default=None, description="`Memory` for a file system in memory.")
    size_limit: CompileQuantity | None = Field(default=None, description="How much it may hold.")


class TaskVolume(Model):
    """A mount: of a volume of the pipeline (`id`), a secret, a config map, or an empty folder; exactly one of them."""

    id: Name | None = Field(default=None, description="A volume of the pipeline.")
    acl: Literal["RW", "RO"] | None = Field(
        default=None, description="Whether the task may write to it (RW is the default)."
    )
    sub_path: SubPath | None = Field(
        default=None, description="The folder of the volume that is mounted; its root without it."
    )
    secret: DnsName | None = Field(default=None, description="A secret, whose keys become files.")
    config_map: DnsName | None = Field(default=None, description="A config map, whose keys become files.")
    empty_dir: EmptyDir | None = Field(default=None, description="A folder that lives as long as the pod.")
    mount_path: AbsolutePath = Field(description="Where it is in the container.")
    optional: bool | None = Field(default=None, description="Whether the secret or config map may be missing.")


class SelectorTerm(Model):
    """A condition on a node's label or field."""

    key: str = Field(description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(description="How it is compared.")
    values: list[str] | None = Field(default=None, description="With what.")


class NodeTerm(Model):
    """Conditions that must all hold."""

    match_expressions: list[SelectorTerm] | None = Field(default=None, description="On the node's labels.")
    match_fields: list[SelectorTerm] | None = Field(default=None, description="On the node's fields.")


class RequiredNodes(Model):
    """Terms of which one must hold."""

    node_selector_terms: list[NodeTerm] = Field(description="The terms.")


class PreferredNodes(Model):
    """A term that had better hold."""

    weight: Annotated[int, Field(ge=1, le=100)] = Field(description="How much it counts.")
    preference: NodeTerm = Field(description="The term.")


class NodeAffinity(Model):
    """Which nodes the pod may run on, or had better."""

    required_during_scheduling_ignored_during_execution: RequiredNodes | None = Field(
        default=None, description="Nodes that it may run on."
    )
    preferred_during_scheduling_ignored_during_execution: list[PreferredNodes] | None = Field(
        default=None, description="Nodes that it had better run on."
    )


class Toleration(Model):
    """A taint that the pod tolerates."""

    key: str | None = Field(default=None, description="The taint's key; all keys without it (operator Exists).")
    operator: Literal["Exists", "Equal"] | None = Field(
        default=None, description="How it is compared; Equal is the default."
    )
    value: str | None = Field(default=None, description="The taint's value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect."
    )
    toleration_seconds: int | None = Field(default=None, description="For how long, with NoExecute.")


class SecurityContext(Model):
    """The user a pod runs as."""

    run_as_user: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, description="The user's number."
    )
    run_as_group: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, description="The group's number."
    )
    run_as_non_root: bool | None = Field(default=None, description="Refuse to start as root.")


class Retry(Model):
    """What to do when a command fails."""

    limit: Annotated[int, Field(ge=0, le=100)] = Field(description="Attempts after the first.")
    backoff: Duration | None = Field(default=None, description="The wait before the second attempt.")
    factor: Annotated[float, Field(ge=1, le=100)] | None = Field(
        default=None, description="By how much each wait is longer; 2 by default."
    )
    max_backoff: Duration | None = Field(default=None, description="The longest wait.")
    on: Literal["exit", "pod"] | None = Field(
        default=None,
        description="`exit`: the command again in the same pod (default). `pod`: a new pod when the pod is lost.",
    )


def _pull_secret(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class PullSecretRef(Model):
    """A secret for pulling images."""

    name: DnsName = Field(description="The secret's name.")


PullSecret = Annotated[PullSecretRef, BeforeValidator(_pull_secret, json_schema_input_type=PullSecretRef | str)]


class File(Model):
    """A file that travels with the task."""

    path: AbsolutePath = Field(description="Where it is in the container.")
    source: AnyPath | None = Field(default=None, description="A file in the document's folder, read at compile.")
    content: Annotated[str, Takes.LITERAL] | None = Field(default=None, description="The content itself.")
    encoding: Literal["utf-8", "base64"] | None = Field(
        default=None, description="How `content` is written; utf-8 by default."
    )


class OutputParameter(Model):
    """A value that the command writes to a file."""

    name: Name = Field(description="The name by which references call it: `{{tasks.ID.outputs.NAME}}`.")
    type: Literal["string", "integer", "number", "boolean", "array", "object"] = Field(description="Its type.")
    path: AbsolutePath = Field(description="The file that holds it.")


class Task(Model):
    """What all tasks share."""

    short_forms: ClassVar[tuple[str, ...]] = ("image_pull_secrets",)

    id: Id = Field(description="The name by which arrows and references call it.")
    type: str = Field(description="What the task is.")
    name: FreeText | None = Field(default=None, description="The name that people see: any text.")
    description: FreeText | None = Field(default=None, description="What the task does.")
    image: RunText | None = Field(default=None, min_length=1, description="The container image.")
    image_pull_policy: PullPolicy | None = Field(default=None, description="When the image is pulled.")
    image_pull_secrets: list[PullSecret] | None = Field(default=None, description="Secrets for pulling the image.")
    env: list[EnvVar] | None = Field(default=None, description="Environment variables.")
    resources: Resources | None = Field(default=None, description="What the pod asks for and may use at most.")
    volumes: list[TaskVolume] | None = Field(default=None, description="Mounts.")
    node_selector: NodeSelector | None = Field(default=None, description="Labels that the node must have.")
    node_affinity: NodeAffinity | None = Field(
        default=None, description="Which nodes the pod may run on, or had better."
    )
    tolerations: list[Toleration] | None = Field(default=None, description="Taints that the pod tolerates.")
    security_context: SecurityContext | None = Field(default=None, description="User and group of the pod.")
    labels: StringMap | None = Field(default=None, description="Labels of the pod; K221 tells which keys are taken.")
    annotations: StringMap | None = Field(
        default=None, description="Annotations of the pod; K221 tells which keys are taken."
    )
    retry: Retry | None = Field(default=None, description="What to do when the command fails.")
    timeout: Duration | None = Field(default=None, description="How long the task may take, retries included.")
    cache: bool | None = Field(
        default=None,
        description="Whether the result may be taken from an earlier run; true where that is sound.",
    )
    run_when: Literal["success", "always"] | None = Field(
        default=None, description="`always`: it runs also when the task before it has failed."
    )
    inherit: bool = Field(
        default=True, description="Whether it takes from the task before it what it does not say itself."
    )
    position: Any = Field(default=None, description="The editor's.")
    ui: Any = Field(default=None, description="The editor's.")

    def nodes(self, frame: Frame) -> Nodes:
        """What the task becomes in a plan. Each type says it for itself."""
        raise NotImplementedError(type(self).__name__)


class CommandTask(Task):
    """A task that runs a user's command: job, container, notebook."""

    command: list[RunText] | None = Field(default=None, description="The command and its arguments, each on its own.")
    script: Annotated[str, Takes.RUN] | None = Field(
        default=None, description="Text for `sh -e`, in place of a command."
    )
    args: list[RunText] | None = Field(default=None, description="Arguments that follow the command or script.")
    working_dir: AbsolutePath | None = Field(default=None, description="The folder that the command starts in.")
    files: list[File] | None = Field(default=None, description="Files that travel with the task.")
    packages_to_install: list[CompileText] | None = Field(
        default=None, description="Python packages (PEP 508), installed before the command."
    )
    outputs: list[OutputParameter] | None = Field(default=None, description="Values that the command writes to files.")
    metrics: AbsolutePath | None = Field(
        default=None, description="The file in which the command leaves a flat JSON object of numbers."
    )

    def nodes(self, frame: Frame) -> Nodes:
        """One step that runs the command."""
        return self.run(frame)

    def run(self, frame: Frame) -> tuple[Step]:
        """The step that runs the command."""
        if self.script is not None:
            command: tuple[Text, ...] = (
                ("sh",),
                ("-e",),
                ("-c",),
                frame.text(self.place("script"), self.script),
                (frame.name or frame.step.name,),
            )
        else:
            command = tuple(frame.text(self.place("command", i), word) for i, word in enumerate(self.command or ()))
        command += tuple(frame.text(self.place("args", i), word) for i, word in enumerate(self.args or ()))
        packages = enumerate(self.packages_to_install or ())
        return (
            replace(
                frame.step,
                command=command,
                files=(
                    *frame.step.files,
                    *(EmbeddedFile(file.path, frame.contents.get(file.at, b"")) for file in self.files or ()),
                ),
                requirements=tuple(
                    frame.compile_text(self.place("packages_to_install", i), one).strip() for i, one in packages
                ),
                parameters=tuple(ParameterOutput(one.name, one.path, one.type) for one in self.outputs or ()),
                metrics=Metrics(self.metrics, frame.metric_keys) if self.metrics else None,
            ),
        )


class TypedValue(Model):
    """A value that a person may give when a gate is resumed."""

    name: Name = Field(description="Its name: `{{tasks.ID.values.NAME}}`.")
    type: Literal["string", "integer", "number", "boolean", "array", "object"] = Field(description="Its type.")
    default: Annotated[Any, Takes.FREE] = Field(default=None, description="The value when the person gives none.")
    description: FreeText | None = Field(default=None, description="What it is for.")
    enum: list[Any] | None = Field(default=None, description="The only values allowed.")
    minimum: Number | None = Field(default=None, description="The smallest number allowed.")
    maximum: Number | None = Field(default=None, description="The largest number allowed.")
    pattern: str | None = Field(default=None, description="A regular expression that the text must match.")


class Gate(Model):
    """How a step waits for a person."""

    timeout: Duration | None = Field(default=None, description="How long it waits.")
    on_timeout: Literal["reject", "resume"] | None = Field(
        default=None, description="What happens then; reject by default."
    )
    on_exit: Literal["wait", "advance", "fail"] | None = Field(
        default=None, description="What happens when the command ends by itself."
    )
    on_reject: Literal["fail", "route"] | None = Field(
        default=None, description="`route`: go on, with the decision `reject`."
    )
    message: RunText | None = Field(default=None, description="What the person is asked.")
    values: list[TypedValue] | None = Field(default=None, description="What the person may give.")


def one_of(*names: str) -> str:
    """Names for a message: `a`, `b` or `c`."""
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]
