"""What holds for a task's pods, and where each of it comes from: what has no effect on them is not told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kade2kfp.description.model import Dispute, Origin
from kade2kfp.description.model import Setting as Told
from kade2kfp.description.texts import place, with_known
from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.base import Model, alias
from kade2kfp.document.shared import CommandTask, Task
from kade2kfp.document.types import duration_seconds
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.build import toolbox_image
from kade2kfp.plan.inherit import Setting, Settings
from kade2kfp.source import Source
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.parts import Resources, Security
from kade2kfp.tasks.serving import Serving
from kade2kfp.tasks.viewer import Viewer

_CHANGES: Mapping[str, Callable[[Step], bool]] = {
    "resources": lambda pod: pod.resources != Resources(),
    "node_selector": lambda pod: bool(pod.scheduling.node_selector),
    "node_affinity": lambda pod: bool(pod.scheduling.node_affinity),
    "tolerations": lambda pod: bool(pod.scheduling.tolerations),
    "image_pull_secrets": lambda pod: bool(pod.pull_secrets),
    "image_pull_policy": lambda pod: bool(pod.pull_policy),
    "security_context": lambda pod: pod.security != Security(),
    "working_dir": lambda pod: bool(pod.working_dir),
    "cache": lambda pod: pod.gate is None and pod.service is None,
}
"""Fields, and whether one has an effect on a pod: not all types take all of them."""
_OWN_IMAGE = (CommandTask, Viewer, Serving)
"""Types whose pods have the image that the document says."""


def settings(source: Source, analysis: Analysis, plan: Plan, task: Task, pods: Sequence[Step]) -> list[Told]:
    """What holds for the pods of a task: its steps, and the servers that they leave running."""
    if not pods:
        return []
    teller = _Teller(source, analysis, task)
    return [
        teller.image(),
        *teller.fields(pods),
        *teller.elements(pods),
        *teller.labels(plan, pods),
    ]


def disputed(analysis: Analysis, task: Task) -> list[Dispute]:
    """What a task takes from none of the tasks before it."""
    found = analysis.settings[task.id].disputed
    return [Dispute(field=_name(task, field), tasks=list(tasks)) for field, tasks in found.items()]


def _name(task: Task, field: str) -> str:
    name, space, key = field.partition(" ")
    return alias(type(task), name) + space + key


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells the settings of one task."""

    source: Source
    analysis: Analysis
    task: Task

    @property
    def settings(self) -> Settings:
        """What the task goes by."""
        return self.analysis.settings[self.task.id]

    def image(self) -> Told:
        """The image: the document's where the type takes it, else the toolbox."""
        said = self.settings.fields.get("image")
        if said and isinstance(self.task, _OWN_IMAGE):
            return self.told("image", said)
        defaults = self.analysis.document.defaults
        if defaults.toolbox_image:
            at = defaults.place("toolbox_image")
            return self.told("image", Setting(defaults.toolbox_image, at, "defaults"))
        origin = Origin(kind="type", task=None, place=None)
        return Told(field="image", key=None, value=toolbox_image(self.analysis), resolved=None, origin=origin)

    def fields(self, pods: Sequence[Step]) -> Iterator[Told]:
        """The fields that are one value each."""
        for field, setting in self.settings.fields.items():
            if field != "image" and self._has_effect(field, setting, pods):
                yield self.told(field, setting)

    def _has_effect(self, field: str, setting: Setting[Any], pods: Sequence[Step]) -> bool:
        if field == "retry":
            return setting.value.limit == 0 or any(pod.retry for pod in pods)
        if field == "timeout":
            text = self.analysis.resolution.compile_text(setting.at, setting.value)
            seconds = duration_seconds(text)
            return seconds is None or any(pod.timeout == seconds for pod in pods)
        return any(_CHANGES[field](pod) for pod in pods)

    def elements(self, pods: Sequence[Step]) -> Iterator[Told]:
        """Variables and mounts."""
        variables = {one.name for pod in pods for one in pod.env}
        paths = {one.path for pod in pods for one in pod.mounts}
        for variable in self.settings.env:
            if variable.value.name in variables:
                yield self.told("env", variable, variable.value.name)
        for mount in self.settings.volumes:
            if mount.value.mount_path in paths:
                yield self.told("volumes", mount, mount.value.mount_path)

    def labels(self, plan: Plan, pods: Sequence[Step]) -> Iterator[Told]:
        """Labels and annotations. The pipeline's own labels stand back behind the task's."""
        own = {setting.value[0] for setting in self.settings.labels}
        for field in ("labels", "annotations"):
            there = {key for pod in pods for key, _ in getattr(pod, field)}
            for setting in getattr(self.settings, field):
                key, value = setting.value
                if key in there:
                    yield self.told(field, Setting(value, setting.at, setting.origin), key)
        pipeline = self.analysis.document.pipeline
        for key, value in plan.labels:
            if key not in own:
                yield self.told("labels", Setting(value, pipeline.place("labels", key), "pipeline"), key)

    def told(self, field: str, setting: Setting[Any], key: str | None = None) -> Told:
        """A setting with its value as the document has it."""
        value = _plain(setting.value)
        return Told(
            field=alias(type(self.task), field),
            key=key,
            value=value,
            resolved=with_known(value, self.analysis.known),
            origin=self._origin(setting.at, setting.origin),
        )

    def _origin(self, at: Pointer, whose: str) -> Origin:
        here = place(self.source, at)
        # A task may have the id `defaults`: the place tells them apart.
        if at[0] == "defaults":
            return Origin(kind="defaults", task=None, place=here)
        if at[0] != "tasks":
            return Origin(kind="pipeline", task=None, place=here)
        return Origin(kind="task" if whose == self.task.id else "inherited", task=whose, place=here)


def _plain(value: object) -> Any:
    if isinstance(value, Model):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
